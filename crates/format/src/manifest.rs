//! The manifest: everything that one snapshot is, and the only thing that makes it exist.

mod check;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::catalog::{AttNum, Catalog, QualifiedName};
use crate::classification::Classification;
use crate::ids::{Digest, Oid, SnapshotId, UploadId};
use crate::ledger::{Head, Seq, SourceId};
use crate::reference::{Reference, TableColumns};
use crate::repository::check_version;
use crate::vouched;

const DOCUMENT: &str = "the snapshot's manifest";
pub const VERSION: u32 = 1;
/// No chunk's plain content is longer: a chunk is cut after the row that crosses 32 MiB, and PostgreSQL sends no row of more
/// than 1 GiB (`MaxAllocSize`).
pub const LONGEST_CHUNK: u64 = (1 << 30) + (32 << 20);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub version: u32,
    pub repository: String,
    pub snapshot: SnapshotId,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub source: Source,
    /// The ledger's head, read before the database snapshot was opened: a restore refuses any older ledger.
    pub ledger_head: Head,
    /// The number of the ledger's head after the database's view was opened.
    pub ledger_seq_after: Seq,
    /// The capture of deletions in the source; none where it is not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<CaptureState>,
    /// The archive that `pg_dump -Fc --schema-only` wrote.
    pub schema: StoredObject,
    pub catalog: Catalog,
    /// What the settings said then of references that are no foreign keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// What the settings said then of whose data the columns hold; none if they named no kind of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Classification>,
    pub tables: Vec<TableData>,
    pub sequences: Vec<Sequence>,
    pub large_objects: LargeObjects,
    pub extensions: Vec<Extension>,
    /// Materialised views that held rows, in an order in which they can be refreshed.
    pub populated_views: Vec<QualifiedName>,
    /// Roles that own something or stand in a grant.
    pub roles: Vec<String>,
    pub tablespaces: Vec<String>,
}

impl Manifest {
    const CONTEXT: &str = "lethe 2026 manifest";

    /// What is sealed and stored: a line with which somebody who has the naming key vouches for the rest, and the JSON. That
    /// it can be decrypted says nothing of who wrote it, since what it is encrypted to is no secret.
    ///
    /// # Errors
    /// As [`Self::to_json`].
    pub fn to_bytes(&self, naming_key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        Ok(Self::vouch(&self.to_json()?, naming_key))
    }

    /// # Errors
    /// [`Error::Malformed`] if nobody with this naming key wrote it, before it is looked at; then as [`Self::from_json`].
    pub fn from_bytes(bytes: &[u8], naming_key: &[u8; 32]) -> Result<Self, Error> {
        Self::from_json(vouched::checked(DOCUMENT, bytes, Self::CONTEXT, naming_key)?)
    }

    /// The stored form of a manifest with this text, whatever that says.
    #[must_use]
    pub fn vouch(text: &[u8], naming_key: &[u8; 32]) -> Vec<u8> {
        vouched::write(text, Self::CONTEXT, naming_key)
    }

    /// # Errors
    /// For everything that [`Self::from_json`] would refuse: what cannot be read back is not written.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        check::check(self)?;
        serde_json::to_vec(self).map_err(|error| Error::json(DOCUMENT, &error))
    }

    /// # Errors
    /// [`Error::UnknownVersion`] before anything else is looked at, [`Error::Malformed`] for all that is not a manifest
    /// or contradicts itself.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        check_version(DOCUMENT, bytes, VERSION)?;
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| Error::json(DOCUMENT, &error))?;
        check::check(&manifest)?;
        Ok(manifest)
    }

    #[must_use]
    pub fn ledger_window(&self) -> LedgerWindow {
        LedgerWindow { before: self.ledger_head.seq, after: self.ledger_seq_after }
    }

    pub fn all_chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.tables.iter().flat_map(|table| &table.chunks).chain(&self.large_objects.chunks)
    }
}

/// The server and database that the snapshot was taken from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// `server_version_num`, 150018 for 15.18.
    pub server_version: u32,
    pub database: String,
    pub encoding: String,
    pub collate: String,
    pub ctype: String,
    /// `pg_database.datlocprovider`: `c`, `i` or `b`; `c` before PostgreSQL 15.
    pub locale_provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation_version: Option<String>,
}

/// How far the deletions in the source had got to the ledger, as the snapshot sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureState {
    pub source: SourceId,
    /// The source server's clock.
    pub at: Timestamp,
    /// Deletions in the outbox.
    pub waiting: u64,
    /// When the oldest of them was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
}

impl CaptureState {
    /// How long the oldest deletion had been waiting.
    #[must_use]
    pub fn lag(&self) -> std::time::Duration {
        let waited = self.oldest.map(|oldest| self.at.duration_since(oldest));
        waited.and_then(|waited| waited.try_into().ok()).unwrap_or_default()
    }
}

/// An encrypted object: what its stored bytes must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredObject {
    /// BLAKE3 of the stored (encrypted) bytes.
    pub hash: Digest,
    /// Stored length in bytes.
    pub len: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableData {
    pub table: Oid,
    pub format: CopyFormat,
    /// The columns of each row, in the order in which COPY wrote them.
    pub columns: Vec<AttNum>,
    pub chunks: Vec<Chunk>,
}

