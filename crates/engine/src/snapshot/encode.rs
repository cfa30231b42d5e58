//! From a chunk's plain rows to what is stored: named by content, compressed, encrypted.

use age::x25519::Recipient;
use bytes::Bytes;
use lethe_format::ids::{Digest, UploadId};
use lethe_format::manifest::{Chunk, StoredObject};

use crate::{Error, NamingKey, objects};

/// The name of a content: BLAKE3, keyed, so that nobody without the key can test for a content they know.
pub(super) fn name(key: &NamingKey, plain: &[u8]) -> Digest {
    key.hash(plain)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identities;

    /// Whoever can read the bucket and knows a content looks for its name.
    #[test]
    fn a_content_has_one_name_for_those_with_the_key_and_none_for_others() {
        let key = |byte| NamingKey::from_bytes([byte; 32]);
        let plain = b"a row that somebody knows";
        assert_eq!(name(&key(1), plain), name(&key(1), plain));
        assert_ne!(name(&key(1), plain), name(&key(2), plain));
        assert_ne!(name(&key(1), plain), Digest::of(plain));
    }

    #[test]
    fn what_is_stored_of_a_content_is_never_the_same_twice() {
        let recipients = Identities::generate().recipients();
        let name = name(&NamingKey::from_bytes([1; 32]), b"row");
        let encoded = || encode(&recipients, name, b"row", 1, 1).expect("encode");
        let ((one, first), (two, second)) = (encoded(), encoded());
        assert_eq!(one.name, two.name);
        assert!(one.upload != two.upload && one.stored.hash != two.stored.hash && first != second);
    }
}
