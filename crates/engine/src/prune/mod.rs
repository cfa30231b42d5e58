//! Letting go of what has done its work: snapshots that have expired, what abandoned ones left, ledger entries.
//!
//! 1. *Survey*: everything that is stored, in every version, with the store's dates. `plan` decides by it; nothing has been
//!    written so far.
//! 2. *Manifests* of what goes, after another look at holds, leases and manifests.
//! 3. *Documents*: indexes and schemas of what has no manifest.
//! 4. *Chunks* that no snapshot names, after another look at the snapshots that came since.
//! 5. *Leftovers*: unfinished uploads, holds and leases that ended, after another look at them.
//! 6. *Ledger* entries whose people no stored snapshot can hold.
//! 7. *Proof*: a second listing; what is still there is named. *Receipt*: a report of all that.
//!
//! A crash in between leaves what the next run finds: without its manifest a snapshot is abandoned. Two pruners at once
//! remove the same things; what is not there is no error.

mod ledger;
mod proof;
mod remove;
mod survey;

use std::collections::BTreeSet;
use std::time::Instant;

use jiff::Timestamp;
use lethe_format::ids::{EventId, SnapshotId};
use lethe_format::manifest::LedgerWindow;
use lethe_format::report::ReportKind;
use lethe_rules::ledger::{ExpiryPlan, StoredSnapshot};
use lethe_rules::retention::{self, Fate, Remains, Removal, Retention, Verdict};
use serde::{Deserialize, Serialize};

pub use ledger::{
    carry_out as carry_out_expiry, check_still_needed_is_kept, plan as plan_expiry, stored_snapshots,
};

pub use survey::{InUse, in_use};

use crate::ledger::LastSeen;
use crate::{Error, Repository, reports};

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct PruneOptions {
    pub retention: Retention,
    /// Snapshots that go though nobody would delete them silently: the last one, or one whose index cannot be read.
    pub discard: BTreeSet<SnapshotId>,
}

/// What a run would do.
#[derive(Clone, Debug)]
pub struct PrunePlan {
    pub stored: retention::PrunePlan,
    pub ledger: ExpiryPlan,
    /// False if the store keeps no versions, or does not know the call that lists them.
    pub tells_history: bool,
    /// Of the snapshots that were to be discarded, those that need no discarding here.
    pub not_discarded: BTreeSet<SnapshotId>,
}

