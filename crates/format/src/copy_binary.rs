//! Rows in COPY's binary format (PostgreSQL documentation of `COPY`, "Binary Format").
//!
//! A row is a 16-bit field count, then for each field a 32-bit length (-1 for NULL) and that many bytes; all numbers
//! are big-endian. Lethe stores rows one after the other, without the header and the trailer of a COPY stream.

/// Signature, flags (none) and length of the header extension (none).
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A field count of -1 ends the stream.
pub const TRAILER: &[u8] = b"\xff\xff";

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Why bytes are no rows. Positions and numbers only, never content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("the binary COPY stream does not begin with its signature")]
    NoSignature,
    #[error("the binary COPY stream uses flags that are not known")]
    UnknownFlags,
    #[error("a row has {found} fields where {expected} were expected")]
    FieldCount { found: i16, expected: usize },
    #[error("a field's length of {length} is not possible")]
    FieldLength { length: i32 },
    #[error("the rows end in the middle of one")]
    Truncated,
    #[error("bytes follow the end of the binary COPY stream")]
    AfterTrailer,
}

/// One field: its bytes, or none for NULL.
pub type Field<'a> = Option<&'a [u8]>;

/// Takes the first row off `rows` into `fields`, and returns it with what follows it; none at the end.
///
/// The number of fields is `field_count`: another one is an error.
///
/// # Errors
/// [`Error::Truncated`] if the row is not whole, [`Error::FieldCount`] and [`Error::FieldLength`] for impossible ones.
#[inline]
pub fn next_row<'a>(
    rows: &'a [u8],
    field_count: usize,
    fields: &mut Vec<Field<'a>>,
) -> Result<Option<(&'a [u8], &'a [u8])>, Error> {
    fields.clear();
    if rows.is_empty() {
        return Ok(None);
    }
    let (count, mut rest) = rows.split_first_chunk::<2>().ok_or(Error::Truncated)?;
    let count = i16::from_be_bytes(*count);
    if usize::try_from(count) != Ok(field_count) {
        return Err(Error::FieldCount { found: count, expected: field_count });
    }
    for _ in 0..field_count {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(Error::Truncated)?;
        let length = i32::from_be_bytes(*length);
        rest = after;
        match usize::try_from(length) {
            Ok(length) => {
                let (value, after) = rest.split_at_checked(length).ok_or(Error::Truncated)?;
                fields.push(Some(value));
                rest = after;
            }
            Err(_) if length == -1 => fields.push(None),
            Err(_) => return Err(Error::FieldLength { length }),
        }
    }
    let (row, rest) = rows.split_at(rows.len() - rest.len());
    Ok(Some((row, rest)))
}

