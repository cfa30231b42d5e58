//! The archive's layout (`ReadHead` and `ReadToc` in `pg_backup_archiver.c`, and the offset that
//! `pg_backup_custom.c` adds to each entry in `_ReadExtraToc`).

use super::input::Input;
use super::{Archive, Entry, Section};

const MAGIC: &[u8] = b"PGDMP";
/// `archCustom`.
const CUSTOM: u8 = 1;
const MAJOR: u8 = 1;
/// Written by `pg_dump` 12; the first with a table access method.
const OLDEST_MINOR: u8 = 14;
/// From here on the compression is an algorithm's number, not a level.
const COMPRESSION_ALGORITHM_MINOR: u8 = 15;
const RELKIND_MINOR: u8 = 16;
const NEWEST_MINOR: u8 = 16;

/// Why bytes are no archive that this program reads. Positions are bytes from the archive's beginning, which `what`
/// was being read at.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("the schema is no pg_dump archive ({len} bytes)")]
    NoMagic { len: usize },
    #[error("the schema is an archive of version {major}.{minor}; versions 1.14 to 1.16 are known")]
    UnknownVersion { major: u8, minor: u8 },
    #[error("the schema is an archive of another format than custom (format {format})")]
    NotCustom { format: u8 },
    #[error("the schema's archive ends at byte {position} in the middle of {what}")]
    Truncated { what: &'static str, position: usize },
    #[error("the schema's archive holds something impossible as {what} before byte {position}")]
    Malformed { what: &'static str, position: usize },
    #[error("the schema's archive is not in UTF-8 in {what} at byte {position}")]
    NotUtf8 { what: &'static str, position: usize },
}

pub(super) fn read(bytes: &[u8]) -> Result<Archive, Error> {
    if !bytes.starts_with(MAGIC) {
        return Err(Error::NoMagic { len: bytes.len() });
    }
    let mut input = Input::new(bytes);
    input.take(MAGIC.len(), "its magic")?;
    let version = (input.byte("its version")?, input.byte("its version")?, input.byte("its version")?);
    let (major, minor, _) = version;
    if major != MAJOR || !(OLDEST_MINOR..=NEWEST_MINOR).contains(&minor) {
        return Err(Error::UnknownVersion { major, minor });
    }
    let int_size = input.byte("its size of numbers")?;
    input.set_int_size(int_size)?;
    let offset_size = input.byte("its size of offsets")?;
    let offset_size = input.size(offset_size)?;
    let format = input.byte("its format")?;
    if format != CUSTOM {
        return Err(Error::NotCustom { format });
    }
    if minor >= COMPRESSION_ALGORITHM_MINOR {
        input.byte("its compression")?;
    } else {
        input.int("its compression")?;
    }
    // Seconds, minutes, hours, day, month, year, daylight saving.
    for _ in 0..7 {
        input.int("its creation time")?;
    }
    let database_name = input.string("the database's name")?;
    let server_version = input.string("the server's version")?;
    let dump_version = input.string("pg_dump's version")?;
    let count = input.int("the number of entries")?;
    if count < 0 {
        return Err(input.malformed("the number of entries"));
    }
    // Collecting does not trust the count: it stops where the input does.
    let entries = (0..count).map(|_| entry(&mut input, minor, offset_size)).collect::<Result<_, _>>()?;
    Ok(Archive { version, database_name, server_version, dump_version, entries })
}

fn entry(input: &mut Input<'_>, minor: u8, offset_size: usize) -> Result<Entry, Error> {
    let dump_id = input.int("an entry's number")?;
    let _has_data = input.int("an entry's data")?;
    // Fields are in the order of the bytes.
    let mut entry = Entry {
        dump_id,
        catalog_oid: input.number("an entry's catalog")?.unwrap_or_default(),
        oid: input.number("an entry's OID")?.unwrap_or_default(),
        tag: input.text("an entry's tag")?,
        desc: input.text("an entry's kind")?,
        section: section(input)?,
        definition: input.text("an entry's definition")?,
        drop_statement: input.text("an entry's DROP statement")?,
        namespace: {
            let _copy_statement = input.string("an entry's COPY statement")?;
            input.name("an entry's schema")?
        },
        tablespace: input.string("an entry's tablespace")?,
        table_access_method: input.name("an entry's access method")?,
        relkind: if minor >= RELKIND_MINOR { relkind(input)? } else { None },
        owner: input.name("an entry's owner")?,
        dependencies: Vec::new(),
    };
    let _with_oids = input.string("an entry's OID flag")?;
    while let Some(dependency) = input.number("an entry's dependencies")? {
        entry.dependencies.push(dependency);
    }
    // Whether and where in the file the entry has data.
    input.byte("an entry's offset")?;
    input.take(offset_size, "an entry's offset")?;
    Ok(entry)
}

fn section(input: &mut Input<'_>) -> Result<Section, Error> {
    match input.int("an entry's section")? {
        1 => Ok(Section::None),
        2 => Ok(Section::PreData),
        3 => Ok(Section::Data),
        4 => Ok(Section::PostData),
        _ => Err(input.malformed("an entry's section")),
    }
}

fn relkind(input: &mut Input<'_>) -> Result<Option<char>, Error> {
    let relkind = input.int("an entry's relation kind")?;
    let relkind = u8::try_from(relkind).map_err(|_| input.malformed("an entry's relation kind"))?;
    Ok((relkind != 0).then_some(char::from(relkind)))
}
