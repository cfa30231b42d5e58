//! The schema part of a snapshot: `pg_dump`'s custom archive, and the statements that bring the schema back.
//!
//! - [`Archive::read`] reads header and table of contents of an archive (versions 1.14 to 1.16, which are written by
//!   `pg_dump` 12 to 18).
//! - [`ddl::statements`] turns the entries into SQL, in an order in which a restore can run them.

pub mod ddl;
mod input;
mod reader;

pub use reader::Error;

/// An archive's header and entries, in the order of the archive, which is an order in which they can be created.
#[derive(Clone, Debug)]
pub struct Archive {
    /// Major, minor, revision of the format.
    pub version: (u8, u8, u8),
    pub database_name: Option<String>,
    /// `pg_dump`'s name for the server's version: `15.18 (Debian …)`.
    pub server_version: Option<String>,
    pub dump_version: Option<String>,
    pub entries: Vec<Entry>,
}

/// One entry of the table of contents (`TocEntry` in `pg_backup_archiver.h`).
///
/// Empty texts where a name is optional mean none there, and are none here.
#[derive(Clone, Debug)]
pub struct Entry {
    pub dump_id: i64,
    /// The system catalog that the object stood in, and its OID there; zeros for what has none. Both belong to the
    /// server that was dumped.
    pub catalog_oid: u32,
    pub oid: u32,
    /// The object's name, not quoted; with argument types for functions, `table constraint` for constraints.
    pub tag: String,
    /// The kind of object: `TABLE`, `FK CONSTRAINT`, `COMMENT` …
    pub desc: String,
    pub section: Section,
    /// The SQL that creates it, possibly several statements; empty for entries that only hold data.
    pub definition: String,
    /// Empty for what goes with another object, and so has no owner of its own either.
    pub drop_statement: String,
    pub namespace: Option<String>,
    /// Empty for the database's default tablespace; none for what is stored nowhere.
    pub tablespace: Option<String>,
    pub table_access_method: Option<String>,
    /// `pg_class.relkind`; none before version 1.16, and for what is no relation.
    pub relkind: Option<char>,
    pub owner: Option<String>,
    /// The `dump_id`s of entries that must be there first; some of them may not be in the archive.
    pub dependencies: Vec<i64>,
}

/// What an entry is restored with. Comments and grants are in none: they go with their object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    None,
    PreData,
    Data,
    PostData,
}

impl Archive {
    /// Reads the header and the table of contents; data blocks that may follow are not looked at.
    ///
    /// # Errors
    /// If the bytes are no custom archive, or one of a version that is not known. Lengths are checked against the
    /// input, so what a hostile archive makes this allocate is in proportion to its own size.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        reader::read(bytes)
    }
}
