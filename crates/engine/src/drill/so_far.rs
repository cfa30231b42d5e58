//! What a restore that did not come to its end had loaded.

use lethe_format::manifest::Manifest;
use lethe_postgres::{ConnectionSettings, Purpose, Server};
use lethe_rules::drill::TableFacts;

use super::check;
use crate::Error;
use crate::restore::query;

/// Rows of each table, by the restore's own book and as the server counts them; none if the book was not begun.
pub(super) async fn tables(
    target: &ConnectionSettings,
    manifest: &Manifest,
) -> Result<Vec<TableFacts>, Error> {
    let server = Server::connect(target, Purpose::Drill).await?;
    let exists = query(&server, "SELECT to_regclass('lethe.restored_chunks') IS NOT NULL").await?;
    if !exists.first().is_some_and(|row| row.get(0)) {
        return Ok(Vec::new());
    }
    let sql = "
        SELECT table_oid, sum(read)::int8, sum(loaded)::int8, sum(dropped)::int8, sum(changed)::int8
        FROM lethe.restored_chunks GROUP BY 1";
    let book = query(&server, sql).await?;
    let mut facts = Vec::new();
    for data in &manifest.tables {
        let Some(known) = manifest.catalog.table(data.table) else { continue };
        let recorded = book.iter().find(|row| row.get::<_, i64>(0) == i64::from(data.table));
        let number = |column| recorded.map_or(0, |row| row.get::<_, i64>(column).unsigned_abs());
        // A table that was not created yet has no rows.
        let found = match recorded {
            Some(_) => check::count(&server, &known.name).await?,
            None => 0,
        };
        facts.push(TableFacts {
            table: known.name.to_string(),
            manifest: data.rows(),
            read: number(1),
            loaded: number(2),
            dropped: number(3),
            changed: number(4),
            found,
        });
    }
    Ok(facts)
}
