//! What is stored: every version of every object, the store's dates, and what each snapshot's index says.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use lethe_format::ids::SnapshotId;
use lethe_format::layout::{self, SnapshotPart};
use lethe_format::lease::{Hold, Lease};
use lethe_format::manifest::ChunkIndex;
use lethe_rules::retention::{
    ChunkKey, ChunkSet, Copy, Fate, Holding, Inventory, Leased, Note, Part, PrunePlan, Record, Removal,
    Snapshot, Upload, is_needed,
};
use lethe_store::{ObjectName, ObjectStore, Told, Versioning};

use super::PruneOptions;
use crate::{Error, Repository, clock, objects, restore};

/// Documents that are read at once.
const AT_ONCE: usize = 8;
const NOTE_LIMIT: u64 = 1 << 20;

/// Every version below a prefix, in the order of the names.
pub(super) struct History {
    pub(super) copies: Vec<(String, Copy)>,
    /// False if these are the current objects alone, since the store keeps no others.
    pub(super) is_told: bool,
}

/// # Errors
/// [`Error::HistoryUntold`] if the store keeps versions and does not list them.
pub(super) async fn history(store: &dyn ObjectStore, prefix: &str) -> Result<History, Error> {
    let Some(versions) = store.versions(prefix).await? else {
        let facts = store.bucket_facts().await?;
        if let Some(Told::Yes(Versioning::Enabled | Versioning::Suspended)) =
            facts.map(|facts| facts.versioning)
        {
            return Err(Error::HistoryUntold { store: store.url() });
        }
        let infos: Vec<_> = store.list(prefix).await?.try_collect().await?;
        let copies = infos.into_iter().map(|info| {
            let modified = clock::time(info.modified);
            let copy = Copy { version: None, len: info.len, modified, is_current: true, is_mark: false };
            (info.name.to_string(), copy)
        });
        return Ok(History { copies: copies.collect(), is_told: false });
    };
    let mut copies: Vec<(String, Copy)> = Vec::with_capacity(versions.len());
    for version in versions {
        // For each name the newest comes first.
        let is_current = copies.last().is_none_or(|(name, _)| name != version.name.as_str());
        let copy = Copy {
            version: Some(version.version),
            len: version.len,
            modified: clock::time(version.modified),
            is_current,
            is_mark: version.is_delete_marker,
        };
        copies.push((version.name.to_string(), copy));
    }
    Ok(History { copies, is_told: true })
}

/// Everything that a pruner decides by, and whether the store tells of versions.
pub(super) async fn everything(
    repository: &Repository,
    options: &PruneOptions,
    now: Timestamp,
) -> Result<(Inventory, bool), Error> {
    let store = repository.store();
    repository.naming_key()?;
    let now = clock::agreed(store, now).await?;
    // Chunks before the snapshots that name them: what comes in between is younger than anything that goes.
    let History { copies, is_told } = history(store.as_ref(), layout::CHUNKS).await?;
    let mut chunks: BTreeMap<ChunkKey, Vec<Copy>> = BTreeMap::new();
    for (name, copy) in copies {
        if let Some(key) = layout::chunk_of_name(&name) {
            chunks.entry(key).or_default().push(copy);
        }
    }
    let chunks = ChunkSet::new(chunks);
    let snapshots = snapshots(repository, &chunks).await?;
    let Notes { notes, holds, leases } = notes(repository).await?;
    let uploads = lethe_store::uploads(store.as_ref(), "").await?.unwrap_or_default();
    let uploads = uploads.into_iter().map(|upload| Upload {
        name: upload.name.to_string(),
        id: upload.id,
        begun: clock::time(upload.begun),
    });
    let uploads = uploads.collect();
    let discard = options.discard.clone();
    Ok((Inventory { now, snapshots, chunks, holds, leases, notes, uploads, discard }, is_told))
}

async fn snapshots(repository: &Repository, chunks: &ChunkSet) -> Result<Vec<Snapshot>, Error> {
    let mut found: BTreeMap<SnapshotId, Vec<Part>> = BTreeMap::new();
    for (name, copy) in history(repository.store().as_ref(), layout::SNAPSHOTS).await?.copies {
        if let Some((id, part)) = layout::snapshot_part(&name) {
            found.entry(id).or_default().push(Part { part, copy });
        }
    }
    let read = found.into_iter().map(|(id, parts)| async move {
        let index = index(repository, &id, &parts).await?;
        let record = index.map(|index| {
            let (present, missing) =
                chunks.positions(index.chunks.iter().map(|chunk| (chunk.name, chunk.upload)));
            Record { started_at: index.started_at, ledger: index.ledger, chunks: present, missing }
        });
        Ok::<_, Error>(Snapshot { id, parts, record })
    });
    stream::iter(read).buffered(AT_ONCE).try_collect().await
}

