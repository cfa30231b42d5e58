//! Rows in COPY's text format with its default options (PostgreSQL documentation of `COPY`, "Text Format").
//!
//! A row is a line; fields are separated by tabs; `\N` is NULL; a backslash escapes. The client encoding is always
//! UTF-8, in which no byte of a longer character looks like a tab, a newline or a backslash. A server writes no
//! backslash before a raw tab or newline, though it would read one: here such a line has the wrong number of fields.

use std::borrow::Cow;
use std::fmt;

/// Why bytes are no rows. Positions and numbers only, never content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("a row has {found} fields where {expected} were expected")]
    FieldCount { found: usize, expected: usize },
    /// `len` bytes of the row that is not whole are there.
    #[error("the rows end in the middle of one, after {len} bytes of it")]
    Truncated { len: usize },
    #[error("a field of {len} bytes ends in a lone backslash")]
    LoneBackslash { len: usize },
}

/// One field as it stands in the line, still escaped, or none for NULL.
pub type Field<'a> = Option<&'a [u8]>;

/// A whole row, and the rows that follow it.
pub type RowAndRest<'a> = (&'a [u8], &'a [u8]);

/// Takes the first row off `rows` into `fields`, and returns it (with its newline) and what follows it; none at the end.
///
/// # Errors
/// [`Error::Truncated`] if the last line does not end, [`Error::FieldCount`] if the row has another number of fields.
#[inline]
pub fn next_row<'a>(
    rows: &'a [u8],
    field_count: usize,
    fields: &mut Vec<Field<'a>>,
) -> Result<Option<RowAndRest<'a>>, Error> {
    fields.clear();
    if rows.is_empty() {
        return Ok(None);
    }
    let mut start = 0;
    while let Some(len) = find_end(&rows[start..]) {
        let end = start + len;
        let field = &rows[start..end];
        fields.push((field != b"\\N").then_some(field));
        start = end + 1;
        if rows[end] == b'\n' {
            // A table without columns has an empty line for each row.
            if field_count == 0 && end == 0 {
                fields.clear();
            }
            if fields.len() != field_count {
                return Err(Error::FieldCount { found: fields.len(), expected: field_count });
            }
            return Ok(Some(rows.split_at(start)));
        }
    }
    Err(Error::Truncated { len: rows.len() })
}

/// The length of the field that `rest` begins with: where the next tab or newline stands.
///
/// Most fields are short, and finding the end of one costs less by itself than the call of a search that is made for long ones.
#[inline]
fn find_end(rest: &[u8]) -> Option<usize> {
    let (words, _) = rest.as_chunks::<8>();
    for (number, word) in words.iter().take(2).enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zero_bytes(word ^ TABS) | zero_bytes(word ^ NEWLINES);
        if found != 0 {
            return Some(number * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let searched = words.len().min(2) * 8;
    memchr::memchr2(b'\t', b'\n', &rest[searched..]).map(|place| searched + place)
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const TABS: u64 = u64::from_le_bytes([b'\t'; 8]);
const NEWLINES: u64 = u64::from_le_bytes([b'\n'; 8]);

/// The lowest bit that is set stands in the first byte that is zero.
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & (ONES << 7)
}

/// The rows of a chunk with their newlines, of any number of fields: for counting and comparing.
///
/// Ends after the first error. Whoever needs the fields uses [`next_row`], which also checks their number.
pub fn rows(rows: &[u8]) -> impl Iterator<Item = Result<&[u8], Error>> {
    rows.split_inclusive(|byte| *byte == b'\n').map(|row| match row.last() {
        Some(b'\n') => Ok(row),
        _ => Err(Error::Truncated { len: row.len() }),
    })
}

/// Appends one row of fields that are escaped already (see [`escape_into`]).
pub fn write_row(fields: &[Field<'_>], out: &mut Vec<u8>) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b'\t');
        }
        out.extend_from_slice(field.unwrap_or(b"\\N"));
    }
    out.push(b'\n');
}

/// Appends a value in escaped form, as `CopyAttributeOutText` writes it.
pub fn escape_into(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        let escaped = match byte {
            b'\\' => b'\\',
            0x08 => b'b',
            0x0c => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x0b => b'v',
            plain => {
                out.push(*plain);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escaped]);
    }
}

