//! What can be certified to somebody who asked to be erased, from the ledger's headers and the stored snapshots.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lethe_format::ids::SnapshotId;
use lethe_rules::audit::{Certificate, Kept, certificate as judge};
use lethe_rules::ledger::expired;

use crate::{Error, Repository, holds, ledger, restore};

/// The certificate for everything that was done with this reference. `keep` is the age from which on a snapshot goes.
///
/// # Errors
/// [`Error::Usage`] if nothing on the ledger has this reference; the store's, the ledger's.
pub async fn certificate(
    repository: &Repository,
    reference: &str,
    keep: SignedDuration,
    now: Timestamp,
) -> Result<Certificate, Error> {
    let request = repository.naming_key()?.hash(reference.as_bytes());
    let headers = ledger::headers(repository).await?;
    let mut held: BTreeMap<SnapshotId, Timestamp> = BTreeMap::new();
    for hold in holds::list(repository, now).await?.into_iter().filter(|hold| hold.is_active) {
        let until = held.entry(hold.hold.snapshot).or_insert(hold.hold.until);
        *until = (*until).max(hold.hold.until);
    }
    let kept = restore::list(repository).await?.into_iter().map(|info| {
        let goes_at = info.started_at.checked_add(keep).unwrap_or(Timestamp::MAX);
        let until = held.get(&info.snapshot).copied().filter(|until| *until > goes_at);
        Kept {
            taken_at: info.started_at,
            goes_at: until.unwrap_or(goes_at),
            held: until.is_some(),
            ledger_seq: info.ledger_seq,
            snapshot: info.snapshot,
        }
    });
    let kept = kept.collect();
    let forgotten = expired(&headers);
    let certificate = judge(reference, &request, &headers, |seq| forgotten.contains(&seq), kept);
    if certificate.entries.is_empty() {
        return Err(Error::Usage(format!("nothing on the ledger was done with the reference {reference:?}")));
    }
    Ok(certificate)
}
