//! Which objects of a ledger there are, and which of their versions count.
//!
//! Nothing of a ledger is ever replaced or deleted, but for the bodies of expired entries. Where a store keeps history, a
//! second version or a delete marker is the work of somebody who tampers: it is reported, and the earliest version counts.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use lethe_format::layout::{self, LedgerObject};
use lethe_format::ledger::Seq;
use lethe_store::{ObjectName, ObjectStore, VersionInfo};

use crate::{Error, objects};

#[derive(Debug, Default)]
pub(super) struct Listing {
    seqs: BTreeSet<Seq>,
    /// The version that counts, of objects that were tampered with.
    pinned: BTreeMap<ObjectName, String>,
    /// What somebody has done to headers.
    pub(super) incidents: Vec<String>,
}

impl Listing {
    pub(super) async fn read(store: &dyn ObjectStore) -> Result<Self, Error> {
        let mut listing = Self::default();
        match store.versions(layout::LEDGER).await? {
            Some(versions) => {
                for history in versions.chunk_by(|one, other| one.name == other.name) {
                    listing.add_history(history);
                }
            }
            None => {
                let mut objects = store.list(layout::LEDGER).await?;
                while let Some(info) = objects.try_next().await? {
                    listing.add(&info.name);
                }
            }
        }
        Ok(listing)
    }

    /// The headers' numbers: 0 to n without a gap.
    pub(super) fn numbers(&self) -> Result<Vec<Seq>, Error> {
        if self.seqs.is_empty() {
            return Err(Error::ledger(None, "it is not there"));
        }
        for (expected, seq) in self.seqs.iter().enumerate() {
            if *seq != expected as Seq {
                let problem = format!("entry {expected} is missing, though entry {seq} is there");
                return Err(Error::ledger(expected as Seq, problem));
            }
        }
        Ok(self.seqs.iter().copied().collect())
    }

    /// An object as it was first written; none if it is not there.
    pub(super) async fn get(
        &self,
        store: &dyn ObjectStore,
        name: &str,
        limit: u64,
    ) -> Result<Option<Bytes>, Error> {
        let object = ObjectName::new(name)?;
        match self.pinned.get(&object) {
            None => objects::get_if_there(store, name, limit).await,
            Some(version) => Ok(Some(store.get_version(&object, version).await?.read_to_bytes(limit).await?)),
        }
    }

    fn add(&mut self, name: &ObjectName) {
        match layout::ledger_object(name.as_str()) {
            LedgerObject::Header(seq) => {
                self.seqs.insert(seq);
            }
            LedgerObject::Body(_) => {}
            LedgerObject::Foreign => {
                tracing::warn!(object = %name, "an object beside the ledger is none of it");
            }
        }
    }

    /// All versions and delete markers of one object, the newest first.
    fn add_history(&mut self, history: &[VersionInfo]) {
        let earliest = history.iter().rev().find(|version| !version.is_delete_marker);
        let Some(earliest) = earliest else { return };
        self.add(&earliest.name);
        if history.len() == 1 {
            return;
        }
        self.pinned.insert(earliest.name.clone(), earliest.version.clone());
        let LedgerObject::Header(seq) = layout::ledger_object(earliest.name.as_str()) else { return };
        let done =
            if history.iter().any(|version| version.is_delete_marker) { "deleted" } else { "replaced" };
        let incident =
            format!("entry {seq} was {done} by somebody; the version that was written first counts");
        tracing::error!(entry = seq, "{incident}");
        self.incidents.push(incident);
    }
}
