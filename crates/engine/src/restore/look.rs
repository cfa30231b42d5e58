//! What speaks against a restore and can be told before anybody wants one: nothing is planned, nothing is written.

use lethe_postgres::{ConnectionSettings, Purpose, Server};
use lethe_rules::objection::Objection;

use super::{RestoreOptions, fetch, masking, preflight, select, target};
use crate::ledger::{self, LastSeen};
use crate::{Error, Repository};

/// The objections of a preflight, chunks that are missing and the target's label among them.
///
/// # Errors
/// As [`super::prepare`], without [`Error::Refused`].
pub async fn look(
    repository: &Repository,
    into: &ConnectionSettings,
    options: &RestoreOptions,
    last_seen: &LastSeen,
) -> Result<Vec<Objection>, Error> {
    let ledger = ledger::read_trusted(repository, last_seen).await?;
    let id = select::choose(repository, &options.snapshot).await?;
    let manifest = select::load_manifest(repository, &id).await?;
    let archive = fetch::schema(repository, &manifest.snapshot, &manifest.schema).await?;
    let server = Server::connect(into, Purpose::Restore).await?;
    let begun = target::begun(&server).await?;
    let checked =
        preflight::check(repository, &server, begun.as_ref(), &manifest, &archive, &ledger, options).await;
    let mut objections = match checked {
        Err(Error::Incomplete { objects, .. }) => objects,
        checked => checked?,
    };
    objections.extend(masking::label(&server, begun.as_ref(), options).await?.err());
    Ok(objections)
}
