//! A copy of the repository in a second store, so that the loss of one, or of its provider, loses nothing.
//!
//! 1. *Place*: a second store that is empty is tried for what a ledger needs; one that holds another repository is refused.
//! 2. *Ledger* and *audit log*: the entries that it lacks, in their order. What it has and the first store lacks stops everything.
//! 3. *Key ring*, and last of all `repository.json`, which makes it a repository.
//! 4. *Snapshots* that have not expired, the newest first; holds; evidence.
//!
//! Objects are copied as they are stored, encrypted: only the naming key is needed, to tell that an index is ours. Chunks are
//! compared with the checksums of the index on the way. Nothing is removed here: what has expired goes from each store by its own
//! pruning, so that whoever empties one store does not empty the other.
//!
//! A crash at any point leaves what the next run completes: a snapshot without its manifest, a ledger that is behind.

mod behind;
mod documents;
mod place;
mod snapshots;

use jiff::Timestamp;
use lethe_format::ids::SnapshotId;
use lethe_rules::retention::Retention;
use serde::Serialize;

pub use behind::{Behind, behind};

use crate::progress::Progress;
use crate::{Error, Repository, audit, clock, ledger};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct CopyOptions {
    /// Chunks on their way at once.
    pub jobs: usize,
    pub retention: Retention,
    pub which: Which,
}

/// Which snapshots are looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// Those that the second store does not have.
    Missing,
    /// One of these.
    Only(SnapshotId),
    /// Also those that it has: what is missing of them is copied again.
    All,
}

/// What a run brought to the second store.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct CopyReport {
    pub store: String,
    pub ledger_entries: u64,
    pub audit_entries: u64,
    /// Newest first.
    pub snapshots: Vec<SnapshotId>,
    /// Of the first store's, those that are complete in both by now.
    pub in_both: usize,
    pub chunks: u64,
    pub bytes: u64,
    /// Snapshots that cannot be copied since something of them is missing or damaged in the first store, and what.
    pub damaged: Vec<String>,
}

/// Brings the second store up to date. `now` is this machine's time.
///
/// # Errors
/// [`Error::Usage`] without a second store; [`Error::OtherRepository`], [`Error::Contradiction`]; either store's.
pub async fn run(
    repository: &Repository,
    options: &CopyOptions,
    now: Timestamp,
    progress: &Progress,
) -> Result<CopyReport, Error> {
    let copy = repository.copy().ok_or_else(no_second_store)?;
    repository.naming_key()?;
    let mut report = CopyReport { store: copy.store().url(), ..CopyReport::default() };
    progress.stage("ledger", 0);
    let is_new = place::check(&copy).await?;
    report.ledger_entries = ledger::bring(repository, &copy).await?;
    report.audit_entries = audit::bring(repository, &copy).await?;
    documents::key_rings(repository, &copy).await?;
    if is_new {
        place::found(repository, &copy).await?;
    }
    let now = clock::agreed(copy.store(), now).await?;
    snapshots::copy(repository, &copy, options, now, progress, &mut report).await?;
    documents::holds_and_reports(repository, &copy).await?;
    Ok(report)
}

/// The other way round, for the ledger and the audit log alone: entries that were appended to the second store while the first one was
/// away. Returns the number of the ledger's.
///
/// # Errors
/// As [`run`]; [`Error::Contradiction`] if the first store has entries that the second one lacks: then both were written to, and no
/// program can tell which entries count.
pub async fn bring_back(repository: &Repository) -> Result<u64, Error> {
    let copy = repository.copy().ok_or_else(no_second_store)?;
    if place::check(&copy).await? {
        return Err(Error::NoRepository { store: copy.store().url() });
    }
    let entries = ledger::bring(&copy, repository).await?;
    audit::bring(&copy, repository).await?;
    Ok(entries)
}

fn no_second_store() -> Error {
    Error::Usage("no second store is named: [second_store] in lethe.toml".to_owned())
}
