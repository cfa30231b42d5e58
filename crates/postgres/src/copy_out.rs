//! Rows out of one table: a range of heap blocks at a time, in the order in which they lie there.

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use lethe_format::catalog::{Catalog, FIRST_NORMAL_OID, Table, TypeKind};
use lethe_format::ids::Oid;
use lethe_format::manifest::CopyFormat;
use lethe_format::sql::quote_ident;

use crate::{Error, Server};

/// Blocks `start..end` of a table's heap; an open end also takes what was added since the size was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlockRange {
    pub start: u32,
    pub end: Option<u32>,
}

/// A COPY under way: the payloads of its `CopyData` messages, as they come.
pub struct CopyOut {
    stream: std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, tokio_postgres::Error>> + Send>>,
    table: String,
}

impl std::fmt::Debug for CopyOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CopyOut({})", self.table)
    }
}

impl CopyOut {
    /// Starts copying the stored columns of the rows in a range.
    ///
    /// The range is a condition on `ctid`, which PostgreSQL 14 and later turn into a TID range scan.
    pub async fn start(
        server: &Server,
        table: &Table,
        range: BlockRange,
        format: CopyFormat,
    ) -> Result<Self, Error> {
        let columns: Vec<String> = table.copied_columns().map(|column| quote_ident(&column.name)).collect();
        let mut conditions = Vec::new();
        if range.start > 0 {
            conditions.push(format!("ctid >= '({},0)'::pg_catalog.tid", range.start));
        }
        if let Some(end) = range.end {
            conditions.push(format!("ctid < '({end},0)'::pg_catalog.tid"));
        }
        if let Some(extension) = &table.extension {
            let condition = extension.condition.trim();
            if let Some(rest) =
                condition.get(5..).filter(|_| condition.to_ascii_uppercase().starts_with("WHERE"))
            {
                conditions.push(format!("({rest})"));
            }
        }
        let condition = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        let query = format!("SELECT {} FROM ONLY {}{condition}", columns.join(", "), table.name.sql());
        Self::query(server, &query, format, &table.name).await
    }

    /// Starts copying the result of any query.
    pub async fn query(
        server: &Server,
        query: &str,
        format: CopyFormat,
        object: impl ToString,
    ) -> Result<Self, Error> {
        let table = object.to_string();
        let sql = format!("COPY ({query}) TO STDOUT (FORMAT {})", format_name(format));
        let stream = server.client().copy_out(&sql).await.map_err(Error::server("copy rows from", &table))?;
        Ok(Self { stream: Box::pin(stream), table })
    }

    /// The next payload; none when all rows have come.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.stream.next().await.transpose().map_err(Error::server("copy rows from", &self.table))
    }
}

pub(crate) fn format_name(format: CopyFormat) -> &'static str {
    match format {
        CopyFormat::Binary => "binary",
        CopyFormat::Text => "text",
    }
}

/// The table's size in blocks, or none if it is not stored as a heap and cannot be cut by blocks.
pub async fn blocks(server: &Server, table: &Table) -> Result<Option<u32>, Error> {
    const QUERY: &str = "
        SELECT pg_relation_size(c.oid) / current_setting('block_size')::int8, a.amname = 'heap'
        FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam WHERE c.oid = $1";
    let failed = Error::server("read the size of", &table.name);
    let row = server.client().query_one(QUERY, &[&table.oid]).await.map_err(failed)?;
    let heap = row.get::<_, Option<bool>>(1).unwrap_or(false);
    Ok(u32::try_from(row.get::<_, i64>(0)).ok().filter(|_| heap))
}

/// Binary, unless a column's binary form would not mean the same in another database.
///
/// Arrays, composites and ranges carry the OIDs of their elements' types, which differ between databases for types
/// that are not PostgreSQL's own; `reg*` types are OIDs of objects; some types have no binary form at all. A table
/// without columns is copied as text, since a binary row of no fields cannot be told from nothing by older servers.
#[must_use]
pub fn copy_format(catalog: &Catalog, table: &Table) -> CopyFormat {
    let mut columns = table.copied_columns().peekable();
    let binary =
        columns.peek().is_some() && columns.all(|column| binary_travels(catalog, column.type_oid, false));
    if binary { CopyFormat::Binary } else { CopyFormat::Text }
}

fn binary_travels(catalog: &Catalog, oid: Oid, embedded: bool) -> bool {
    // regproc, regprocedure, regoper, regoperator, regclass, regtype, regconfig, regdictionary, regnamespace,
    // regrole, regcollation: their binary form is the OID of an object.
    const OBJECT_NAMES: [Oid; 11] = [24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191];
    if OBJECT_NAMES.contains(&oid) || (embedded && oid >= FIRST_NORMAL_OID) {
        return false;
    }
    let Some(found) = catalog.types.get(&oid) else { return false };
    let inside = |oid: &Oid, embedded: bool| binary_travels(catalog, *oid, embedded);
    found.binary
        && match &found.kind {
            TypeKind::Base | TypeKind::Enum => true,
            TypeKind::Domain { base, .. } => inside(base, false),
            TypeKind::Array { element } => inside(element, true),
            TypeKind::Composite { fields } => fields.iter().all(|field| inside(&field.type_oid, true)),
            // Ranges carry no OID themselves, but their bounds may be arrays or composites.
            TypeKind::Range { subtype } => inside(subtype, false),
            TypeKind::Multirange { range } => inside(range, false),
            TypeKind::Pseudo => false,
        }
}
