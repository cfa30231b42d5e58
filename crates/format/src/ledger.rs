//! The tombstone ledger: numbered headers, each naming the one before it by hash, and encrypted bodies.
//!
//! A header is small, readable by anybody who may list the store, and holds no id of a person. A body holds the keys.
//! The header commits to its body through a hash of the salted plain text, so that a body can be removed when it
//! expires, nobody can guess ids from the hash, and the chain still verifies.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::catalog::QualifiedName;
use crate::ids::{Digest, SnapshotId};
use crate::repository::check_version;

/// The number of an entry, from 0 (genesis) without gaps.
pub type Seq = u64;

pub const VERSION: u32 = 1;
const HEADER: &str = "the ledger entry's header";
const BODY: &str = "the ledger entry's body";

/// The newest entry that somebody has seen: a ledger that does not contain it was rolled back or replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub seq: Seq,
    /// BLAKE3 of that header's stored bytes.
    pub hash: Digest,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub version: u32,
    pub seq: Seq,
    /// BLAKE3 of the stored bytes of the header before this one; none for genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Digest>,
    /// The writer's clock: information for people, never used to decide.
    pub at: Timestamp,
    pub kind: Kind,
    /// The repository, for genesis alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyRef>,
    /// The keyed hash of the instruction's reference (`--request`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Digest>,
    /// The restored snapshot, for `cut_over` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
    /// 128 random bits: tells a writer whose answer was lost whether the entry is its own.
    pub nonce: BodyId,
}

impl Header {
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec(self).map_err(|error| Error::json(HEADER, &error))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        check_version(HEADER, bytes, VERSION)?;
        let header: Self = serde_json::from_slice(bytes).map_err(|error| Error::json(HEADER, &error))?;
        let genesis = header.kind == Kind::Genesis;
        if genesis != (header.seq == 0) || genesis == header.prev.is_some() {
            return Err(Error::malformed(HEADER, "genesis is entry 0 and has none before it"));
        }
        if header.kind.has_keys() && (header.body.is_none() || header.subject.is_none()) {
            return Err(Error::malformed(HEADER, "an entry of this kind needs a subject and a body"));
        }
        Ok(header)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Genesis,
    Erased,
    Anonymised,
    Revoked,
    Heartbeat,
    CutOver,
    Expired,
}

impl Kind {
    /// True for the kinds that name people.
    #[must_use]
    pub fn has_keys(self) -> bool {
        matches!(self, Self::Erased | Self::Anonymised | Self::Revoked)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Genesis => "genesis",
            Self::Erased => "erased",
            Self::Anonymised => "anonymised",
            Self::Revoked => "revoked",
            Self::Heartbeat => "heartbeat",
            Self::CutOver => "cut_over",
            Self::Expired => "expired",
        })
    }
}

/// Which table's rows an entry is about, and by which columns they are named.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectRef {
    /// The subject's name in the settings, if it has one; the table decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub table: QualifiedName,
    /// The key's columns in order; none means the primary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        write!(f, "{}", self.table)?;
        if let Some(columns) = &self.columns {
            let names: Vec<String> = columns.iter().map(|name| crate::catalog::display_ident(name)).collect();
            write!(f, "({})", names.join(", "))?;
        }
        Ok(())
    }
}

/// Names one body object: 128 random bits in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BodyId([u8; 16]);

impl BodyId {
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for BodyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for BodyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| Error::InvalidId {
            expected: "a 128-bit hexadecimal value",
            text: text.chars().take(40).collect(),
        })?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for BodyId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<BodyId> for String {
    fn from(id: BodyId) -> Self {
        id.to_string()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyRef {
    pub id: BodyId,
    /// BLAKE3 of the plain body, which begins with its salt.
    pub hash: Digest,
    /// How many keys the body holds.
    pub count: u64,
}

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
