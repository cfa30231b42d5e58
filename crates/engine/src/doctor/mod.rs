//! What `lethe doctor` looks at, one function for each subject. What is made of it lies in [`lethe_rules::doctor`].

mod logs;
mod servers;

use std::sync::Arc;

use jiff::Timestamp;
use lethe_format::manifest::Manifest;
use lethe_store::ObjectStore;

use crate::{Error, Repository, clock, restore};
pub use logs::{audit, ledger};
pub use servers::{catalog_of, free_space, outflow, programs};

/// The store's clock.
///
/// # Errors
/// The store's.
pub async fn store_clock(store: &Arc<dyn ObjectStore>) -> Result<Timestamp, Error> {
    clock::of_store(store).await
}

/// The manifest of the newest snapshot, and with it whether the identity here opens it; none if there is no snapshot.
///
/// # Errors
/// Without an identity, or if it cannot be read.
pub async fn newest(repository: &Repository) -> Result<Option<Manifest>, Error> {
    match restore::snapshot_ids(repository).await?.last() {
        None => Ok(None),
        Some(id) => Ok(Some(restore::load_manifest(repository, id).await?)),
    }
}
