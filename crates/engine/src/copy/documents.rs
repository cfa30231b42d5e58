//! What is neither a snapshot nor the ledger.

use lethe_format::layout;

use crate::{Error, Repository, key_ring, objects};

/// Copies the newest key ring, and then removes older ones, which a removed recipient could open.
pub(super) async fn key_rings(repository: &Repository, copy: &Repository) -> Result<(), Error> {
    let store = copy.ledger_store().as_ref();
    let newest = repository.key_ring().generation;
    let name = layout::key_ring(newest);
    if !key_ring::generations(store).await?.contains(&newest) {
        let bytes = objects::get(repository.ledger_store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?;
        objects::create(store, &name, bytes).await?;
    }
    key_ring::remove_older(store, newest).await
}

/// Holds keep a snapshot in both stores, and evidence is kept in both. A hold that was ended is ended in both by `lethe hold remove`.
pub(super) async fn holds_and_reports(repository: &Repository, copy: &Repository) -> Result<(), Error> {
    for prefix in [layout::HOLDS, layout::REPORTS] {
        let there = objects::names(copy.store().as_ref(), prefix).await?;
        for name in objects::names(repository.store().as_ref(), prefix).await?.difference(&there) {
            let is_ours = layout::hold_of_name(name).is_some() || layout::report_of_name(name).is_some();
            if !is_ours {
                continue;
            }
            let bytes =
                objects::get_if_there(repository.store().as_ref(), name, objects::DOCUMENT_LIMIT).await?;
            if let Some(bytes) = bytes {
                objects::create(copy.store().as_ref(), name, bytes).await?;
            }
        }
    }
    Ok(())
}