/// What a snapshot's index says; without a readable one what its manifest says, where that can be opened.
async fn index(
    repository: &Repository,
    id: &SnapshotId,
    parts: &[Part],
) -> Result<Option<ChunkIndex>, Error> {
    let stored = parts.iter().find(|part| part.part == SnapshotPart::Index && !part.copy.is_mark);
    if let Some(part) = stored {
        let name = layout::chunk_index(id);
        let bytes = match &part.copy.version {
            Some(version) if !part.copy.is_current => {
                let reader = repository.store().get_version(&ObjectName::new(&name)?, version).await?;
                Some(reader.read_to_bytes(objects::DOCUMENT_LIMIT).await?)
            }
            _ => objects::get_if_there(repository.store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?,
        };
        let key = repository.naming_key()?.as_bytes();
        let index = bytes.and_then(|bytes| ChunkIndex::from_bytes(&bytes, key).ok());
        if let Some(index) = index.filter(|index| index.snapshot == *id) {
            return Ok(Some(index));
        }
        tracing::warn!(snapshot = %id, "its chunk index cannot be read");
    }
    let is_complete = parts.iter().any(|part| part.part == SnapshotPart::Manifest && part.copy.is_current);
    if !is_complete || !repository.has_identities() {
        return Ok(None);
    }
    match restore::load_manifest(repository, id).await {
        Ok(manifest) => Ok(Some(ChunkIndex {
            version: manifest.version,
            snapshot: manifest.snapshot.clone(),
            started_at: manifest.started_at,
            ledger: manifest.ledger_window(),
            data_key: String::new(),
            chunks: manifest.all_chunks().cloned().collect(),
        })),
        Err(
            Error::Damaged { .. }
            | Error::Format { .. }
            | Error::Decrypt { .. }
            | Error::Store(lethe_store::Error::NotFound { .. }),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Holds and leases.
#[derive(Default)]
struct Notes {
    notes: Vec<Note>,
    holds: Vec<Holding>,
    leases: Vec<Leased>,
}

async fn notes(repository: &Repository) -> Result<Notes, Error> {
    let store = repository.store().as_ref();
    let mut copies: BTreeMap<String, Vec<Copy>> = BTreeMap::new();
    for prefix in [layout::HOLDS, layout::LEASES] {
        for (name, copy) in history(store, prefix).await?.copies {
            copies.entry(name).or_default().push(copy);
        }
    }
    let mut found = Notes::default();
    for (name, copies) in copies {
        let is_there = copies.iter().any(|copy| copy.is_current && !copy.is_mark);
        let until = if is_there { found.read(repository, &name).await? } else { None };
        found.notes.push(Note { name, copies, until });
    }
    Ok(found)
}

impl Notes {
    /// When a hold or a lease ends, if somebody has vouched for it.
    async fn read(&mut self, repository: &Repository, name: &str) -> Result<Option<Timestamp>, Error> {
        let key = repository.naming_key()?.as_bytes();
        let bytes = objects::get_if_there(repository.store().as_ref(), name, NOTE_LIMIT).await?;
        let Some(bytes) = bytes else { return Ok(None) };
        let is_ours = |of: &str| of == repository.id();
        if let Some(id) = layout::hold_of_name(name)
            && let Ok(Hold { snapshot, until, id: stated, repository: of, .. }) =
                Hold::from_bytes(&bytes, key)
            && stated == id
            && is_ours(&of)
        {
            self.holds.push(Holding { snapshot, until });
            return Ok(Some(until));
        }
        if let Some((of_snapshot, id)) = layout::lease_of_name(name)
            && let Ok(Lease { snapshot, until, id: stated, repository: of, .. }) =
                Lease::from_bytes(&bytes, key)
            && (&stated, &snapshot) == (&id, &of_snapshot)
            && is_ours(&of)
        {
            self.leases.push(Leased { snapshot, until });
            return Ok(Some(until));
        }
        Ok(None)
    }
}

/// Right before holds and leases go: those of them that nobody vouches for, or that have ended, by a second look. One that was
/// read wrong once must not be lost, and with it what it keeps.
pub(super) async fn ended_still(repository: &Repository, plan: &PrunePlan) -> Result<Vec<Removal>, Error> {
    let names: BTreeSet<&str> = plan.removals.notes.iter().map(|removal| removal.name.as_str()).collect();
    let mut found = Notes::default();
    let mut in_force = BTreeSet::new();
    for name in names {
        if found.read(repository, name).await?.is_some_and(|until| until > plan.at) {
            in_force.insert(name);
        }
    }
    let ended = plan.removals.notes.iter().filter(|removal| !in_force.contains(removal.name.as_str()));
    Ok(ended.cloned().collect())
}

/// The snapshots that a hold or a lease keeps at a time.
pub async fn in_use(repository: &Repository, now: Timestamp) -> Result<InUse, Error> {
    let mut found = Notes::default();
    for prefix in [layout::HOLDS, layout::LEASES] {
        let infos: Vec<_> = repository.store().list(prefix).await?.try_collect().await?;
        for info in infos {
            found.read(repository, info.name.as_str()).await?;
        }
    }
    let Notes { holds, leases, .. } = found;
    let held = holds.into_iter().filter(|hold| hold.until > now).map(|hold| hold.snapshot).collect();
    let leased = leases.into_iter().filter(|lease| lease.until > now).map(|lease| lease.snapshot).collect();
    Ok(InUse { held, leased })
}

/// See [`in_use`].
#[derive(Clone, Debug, Default)]
pub struct InUse {
    pub held: BTreeSet<SnapshotId>,
    pub leased: BTreeSet<SnapshotId>,
}

/// Right before manifests go: the snapshots among them that somebody came to need since the plan was made.
pub(super) async fn needed_after_all(
    repository: &Repository,
    plan: &PrunePlan,
) -> Result<BTreeSet<SnapshotId>, Error> {
    if plan.removals.manifests.is_empty() {
        return Ok(BTreeSet::new());
    }
    let going: Vec<_> = plan.snapshots.iter().filter(|verdict| verdict.fate == Fate::Expired).collect();
    let stays = |id: &SnapshotId| !going.iter().any(|verdict| verdict.snapshot == *id);
    // Those that were to stay may be gone meanwhile: then the newest of the others is the last one.
    let present = restore::snapshot_ids(repository).await?;
    let stood_by = plan.staying().any(|verdict| verdict.fate != Fate::Unfinished);
    let last = if stood_by && !present.iter().any(stays) {
        going.iter().rev().map(|verdict| &verdict.snapshot).find(|id| present.contains(id))
    } else {
        None
    };
    let Notes { holds, leases, .. } = notes(repository).await?;
    let needed = going.iter().filter(|verdict| is_needed(verdict, &holds, &leases, plan.at));
    Ok(needed.map(|verdict| verdict.snapshot.clone()).chain(last.cloned()).collect())
}

/// Right before chunks go: those of them that no snapshot names that came, or was spared, since the plan was made.
pub(super) async fn unnamed_still(repository: &Repository, plan: &PrunePlan) -> Result<Vec<Removal>, Error> {
    if plan.removals.chunks.is_empty() {
        return Ok(Vec::new());
    }
    let known = |id: &SnapshotId| plan.staying().any(|verdict| verdict.snapshot == *id && verdict.is_known);
    let mut found: BTreeMap<SnapshotId, Vec<Part>> = BTreeMap::new();
    for (name, copy) in history(repository.store().as_ref(), layout::SNAPSHOTS).await?.copies {
        match layout::snapshot_part(&name) {
            Some((id, part)) if !known(&id) => found.entry(id).or_default().push(Part { part, copy }),
            _ => {}
        }
    }
    let mut named: BTreeSet<ChunkKey> = BTreeSet::new();
    for (id, parts) in found {
        let is_abandoned = plan.snapshots.iter().any(|one| one.snapshot == id && one.fate.goes());
        let has_manifest = parts.iter().any(|part| part.part == SnapshotPart::Manifest && !part.copy.is_mark);
        match index(repository, &id, &parts).await? {
            Some(index) if has_manifest || !is_abandoned => {
                named.extend(index.chunks.iter().map(|chunk| (chunk.name, chunk.upload)));
            }
            None if has_manifest => {
                tracing::warn!(snapshot = %id, "no chunk is removed: it came meanwhile, and its index cannot be read");
                return Ok(Vec::new());
            }
            _ => {}
        }
    }
    let unnamed = plan.removals.chunks.iter().filter(|(key, _)| !named.contains(key));
    Ok(unnamed.map(|(_, removal)| removal.clone()).collect())
}
