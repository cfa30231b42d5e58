//! The tombstone ledger: numbered headers, each naming the one before it by hash, and encrypted bodies.
//!
//! A header is small, readable by anybody who may list the store, and holds no id of a person. A body holds the keys.
//! The header commits to its body through a hash of the salted plain text, so that a body can be removed when it
//! expires, nobody can guess ids from the hash, and the chain still verifies.

mod body;
mod header;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::catalog::QualifiedName;
use crate::ids::Digest;

pub use body::{Body, Keys};
pub use header::{Drained, Expiry, Header};

/// The number of an entry, from 0 (genesis) without gaps.
pub type Seq = u64;

pub const VERSION: u32 = 1;

/// The newest entry that somebody has seen: a ledger that does not contain it was rolled back or replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub seq: Seq,
    /// BLAKE3 of that header's stored bytes.
    pub hash: Digest,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Genesis,
    Erased,
    Anonymised,
    Revoked,
    /// Columns of a table are erased, whoever their values are about.
    ColumnsErased,
    /// They are not, after all.
    ColumnsRevoked,
    Heartbeat,
    CutOver,
    Expired,
}

impl Kind {
    /// True for the kinds that say something about rows: which are restored, and with which values.
    #[must_use]
    pub fn is_about_rows(self) -> bool {
        self.has_keys() || self.has_columns()
    }

    /// True for the kinds that name columns, and nobody.
    #[must_use]
    pub fn has_columns(self) -> bool {
        matches!(self, Self::ColumnsErased | Self::ColumnsRevoked)
    }

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
            Self::ColumnsErased => "columns_erased",
            Self::ColumnsRevoked => "columns_revoked",
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

/// One database on one server, whatever it is called: the first 128 bits of the BLAKE3 of the server's system
/// identifier (`pg_control_system()`) and the database's oid. A restored database is another one.
pub type SourceId = BodyId;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyRef {
    pub id: BodyId,
    /// BLAKE3 of the plain body, which begins with its salt.
    pub hash: Digest,
    /// How many keys the body holds.
    pub count: u64,
}
