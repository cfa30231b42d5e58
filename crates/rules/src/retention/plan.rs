//! What becomes of each snapshot, and which objects go.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use lethe_format::ids::SnapshotId;
use lethe_format::layout::{self, SnapshotPart};
use roaring::RoaringBitmap;
use serde::Serialize;

use super::Retention;
use super::inventory::{ChunkKey, Copy, Holding, Inventory, Leased, Snapshot};

/// What becomes of a snapshot, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// It is young enough.
    Kept,
    /// Somebody has a reason, whatever its age.
    Held { until: Timestamp },
    /// It has expired, a restore reads it, and the ceiling is not reached.
    Leased { until: Timestamp },
    /// It has expired, and there is no younger one to restore from: nobody deletes it silently.
    Last,
    /// It has no manifest and is so young that it may get one.
    Unfinished,
    /// It goes.
    Expired,
    /// It has no manifest and never got one, or lost it to a pruner that was interrupted: what is left goes.
    Abandoned,
}

impl Fate {
    #[must_use]
    pub fn goes(&self) -> bool {
        matches!(self, Self::Expired | Self::Abandoned)
    }
}

/// The verdict on one snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verdict {
    pub snapshot: SnapshotId,
    pub taken_at: Timestamp,
    /// When it goes if nobody needs it.
    pub expires_at: Timestamp,
    /// When it goes whoever needs it.
    pub ceiling_at: Timestamp,
    #[serde(flatten)]
    pub fate: Fate,
    /// Whether somebody has vouched for what it needs; if not, any chunk may be its.
    pub is_known: bool,
}

/// An object, or one version of it, that goes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Removal {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub bytes: u64,
}

/// What goes, in the order in which it goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Removals {
    /// First, so that no reader ever sees a snapshot without its chunks.
    pub manifests: Vec<(SnapshotId, Removal)>,
    /// Indexes and schemas.
    pub documents: Vec<Removal>,
    /// That no snapshot names which stays, and that are older than the grace period.
    pub chunks: Vec<(ChunkKey, Removal)>,
    pub uploads: Vec<(String, String)>,
    /// Holds and leases that ended.
    pub notes: Vec<Removal>,
}

impl Removals {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects() == 0 && self.uploads.is_empty()
    }

    /// Objects and versions.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.all().count()
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.all().map(|removal| removal.bytes).fold(0, u64::saturating_add)
    }

    fn all(&self) -> impl Iterator<Item = &Removal> {
        let manifests = self.manifests.iter().map(|(_, removal)| removal);
        let chunks = self.chunks.iter().map(|(_, removal)| removal);
        manifests.chain(&self.documents).chain(chunks).chain(&self.notes)
    }
}

/// Something that is older than the ceiling and stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Remains {
    pub what: String,
    pub why: String,
    /// What a person can do about it.
    pub hint: String,
}

/// What a pruner would do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrunePlan {
    pub at: Timestamp,
    /// Oldest first.
    pub snapshots: Vec<Verdict>,
    pub removals: Removals,
    /// Chunks that stay because a snapshot's index cannot be read, and that may be its.
    pub unclear_chunks: usize,
    pub remains: Vec<Remains>,
}

impl PrunePlan {
    /// The snapshots that are still there afterwards and that have, or may get, a manifest.
    pub fn staying(&self) -> impl Iterator<Item = &Verdict> {
        self.snapshots.iter().filter(|verdict| !verdict.fate.goes())
    }
}

