//! The end of a snapshot: schema, chunk index, and last of all the manifest.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lethe_format::ids::{Digest, SnapshotId};
use lethe_format::layout;
use lethe_format::manifest::{Chunk, ChunkIndex, Manifest, StoredObject, VERSION};
use lethe_rules::ledger::StoredSnapshot;
use lethe_rules::retention::Retention;
use lethe_store::ObjectName;

use crate::{Error, Repository, clock, objects, prune};

pub(super) async fn write_schema(
    repository: &Repository,
    id: &SnapshotId,
    archive: Vec<u8>,
) -> Result<StoredObject, Error> {
    let recipients = repository.recipients()?.to_vec();
    let bytes = objects::off_runtime(move || objects::seal(&recipients, &archive, 3)).await?;
    let stored = StoredObject { hash: Digest::of(&bytes), len: bytes.len() as u64 };
    let name = ObjectName::new(layout::schema(id))?;
    objects::put_new(repository.store().as_ref(), &name, Bytes::from(bytes)).await?;
    Ok(stored)
}

/// The index goes first: a snapshot without a manifest is none, whatever else of it is there. `begun` is the store's time
/// when the snapshot began.
pub(super) async fn write_manifest(
    repository: &Repository,
    manifest: &Manifest,
    begun: Timestamp,
) -> Result<(), Error> {
    check_in_time(repository, begun).await?;
    let chunks: BTreeMap<Digest, &Chunk> = manifest.all_chunks().map(|chunk| (chunk.name, chunk)).collect();
    let chunks = chunks.into_values().cloned().collect();
    let index = ChunkIndex {
        version: VERSION,
        snapshot: manifest.snapshot.clone(),
        started_at: manifest.started_at,
        ledger: manifest.ledger_window(),
        data_key: repository.data_key().to_owned(),
        chunks,
    };
    let index =
        index.to_bytes(repository.naming_key()?.as_bytes()).map_err(Error::format("the chunk index"))?;
    let name = ObjectName::new(layout::chunk_index(&manifest.snapshot))?;
    objects::put_new(repository.store().as_ref(), &name, Bytes::from(index)).await?;

    check_in_time(repository, begun).await?;
    check_nothing_vanished(repository, manifest).await?;
    let bytes =
        manifest.to_bytes(repository.naming_key()?.as_bytes()).map_err(Error::format("the manifest"))?;
    let recipients = repository.recipients()?.to_vec();
    let sealed = objects::off_runtime(move || objects::seal(&recipients, &bytes, 3)).await?;
    let name = ObjectName::new(layout::manifest(&manifest.snapshot))?;
    objects::create(repository.store().as_ref(), name.as_str(), Bytes::from(sealed)).await?;
    let stored = StoredSnapshot { id: manifest.snapshot.clone(), ledger: manifest.ledger_window() };
    let Err(error) = prune::check_still_needed_is_kept(repository, &stored).await else {
        return Ok(());
    };
    // Without the right to delete it stays, and a restore refuses it.
    if let Err(error) = repository.store().delete(&name).await {
        tracing::warn!(%error, "the manifest of a snapshot that cannot be used was not removed");
    }
    Err(error)
}

/// A pruner takes what no manifest names for abandoned once it is old enough, so the manifest must come well before that.
async fn check_in_time(repository: &Repository, begun: Timestamp) -> Result<(), Error> {
    let took = clock::of_store(repository.store()).await?.duration_since(begun);
    if took > Retention::default().longest_snapshot() {
        return Err(Error::TookTooLong { took });
    }
    Ok(())
}

/// Whoever else deletes things may have deleted what is shared with the snapshot before.
async fn check_nothing_vanished(repository: &Repository, manifest: &Manifest) -> Result<(), Error> {
    let named = manifest.all_chunks().map(|chunk| layout::chunk(&chunk.name, &chunk.upload));
    let mut missing: BTreeSet<String> = named.collect();
    let mut stored = repository.store().list(layout::CHUNKS).await?;
    while let Some(info) = stored.try_next().await? {
        missing.remove(info.name.as_str());
    }
    match missing.pop_first() {
        Some(first) => Err(Error::Vanished { count: missing.len() + 1, first }),
        None => Ok(()),
    }
}
