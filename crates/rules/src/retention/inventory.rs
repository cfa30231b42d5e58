//! What is stored, as a pruner sees it: every version of every object, with the store's own dates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lethe_format::ids::{Digest, SnapshotId, UploadId};
use lethe_format::layout::SnapshotPart;
use lethe_format::manifest::LedgerWindow;
use roaring::RoaringBitmap;

pub type ChunkKey = (Digest, UploadId);

/// Chunks that are stored, in the order of their names, so that a snapshot's are a set of numbers: thousands of snapshots
/// that share most of hundreds of thousands of chunks fit into memory so.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChunkSet(Vec<(ChunkKey, Vec<Copy>)>);

impl ChunkSet {
    #[must_use]
    pub fn new(chunks: BTreeMap<ChunkKey, Vec<Copy>>) -> Self {
        Self(chunks.into_iter().collect())
    }

    /// The numbers of those that are stored, and how many are not.
    #[must_use]
    pub fn positions(&self, keys: impl Iterator<Item = ChunkKey>) -> (RoaringBitmap, u64) {
        let (mut positions, mut missing) = (RoaringBitmap::new(), 0);
        for key in keys {
            let found = self.0.binary_search_by(|(known, _)| known.cmp(&key)).ok();
            match found.and_then(|position| u32::try_from(position).ok()) {
                Some(position) => {
                    positions.insert(position);
                }
                None => missing += 1,
            }
        }
        (positions, missing)
    }

    /// With their numbers. More than 2³² chunks of 32 MiB are in no bucket.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &ChunkKey, &[Copy])> {
        (0..=u32::MAX).zip(&self.0).map(|(position, (key, copies))| (position, key, copies.as_slice()))
    }
}

/// One version of an object, or the mark that it was deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    /// The store's name for the version; none where it keeps none.
    pub version: Option<String>,
    /// Bytes; 0 for a mark.
    pub len: u64,
    pub modified: Timestamp,
    /// True if a reader gets this one.
    pub is_current: bool,
    pub is_mark: bool,
}

/// One version of a snapshot's manifest, index or schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    pub part: SnapshotPart,
    pub copy: Copy,
}

/// What a snapshot's index says, which somebody with the naming key has vouched for.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    pub started_at: Timestamp,
    pub ledger: LedgerWindow,
    /// Their numbers in the [`ChunkSet`].
    pub chunks: RoaringBitmap,
    /// Chunks that it names and that are not stored.
    pub missing: u64,
}

/// Whatever lies below one snapshot's name.
#[derive(Clone, PartialEq, Debug)]
pub struct Snapshot {
    pub id: SnapshotId,
    pub parts: Vec<Part>,
    /// None if there is no index, or one that nobody has vouched for.
    pub record: Option<Record>,
}

impl Snapshot {
    /// Whether there is a manifest, be it one that a delete mark hides.
    #[must_use]
    pub fn has_manifest(&self) -> bool {
        self.parts.iter().any(|part| part.part == SnapshotPart::Manifest && !part.copy.is_mark)
    }

    /// Whether a restore finds a manifest.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let current = |part: &&Part| part.copy.is_current && !part.copy.is_mark;
        self.parts.iter().filter(current).any(|part| part.part == SnapshotPart::Manifest)
    }

    /// The earlier of what its record says and the store's date of its first object.
    #[must_use]
    pub fn taken_at(&self) -> Timestamp {
        let recorded = self.record.iter().map(|record| record.started_at);
        let stored = self.parts.iter().map(|part| part.copy.modified);
        recorded.chain(stored).min().unwrap_or(Timestamp::MAX)
    }

    pub(super) fn newest(&self) -> Timestamp {
        self.parts.iter().map(|part| part.copy.modified).max().unwrap_or(Timestamp::MAX)
    }
}

/// A hold on a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holding {
    pub snapshot: SnapshotId,
    pub until: Timestamp,
}

/// A lease on a snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leased {
    pub snapshot: SnapshotId,
    pub until: Timestamp,
}

/// The object of a hold or a lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    pub name: String,
    pub copies: Vec<Copy>,
    /// None if nobody has vouched for it: then it counts for nothing.
    pub until: Option<Timestamp>,
}

/// An upload that was begun and neither finished nor aborted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    pub name: String,
    pub id: String,
    pub begun: Timestamp,
}

/// Everything that a pruner decides by.
#[derive(Clone, PartialEq, Debug)]
pub struct Inventory {
    pub now: Timestamp,
    pub snapshots: Vec<Snapshot>,
    pub chunks: ChunkSet,
    pub holds: Vec<Holding>,
    pub leases: Vec<Leased>,
    pub notes: Vec<Note>,
    pub uploads: Vec<Upload>,
    /// Snapshots that somebody lets go by name: the last one, or one whose index cannot be read.
    pub discard: BTreeSet<SnapshotId>,
}
