//! Single values, converted by the server.

use lethe_format::ids::Oid;
use lethe_format::sql::quote_literal;

use crate::{Error, Server};

/// The binary form (`typsend`) of a built-in type's value in text form; none if the text is no value of the type.
///
/// # Errors
/// If the server cannot be asked.
pub async fn binary(
    server: &Server,
    type_oid: Oid,
    typmod: i32,
    text: &str,
) -> Result<Option<Vec<u8>>, Error> {
    const STAGE: &str = "convert a constant on";
    let failed = || Error::server(STAGE, server.settings());
    let sql = format!(
        "SELECT t.typsend::oid::regproc::text, pg_catalog.format_type({type_oid}, {typmod})
         FROM pg_catalog.pg_type t WHERE t.oid = {type_oid}"
    );
    let row = server.client().query_one(&sql, &[]).await.map_err(failed())?;
    let (send, name): (String, String) = (row.get(0), row.get(1));
    let sql = format!("SELECT pg_catalog.{send}(CAST({} AS {name}))", quote_literal(text));
    match server.client().query_one(&sql, &[]).await {
        Ok(row) => Ok(Some(row.get(0))),
        // Class 22, data exception: the text is no value of the type.
        Err(cause) if cause.code().is_some_and(|code| code.code().starts_with("22")) => Ok(None),
        Err(cause) => Err(failed()(cause)),
    }
}
