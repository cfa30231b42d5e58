//! Snapshots into the second store, as they are stored.
//!
//! The index goes first: from then on a pruner of the second store takes the chunks that it names for needed, those that are there
//! already included. The manifest goes last, after another look whether they still are. A pruner may have decided before it could see
//! the index; so at the end they are looked at once more, and what it has taken is copied again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use lethe_format::ids::SnapshotId;
use lethe_format::layout;
use lethe_format::manifest::{Chunk, ChunkIndex};
use lethe_store::{ObjectName, ObjectStore};

use super::{CopyOptions, CopyReport, Which};
use crate::progress::Progress;
use crate::restore::snapshot_ids;
use crate::{Error, Repository, objects};

/// How often chunks may vanish while a snapshot is being copied before this gives up.
const ATTEMPTS: usize = 3;

pub(super) async fn copy(
    first: &Repository,
    second: &Repository,
    options: &CopyOptions,
    now: Timestamp,
    progress: &Progress,
    report: &mut CopyReport,
) -> Result<(), Error> {
    let ids: BTreeSet<SnapshotId> = snapshot_ids(first).await?.into_iter().collect();
    let there: BTreeSet<SnapshotId> = snapshot_ids(second).await?.into_iter().collect();
    report.in_both = ids.intersection(&there).count();
    let wanted = |id: &&SnapshotId| match &options.which {
        Which::Missing => !there.contains(*id),
        Which::Only(only) => only == *id && !there.contains(*id),
        Which::All => true,
    };
    let mut stored = chunks_in(second).await?;
    let mut relied_on = BTreeMap::new();
    for id in ids.iter().rev().filter(wanted) {
        let one = One { first, second, id, jobs: options.jobs, progress };
        let Some((index, bytes)) = one.index(report).await? else { continue };
        // The pruner of the second store would take it away again.
        let expires_at = index.started_at.checked_add(options.retention.keep).unwrap_or(Timestamp::MAX);
        if expires_at <= now {
            continue;
        }
        let here = index.chunks.iter().map(|chunk| (name_of(chunk), chunk));
        relied_on.extend(
            here.filter(|(name, _)| stored.contains_key(name)).map(|(name, chunk)| (name, chunk.clone())),
        );
        match one.copy(&index, bytes, &mut stored, report).await {
            Ok(()) if there.contains(id) => {}
            Ok(()) => {
                report.snapshots.push(id.clone());
                report.in_both += 1;
            }
            Err(error @ (Error::Damaged { .. } | Error::Store(lethe_store::Error::NotFound { .. }))) => {
                let problem = crate::error::with_causes(&error);
                report.damaged.push(format!("snapshot {id}: {problem}"));
            }
            Err(error) => return Err(error),
        }
    }
    if relied_on.is_empty() {
        return Ok(());
    }
    let stored = chunks_in(second).await?;
    let gone: Vec<&Chunk> =
        relied_on.iter().filter(|(name, _)| !stored.contains_key(*name)).map(|(_, chunk)| chunk).collect();
    copy_chunks(first, second, gone, options.jobs, progress, |_, len| {
        report.chunks += 1;
        report.bytes += len;
    })
    .await
}

/// Lengths of the chunks in a store, by name.
async fn chunks_in(repository: &Repository) -> Result<BTreeMap<String, u64>, Error> {
    let infos = repository.store().list(layout::CHUNKS).await?;
    Ok(infos.map_ok(|info| (info.name.to_string(), info.len)).try_collect().await?)
}

/// One snapshot on its way.
struct One<'a> {
    first: &'a Repository,
    second: &'a Repository,
    id: &'a SnapshotId,
    jobs: usize,
    progress: &'a Progress,
}