/// Decides from everything that is stored.
#[must_use]
pub fn plan(inventory: &Inventory, retention: &Retention) -> PrunePlan {
    let now = inventory.now;
    let mut snapshots = Vec::new();
    let mut removals = Removals::default();
    let mut needed = RoaringBitmap::new();
    let last = last_ones(inventory, retention);
    let mut unknown = Vec::new();
    let mut remains = Vec::new();
    for snapshot in &inventory.snapshots {
        let verdict = judge(snapshot, inventory, retention, &last);
        if verdict.fate.goes() {
            remove_documents(snapshot, &mut removals);
        } else {
            match &snapshot.record {
                Some(record) => needed |= &record.chunks,
                None if verdict.fate == Fate::Unfinished => {}
                None => unknown.push(snapshot.id.clone()),
            }
        }
        if verdict.fate == Fate::Last && verdict.ceiling_at <= now {
            remains.push(last_one_remains(&snapshot.id));
        }
        snapshots.push(verdict);
    }
    snapshots.sort_by(|one, other| (one.taken_at, &one.snapshot).cmp(&(other.taken_at, &other.snapshot)));
    let young = before(now, retention.grace);
    let old = before(now, retention.ceiling);
    let (mut unclear_chunks, mut unclear_and_old) = (0, 0);
    for (position, key, copies) in inventory.chunks.iter() {
        let newest = copies.iter().map(|copy| copy.modified).max();
        if needed.contains(position) || newest.is_none_or(|newest| newest > young) {
            continue;
        }
        if !unknown.is_empty() {
            unclear_chunks += 1;
            unclear_and_old += usize::from(newest.is_some_and(|newest| newest <= old));
            continue;
        }
        let name = layout::chunk(&key.0, &key.1);
        removals.chunks.extend(copies.iter().map(|copy| (*key, removal(&name, copy))));
    }
    if unclear_and_old > 0 {
        remains.push(unclear_chunks_remain(unclear_and_old, &unknown));
    }
    for upload in inventory.uploads.iter().filter(|upload| upload.begun <= young) {
        removals.uploads.push((upload.name.clone(), upload.id.clone()));
    }
    for note in &inventory.notes {
        let written = note.copies.iter().map(|copy| copy.modified).max().unwrap_or(now);
        // Until some time after its end it can be read what stayed and why.
        if note.until.unwrap_or(written).max(written) <= young {
            removals.notes.extend(note.copies.iter().map(|copy| removal(&note.name, copy)));
        }
    }
    PrunePlan { at: now, snapshots, removals, unclear_chunks, remains }
}

fn judge(
    snapshot: &Snapshot,
    inventory: &Inventory,
    retention: &Retention,
    last: &BTreeSet<&SnapshotId>,
) -> Verdict {
    let (now, taken_at) = (inventory.now, snapshot.taken_at());
    let (expires_at, ceiling_at) = (after(taken_at, retention.keep), after(taken_at, retention.ceiling));
    let held = held(&snapshot.id, &inventory.holds, now);
    let leased = leased(&snapshot.id, &inventory.leases, now);
    let is_discarded = inventory.discard.contains(&snapshot.id);
    let fate = if !snapshot.has_manifest() {
        if snapshot.newest() > before(now, retention.grace) { Fate::Unfinished } else { Fate::Abandoned }
    } else if let Some(until) = held {
        Fate::Held { until }
    } else if now < expires_at && !(is_discarded && snapshot.record.is_none()) {
        Fate::Kept
    } else if let Some(until) = leased.filter(|_| now < ceiling_at) {
        Fate::Leased { until }
    } else if last.contains(&snapshot.id) && !is_discarded {
        Fate::Last
    } else {
        Fate::Expired
    };
    let is_known = snapshot.record.is_some();
    Verdict { snapshot: snapshot.id.clone(), taken_at, expires_at, ceiling_at, fate, is_known }
}

/// Whether a snapshot that was to go is needed after all, by the holds and leases of now.
#[must_use]
pub fn is_needed(verdict: &Verdict, holds: &[Holding], leases: &[Leased], now: Timestamp) -> bool {
    let is_leased = now < verdict.ceiling_at && leased(&verdict.snapshot, leases, now).is_some();
    is_leased || held(&verdict.snapshot, holds, now).is_some()
}

fn held(id: &SnapshotId, holds: &[Holding], now: Timestamp) -> Option<Timestamp> {
    let holds = holds.iter().filter(|hold| hold.snapshot == *id).map(|hold| hold.until);
    holds.filter(|until| *until > now).max()
}

