//! Chunks into the store, each content once.
//!
//! A chunk is named again, instead of being uploaded, if the newest complete snapshot names it: that snapshot expires
//! last, so no pruner can take the chunk away before this snapshot's manifest names it too; one that is about to expire all
//! the same, since no snapshot came after it, shares nothing. And only if it is encrypted to
//! the current data key: all chunks of a snapshot are encrypted to one, so that a change of keys is complete when the
//! snapshots before it have expired.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lethe_format::ids::{Digest, SnapshotId};
use lethe_format::layout;
use lethe_format::manifest::{Chunk, ChunkIndex, Manifest, StoredObject};
use lethe_rules::retention::Retention;
use lethe_store::ObjectName;

use super::{commit, encode};
use crate::{Error, NamingKey, Repository, clock, objects};

/// The storing half of a snapshot: its chunks as they come, and then its documents.
#[derive(Debug)]
pub struct Uploads {
    repository: Repository,
    /// The store's time then.
    begun: Timestamp,
    naming_key: NamingKey,
    level: i32,
    /// Chunks of the newest snapshot, and those of this one.
    known: Mutex<HashMap<Digest, Chunk>>,
    totals: Mutex<Totals>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub new_bytes: u64,
    pub reused: usize,
}

impl Uploads {
    /// `started_at` is this machine's time; the snapshot's age will be counted from it, so the store's must agree.
    ///
    /// # Errors
    /// [`Error::Clocks`].
    pub async fn begin(repository: &Repository, level: i32, started_at: Timestamp) -> Result<Self, Error> {
        let begun = clock::agreed(repository.store(), started_at).await?;
        let naming_key = repository.naming_key()?.clone();
        let known = match newest_snapshot(repository).await? {
            Some(id) => chunks_of(repository, &id, &naming_key, begun).await?,
            None => HashMap::new(),
        };
        Ok(Self {
            repository: repository.clone(),
            begun,
            naming_key,
            level,
            known: Mutex::new(known),
            totals: Mutex::default(),
        })
    }

    /// Makes sure that the content is stored, and returns its chunk.
    pub async fn store(self: &Arc<Self>, plain: Vec<u8>, rows: u64) -> Result<Chunk, Error> {
        self.store_and_return(plain, rows).await.map(|(chunk, _)| chunk)
    }

    /// As [`Self::store`]; gives the memory back as well, so that nobody asks the system for 16 MiB for each piece.
    pub(super) async fn store_and_return(
        self: &Arc<Self>,
        plain: Vec<u8>,
        rows: u64,
    ) -> Result<(Chunk, Vec<u8>), Error> {
        let uploads = self.clone();
        let (chunk, new, plain) = objects::off_runtime(move || {
            let name = encode::name(&uploads.naming_key, &plain);
            if let Some(chunk) = lock(&uploads.known).get(&name) {
                return Ok((chunk.clone(), None, plain));
            }
            let (chunk, bytes) =
                encode::encode(uploads.repository.recipients()?, name, &plain, rows, uploads.level)?;
            Ok((chunk, Some(bytes), plain))
        })
        .await?;
        match new {
            None => lock(&self.totals).reused += 1,
            Some(bytes) => {
                let object = ObjectName::new(layout::chunk(&chunk.name, &chunk.upload))?;
                objects::put_new(self.repository.store().as_ref(), &object, bytes).await?;
                lock(&self.totals).new_bytes += chunk.stored.len;
                lock(&self.known).insert(chunk.name, chunk.clone());
            }
        }
        Ok((chunk, plain))
    }

    /// The schema, as `pg_dump` archived it.
    pub async fn write_schema(&self, id: &SnapshotId, archive: Vec<u8>) -> Result<StoredObject, Error> {
        commit::write_schema(&self.repository, id, archive).await
    }

    /// The index, and last the manifest, which makes it a snapshot.
    ///
    /// # Errors
    /// [`Error::Vanished`] and [`Error::TookTooLong`] before the manifest is written, [`Error::ForgottenMeanwhile`] after
    /// it was, and was taken back.
    pub async fn commit(&self, manifest: &Manifest) -> Result<(), Error> {
        commit::write_manifest(&self.repository, manifest, self.begun).await
    }

    pub(super) fn totals(&self) -> Totals {
        *lock(&self.totals)
    }
}

/// A panic while the lock was held cannot have left either map half-changed.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn newest_snapshot(repository: &Repository) -> Result<Option<SnapshotId>, Error> {
    let mut newest = None;
    let mut objects = repository.store().list(layout::SNAPSHOTS).await?;
    while let Some(info) = objects.try_next().await? {
        newest = newest.max(layout::snapshot_of_manifest(info.name.as_str()));
    }
    Ok(newest)
}

/// An index that is missing or not ours costs space, not correctness: then everything is uploaded.
async fn chunks_of(
    repository: &Repository,
    id: &SnapshotId,
    key: &NamingKey,
    now: Timestamp,
) -> Result<HashMap<Digest, Chunk>, Error> {
    let name = layout::chunk_index(id);
    let Some(bytes) =
        objects::get_if_there(repository.store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?
    else {
        tracing::warn!(snapshot = %id, "its chunk index is missing; nothing is shared with it");
        return Ok(HashMap::new());
    };
    match ChunkIndex::from_bytes(&bytes, key.as_bytes()) {
        Ok(index) if index.data_key != repository.data_key() => {
            tracing::info!(snapshot = %id, "it is encrypted to another data key; nothing is shared with it");
            Ok(HashMap::new())
        }
        Ok(index) if !Retention::default().may_be_shared(index.started_at, now) => {
            tracing::warn!(snapshot = %id, "it is about to expire; nothing is shared with it");
            Ok(HashMap::new())
        }
        Ok(index) if index.snapshot == *id => {
            Ok(index.chunks.into_iter().map(|chunk| (chunk.name, chunk)).collect())
        }
        Ok(_) => {
            tracing::warn!(snapshot = %id, "its chunk index belongs to another snapshot; nothing is shared with it");
            Ok(HashMap::new())
        }
        Err(problem) => {
            tracing::warn!(snapshot = %id, %problem, "its chunk index cannot be used; nothing is shared with it");
            Ok(HashMap::new())
        }
    }
}