impl One<'_> {
    /// The index that somebody has vouched for, and its bytes; none if it is damaged.
    async fn index(&self, report: &mut CopyReport) -> Result<Option<(ChunkIndex, Bytes)>, Error> {
        let name = layout::chunk_index(self.id);
        let bytes =
            objects::get_if_there(self.first.store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?;
        let key = self.first.naming_key()?.as_bytes();
        let read = bytes.map(|bytes| (ChunkIndex::from_bytes(&bytes, key), bytes));
        match read {
            Some((Ok(index), bytes)) if index.snapshot == *self.id => Ok(Some((index, bytes))),
            _ => {
                report.damaged.push(format!("snapshot {}: its chunk index is missing or not ours", self.id));
                Ok(None)
            }
        }
    }

    async fn copy(
        &self,
        index: &ChunkIndex,
        index_bytes: Bytes,
        stored: &mut BTreeMap<String, u64>,
        report: &mut CopyReport,
    ) -> Result<(), Error> {
        let manifest = self.get(&layout::manifest(self.id)).await?;
        let schema = self.get(&layout::schema(self.id)).await?;
        self.create(&layout::schema(self.id), schema).await?;
        for _ in 0..ATTEMPTS {
            // A pruner that takes this for abandoned may have removed it meanwhile.
            self.create(&layout::chunk_index(self.id), index_bytes.clone()).await?;
            let missing = self.missing(index, stored);
            copy_chunks(self.first, self.second, missing, self.jobs, self.progress, |name, len| {
                stored.insert(name, len);
                report.chunks += 1;
                report.bytes += len;
            })
            .await?;
            *stored = chunks_in(self.second).await?;
            if self.missing(index, stored).is_empty() {
                return self.create(&layout::manifest(self.id), manifest).await;
            }
        }
        let missing = self.missing(index, stored);
        let first = missing.first().map(|chunk| name_of(chunk)).unwrap_or_default();
        Err(Error::Vanished { count: missing.len(), first })
    }

    /// Those that the second store lacks, or has in another length.
    fn missing<'a>(&self, index: &'a ChunkIndex, stored: &BTreeMap<String, u64>) -> Vec<&'a Chunk> {
        let is_missing = |chunk: &&Chunk| stored.get(&name_of(chunk)) != Some(&chunk.stored.len);
        index.chunks.iter().filter(is_missing).collect()
    }

    async fn get(&self, name: &str) -> Result<Bytes, Error> {
        objects::get(self.first.store().as_ref(), name, objects::DOCUMENT_LIMIT).await
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        create(self.second.store().as_ref(), name, bytes).await
    }
}

/// Each is compared with its checksum on the way.
async fn copy_chunks(
    first: &Repository,
    second: &Repository,
    chunks: Vec<&Chunk>,
    jobs: usize,
    progress: &Progress,
    mut done: impl FnMut(String, u64),
) -> Result<(), Error> {
    progress.stage_of_bytes("copy", chunks.iter().map(|chunk| chunk.stored.len).sum());
    let one = |chunk: Chunk| async move {
        let name = name_of(&chunk);
        let bytes = objects::get(first.store().as_ref(), &name, chunk.stored.len).await?;
        objects::check_stored(&name, &bytes, &chunk.stored)?;
        create(second.store().as_ref(), &name, bytes).await?;
        Ok::<_, Error>((name, chunk.stored.len))
    };
    let chunks = chunks.into_iter().cloned();
    let mut copied = stream::iter(chunks).map(one).buffer_unordered(jobs);
    while let Some((name, len)) = copied.try_next().await? {
        done(name, len);
        progress.advance(len);
    }
    Ok(())
}

/// Objects have one content for ever, so one that is there already is the one that was to be written; it is read only if the store
/// says that there is one.
async fn create(store: &dyn ObjectStore, name: &str, bytes: Bytes) -> Result<(), Error> {
    let object = ObjectName::new(name)?;
    match store.head(&object).await? {
        Some(info) if info.len == bytes.len() as u64 => Ok(()),
        _ => objects::create(store, name, bytes).await,
    }
}

fn name_of(chunk: &Chunk) -> String {
    layout::chunk(&chunk.name, &chunk.upload)
}