impl PrunePlan {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.removals.is_empty() && self.ledger.expire.is_empty() && self.ledger.remove.is_empty()
    }

    /// The same for programs.
    #[must_use]
    pub fn summary(&self) -> PlanSummary {
        let removals = &self.stored.removals;
        PlanSummary {
            at: self.stored.at,
            going: self.stored.snapshots.iter().filter(|verdict| verdict.fate.goes()).cloned().collect(),
            staying: self.stored.staying().count(),
            oldest: self.stored.staying().map(|verdict| verdict.taken_at).min(),
            objects: removals.objects(),
            chunks: removals.chunks.len(),
            uploads: removals.uploads.len(),
            bytes: removals.bytes(),
            unclear_chunks: self.stored.unclear_chunks,
            remains: self.stored.remains.clone(),
            ledger: self.ledger.clone(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct PlanSummary {
    pub at: Timestamp,
    pub going: Vec<Verdict>,
    pub staying: usize,
    /// When the oldest snapshot was taken that stays.
    pub oldest: Option<Timestamp>,
    /// Objects and versions that go.
    pub objects: usize,
    pub chunks: usize,
    pub uploads: usize,
    pub bytes: u64,
    pub unclear_chunks: usize,
    pub remains: Vec<Remains>,
    pub ledger: ExpiryPlan,
}

/// What a run has done: the content of `reports/prune`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Days.
    pub keep: i64,
    pub ceiling: i64,
    pub tells_history: bool,
    /// Snapshots that had a manifest.
    pub removed_snapshots: Vec<SnapshotId>,
    /// What was left of others.
    pub removed_abandoned: Vec<SnapshotId>,
    /// Objects and versions.
    pub removed_objects: usize,
    pub removed_chunks: usize,
    pub removed_bytes: u64,
    pub aborted_uploads: usize,
    pub removed_ledger_bodies: usize,
    /// Somebody came to need them between the plan and the deed.
    pub spared_snapshots: Vec<SnapshotId>,
    pub staying_snapshots: usize,
    /// When the oldest of them was taken.
    pub oldest_snapshot: Option<Timestamp>,
    /// Objects and versions that the second listing found, and the store's date of the oldest.
    pub listed_objects: usize,
    pub oldest_object: Option<Timestamp>,
    /// What was to go and is still there.
    pub left: Vec<String>,
    /// Beyond the ceiling, and still there.
    pub remains: Vec<String>,
}

/// Step 1: decides; writes nothing. `now` is this machine's time.
///
/// # Errors
/// [`Error::Clocks`], [`Error::HistoryUntold`].
pub async fn plan(
    repository: &Repository,
    options: &PruneOptions,
    now: Timestamp,
) -> Result<PrunePlan, Error> {
    let (inventory, tells_history) = survey::everything(repository, options, now).await?;
    let stored = retention::plan(&inventory, &options.retention);
    let goes = |id: &&SnapshotId| stored.snapshots.iter().any(|one| one.snapshot == **id && one.fate.goes());
    let not_discarded = options.discard.iter().filter(|id| !goes(id)).cloned().collect();
    let windows = |verdict: &Verdict| {
        let snapshot = inventory.snapshots.iter().find(|snapshot| snapshot.id == verdict.snapshot)?;
        // One that cannot be read may hold anybody.
        let unknown = LedgerWindow { before: 0, after: u64::MAX };
        let ledger = snapshot.record.as_ref().map_or(unknown, |record| record.ledger);
        snapshot.has_manifest().then(|| StoredSnapshot { id: snapshot.id.clone(), ledger })
    };
    let staying: Vec<StoredSnapshot> = stored.staying().filter_map(windows).collect();
    let ledger = ledger::plan(repository, &staying).await?;
    Ok(PrunePlan { stored, ledger, tells_history, not_discarded })
}

/// Steps 2 to 7. `now` is this machine's time at the start.
///
/// # Errors
/// [`Error::Ceiling`] if something beyond the ceiling remains; the receipt is written all the same, and says so.
pub async fn carry_out(
    repository: &Repository,
    plan: &PrunePlan,
    options: &PruneOptions,
    last_seen: &LastSeen,
    now: Timestamp,
) -> Result<(EventId, Receipt), Error> {
    let begun = Instant::now();
    let stored = &plan.stored;
    let removals = &stored.removals;
    let spared = survey::needed_after_all(repository, stored).await?;
    let store = repository.store().as_ref();
    let goes = |id: &SnapshotId| !spared.contains(id);

    let manifests = removals.manifests.iter().filter(|(id, _)| goes(id)).map(|(_, removal)| removal.clone());
    let manifests: Vec<Removal> = manifests.collect();
    let mut refused = remove::all(store, &manifests).await?;
    let documents = removals.documents.iter().filter(|removal| !spared.iter().any(|id| is_of(removal, id)));
    let documents: Vec<Removal> = documents.cloned().collect();
    refused.extend(remove::all(store, &documents).await?);
    let chunks = survey::unnamed_still(repository, stored).await?;
    refused.extend(remove::all(store, &chunks).await?);
    let aborted = remove::uploads(store, &removals.uploads).await?;
    let notes = survey::ended_still(repository, stored).await?;
    refused.extend(remove::all(store, &notes).await?);
    // An entry that a spared snapshot needs is not among those that were planned to stay.
    let bodies = if spared.is_empty() {
        ledger::carry_out(repository, &plan.ledger, last_seen, now).await?
    } else {
        0
    };

    let removed: Vec<&Removal> = [&manifests, &documents, &chunks, &notes].into_iter().flatten().collect();
    let proof = proof::look(store, &removed, &removals.uploads).await?;
    let ceiling = stored.at.checked_sub(options.retention.ceiling).unwrap_or(Timestamp::MIN);
    let mut remains = stored.remains.clone();
    remains.extend(proof.left.iter().filter(|left| left.since <= ceiling).map(|left| Remains {
        what: left.name.clone(),
        why: refused.get(&left.name).cloned().unwrap_or_else(|| "the store still lists it".to_owned()),
        hint: "the store did not remove it: is there an Object Lock, or a policy that forbids it?".to_owned(),
    }));
    let gone = |fate: Fate| {
        let verdicts = stored.snapshots.iter().filter(move |verdict| verdict.fate == fate);
        verdicts.map(|verdict| verdict.snapshot.clone()).filter(|id| goes(id)).collect::<Vec<_>>()
    };
    let staying: Vec<&Verdict> = stored.staying().collect();
    let receipt = Receipt {
        keep: options.retention.keep.as_hours() / 24,
        ceiling: options.retention.ceiling.as_hours() / 24,
        tells_history: plan.tells_history,
        removed_snapshots: gone(Fate::Expired),
        removed_abandoned: gone(Fate::Abandoned),
        removed_objects: removed.len().saturating_sub(proof.left.len()),
        removed_chunks: chunks.len(),
        removed_bytes: removed.iter().map(|removal| removal.bytes).fold(0, u64::saturating_add),
        aborted_uploads: aborted,
        removed_ledger_bodies: bodies,
        staying_snapshots: staying.len() + spared.len(),
        oldest_snapshot: staying.iter().map(|verdict| verdict.taken_at).min(),
        spared_snapshots: spared.into_iter().collect(),
        listed_objects: proof.listed,
        oldest_object: proof.oldest,
        left: proof.left.iter().map(|left| left.name.clone()).collect(),
        remains: remains.iter().map(|remains| format!("{}: {}", remains.what, remains.why)).collect(),
    };
    let at = now.checked_add(begun.elapsed()).unwrap_or(now);
    let id = reports::write(repository, ReportKind::Prune, at, &receipt).await?;
    if !remains.is_empty() {
        return Err(Error::Ceiling { remains });
    }
    match receipt.left.first() {
        Some(first) => Err(Error::NotRemoved { count: receipt.left.len(), first: first.clone() }),
        None => Ok((id, receipt)),
    }
}

fn is_of(removal: &Removal, id: &SnapshotId) -> bool {
    lethe_format::layout::snapshot_part(&removal.name).is_some_and(|(of, _)| of == *id)
}
