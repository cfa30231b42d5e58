//! The key ring: who can open a repository.
//!
//! Everything is encrypted to a *data key* of the repository's own, an age identity that is stored here, encrypted to the
//! recipients. To let somebody in is to write a new ring, and no stored object has to be touched; to keep somebody out is
//! a new ring as well, with a new data key for whatever is written from then on.
//!
//! Rings have generations, of which the newest counts. A ring is vouched for with the naming key, which whoever may write
//! to the store alone does not have: nobody can make a snapshot host encrypt to a recipient of theirs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::repository::check_version;
use crate::vouched;

const DOCUMENT: &str = "the key ring";
const CONTEXT: &str = "lethe 2026 key ring";
pub const VERSION: u32 = 1;
/// More than anybody has; each data key is encrypted to each of them.
const MOST_RECIPIENTS: usize = 100;
const MOST_DATA_KEYS: usize = 10_000;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRing {
    pub version: u32,
    /// The repository that it belongs to.
    pub repository: String,
    /// From 0; the newest counts.
    pub generation: u64,
    /// The writer's clock: information for people.
    pub at: Timestamp,
    /// age X25519 recipients (`age1…`) of people and key stores.
    pub recipients: Vec<String>,
    /// The naming key, as an age file for the recipients in base64.
    pub naming_key: String,
    /// Oldest first: everything is encrypted to the last one, older objects to those before.
    pub data_keys: Vec<DataKey>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataKey {
    /// Its public half, `age1…`: all that a host needs that takes snapshots.
    pub recipient: String,
    pub created_at: Timestamp,
    /// Its secret half (`AGE-SECRET-KEY-1…` and a newline), as an age file for the recipients in base64.
    pub sealed: String,
}

/// A ring as it was read, which nobody has vouched for yet.
#[derive(Clone, Debug)]
pub struct Unchecked {
    ring: KeyRing,
    vouched: vouched::Unchecked,
}

impl Unchecked {
    /// The ring as it says it is: to get at the naming key, with which it must then be checked.
    #[must_use]
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// # Errors
    /// [`Error::Malformed`] if it was not written by somebody with this naming key.
    pub fn check(self, naming_key: &[u8; 32]) -> Result<KeyRing, Error> {
        self.vouched.check(DOCUMENT, CONTEXT, naming_key)?;
        Ok(self.ring)
    }
}

impl KeyRing {
    /// The stored bytes, vouched for with the naming key.
    pub fn to_bytes(&self, naming_key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let mut json = serde_json::to_vec_pretty(self).map_err(|error| Error::json(DOCUMENT, &error))?;
        json.push(b'\n');
        Ok(vouched::write(&json, CONTEXT, naming_key))
    }

    /// # Errors
    /// [`Error::UnknownVersion`], or [`Error::Malformed`] for all that is not a ring with a recipient and a data key.
    pub fn read(bytes: &[u8]) -> Result<Unchecked, Error> {
        let vouched = vouched::read(DOCUMENT, bytes)?;
        check_version(DOCUMENT, vouched.text(), VERSION)?;
        let ring: Self =
            serde_json::from_slice(vouched.text()).map_err(|error| Error::json(DOCUMENT, &error))?;
        let counts = [(ring.recipients.len(), MOST_RECIPIENTS), (ring.data_keys.len(), MOST_DATA_KEYS)];
        if counts.iter().any(|(count, most)| *count == 0 || count > most) {
            return Err(Error::malformed(
                DOCUMENT,
                "it has no recipient or no data key, or too many of them",
            ));
        }
        Ok(Unchecked { ring, vouched })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_that_somebody_else_wrote_is_not_trusted() {
        let ring = KeyRing {
            version: VERSION,
            repository: "00".to_owned(),
            generation: 3,
            at: Timestamp::UNIX_EPOCH,
            recipients: vec!["age1a".to_owned()],
            naming_key: "YQ==".to_owned(),
            data_keys: vec![DataKey {
                recipient: "age1b".to_owned(),
                created_at: Timestamp::UNIX_EPOCH,
                sealed: "Yg==".to_owned(),
            }],
        };
        let bytes = ring.to_bytes(&[7; 32]).expect("writes");
        let read = |bytes: &[u8], key| KeyRing::read(bytes).and_then(|unchecked| unchecked.check(key));
        assert_eq!(read(&bytes, &[7; 32]).expect("reads"), ring);
        assert!(read(&bytes, &[8; 32]).is_err());
        let text = String::from_utf8(bytes.clone()).expect("text");
        assert!(read(text.replace("age1a", "age1x").as_bytes(), &[7; 32]).is_err());
        assert!(read(text.replace("\"generation\": 3", "\"generation\": 4").as_bytes(), &[7; 32]).is_err());
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len], &[7; 32]).is_err());
        }
        let nobody = KeyRing { recipients: Vec::new(), ..ring };
        assert!(read(&nobody.to_bytes(&[7; 32]).expect("writes"), &[7; 32]).is_err());
    }
}
