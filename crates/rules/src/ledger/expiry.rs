//! When an entry has done its work: no stored snapshot can hold its people any more.
//!
//! Decided by the ledger's sequence in the snapshots, never by a clock. Expiring too early would bring somebody back;
//! so whatever is not known keeps the entry.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Header, Kind, Seq};
use serde::Serialize;

/// Whether the oldest stored snapshot holds a row of any of an entry's people.
///
/// Asked only for entries that were written ahead of the deletion: a snapshot that is newer than such an entry may
/// still have been taken before the deletion. Once the people are gone they stay gone, so the oldest one decides.
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
    /// Named already, and their bodies may still be there: a crash came in between.
    pub remove: Vec<Seq>,
    /// Entries with keys that must stay.
    pub kept: u64,
    /// Of the kept ones, those that would expire if somebody with the identity looked.
    pub unknown: Vec<Seq>,
}

/// Decides from the ledger's headers and the ledger sequence of every stored snapshot.
///
/// `snapshots` must name all of them, held and damaged ones included; if one's sequence is not known, give 0.
pub fn plan_expiry(
    headers: &[Header],
    snapshots: &[Seq],
    mut evidence: impl FnMut(Seq) -> Evidence,
) -> ExpiryPlan {
    let oldest = snapshots.iter().copied().min();
    let expired: BTreeSet<Seq> = headers.iter().flat_map(|header| header.expires.iter().copied()).collect();
    let mut plan = ExpiryPlan::default();
    // The kept entries' tables: a revocation must stay as long as anything before it that it may revoke.
    let mut kept_of: BTreeMap<&QualifiedName, u64> = BTreeMap::new();
    for header in headers.iter().filter(|header| header.kind.has_keys()) {
        let Some(subject) = &header.subject else { continue };
        let taken_before = oldest.is_some_and(|oldest| oldest < header.seq);
        if expired.contains(&header.seq) {
            if !taken_before {
                plan.remove.push(header.seq);
            }
            continue;
        }
        let verdict = if taken_before {
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
            evidence(header.seq)
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
    plan
}