fn leased(id: &SnapshotId, leases: &[Leased], now: Timestamp) -> Option<Timestamp> {
    let leases = leases.iter().filter(|lease| lease.snapshot == *id).map(|lease| lease.until);
    leases.filter(|until| *until > now).max()
}

/// The snapshots that nobody deletes silently: the newest that has a manifest, and, if what is young cannot be restored,
/// the newest that can.
fn last_ones<'a>(inventory: &'a Inventory, retention: &Retention) -> BTreeSet<&'a SnapshotId> {
    let newest_of = |snapshots: &mut dyn Iterator<Item = &'a Snapshot>| {
        snapshots.max_by_key(|snapshot| (snapshot.taken_at(), &snapshot.id)).map(|snapshot| &snapshot.id)
    };
    let complete = || inventory.snapshots.iter().filter(|snapshot| snapshot.has_manifest());
    let absent = absent_chunks(inventory);
    let restorable = || inventory.snapshots.iter().filter(|snapshot| is_restorable(snapshot, &absent));
    let young = |snapshot: &&Snapshot| inventory.now < after(snapshot.taken_at(), retention.keep);
    let mut last: BTreeSet<&SnapshotId> = newest_of(&mut complete()).into_iter().collect();
    if !restorable().any(|snapshot| young(&snapshot)) {
        last.extend(newest_of(&mut restorable()));
    }
    last
}

/// Chunks that a reader does not get, since a delete mark hides them.
fn absent_chunks(inventory: &Inventory) -> RoaringBitmap {
    let is_there = |copies: &[Copy]| copies.iter().any(|copy| copy.is_current && !copy.is_mark);
    let absent = inventory.chunks.iter().filter(|(_, _, copies)| !is_there(copies));
    absent.map(|(position, ..)| position).collect()
}

fn is_restorable(snapshot: &Snapshot, absent: &RoaringBitmap) -> bool {
    let has_schema = snapshot
        .parts
        .iter()
        .any(|part| part.part == SnapshotPart::Schema && part.copy.is_current && !part.copy.is_mark);
    let Some(record) = &snapshot.record else { return false };
    snapshot.is_complete() && has_schema && record.missing == 0 && record.chunks.is_disjoint(absent)
}

fn remove_documents(snapshot: &Snapshot, removals: &mut Removals) {
    for part in &snapshot.parts {
        let id = &snapshot.id;
        match part.part {
            SnapshotPart::Manifest => {
                removals.manifests.push((id.clone(), removal(&layout::manifest(id), &part.copy)));
            }
            SnapshotPart::Index => {
                removals.documents.push(removal(&layout::chunk_index(id), &part.copy));
            }
            SnapshotPart::Schema => removals.documents.push(removal(&layout::schema(id), &part.copy)),
        }
    }
}

fn removal(name: &str, copy: &Copy) -> Removal {
    Removal { name: name.to_owned(), version: copy.version.clone(), bytes: copy.len }
}

fn last_one_remains(id: &SnapshotId) -> Remains {
    Remains {
        what: format!("snapshot {id}"),
        why: "it is older than 35 days, and there is no younger one to restore from".to_owned(),
        hint: format!(
            "take a snapshot, and prune again. If that is not possible: lethe hold add keeps this one, with a reason and an end; lethe prune --discard {id} lets the last backup go"
        ),
    }
}

fn unclear_chunks_remain(count: usize, unknown: &[SnapshotId]) -> Remains {
    let ids: Vec<&str> = unknown.iter().map(SnapshotId::as_str).collect();
    Remains {
        what: format!("{count} chunks that are older than 35 days"),
        why: format!("they may belong to {}, whose index cannot be read", ids.join(", ")),
        hint: format!(
            "run this where the identity is, which opens the manifest; or lethe prune --discard {} lets it go",
            ids.first().copied().unwrap_or_default()
        ),
    }
}

fn after(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}

fn before(at: Timestamp, time: SignedDuration) -> Timestamp {
    at.checked_sub(time).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
