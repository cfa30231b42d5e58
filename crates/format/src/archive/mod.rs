//! The schema part of a snapshot: `pg_dump`'s custom archive, and the statements that bring the schema back.
//!
//! - [`Archive::read`] reads header and table of contents of an archive (versions 1.14 to 1.16).
//! - [`ddl::statements`] turns the entries into SQL in the order in which `pg_restore` would run them.

pub mod ddl;
mod reader;

pub use reader::Error;

/// An archive's header and entries, in the order of the archive, which is an order in which they can be created.
#[derive(Clone, Debug)]
pub struct Archive {
    pub version: (u8, u8, u8),
    /// `pg_dump`'s name for the server's version: `15.18 (Debian …)`.
    pub server_version: Option<String>,
    pub dump_version: Option<String>,
    pub entries: Vec<Entry>,
}

/// One entry of the table of contents (`TocEntry` in `pg_backup_archiver.h`).
#[derive(Clone, Debug)]
pub struct Entry {
    pub dump_id: i64,
    /// The object's name, not quoted; with argument types for functions, `table constraint` for constraints.
    pub tag: String,
    /// The kind of object: `TABLE`, `FK CONSTRAINT`, `COMMENT` …
    pub desc: String,
    pub section: Section,
    /// The SQL that creates it, possibly several statements; empty for entries that only hold data.
    pub definition: String,
    pub drop_statement: String,
    pub namespace: Option<String>,
    pub tablespace: Option<String>,
    pub table_access_method: Option<String>,
    pub owner: Option<String>,
    pub dependencies: Vec<i64>,
}

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
    /// input, so a hostile archive cannot make this allocate more than its own size.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        reader::read(bytes)
    }
}