impl TableData {
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.rows).sum()
    }

    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.plain_len).sum()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyFormat {
    Binary,
    Text,
}

/// Rows of one block range of one table (or a piece of it, when the rows are large).
///
/// Plain content: the rows as `COPY` wrote them one after the other, in binary without header and trailer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// BLAKE3 of the plain content, keyed with the repository's naming key.
    pub name: Digest,
    /// Tells this upload from any other of the same content.
    pub upload: UploadId,
    pub stored: StoredObject,
    /// Length of the plain content in bytes; the decompressor stops there.
    pub plain_len: u64,
    pub rows: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    pub name: QualifiedName,
    pub last_value: i64,
    pub is_called: bool,
    pub increment: i64,
    pub min_value: i64,
    pub max_value: i64,
    /// The columns that take their values from it: `serial`, identity, `OWNED BY`, or a default that calls `nextval`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<(Oid, AttNum)>,
}

/// Large objects: binary COPY rows of `(oid oid, offset bigint, data bytea)`, in order of both.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeObjects {
    pub objects: Vec<LargeObject>,
    pub chunks: Vec<Chunk>,
    /// The columns that refer to them, as the settings said then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<TableColumns>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeObject {
    pub oid: Oid,
    pub owner: String,
    /// Grants to others than the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<LargeObjectGrant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeObjectGrant {
    /// Empty for `PUBLIC`.
    pub role: String,
    /// `SELECT` or `UPDATE`.
    pub privilege: String,
    pub grantable: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    pub name: String,
    pub version: String,
}

/// The ledger's heads just before and just after the database's view was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerWindow {
    pub before: Seq,
    pub after: Seq,
}

/// The chunks of one snapshot without what is in them: names, stored hashes and lengths.
///
/// The host that takes snapshots cannot decrypt older manifests; from this it learns which chunks of the newest
/// snapshot it may name again. The text is authenticated with the naming key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChunkIndex {
    pub version: u32,
    pub snapshot: SnapshotId,
    /// As in the manifest: what the snapshot's age is counted from.
    pub started_at: Timestamp,
    /// Which entries this snapshot still needs, for hosts that cannot read manifests.
    pub ledger: LedgerWindow,
    /// The data key (`age1…`) that all of the chunks are encrypted to: a snapshot with another one shares none of them.
    pub data_key: String,
    pub chunks: Vec<Chunk>,
}

impl ChunkIndex {
    const DOCUMENT: &'static str = "the snapshot's chunk index";
    const CONTEXT: &'static str = "lethe 2026 chunk index";

    /// The stored bytes, vouched for with the naming key.
    pub fn to_bytes(&self, naming_key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let json = serde_json::to_vec(self).map_err(|error| Error::json(Self::DOCUMENT, &error))?;
        Ok(vouched::write(&json, Self::CONTEXT, naming_key))
    }

    /// # Errors
    /// [`Error::Malformed`] if it was not written by somebody with this naming key.
    pub fn from_bytes(bytes: &[u8], naming_key: &[u8; 32]) -> Result<Self, Error> {
        vouched::read_json(Self::DOCUMENT, bytes, VERSION, Self::CONTEXT, naming_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_looked_at_only_with_the_right_key() {
        let bytes = Manifest::vouch(b"{}", &[7; 32]);
        let error =
            |bytes: &[u8], key| Manifest::from_bytes(bytes, key).expect_err("no manifest").to_string();
        assert!(error(&bytes, &[8; 32]).contains("naming key"));
        assert!(!error(&bytes, &[7; 32]).contains("naming key"), "it is looked at");
        for len in [0, 10, bytes.len() - 3] {
            assert!(Manifest::from_bytes(&bytes[..len], &[7; 32]).is_err());
        }
    }

    #[test]
    fn a_chunk_index_is_trusted_only_with_the_right_key() {
        let index = ChunkIndex {
            version: VERSION,
            snapshot: "20261123T114905Z-6f3a1c".parse().expect("an id"),
            started_at: Timestamp::UNIX_EPOCH,
            ledger: LedgerWindow { before: 3, after: 4 },
            data_key: "age1x".to_owned(),
            chunks: vec![Chunk {
                name: Digest::of(b"a"),
                upload: UploadId::from_bytes([1; 8]),
                stored: StoredObject { hash: Digest::of(b"b"), len: 1 },
                plain_len: 2,
                rows: 3,
            }],
        };
        let mut bytes = index.to_bytes(&[7; 32]).expect("writes");
        assert_eq!(ChunkIndex::from_bytes(&bytes, &[7; 32]).expect("reads").chunks, index.chunks);
        assert!(ChunkIndex::from_bytes(&bytes, &[8; 32]).is_err());
        let last = bytes.len() - 3;
        bytes[last] ^= 1;
        assert!(ChunkIndex::from_bytes(&bytes, &[7; 32]).is_err());
        for len in 0..70 {
            assert!(ChunkIndex::from_bytes(&bytes[..len], &[7; 32]).is_err());
        }
    }
}
