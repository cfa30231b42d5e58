//! Stored objects of a snapshot, checked before they are used.

use bytes::Bytes;
use lethe_format::archive::{Archive, ddl};
use lethe_format::ids::SnapshotId;
use lethe_format::layout;
use lethe_format::manifest::{Chunk, StoredObject};
use lethe_store::ObjectStore;

use crate::{Error, Repository, objects};

/// The archive of a snapshot, whose manifest says what is stored.
pub(crate) async fn schema(
    repository: &Repository,
    snapshot: &SnapshotId,
    stored: &StoredObject,
) -> Result<Archive, Error> {
    let object = layout::schema(snapshot);
    let sealed = objects::get(repository.store().as_ref(), &object, objects::DOCUMENT_LIMIT).await?;
    objects::check_stored(&object, &sealed, stored)?;
    let identities = repository.identities()?.clone();
    objects::off_runtime(move || {
        let bytes = objects::unseal_document(&identities, &sealed, &object)?;
        let archive = Archive::read(&bytes).map_err(|error| Error::damaged(&object, error))?;
        ddl::check(&ddl::statements(&archive)).map_err(|error| Error::damaged(&object, error))?;
        Ok(archive)
    })
    .await
}

/// A chunk's stored bytes; whether they are the right ones is checked when they are decoded.
pub(crate) async fn chunk(store: &dyn ObjectStore, chunk: &Chunk) -> Result<Bytes, Error> {
    let object = layout::chunk(&chunk.name, &chunk.upload);
    match objects::get(store, &object, chunk.stored.len).await {
        Err(Error::Store(lethe_store::Error::NotFound { .. })) => {
            Err(Error::damaged(object, "it is missing from the store"))
        }
        Err(Error::Store(lethe_store::Error::TooLarge { .. })) => {
            Err(Error::damaged(object, "it is longer than what was stored"))
        }
        other => other,
    }
}
