//! Names of things, as types from the first day: a chunk's name cannot be passed where a snapshot's is meant.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A 256-bit value in lower-case hexadecimal: BLAKE3 digests and keys of the repository.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !lower || hex::decode_to_slice(text, &mut bytes).is_err() {
            return Err(Error::InvalidId {
                expected: "a 256-bit lower-case hexadecimal value",
                text: shorten(text),
            });
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// A type of ids that are made of a time and random bits, and are read back by their shape alone.
macro_rules! id_in_time {
    ($(#[$documentation:meta])* $name:ident, $expected:literal) => {
        $(#[$documentation])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The six digits after the second are its milliseconds (10 bits) and 14 random bits, so that ids of one
            /// second sort in the order of time as well.
            #[must_use]
            pub fn new(at: Timestamp, random: u32) -> Self {
                Self(in_time(at, random))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                if is_in_time(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Error::InvalidId { expected: $expected, text: shorten(text) })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id_in_time! {
    /// A snapshot's name: the UTC second at which it began, its milliseconds and 14 random bits, `20261123T114905Z-6f3a1c`.
    ///
    /// Its order as text is the order in time.
    SnapshotId, "a snapshot id"
}

id_in_time! {
    /// The name of something that happened at some time and left a document, such as a report: shaped like a snapshot's.
    ///
    /// Its order as text is the order in time.
    EventId, "an id such as 20261123T114905Z-6f3a1c"
}

fn in_time(at: Timestamp, random: u32) -> String {
    let milliseconds = at.subsec_millisecond().unsigned_abs();
    let suffix = milliseconds << 14 | random & 0x3fff;
    format!("{}-{suffix:06x}", at.strftime("%Y%m%dT%H%M%SZ"))
}

fn is_in_time(text: &str) -> bool {
    let shape = b"dddddddd'T'dddddd'Z-'xxxxxx";
    let expected = shape.iter().filter(|byte| **byte != b'\'');
    text.len() == 23
        && text.bytes().zip(expected).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            literal => byte == *literal,
        })
}

/// 64 random bits that tell one upload of a chunk from another, so that no stored object is ever overwritten.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UploadId([u8; 8]);

impl UploadId {
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<String> for UploadId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(&text, &mut bytes)
            .map_err(|_| Error::InvalidId { expected: "a 64-bit hexadecimal value", text: shorten(&text) })?;
        Ok(Self(bytes))
    }
}

impl From<UploadId> for String {
    fn from(id: UploadId) -> Self {
        id.to_string()
    }
}

/// PostgreSQL's object identifier: identifies a table, a type or a constraint within one snapshot's catalog.
pub type Oid = u32;

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_id_is_parsed_back_and_nothing_else_is() {
        let at: Timestamp = "2026-11-23T11:49:05.7Z".parse().expect("a time");
        let id = SnapshotId::new(at, 0xffff_3a1c);
        assert_eq!(id.as_str(), "20261123T114905Z-af3a1c");
        let later: Timestamp = "2026-11-23T11:49:05.701Z".parse().expect("a time");
        assert!(SnapshotId::new(later, 0) > id, "ids of one second sort by their milliseconds");
        assert_eq!(id.as_str().parse::<SnapshotId>().expect("parses"), id);
        for wrong in
            ["", "latest", "20261123T114905Z-6F3A1C", "20261123T114905Z-6f3a1c0", "../61123T114905Z-6f3a1c"]
        {
            assert!(wrong.parse::<SnapshotId>().is_err(), "{wrong}");
        }
    }
}