/// Whether a field as it stands is another one than its value.
#[must_use]
#[inline]
pub fn is_escaped(field: &[u8]) -> bool {
    field.contains(&b'\\')
}

/// A field's value. Understands everything that COPY FROM does: letters, octal (`\123`) and hexadecimal (`\x4a`).
///
/// # Errors
/// [`Error::LoneBackslash`] if nothing follows the last backslash.
pub fn unescape(field: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    if !is_escaped(field) {
        return Ok(Cow::Borrowed(field));
    }
    let mut value = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            value.push(*byte);
            continue;
        }
        let (escaped, after) = rest.split_first().ok_or(Error::LoneBackslash { len: field.len() })?;
        rest = after;
        match escaped {
            b'b' => value.push(0x08),
            b'f' => value.push(0x0c),
            b'n' => value.push(b'\n'),
            b'r' => value.push(b'\r'),
            b't' => value.push(b'\t'),
            b'v' => value.push(0x0b),
            b'0'..=b'7' => {
                let (mut number, used) = digits(rest, 8, 2);
                number += u32::from(escaped - b'0') << (3 * used);
                value.push((number & 0xff) as u8);
                rest = &rest[used..];
            }
            b'x' => match digits(rest, 16, 2) {
                (_, 0) => value.push(b'x'),
                (number, used) => {
                    value.push((number & 0xff) as u8);
                    rest = &rest[used..];
                }
            },
            other => value.push(*other),
        }
    }
    Ok(Cow::Owned(value))
}

fn digits(input: &[u8], radix: u32, most: usize) -> (u32, usize) {
    let values = input.iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix));
    values.fold((0, 0), |(number, used), digit| (number * radix + digit, used + 1))
}

/// Cuts a COPY stream, as it comes in pieces of any size, into whole rows.
///
/// The stream itself does not tell its end: that is the `CopyDone` message's part, which the caller waits for.
#[derive(Default)]
pub struct StreamSplitter {
    /// What came before and is not yet a whole line.
    pending: Vec<u8>,
}

impl StreamSplitter {
    /// Takes one piece, appends the rows that are complete by now, and returns their number.
    pub fn push(&mut self, piece: &[u8], rows: &mut Vec<u8>) -> u64 {
        let Some(last) = piece.iter().rposition(|byte| *byte == b'\n') else {
            self.pending.extend_from_slice(piece);
            return 0;
        };
        let (whole, rest) = piece.split_at(last + 1);
        rows.append(&mut self.pending);
        rows.extend_from_slice(whole);
        self.pending.extend_from_slice(rest);
        whole.iter().filter(|byte| **byte == b'\n').count() as u64
    }

    /// Nothing may be left over.
    ///
    /// # Errors
    /// [`Error::Truncated`] if the last row was not whole.
    pub fn finish(self) -> Result<(), Error> {
        match self.pending.len() {
            0 => Ok(()),
            len => Err(Error::Truncated { len }),
        }
    }
}

/// Pending bytes are people's rows: only their number is shown.
impl fmt::Debug for StreamSplitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSplitter").field("pending_bytes", &self.pending.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Neighbours of the two bytes are in the alphabet, since a carry would show there.
        #[test]
        fn a_field_ends_at_the_first_tab_or_newline(rest in prop::collection::vec(prop::sample::select(b"\x08\t\n\x0b\0\x89\xff~aaaaaaaaaa".to_vec()), 0..40)) {
            let slow = rest.iter().position(|byte| matches!(byte, b'\t' | b'\n'));
            prop_assert_eq!(find_end(&rest), slow);
        }
    }
}
