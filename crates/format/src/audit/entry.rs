//! One entry: its header, which is a leaf of the tree, and the two sealed parts that the header vouches for.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::merkle::{Peaks, leaf, sha256};
use crate::Error;
use crate::ids::{Digest, SnapshotId};
use crate::ledger::Seq;
use crate::repository::check_version;
use crate::vouched;

pub const VERSION: u32 = 1;
const DOCUMENT: &str = "the audit log's entry";
const CONTEXT: &str = "lethe 2026 audit entry";
const TENANT_CONTEXT: &str = "lethe 2026 audit tenant";

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    TombstoneAdd,
    TombstoneRevoke,
    /// Deletions that the database reported by itself.
    TombstoneCapture,
    CaptureInstall,
    CaptureRemove,
    Snapshot,
    /// The plan of a restore alone, which reads the snapshot.
    RestorePlan,
    Restore,
    Drill,
    Prune,
    Copy,
    HoldAdd,
    HoldRemove,
    /// What is stored was opened and looked at, and nothing was changed.
    Verify,
    KeysChange,
    KeysSeal,
    AuditExport,
    /// The settings allow more than they did on this host before.
    SettingsLoosened,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is about to be done. Without an entry that says how it ended, it was interrupted.
    Began,
    Done,
    Failed,
}

/// Who may be given an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// It concerns everybody's data: each customer may read its shared part.
    Everyone,
    /// It concerns the customer that its shared part names.
    Tenant,
    /// Nobody has said whose data it concerns, or it concerns nobody's.
    Company,
}

/// The plain part of an entry: names nobody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub version: u32,
    pub repository: String,
    pub seq: Seq,
    /// The leaf before this one; none for entry 0.
    pub prev: Option<Digest>,
    /// The writer's clock.
    pub at: Timestamp,
    pub action: Action,
    pub phase: Phase,
    /// The entry that says that the action began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Seq>,
    pub audience: Audience,
    /// SHA-256 of the shared part's text.
    pub shared: Digest,
    /// SHA-256 of the internal part's text.
    pub internal: Digest,
}

/// What is known about an action besides what it was. Never a person's id or name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The kind of person, as in the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotId>,
    /// The ledger's entry that was written, or up to which the ledger was followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Seq>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, u64>,
}

/// What a customer whom it concerns may read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// Random, so that the hash in the header does not give away what can be guessed.
    pub salt: Digest,
    /// The program's version.
    pub program: String,
    /// See [`tenant_tag`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Digest>,
    /// The reference of the instruction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(default)]
    pub facts: Facts,
}

/// What stays in the company.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Internal {
    pub salt: Digest,
    /// Who did it.
    pub operator: String,
    pub host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(default)]
    pub facts: Facts,
    /// For an action that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What the settings allow now that they did not before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loosened: Vec<String>,
}

/// Both parts as they were hashed; what is encrypted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    pub shared: String,
    pub internal: String,
}

/// A body that is the one its header vouches for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    pub shared: Shared,
    /// As it was hashed.
    pub shared_text: String,
    pub internal: Internal,
}

impl Body {
    pub fn new(shared: &Shared, internal: &Internal) -> Result<Self, Error> {
        Ok(Self { shared: json(shared)?, internal: json(internal)? })
    }

    #[must_use]
    pub fn hashes(&self) -> (Digest, Digest) {
        (sha256(&[self.shared.as_bytes()]), sha256(&[self.internal.as_bytes()]))
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        Ok(json(self)?.into_bytes())
    }

    /// # Errors
    /// [`Error::Malformed`] if it is not the body that the header vouches for.
    pub fn open(bytes: &[u8], header: &Header) -> Result<Opened, Error> {
        let body: Self = parse(bytes)?;
        if body.hashes() != (header.shared, header.internal) {
            return Err(Error::malformed(DOCUMENT, "what is in it is not what was written"));
        }
        let shared = parse(body.shared.as_bytes())?;
        let internal = parse(body.internal.as_bytes())?;
        Ok(Opened { shared, shared_text: body.shared, internal })
    }
}

