//! The body of one entry: whom it names. Stored encrypted.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::Error;
use crate::ids::Digest;
use crate::repository::check_version;

const BODY: &str = "the ledger entry's body";

/// The keys of one entry.
#[derive(Clone, PartialEq)]
pub struct Body {
    /// 256 random bits, so that a list of few ids cannot be guessed from its hash.
    pub salt: Digest,
    pub keys: Keys,
}

#[derive(Clone, PartialEq)]
pub enum Keys {
    /// Keys of one integer column, as the 64-bit two's complement of the value.
    Integers(RoaringTreemap),
    /// Keys of any other shape: one text value for each key column.
    Tuples(Vec<Vec<String>>),
}

impl Keys {
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Integers(set) => set.len(),
            Self::Tuples(tuples) => tuples.len() as u64,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Keys name people, so only their number is shown.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} keys)", self.len())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} keys)", self.keys.len())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBody {
    version: u32,
    salt: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    integers: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tuples: Option<Vec<Vec<String>>>,
}

impl Body {
    /// The plain body: JSON, with integers as a base64 roaring treemap in the portable format of the roaring specification.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut stored = StoredBody { version: VERSION, salt: self.salt, integers: None, tuples: None };
        match &self.keys {
            Keys::Integers(set) => {
                let mut bytes = Vec::new();
                set.serialize_into(&mut bytes).map_err(|error| Error::malformed(BODY, error))?;
                stored.integers = Some(BASE64.encode(bytes));
            }
            Keys::Tuples(tuples) => stored.tuples = Some(tuples.clone()),
        }
        serde_json::to_vec(&stored).map_err(|error| Error::json(BODY, &error))
    }

    /// Reads a body with the checking decoder of `roaring`: a body may be anything that somebody encrypted to us.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        check_version(BODY, bytes, VERSION)?;
        let stored: StoredBody = serde_json::from_slice(bytes).map_err(|error| Error::json(BODY, &error))?;
        let keys = match (stored.integers, stored.tuples) {
            (Some(integers), None) => {
                let bytes = BASE64
                    .decode(integers)
                    .map_err(|_| Error::malformed(BODY, "its bitmap is not base64"))?;
                let mut rest = bytes.as_slice();
                let set = RoaringTreemap::deserialize_from(&mut rest)
                    .map_err(|_| Error::malformed(BODY, "its bitmap does not decode"))?;
                if !rest.is_empty() {
                    return Err(Error::malformed(BODY, "bytes follow its bitmap"));
                }
                Keys::Integers(set)
            }
            (None, Some(tuples)) => Keys::Tuples(tuples),
            _ => return Err(Error::malformed(BODY, "it holds neither or both kinds of keys")),
        };
        Ok(Self { salt: stored.salt, keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_back_and_show_nothing() {
        for keys in [
            Keys::Integers([1, u64::MAX, 1 << 40].into_iter().collect()),
            Keys::Tuples(vec![vec!["canary".to_owned(), "b\tc".to_owned()]]),
        ] {
            let body = Body { salt: Digest::of(b"salt"), keys };
            let bytes = body.to_bytes().expect("writes");
            assert!(Body::from_bytes(&bytes).expect("reads") == body);
            assert!(!format!("{body:?}").contains("canary"));
            for len in 0..bytes.len() {
                assert!(Body::from_bytes(&bytes[..len]).is_err());
            }
        }
    }
}
