//! The second listing: whether what was to go is gone, in every version.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lethe_format::layout;
use lethe_rules::retention::Removal;
use lethe_store::ObjectStore;

use super::survey;
use crate::{Error, clock};

/// What a listing of everything that snapshots consist of has found.
#[derive(Debug, Default)]
pub(super) struct Proof {
    pub(super) listed: usize,
    /// The store's date of the oldest.
    pub(super) oldest: Option<Timestamp>,
    pub(super) left: Vec<Left>,
}

/// Something that was to go.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) name: String,
    /// The store's date of it.
    pub(super) since: Timestamp,
}

pub(super) async fn look(
    store: &dyn ObjectStore,
    removed: &[&Removal],
    uploads: &[(String, String)],
) -> Result<Proof, Error> {
    let gone: BTreeSet<&str> = removed.iter().map(|removal| removal.name.as_str()).collect();
    let mut proof = Proof::default();
    for prefix in [layout::SNAPSHOTS, layout::CHUNKS, layout::LEASES, layout::HOLDS] {
        for (name, copy) in survey::history(store, prefix).await?.copies {
            proof.listed += 1;
            proof.oldest = Some(proof.oldest.map_or(copy.modified, |oldest| oldest.min(copy.modified)));
            if gone.contains(name.as_str()) {
                proof.left.push(Left { name, since: copy.modified });
            }
        }
    }
    for upload in lethe_store::uploads(store, "").await?.into_iter().flatten() {
        if uploads.iter().any(|(name, id)| upload.name.as_str() == name && upload.id == *id) {
            proof.left.push(Left { name: upload.name.to_string(), since: clock::time(upload.begun) });
        }
    }
    Ok(proof)
}