/// An entry as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    pub header: Header,
    /// The header as it was written, which is what the leaf is the hash of.
    text: String,
    /// The encrypted body.
    pub sealed: Vec<u8>,
    /// The tree with this entry as its last leaf.
    pub peaks: Peaks,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("header", &self.header).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    header: String,
    sealed: String,
    peaks: Peaks,
}

impl Entry {
    /// `before` is the tree without it.
    pub fn new(header: Header, sealed: Vec<u8>, before: &Peaks) -> Result<Self, Error> {
        let text = json(&header)?;
        let mut peaks = before.clone();
        peaks.push(leaf(text.as_bytes()));
        Ok(Self { header, text, sealed, peaks })
    }

    #[must_use]
    pub fn leaf(&self) -> Digest {
        leaf(self.text.as_bytes())
    }

    #[must_use]
    pub fn header_text(&self) -> &str {
        &self.text
    }

    pub fn to_bytes(&self, naming_key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let stored = Stored {
            version: VERSION,
            header: self.text.clone(),
            sealed: BASE64.encode(&self.sealed),
            peaks: self.peaks.clone(),
        };
        vouched::write_json(DOCUMENT, &stored, CONTEXT, naming_key)
    }

    /// # Errors
    /// [`Error::Malformed`] also if nobody with the naming key wrote it.
    pub fn from_bytes(bytes: &[u8], naming_key: &[u8; 32]) -> Result<Self, Error> {
        let stored: Stored = vouched::read_json(DOCUMENT, bytes, VERSION, CONTEXT, naming_key)?;
        let header = read_header(&stored.header)?;
        let sealed =
            BASE64.decode(&stored.sealed).map_err(|_| Error::malformed(DOCUMENT, "it is not base64"))?;
        if !stored.peaks.is_sound() || Some(stored.peaks.size()) != header.seq.checked_add(1) {
            return Err(Error::malformed(DOCUMENT, "its tree has another size than its number says"));
        }
        Ok(Self { header, text: stored.header, sealed, peaks: stored.peaks })
    }
}

/// A header as it stands in an entry or an export.
pub(super) fn read_header(text: &str) -> Result<Header, Error> {
    check_version(DOCUMENT, text.as_bytes(), VERSION)?;
    let header: Header = parse(text.as_bytes())?;
    if (header.seq == 0) == header.prev.is_some() || header.began.is_some_and(|began| began >= header.seq) {
        return Err(Error::malformed(DOCUMENT, "it does not follow what it says it follows"));
    }
    Ok(header)
}

/// What stands for a customer in the log: a keyed hash of how it is called.
#[must_use]
pub fn tenant_tag(tenant: &str, naming_key: &[u8; 32]) -> Digest {
    let key = blake3::derive_key(TENANT_CONTEXT, naming_key);
    Digest::from_bytes(*blake3::keyed_hash(&key, tenant.as_bytes()).as_bytes())
}

pub(super) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::json(DOCUMENT, &error))
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::json(DOCUMENT, &error))
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TombstoneAdd => "tombstone add",
            Self::TombstoneRevoke => "tombstone revoke",
            Self::TombstoneCapture => "tombstone capture",
            Self::CaptureInstall => "capture install",
            Self::CaptureRemove => "capture remove",
            Self::Snapshot => "snapshot",
            Self::RestorePlan => "restore --dry-run",
            Self::Restore => "restore",
            Self::Drill => "drill",
            Self::Prune => "prune",
            Self::Copy => "copy",
            Self::HoldAdd => "hold add",
            Self::HoldRemove => "hold remove",
            Self::Verify => "verify",
            Self::KeysChange => "keys",
            Self::KeysSeal => "keys seal",
            Self::AuditExport => "audit export",
            Self::SettingsLoosened => "settings loosened",
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Began => "began",
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}
