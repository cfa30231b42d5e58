//! The archive's numbers and texts (`ReadInt`, `ReadStr` in `pg_backup_archiver.c`).

use super::Error;

/// What is left of an archive. `what` names, for errors, the part that is being read.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    position: usize,
    int_size: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, int_size: 4 }
    }

    /// Every number from here on has this many bytes besides its sign.
    pub(super) fn set_int_size(&mut self, size: u8) -> Result<(), Error> {
        self.int_size = self.size(size)?;
        Ok(())
    }

    /// A size of numbers or offsets: one to eight bytes.
    pub(super) fn size(&self, size: u8) -> Result<usize, Error> {
        if (1..=8).contains(&size) { Ok(usize::from(size)) } else { Err(self.malformed("size of numbers")) }
    }

    pub(super) fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Error> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let taken = rest.get(..len).ok_or(Error::Truncated { what, position: self.bytes.len() })?;
        self.position += len;
        Ok(taken)
    }

    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8, Error> {
        Ok(self.take(1, what)?.first().copied().unwrap_or_default())
    }

    /// A sign byte, then the magnitude with its least significant byte first.
    pub(super) fn int(&mut self, what: &'static str) -> Result<i64, Error> {
        let negative = self.byte(what)? != 0;
        let bytes = self.take(self.int_size, what)?;
        let magnitude = bytes.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let magnitude = i64::try_from(magnitude).map_err(|_| self.malformed(what))?;
        Ok(if negative { -magnitude } else { magnitude })
    }

    /// A length and that many bytes; a negative length means NULL.
    pub(super) fn string(&mut self, what: &'static str) -> Result<Option<String>, Error> {
        let Ok(len) = usize::try_from(self.int(what)?) else { return Ok(None) };
        let start = self.position;
        match str::from_utf8(self.take(len, what)?) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(error) => Err(Error::NotUtf8 { what, position: start + error.valid_up_to() }),
        }
    }

    /// A text that may be left out: as NULL or, for most of them, empty.
    pub(super) fn name(&mut self, what: &'static str) -> Result<Option<String>, Error> {
        Ok(self.string(what)?.filter(|name| !name.is_empty()))
    }

    pub(super) fn text(&mut self, what: &'static str) -> Result<String, Error> {
        Ok(self.string(what)?.unwrap_or_default())
    }

    /// A number that stands there as text.
    pub(super) fn number<T: std::str::FromStr>(&mut self, what: &'static str) -> Result<Option<T>, Error> {
        let Some(text) = self.string(what)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.malformed(what))
    }

    pub(super) fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed { what, position: self.position }
    }
}
