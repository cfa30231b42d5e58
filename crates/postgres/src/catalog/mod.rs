//! Reads the part of the system catalogs that a snapshot keeps. The queries are files that `psql` can run.

mod foreign_keys;
mod labels;
mod sequences;
mod tables;
mod types;

use lethe_format::catalog::{Catalog, QualifiedName};

use crate::{Error, Server};

pub use sequences::sequences;

const STAGE: &str = "read the catalog of";

/// Reads the catalog. Must run in a transaction, so that all of it is of one moment.
pub async fn read(server: &Server) -> Result<Catalog, Error> {
    let mut tables = tables::read(server).await?;
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    tables::add_columns(server, &oids, &mut tables).await?;
    tables::add_keys(server, &oids, &mut tables).await?;
    tables::add_defaults(server, &oids, &mut tables).await?;
    let foreign_keys = foreign_keys::read(server, &oids).await?;
    let types = types::read(server, &oids).await?;
    let labels = labels::read(server, &oids).await?;
    Ok(Catalog { tables, foreign_keys, types, labels })
}

/// A catalog that contradicts what its documentation says.
fn unexpected(server: &Server, problem: impl ToString) -> Error {
    Error::Unexpected { stage: STAGE, object: server.settings().to_string(), problem: problem.to_string() }
}

/// A column's type as SQL writes it, with its length or precision.
pub async fn column_type(server: &Server, table: &QualifiedName, column: &str) -> Result<String, Error> {
    let sql = "SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
               WHERE attrelid = $1::text::regclass AND attname = $2::text AND attnum > 0 AND NOT attisdropped";
    let failed = Error::server("read the columns of", table);
    Ok(server.client().query_one(sql, &[&table.sql(), &column]).await.map_err(failed)?.get(0))
}
