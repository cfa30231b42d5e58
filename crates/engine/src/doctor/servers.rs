//! Servers, and the programs for one of a drill's own.

use std::path::Path;

use lethe_format::catalog::Catalog;
use lethe_postgres::capture::is_own_table;
use lethe_postgres::{ConnectionSettings, Purpose, Server, catalog, facts, private_server};
use lethe_rules::doctor::{ProgramsSeen, ServerSetting};

use crate::Error;

/// The tables of a live database, without those that Lethe itself keeps there.
///
/// # Errors
/// The server's.
pub async fn catalog_of(source: &ConnectionSettings) -> Result<Catalog, Error> {
    let server = Server::connect(source, Purpose::Snapshot).await?;
    server.run("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "begin", source).await?;
    let mut catalog = catalog::read(&server).await?;
    catalog.tables.retain(|table| !is_own_table(&table.name));
    Ok(catalog)
}

/// Through what rows leave a target, by its own account.
///
/// # Errors
/// The server's.
pub async fn outflow(target: &ConnectionSettings) -> Result<Vec<ServerSetting>, Error> {
    let server = Server::connect(target, Purpose::Drill).await?;
    let settings = facts::outflow(&server).await?;
    Ok(settings.into_iter().map(|(name, value)| ServerSetting { name, value }).collect())
}

/// What a drill on this machine would start for a snapshot of this major version. `path` is the variable `PATH`.
pub async fn programs(needed: u32, pg_bin: Option<&Path>, path: Option<&str>) -> ProgramsSeen {
    let found = private_server::programs_for(needed, pg_bin, path).await;
    ProgramsSeen {
        found: found.as_ref().map(|found| found.version),
        needed,
        amcheck: found.and_then(|found| found.amcheck),
    }
}

/// Bytes that are free for this user in a folder.
///
/// # Errors
/// [`Error::LocalFile`] if it cannot be looked at.
pub fn free_space(folder: &Path) -> Result<u64, Error> {
    let failed = |cause| Error::LocalFile { path: folder.display().to_string(), cause };
    private_server::free_space(folder).map_err(failed)
}
