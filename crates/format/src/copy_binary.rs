//! Rows in COPY's binary format (PostgreSQL documentation of `COPY`, "Binary Format").
//!
//! A row is a 16-bit field count, then for each field a 32-bit length (-1 for NULL) and that many bytes; all numbers
//! are big-endian. Lethe stores rows one after the other, without the header and the trailer of a COPY stream.

mod stream_splitter;

pub use stream_splitter::StreamSplitter;

/// Signature, flags (none) and length of the header extension (none).
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// A field count of -1 ends the stream.
pub const TRAILER: &[u8] = b"\xff\xff";

/// Why bytes are no rows. Positions and numbers only, never content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("the binary COPY stream does not begin with its signature (byte {position} differs)")]
    NoSignature { position: usize },
    #[error("the binary COPY stream uses flags that are not known ({flags:#010x})")]
    UnknownFlags { flags: u32 },
    #[error("the binary COPY stream's header has an impossible extension of {length} bytes")]
    HeaderExtension { length: u32 },
    #[error("a row has {found} fields where {expected} were expected")]
    FieldCount { found: i16, expected: usize },
    #[error("a row cannot have {found} fields")]
    NegativeFieldCount { found: i16 },
    #[error("the length {length} of field {field} is not possible")]
    FieldLength { field: usize, length: i32 },
    /// `len` bytes of the row that is not whole are there.
    #[error("the rows end in the middle of one, after {len} bytes of it")]
    Truncated { len: usize },
    #[error("the binary COPY stream ends without its trailer, {left_over} bytes after its last whole row")]
    NoTrailer { left_over: usize },
    #[error("{len} bytes follow the end of the binary COPY stream")]
    AfterTrailer { len: usize },
    /// For rows to be written.
    #[error("a row of {count} fields is more than PostgreSQL can have")]
    TooManyFields { count: usize },
    /// For rows to be written.
    #[error("field {field} of {len} bytes is longer than PostgreSQL can have")]
    FieldTooLong { field: usize, len: usize },
}

/// One field: its bytes, or none for NULL.
pub type Field<'a> = Option<&'a [u8]>;

/// A whole row, and the rows that follow it.
pub type RowAndRest<'a> = (&'a [u8], &'a [u8]);

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
) -> Result<Option<RowAndRest<'a>>, Error> {
    if rows.is_empty() {
        fields.clear();
        return Ok(None);
    }
    let truncated = Error::Truncated { len: rows.len() };
    let (count, mut rest) = rows.split_first_chunk::<2>().ok_or(truncated)?;
    let count = i16::from_be_bytes(*count);
    if usize::try_from(count) != Ok(field_count) {
        return Err(Error::FieldCount { found: count, expected: field_count });
    }
    // The rows of a chunk all have the same number, so this is done for its first one alone.
    if fields.len() != field_count {
        fields.resize(field_count, None);
    }
    for (field, place) in fields.iter_mut().enumerate() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(truncated)?;
        let length = i32::from_be_bytes(*length);
        rest = after;
        match usize::try_from(length) {
            Ok(length) => {
                let (value, after) = rest.split_at_checked(length).ok_or(truncated)?;
                *place = Some(value);
                rest = after;
            }
            Err(_) if length == -1 => *place = None,
            Err(_) => return Err(Error::FieldLength { field, length }),
        }
    }
    let (row, rest) = rows.split_at(rows.len() - rest.len());
    Ok(Some((row, rest)))
}

/// The rows of a chunk, one after the other, of any number of fields: for counting and comparing.
///
/// Ends after the first error. Whoever needs the fields uses [`next_row`], which also checks their number.
pub fn rows(rows: &[u8]) -> impl Iterator<Item = Result<&[u8], Error>> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let input = std::mem::take(&mut rest);
        if input.is_empty() {
            return None;
        }
        Some(match row_len(input) {
            Ok(Piece::Row(len)) => {
                let (row, after) = input.split_at(len);
                rest = after;
                Ok(row)
            }
            Ok(Piece::Incomplete) => Err(Error::Truncated { len: input.len() }),
            // A stored chunk has no trailer.
            Ok(Piece::Trailer) => Err(Error::NegativeFieldCount { found: -1 }),
            Err(error) => Err(error),
        })
    })
}

/// Appends one row. At most 32767 fields (PostgreSQL's own limit is 1600), each below 2 GiB.
///
/// # Errors
/// [`Error::TooManyFields`] or [`Error::FieldTooLong`] beyond those limits; then nothing was appended.
pub fn write_row(fields: &[Field<'_>], out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    let written = append_row(fields, out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn append_row(fields: &[Field<'_>], out: &mut Vec<u8>) -> Result<(), Error> {
    let count = i16::try_from(fields.len()).map_err(|_| Error::TooManyFields { count: fields.len() })?;
    out.extend_from_slice(&count.to_be_bytes());
    for (field, value) in fields.iter().enumerate() {
        match value {
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(value) => {
                let len = value.len();
                let length = i32::try_from(len).map_err(|_| Error::FieldTooLong { field, len })?;
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(value);
            }
        }
    }
    Ok(())
}

/// What stands at the beginning of some input.
enum Piece {
    Row(usize),
    Trailer,
    Incomplete,
}

/// The length of the row that `input` begins with. 'Not enough yet' is a value here, not an error.
fn row_len(input: &[u8]) -> Result<Piece, Error> {
    let Some((count, mut rest)) = input.split_first_chunk::<2>() else { return Ok(Piece::Incomplete) };
    let count = i16::from_be_bytes(*count);
    if count == -1 {
        return Ok(Piece::Trailer);
    }
    let count = usize::try_from(count).map_err(|_| Error::NegativeFieldCount { found: count })?;
    for field in 0..count {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { return Ok(Piece::Incomplete) };
        let length = i32::from_be_bytes(*length);
        rest = after;
        match usize::try_from(length) {
            Ok(length) => match rest.get(length..) {
                Some(after) => rest = after,
                None => return Ok(Piece::Incomplete),
            },
            Err(_) if length == -1 => {}
            Err(_) => return Err(Error::FieldLength { field, length }),
        }
    }
    Ok(Piece::Row(input.len() - rest.len()))
}