/// Appends one row. At most 1600 fields (PostgreSQL's limit), each below 2 GiB.
///
/// # Errors
/// [`Error::FieldCount`] or [`Error::FieldLength`] beyond those limits; then nothing was appended.
pub fn write_row(fields: &[Field<'_>], out: &mut Vec<u8>) -> Result<(), Error> {
    let count = i16::try_from(fields.len())
        .map_err(|_| Error::FieldCount { found: i16::MAX, expected: fields.len() })?;
    for value in fields.iter().flatten() {
        i32::try_from(value.len()).map_err(|_| Error::FieldLength { length: i32::MAX })?;
    }
    out.extend_from_slice(&count.to_be_bytes());
    for field in fields {
        match field {
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(value) => {
                // Checked above.
                out.extend_from_slice(&(value.len() as i32).to_be_bytes());
                out.extend_from_slice(value);
            }
        }
    }
    Ok(())
}

/// Cuts a COPY stream, as it comes in pieces of any size, into whole rows.
///
/// Rows are appended to a buffer of the caller's without the stream's header and trailer.
#[derive(Debug, Default)]
pub struct StreamSplitter {
    /// What came before and is not yet a whole header or row.
    pending: Vec<u8>,
    header_seen: bool,
    trailer_seen: bool,
}

impl StreamSplitter {
    /// Takes one piece, appends the rows that are complete by now, and returns their number.
    ///
    /// # Errors
    /// If the stream is no binary COPY stream.
    pub fn push(&mut self, piece: &[u8], rows: &mut Vec<u8>) -> Result<u64, Error> {
        if self.pending.is_empty() {
            let used = self.take(piece, rows)?;
            self.pending.extend_from_slice(&piece[used.bytes..]);
            return Ok(used.rows);
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.extend_from_slice(piece);
        let used = self.take(&pending, rows)?;
        pending.drain(..used.bytes);
        self.pending = pending;
        Ok(used.rows)
    }

    /// # Errors
    /// [`Error::Truncated`] if the stream ended without its trailer: the sender disappeared.
    pub fn finish(self) -> Result<(), Error> {
        if self.trailer_seen { Ok(()) } else { Err(Error::Truncated) }
    }

    fn take(&mut self, input: &[u8], rows: &mut Vec<u8>) -> Result<Used, Error> {
        let mut used = Used { bytes: 0, rows: 0 };
        if !self.header_seen {
            match header_len(input)? {
                None => return Ok(used),
                Some(len) => used.bytes = len,
            }
            self.header_seen = true;
        }
        let first = used.bytes;
        while !self.trailer_seen {
            match row_len(&input[used.bytes..])? {
                Piece::Row(len) => {
                    used.bytes += len;
                    used.rows += 1;
                }
                Piece::Trailer => {
                    rows.extend_from_slice(&input[first..used.bytes]);
                    used.bytes += TRAILER.len();
                    self.trailer_seen = true;
                    if used.bytes < input.len() {
                        return Err(Error::AfterTrailer);
                    }
                    return Ok(used);
                }
                Piece::Incomplete => break,
            }
        }
        if self.trailer_seen && used.bytes < input.len() {
            return Err(Error::AfterTrailer);
        }
        rows.extend_from_slice(&input[first..used.bytes]);
        Ok(used)
    }
}

struct Used {
    bytes: usize,
    rows: u64,
}

enum Piece {
    Row(usize),
    Trailer,
    Incomplete,
}

/// The length of the header with its extension, or none if it is not whole yet.
fn header_len(input: &[u8]) -> Result<Option<usize>, Error> {
    let known = input.len().min(SIGNATURE.len());
    if input[..known] != SIGNATURE[..known] {
        return Err(Error::NoSignature);
    }
    let Some((flags, rest)) = input.get(SIGNATURE.len()..).and_then(|rest| rest.split_first_chunk::<4>()) else {
        return Ok(None);
    };
    // Bits 16 to 31 are critical: a reader that does not know them must stop. Bit 16 once meant OIDs.
    if u32::from_be_bytes(*flags) >> 16 != 0 {
        return Err(Error::UnknownFlags);
    }
    let Some((extension, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let extension = u32::from_be_bytes(*extension);
    if extension > 1 << 20 {
        return Err(Error::UnknownFlags);
    }
    let extension = extension as usize;
    Ok((rest.len() >= extension).then_some(HEADER.len() + extension))
}

fn row_len(input: &[u8]) -> Result<Piece, Error> {
    let Some((count, mut rest)) = input.split_first_chunk::<2>() else { return Ok(Piece::Incomplete) };
    let count = i16::from_be_bytes(*count);
    if count == -1 {
        return Ok(Piece::Trailer);
    }
    if count < 0 {
        return Err(Error::FieldCount { found: count, expected: 0 });
    }
    for _ in 0..count {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { return Ok(Piece::Incomplete) };
        let length = i32::from_be_bytes(*length);
        rest = after;
        match usize::try_from(length) {
            Ok(length) => match rest.get(length..) {
                Some(after) => rest = after,
                None => return Ok(Piece::Incomplete),
            },
            Err(_) if length == -1 => {}
            Err(_) => return Err(Error::FieldLength { length }),
        }
    }
    Ok(Piece::Row(input.len() - rest.len()))
}
