//! What can be said to somebody who asked to be erased, by the reference of their request: when it was done, until when a backup may
//! still hold them, and how often backups were restored since.

use jiff::Timestamp;
use lethe_format::ids::{Digest, SnapshotId};
use lethe_format::ledger::{Header, Kind, Seq};
use serde::Serialize;

/// Holds no id and no name: only the reference, which whoever asks has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Certificate {
    pub request: String,
    /// In the order of the ledger; empty if nothing was ever written with this reference.
    pub entries: Vec<ErasedEntry>,
    /// Backups that were begun before the last of them, and may hold whom they name.
    pub may_hold: Vec<Kept>,
    /// When the last of those goes; none if there are none.
    pub last_goes_at: Option<Timestamp>,
    /// Restores that became ready since the first of them, each without the people who were erased by then.
    pub restores: Vec<Seq>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ErasedEntry {
    pub entry: Seq,
    pub at: Timestamp,
    pub kind: Kind,
    /// The kind of person, or the table.
    pub subject: String,
    pub people: u64,
    /// True once no stored backup may hold them any more, so that the ledger has forgotten their ids.
    pub forgotten: bool,
}

/// A stored snapshot, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Kept {
    pub snapshot: SnapshotId,
    pub taken_at: Timestamp,
    pub goes_at: Timestamp,
    /// Whether somebody holds it beyond its time.
    pub held: bool,
    /// The ledger when it was begun.
    #[serde(skip)]
    pub ledger_seq: Seq,
}

/// `request` is the keyed hash of `reference`, as the ledger holds it; `forgotten` are the entries that have expired.
#[must_use]
pub fn certificate(
    reference: &str,
    request: &Digest,
    ledger: &[Header],
    forgotten: impl Fn(Seq) -> bool,
    snapshots: Vec<Kept>,
) -> Certificate {
    let named =
        ledger.iter().filter(|header| header.request.as_ref() == Some(request) && header.kind.has_keys());
    let entries: Vec<ErasedEntry> = named
        .map(|header| ErasedEntry {
            entry: header.seq,
            at: header.at,
            kind: header.kind,
            subject: header.subject.as_ref().map_or_else(String::new, ToString::to_string),
            people: header.body.map_or(0, |body| body.count),
            forgotten: forgotten(header.seq),
        })
        .collect();
    let last = entries.iter().filter(|entry| !entry.forgotten).map(|entry| entry.entry).max();
    let may_hold: Vec<Kept> =
        snapshots.into_iter().filter(|kept| last.is_some_and(|last| kept.ledger_seq < last)).collect();
    let first = entries.first().map(|entry| entry.entry);
    let cut_overs = ledger.iter().filter(|header| header.kind == Kind::CutOver);
    let restores = cut_overs.filter(|header| first.is_some_and(|first| header.seq > first));
    Certificate {
        request: reference.to_owned(),
        last_goes_at: may_hold.iter().map(|kept| kept.goes_at).max(),
        may_hold,
        restores: restores.map(|header| header.seq).collect(),
        entries,
    }
}
