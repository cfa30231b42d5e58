//! When an entry has done its work: no stored snapshot can hold its people any more.
//!
//! Decided by the ledger's sequence in the snapshots, never by a clock. Expiring too early would bring somebody back;
//! so whatever is not known keeps the entry.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::QualifiedName;
use lethe_format::ids::SnapshotId;
use lethe_format::ledger::{Header, Kind, Seq};
use lethe_format::manifest::LedgerWindow;
use serde::Serialize;

/// Whether any of the oldest snapshots holds a row of any of an entry's people.
///
/// Asked only for entries that were written ahead of the deletion: a snapshot that is newer than such an entry may
/// still have been taken before the deletion. Once the people are gone they stay gone, so the oldest ones decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    Holds,
    HoldsNone,
    /// Nobody looked: the host has no identity, or the rows could not be read.
    Unknown,
}

/// Which entries may lose their bodies.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ExpiryPlan {
    /// To be named by a new entry of kind `expired`; ascending.
    pub expire: Vec<Seq>,
    /// See [`lethe_format::ledger::Expiry`].
    pub gone_since: Seq,
    pub checked: Vec<SnapshotId>,
    /// Named already, and their bodies may still be there: a crash came in between.
    pub remove: Vec<Seq>,
    /// Entries with keys that must stay.
    pub kept: u64,
    /// Of the kept ones, those that would expire if somebody with the identity looked.
    pub unknown: Vec<Seq>,
}

/// The entries that were let go, whether their bodies are gone or not.
#[must_use]
pub fn expired(headers: &[Header]) -> BTreeSet<Seq> {
    let named = headers.iter().filter_map(|header| header.expiry.as_ref());
    named.flat_map(|expiry| expiry.entries.iter().copied()).collect()
}

/// Whether a snapshot may hold people of an entry that was let go.
#[must_use]
pub fn needed_by(headers: &[Header], snapshot: &StoredSnapshot, entry: Seq) -> bool {
    if entry > snapshot.ledger.before {
        return true;
    }
    let written_ahead =
        |header: &&Header| header.seq == entry && !header.settled && header.kind != Kind::Revoked;
    if !headers.iter().any(|header| written_ahead(&header)) {
        return false;
    }
    let named = headers.iter().filter_map(|header| header.expiry.as_ref());
    let mut naming = named.filter(|expiry| expiry.entries.contains(&entry));
    naming.any(|expiry| snapshot.ledger.before < expiry.gone_since && !expiry.checked.contains(&snapshot.id))
}

/// A snapshot that is stored, whatever state it is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredSnapshot {
    pub id: SnapshotId,
    /// If it is not known, from 0 on.
    pub ledger: LedgerWindow,
}

/// Decides from the ledger's headers and every stored snapshot, held and damaged ones included.
///
/// `evidence` is asked about an entry and the snapshots to look into: the one whose view was opened first for all that
/// the ledger tells, and all whose view may have been opened before it. A snapshot that was begun at a later head than
/// the one at which that view was open already is newer; so what the first does not hold, none of those does.
pub fn plan_expiry(
    headers: &[Header],
    snapshots: &[StoredSnapshot],
    mut evidence: impl FnMut(Seq, &[SnapshotId]) -> Evidence,
) -> ExpiryPlan {
    let oldest = snapshots.iter().map(|snapshot| snapshot.ledger.before).min();
    let open_since = snapshots.iter().map(|snapshot| snapshot.ledger.after).min();
    let gone_since = open_since.map_or(0, |after| after.saturating_add(1));
    let not_newer = snapshots.iter().filter(|snapshot| snapshot.ledger.before < gone_since);
    let checked: Vec<SnapshotId> = not_newer.map(|snapshot| snapshot.id.clone()).collect();
    let expired = expired(headers);
    let mut plan = ExpiryPlan { gone_since, ..ExpiryPlan::default() };
    // The kept entries' tables: a revocation must stay as long as anything before it that it may revoke.
    let mut kept_of: BTreeMap<&QualifiedName, u64> = BTreeMap::new();
    for header in headers.iter().filter(|header| header.kind.has_keys()) {
        let Some(subject) = &header.subject else { continue };
        if expired.contains(&header.seq) {
            if !snapshots.iter().any(|snapshot| needed_by(headers, snapshot, header.seq)) {
                plan.remove.push(header.seq);
            }
            continue;
        }
        let verdict = if oldest.is_some_and(|oldest| oldest < header.seq) {
            Evidence::Holds
        } else if header.kind == Kind::Revoked {
            let needed = kept_of.get(&subject.table).copied().unwrap_or(0) > 0;
            if needed { Evidence::Holds } else { Evidence::HoldsNone }
        } else if header.settled {
            Evidence::HoldsNone
        } else if oldest.is_none() {
            // Only a snapshot can show that the deletion was carried out: until one does, the next may hold them.
            Evidence::Holds
        } else if header.kind == Kind::Anonymised {
            // The row is there either way; whether its columns were overwritten by then nobody can tell.
            Evidence::Unknown
        } else {
            evidence(header.seq, &checked)
        };
        match verdict {
            Evidence::HoldsNone => plan.expire.push(header.seq),
            Evidence::Holds => {}
            Evidence::Unknown => plan.unknown.push(header.seq),
        }
        if verdict != Evidence::HoldsNone {
            plan.kept += 1;
            *kept_of.entry(&subject.table).or_default() += 1;
        }
    }
    plan.checked = checked;
    plan
}
