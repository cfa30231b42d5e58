//! From a chunk's plain rows to what is stored: named by content, compressed, encrypted.

use age::x25519::Recipient;
use bytes::Bytes;
use lethe_format::ids::{Digest, UploadId};
use lethe_format::manifest::{Chunk, StoredObject};

use crate::{Error, NamingKey, objects};

/// The name of a content: BLAKE3, keyed, so that nobody without the key can test for a content they know.
pub(super) fn name(key: &NamingKey, plain: &[u8]) -> Digest {
    Digest::from_bytes(*blake3::keyed_hash(key.as_bytes(), plain).as_bytes())
}

/// Compresses and encrypts.
pub(super) fn encode(
    recipients: &[Recipient],
    name: Digest,
    plain: &[u8],
    rows: u64,
    level: i32,
) -> Result<(Chunk, Bytes), Error> {
    let bytes = Bytes::from(objects::seal(recipients, plain, level)?);
    let stored = StoredObject { hash: Digest::of(&bytes), len: bytes.len() as u64 };
    let upload = UploadId::from_bytes(rand::random());
    Ok((Chunk { name, upload, stored, plain_len: plain.len() as u64, rows }, bytes))
}
