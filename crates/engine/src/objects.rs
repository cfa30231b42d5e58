//! Whole stored objects: fetched, checked against what is expected of them, opened.

use std::collections::BTreeSet;
use std::io::Read as _;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use lethe_format::manifest::StoredObject;
use lethe_store::{ObjectName, ObjectStore};

use crate::{Error, Identities, age_file};

/// Documents (manifest, schema, ledger entries) may have at most this many bytes.
pub(crate) const DOCUMENT_LIMIT: u64 = 1 << 30;

pub(crate) async fn get(store: &dyn ObjectStore, name: &str, limit: u64) -> Result<Bytes, Error> {
    Ok(store.get(&ObjectName::new(name)?).await?.read_to_bytes(limit).await?)
}

pub(crate) async fn get_if_there(
    store: &dyn ObjectStore,
    name: &str,
    limit: u64,
) -> Result<Option<Bytes>, Error> {
    match get(store, name, limit).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::Store(lethe_store::Error::NotFound { .. })) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The names of all objects below a prefix.
pub(crate) async fn names(store: &dyn ObjectStore, prefix: &str) -> Result<BTreeSet<String>, Error> {
    let names = store.list(prefix).await?.map_ok(|info| info.name.to_string());
    Ok(names.try_collect().await?)
}

/// Writes an object under a name that nobody has yet. `body` must be this writer's alone: whatever the store answered,
/// or if its answer was lost, an object that is there with these bytes is the one that was to be written.
pub(crate) async fn create(store: &dyn ObjectStore, name: &str, body: Bytes) -> Result<(), Error> {
    if is_first(store, name, &body, DOCUMENT_LIMIT).await? {
        return Ok(());
    }
    Err(lethe_store::Error::AlreadyExists { store: store.url(), name: ObjectName::new(name)? }.into())
}

/// The same where several writers race for a name: false if another one's object, of at most `limit` bytes, is there.
pub(crate) async fn is_first(
    store: &dyn ObjectStore,
    name: &str,
    body: &Bytes,
    limit: u64,
) -> Result<bool, Error> {
    let Err(error) = store.put_if_absent(&ObjectName::new(name)?, body.clone()).await else {
        return Ok(true);
    };
    // Whatever the answer was, or if it was lost: what is stored decides.
    match get_if_there(store, name, limit).await? {
        Some(found) => Ok(found == *body),
        None => Err(error.into()),
    }
}

/// Writes an object whose name holds random bits of this writer's: if one is there after an attempt whose answer was lost,
/// it is its own. Never replaces anything, so that a bucket's policy can forbid replacing to everybody; and needs no right to
/// read what was written.
pub(crate) async fn put_new(store: &dyn ObjectStore, name: &ObjectName, body: Bytes) -> Result<(), Error> {
    match store.put_if_absent(name, body).await {
        Ok(()) | Err(lethe_store::Error::OutcomeUnknown { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes an object; where the store keeps history, every version of it, since a delete marker alone deletes nothing.
pub(crate) async fn delete_for_good(store: &dyn ObjectStore, name: &ObjectName) -> Result<(), Error> {
    match store.versions(name.as_str()).await? {
        Some(versions) => {
            for version in versions.iter().filter(|version| version.name == *name) {
                store.delete_version(name, &version.version).await?;
            }
            Ok(())
        }
        None => Ok(store.delete(name).await?),
    }
}

/// Removes what a store's history keeps of all objects below a prefix that come before this one in order.
pub(crate) async fn delete_older_versions(
    store: &dyn ObjectStore,
    prefix: &str,
    newest: &ObjectName,
) -> Result<(), Error> {
    for version in store.versions(prefix).await?.into_iter().flatten() {
        if version.name < *newest {
            store.delete_version(&version.name, &version.version).await?;
        }
    }
    Ok(())
}

/// Checks stored bytes against what the manifest says of them.
pub(crate) fn check_stored(object: &str, bytes: &[u8], expected: &StoredObject) -> Result<(), Error> {
    if bytes.len() as u64 != expected.len {
        return Err(Error::damaged(
            object,
            format!("it has {} bytes, {} were stored", bytes.len(), expected.len),
        ));
    }
    if lethe_format::ids::Digest::of(bytes) != expected.hash {
        return Err(Error::damaged(object, "its bytes are not the ones that were stored"));
    }
    Ok(())
}

/// Compresses (zstd) and encrypts (age).
pub(crate) fn seal(
    recipients: &[age::x25519::Recipient],
    plain: &[u8],
    level: i32,
) -> Result<Vec<u8>, Error> {
    let compressed =
        zstd::bulk::compress(plain, level).map_err(|cause| Error::Worker(format!("compress: {cause}")))?;
    age_file::encrypt(recipients, &compressed)
}

/// Decrypts and decompresses to exactly `plain_len` bytes; what would become longer is refused, not produced.
pub(crate) fn unseal(
    identities: &Identities,
    sealed: &[u8],
    plain_len: u64,
    object: &str,
) -> Result<Vec<u8>, Error> {
    let compressed = age_file::decrypt(&identities.0, sealed, object)?;
    let damaged = |_| Error::damaged(object, "it does not decompress to the length that the manifest states");
    let len = usize::try_from(plain_len)
        .map_err(|_| Error::damaged(object, "it is longer than memory can hold"))?;
    // The frame says so itself before anything is allocated; what it says may be a lie, and is checked as well.
    match zstd::zstd_safe::get_frame_content_size(&compressed) {
        Ok(Some(stated)) if stated == plain_len => {}
        _ => return Err(Error::damaged(object, "it does not state the length that the manifest states")),
    }
    let plain = zstd::bulk::decompress(&compressed, len).map_err(damaged)?;
    if plain.len() == len {
        Ok(plain)
    } else {
        Err(Error::damaged(object, "it is shorter than the manifest states"))
    }
}

/// What a document may become when it is decompressed, besides a multiple of its own length: a small object must not fill
/// the memory. Manifests compress to a third, schemas of many like tables to a fiftieth.
const SMALL_DOCUMENT: u64 = 16 << 20;
const HIGHEST_RATIO: u64 = 200;
/// As zstd has it for all levels that Lethe compresses with (2^23 bytes), so that no frame asks for a window of gigabytes.
const WINDOW_LOG: u32 = 23;

/// Decrypts and decompresses a document, whose length nobody has stated: at most [`DOCUMENT_LIMIT`], and not more than
/// documents of its stored length can have.
pub(crate) fn unseal_document(
    identities: &Identities,
    sealed: &[u8],
    object: &str,
) -> Result<Vec<u8>, Error> {
    let compressed = age_file::decrypt(&identities.0, sealed, object)?;
    let damaged = |_| Error::damaged(object, "it cannot be decompressed");
    let mut decoder = zstd::stream::read::Decoder::with_buffer(compressed.as_slice()).map_err(damaged)?;
    decoder.window_log_max(WINDOW_LOG).map_err(damaged)?;
    let limit = (compressed.len() as u64).saturating_mul(HIGHEST_RATIO).saturating_add(SMALL_DOCUMENT);
    let limit = limit.min(DOCUMENT_LIMIT);
    let mut plain = Vec::new();
    decoder.take(limit + 1).read_to_end(&mut plain).map_err(damaged)?;
    if plain.len() as u64 > limit {
        return Err(Error::damaged(object, "it decompresses to more than a document may have"));
    }
    Ok(plain)
}

/// Runs work that is heavy on the processor where it does not hold up the runtime.
pub(crate) async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(cause) => Err(Error::Worker(cause.to_string())),
    }
}
