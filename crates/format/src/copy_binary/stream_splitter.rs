use std::fmt;

use super::{Error, Piece, TRAILER, row_len};

/// What the header begins with; flags and the length of the extension follow.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Bits 16 to 31 are critical: a reader that does not know them must stop. Bit 16 once meant OIDs.
const CRITICAL_FLAGS: u32 = 0xffff_0000;
/// No server writes an extension at all; a longer one than this is not waited for.
const MAX_EXTENSION: u32 = 1 << 20;

/// Cuts a COPY stream, as it comes in pieces of any size, into whole rows.
///
/// Rows are appended to a buffer of the caller's without the stream's header and trailer.
#[derive(Default)]
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
    /// If the stream is no binary COPY stream. What was appended is then not to be used.
    pub fn push(&mut self, piece: &[u8], rows: &mut Vec<u8>) -> Result<u64, Error> {
        // A server sends each row as one piece, so that nothing is pending as a rule and nothing is copied twice.
        if self.pending.is_empty() {
            let taken = self.take(piece, rows)?;
            self.pending.extend_from_slice(taken.rest);
            return Ok(taken.rows);
        }
        let mut input = std::mem::take(&mut self.pending);
        input.extend_from_slice(piece);
        let taken = self.take(&input, rows)?;
        let (count, used) = (taken.rows, input.len() - taken.rest.len());
        input.drain(..used);
        self.pending = input;
        Ok(count)
    }

    /// # Errors
    /// [`Error::NoTrailer`] if the stream ended without its trailer: the sender disappeared.
    pub fn finish(self) -> Result<(), Error> {
        if self.trailer_seen { Ok(()) } else { Err(Error::NoTrailer { left_over: self.pending.len() }) }
    }

    fn take<'a>(&mut self, input: &'a [u8], rows: &mut Vec<u8>) -> Result<Taken<'a>, Error> {
        let mut first_row = input;
        if !self.header_seen {
            let Some(after) = after_header(input)? else { return Ok(Taken { rest: input, rows: 0 }) };
            first_row = after;
            self.header_seen = true;
        }
        let mut taken = Taken { rest: first_row, rows: 0 };
        while !self.trailer_seen {
            match row_len(taken.rest)? {
                Piece::Row(len) => {
                    taken.rest = taken.rest.get(len..).unwrap_or_default();
                    taken.rows += 1;
                }
                Piece::Trailer => self.trailer_seen = true,
                Piece::Incomplete => break,
            }
        }
        let (whole, after) = first_row.split_at(first_row.len() - taken.rest.len());
        rows.extend_from_slice(whole);
        if self.trailer_seen {
            let after = after.strip_prefix(TRAILER).unwrap_or(after);
            if !after.is_empty() {
                return Err(Error::AfterTrailer { len: after.len() });
            }
            taken.rest = &[];
        }
        Ok(taken)
    }
}

/// Pending bytes are people's rows: only their number is shown.
impl fmt::Debug for StreamSplitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSplitter")
            .field("pending_bytes", &self.pending.len())
            .field("header_seen", &self.header_seen)
            .field("trailer_seen", &self.trailer_seen)
            .finish()
    }
}

struct Taken<'a> {
    /// What is not yet a whole header or row.
    rest: &'a [u8],
    rows: u64,
}

/// What follows the header and its extension, or none if they are not whole yet.
fn after_header(input: &[u8]) -> Result<Option<&[u8]>, Error> {
    if let Some(position) = input.iter().zip(SIGNATURE).position(|(found, expected)| found != expected) {
        return Err(Error::NoSignature { position });
    }
    let fields = input.get(SIGNATURE.len()..).unwrap_or_default();
    let Some((flags, fields)) = fields.split_first_chunk::<4>() else { return Ok(None) };
    let flags = u32::from_be_bytes(*flags);
    if flags & CRITICAL_FLAGS != 0 {
        return Err(Error::UnknownFlags { flags });
    }
    let Some((length, rest)) = fields.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length);
    match usize::try_from(length) {
        Ok(len) if length <= MAX_EXTENSION => Ok(rest.get(len..)),
        _ => Err(Error::HeaderExtension { length }),
    }
}
