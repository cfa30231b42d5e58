//! From stored bytes to rows: hash, decrypt, decompress, and the content's own name. Only then is a row looked at.

use bytes::Bytes;
use lethe_format::layout;
use lethe_format::manifest::Chunk;

use crate::{Error, Identities, NamingKey, objects};

/// The rows of a chunk, every byte of them checked. Heavy on the processor: call it off the runtime.
pub(super) fn decode(
    identities: &Identities,
    key: &NamingKey,
    chunk: &Chunk,
    sealed: &Bytes,
) -> Result<Vec<u8>, Error> {
    let object = layout::chunk(&chunk.name, &chunk.upload);
    objects::check_stored(&object, sealed, &chunk.stored)?;
    let plain = objects::unseal(identities, sealed, chunk.plain_len, &object)?;
    if key.hash(&plain) != chunk.name {
        return Err(Error::damaged(object, "its content is not the one that it is named after"));
    }
    Ok(plain)
}
