//! How far the second store is behind, by the names of objects alone: whoever may list both can tell, and needs no key.

use std::collections::BTreeSet;

use lethe_format::layout::{self, LedgerObject};
use lethe_store::ObjectStore;
use serde::Serialize;

use crate::{Error, Stores, objects};

/// What the first store has, and what of it the second lacks. That the same names are the same things is found by whoever reads
/// the ledger, and by `lethe verify`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Behind {
    pub entries: usize,
    pub missing_entries: usize,
    pub snapshots: usize,
    pub missing_snapshots: usize,
}

pub async fn behind(first: &Stores, second: &Stores) -> Result<Behind, Error> {
    let is_entry = |name: &str| matches!(layout::ledger_object(name), LedgerObject::Header(_));
    let is_snapshot = |name: &str| layout::snapshot_of_manifest(name).is_some();
    let (entries, copied) = (
        names(first.ledger.as_ref(), layout::LEDGER, is_entry).await?,
        names(second.ledger.as_ref(), layout::LEDGER, is_entry).await?,
    );
    let (snapshots, there) = (
        names(first.data.as_ref(), layout::SNAPSHOTS, is_snapshot).await?,
        names(second.data.as_ref(), layout::SNAPSHOTS, is_snapshot).await?,
    );
    Ok(Behind {
        entries: entries.len(),
        missing_entries: entries.difference(&copied).count(),
        snapshots: snapshots.len(),
        missing_snapshots: snapshots.difference(&there).count(),
    })
}

async fn names(
    store: &dyn ObjectStore,
    prefix: &str,
    counts: impl Fn(&str) -> bool,
) -> Result<BTreeSet<String>, Error> {
    let mut names = objects::names(store, prefix).await?;
    names.retain(|name| counts(name));
    Ok(names)
}
