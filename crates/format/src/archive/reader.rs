//! The archive's bytes (`ReadHead`, `ReadToc`, `ReadInt` and `ReadStr` in `pg_backup_archiver.c`, and the offset that
//! `pg_backup_custom.c` adds to each entry).

use super::{Archive, Entry, Section};

const MAGIC: &[u8] = b"PGDMP";
/// `archCustom`.
const CUSTOM: u8 = 1;
const OLDEST: (u8, u8) = (1, 14);
const NEWEST: (u8, u8) = (1, 16);

/// Why bytes are no archive that this program reads.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("the schema is no pg_dump archive")]
    NoMagic,
    #[error("the schema is an archive of version {major}.{minor}; versions 1.14 to 1.16 are known")]
    UnknownVersion { major: u8, minor: u8 },
    #[error("the schema is an archive of another format than custom (format {format})")]
    NotCustom { format: u8 },
    #[error("the schema's archive ends at byte {position} in the middle of {what}")]
    Truncated { what: &'static str, position: usize },
    #[error("the schema's archive holds an impossible {what} at byte {position}")]
    Malformed { what: &'static str, position: usize },
}

pub(super) fn read(bytes: &[u8]) -> Result<Archive, Error> {
    let mut input = Input { bytes, position: 0, int_size: 4, offset_size: 8 };
    if input.take(MAGIC.len(), "its magic").ok() != Some(MAGIC) {
        return Err(Error::NoMagic);
    }
    let version = (input.byte("its version")?, input.byte("its version")?, input.byte("its version")?);
    if (version.0, version.1) < OLDEST || (version.0, version.1) > NEWEST {
        return Err(Error::UnknownVersion { major: version.0, minor: version.1 });
    }
    input.int_size = usize::from(input.byte("its header")?);
    input.offset_size = usize::from(input.byte("its header")?);
    if !(1..=8).contains(&input.int_size) || !(1..=8).contains(&input.offset_size) {
        return Err(input.malformed("integer size"));
    }
    let format = input.byte("its header")?;
    if format != CUSTOM {
        return Err(Error::NotCustom { format });
    }
    if version.1 >= 15 {
        input.byte("its compression")?;
    } else {
        input.int("its compression")?;
    }
    // Creation time: seconds, minutes, hours, day, month, year, daylight saving.
    for _ in 0..7 {
        input.int("its creation time")?;
    }
    let _database = input.string("the database's name")?;
    let server_version = input.string("the server's version")?;
    let dump_version = input.string("pg_dump's version")?;
    let count = input.int("the number of entries")?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(entry(&mut input, version.1)?);
    }
    Ok(Archive { version, server_version, dump_version, entries })
}

fn entry(input: &mut Input<'_>, minor: u8) -> Result<Entry, Error> {
    let dump_id = input.int("an entry's number")?;
    let _had_dumper = input.int("an entry")?;
    let _table_oid = input.string("an entry")?;
    let _oid = input.string("an entry")?;
    let tag = input.string("an entry's tag")?.unwrap_or_default();
    let desc = input.string("an entry's kind")?.unwrap_or_default();
    let section = match input.int("an entry's section")? {
        1 => Section::None,
        2 => Section::PreData,
        3 => Section::Data,
        4 => Section::PostData,
        _ => return Err(input.malformed("section")),
    };
    let definition = input.string("an entry's definition")?.unwrap_or_default();
    let drop_statement = input.string("an entry's DROP statement")?.unwrap_or_default();
    let _copy_statement = input.string("an entry's COPY statement")?;
    let namespace = input.string("an entry's schema")?;
    let tablespace = input.string("an entry's tablespace")?;
    let table_access_method = input.string("an entry's access method")?;
    if minor >= 16 {
        input.int("an entry's relation kind")?;
    }
    let owner = input.string("an entry's owner")?;
    let _with_oids = input.string("an entry")?;
    let mut dependencies = Vec::new();
    while let Some(number) = input.string("an entry's dependencies")? {
        dependencies.push(number.parse().map_err(|_| input.malformed("dependency"))?);
    }
    input.byte("an entry's offset")?;
    input.take(input.offset_size, "an entry's offset")?;
    let not_empty = |text: &String| !text.is_empty();
    Ok(Entry {
        dump_id,
        tag,
        desc,
        section,
        definition,
        drop_statement,
        namespace: namespace.filter(not_empty),
        tablespace,
        table_access_method: table_access_method.filter(not_empty),
        owner: owner.filter(not_empty),
        dependencies,
    })
}

struct Input<'a> {
    bytes: &'a [u8],
    position: usize,
    int_size: usize,
    offset_size: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], Error> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let taken = rest.get(..len).ok_or(Error::Truncated { what, position: self.bytes.len() })?;
        self.position += len;
        Ok(taken)
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, Error> {
        self.take(1, what).map(|taken| taken[0])
    }

    /// A sign byte, then the magnitude with its least significant byte first.
    fn int(&mut self, what: &'static str) -> Result<i64, Error> {
        let negative = self.byte(what)? != 0;
        let bytes = self.take(self.int_size, what)?;
        let magnitude = bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let magnitude = i64::try_from(magnitude).map_err(|_| self.malformed("number"))?;
        Ok(if negative { -magnitude } else { magnitude })
    }

    /// A length and that many bytes; a negative length means NULL.
    fn string(&mut self, what: &'static str) -> Result<Option<String>, Error> {
        let Ok(len) = usize::try_from(self.int(what)?) else { return Ok(None) };
        let bytes = self.take(len, what)?;
        String::from_utf8(bytes.to_vec()).map(Some).map_err(|_| self.malformed("text that is not UTF-8"))
    }

    fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed { what, position: self.position }
    }
}
