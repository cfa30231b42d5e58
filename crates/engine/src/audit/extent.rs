//! How long the log is and how far it is signed, by a handful of requests: for a look every few minutes. Nothing is verified.

use jiff::Timestamp;
use lethe_format::layout::{self, AuditObject};
use lethe_store::{ObjectInfo, ObjectName, ObjectStore};

use super::log;
use crate::{Error, Repository, clock, objects};

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Extent {
    pub(crate) entries: u64,
    /// The writer's time of the last one.
    pub(crate) newest: Option<Timestamp>,
    /// Entries that the last checkpoint covers.
    pub(crate) signed: u64,
    /// The store's date of it.
    pub(crate) signed_at: Option<Timestamp>,
}

/// An action is two entries, and whoever can sign does so at its end: the last checkpoint is seldom further back.
const NEAR: u64 = 16;

/// # Errors
/// The store's, and without the naming key.
pub(crate) async fn extent(repository: &Repository) -> Result<Extent, Error> {
    let store = repository.ledger_store().as_ref();
    let Some(last) = log::last_number(store, None).await? else { return Ok(Extent::default()) };
    let newest = log::entry(repository, last).await?.map(|entry| entry.header.at);
    let entries = last.saturating_add(1);
    let checkpoint = match near(store, entries).await? {
        Some(found) => Some(found),
        None => listed(store).await?,
    };
    let (signed, signed_at) =
        checkpoint.map_or((0, None), |(size, info)| (size, Some(clock::time(info.modified))));
    Ok(Extent { entries, newest, signed, signed_at })
}

async fn near(store: &dyn ObjectStore, entries: u64) -> Result<Option<(u64, ObjectInfo)>, Error> {
    for size in (entries.saturating_sub(NEAR)..=entries).rev() {
        let name = ObjectName::new(layout::audit_checkpoint(size))?;
        if let Some(info) = store.head(&name).await? {
            return Ok(Some((size, info)));
        }
    }
    Ok(None)
}

async fn listed(store: &dyn ObjectStore) -> Result<Option<(u64, ObjectInfo)>, Error> {
    let checkpoints = layout::audit_checkpoints();
    let last = objects::names(store, &checkpoints).await?.into_iter().next_back();
    let Some(name) = last else { return Ok(None) };
    let AuditObject::Checkpoint(size) = layout::audit_object(&name) else { return Ok(None) };
    Ok(store.head(&ObjectName::new(name)?).await?.map(|info| (size, info)))
}
