//! The header of one entry: small, plain, without the id of any person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BodyId, BodyRef, Kind, Seq, SourceId, SubjectRef, VERSION};
use crate::Error;
use crate::ids::{Digest, SnapshotId};
use crate::repository::check_version;

const HEADER: &str = "the ledger entry's header";

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
    /// True if the people were gone from the database when this was written: no snapshot taken after this entry holds
    /// them, unless their id was given to somebody else. False where the entry was written ahead of the deletion.
    #[serde(default, skip_serializing_if = "is_false")]
    pub settled: bool,
    /// The entries whose bodies are removed, for `expired` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// How far the capture in the source database was drained, for `heartbeat` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<Drained>,
    /// 128 random bits: tells a writer whose answer was lost whether the entry is its own.
    pub nonce: BodyId,
}

/// Entries whose people no snapshot holds. A snapshot that may hold them after all, since it was being taken when this
/// was decided, must not be finished or restored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    pub entries: Vec<Seq>,
    /// Snapshots that were begun at this head or later were begun after the people were seen to be gone; of those
    /// entries that were written ahead of the deletion, nothing else tells.
    pub gone_since: Seq,
    /// Older snapshots that somebody has looked into.
    pub checked: Vec<SnapshotId>,
}

/// At this time the outbox of this database was seen empty: every deletion committed before is on the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drained {
    pub source: SourceId,
    /// By the source server's clock.
    pub at: Timestamp,
}

fn is_false(value: &bool) -> bool {
    !value
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
        let columns = header.subject.as_ref().and_then(|subject| subject.columns.as_ref());
        if header.kind.has_columns() && (columns.is_none_or(Vec::is_empty) || header.body.is_some()) {
            return Err(Error::malformed(HEADER, "an entry of this kind names columns, and has no body"));
        }
        if (header.kind == Kind::Expired) != header.expiry.is_some() {
            return Err(Error::malformed(
                HEADER,
                "an entry of kind expired, and only such a one, lets others expire",
            ));
        }
        let mut named = header.expiry.iter().flat_map(|expiry| &expiry.entries);
        if named.any(|seq| *seq >= header.seq) {
            return Err(Error::malformed(HEADER, "it lets an entry expire that comes after it"));
        }
        Ok(header)
    }
}
