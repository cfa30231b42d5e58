//! The end of a snapshot: schema, chunk index, and last of all the manifest.

use std::collections::BTreeMap;

use bytes::Bytes;
use lethe_format::ids::{Digest, SnapshotId};
use lethe_format::layout;
use lethe_format::manifest::{Chunk, ChunkIndex, Manifest, StoredObject, VERSION};
use lethe_rules::ledger::StoredSnapshot;
use lethe_store::ObjectName;

use crate::{Error, Repository, objects, prune};

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

/// The index goes first: a snapshot without a manifest is none, whatever else of it is there.
pub(super) async fn write_manifest(repository: &Repository, manifest: &Manifest) -> Result<(), Error> {
    let chunks: BTreeMap<Digest, &Chunk> = manifest.all_chunks().map(|chunk| (chunk.name, chunk)).collect();
    let chunks = chunks.into_values().cloned().collect();
    let index = ChunkIndex {
        version: VERSION,
        snapshot: manifest.snapshot.clone(),
        ledger: manifest.ledger_window(),
        data_key: repository.data_key().to_owned(),
        chunks,
    };
    let index =
        index.to_bytes(repository.naming_key()?.as_bytes()).map_err(Error::format("the chunk index"))?;
    let name = ObjectName::new(layout::chunk_index(&manifest.snapshot))?;
    objects::put_new(repository.store().as_ref(), &name, Bytes::from(index)).await?;

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
