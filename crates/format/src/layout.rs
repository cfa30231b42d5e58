//! Where each object lies in the store.
//!
//! Names are built from typed ids and never taken from a stored document, so that no manifest can point outside the
//! repository.

use crate::ids::{Digest, EventId, SnapshotId, UploadId};
use crate::ledger::{BodyId, Seq};
use crate::report::ReportKind;

pub const REPOSITORY: &str = "repository.json";
pub const SNAPSHOTS: &str = "snapshots/";
pub const CHUNKS: &str = "chunks/";
pub const LEDGER: &str = "ledger/";
pub const KEYS: &str = "keys/";
pub const REPORTS: &str = "reports/";
pub const LEASES: &str = "leases/";
pub const HOLDS: &str = "holds/";
pub const AUDIT: &str = "audit/";

#[must_use]
pub fn manifest(id: &SnapshotId) -> String {
    format!("{SNAPSHOTS}{id}/manifest.age")
}

#[must_use]
pub fn schema(id: &SnapshotId) -> String {
    format!("{SNAPSHOTS}{id}/schema.age")
}

#[must_use]
pub fn chunk_index(id: &SnapshotId) -> String {
    format!("{SNAPSHOTS}{id}/chunks")
}

/// Chunks are spread over 256 folders, since a directory of millions of files is slow on most file systems.
///
/// The same content encrypted twice gives different bytes, and manifests hold the hash of the stored bytes. So each
/// upload has a name of its own: writing a content again can never replace the bytes that an older manifest names.
#[must_use]
pub fn chunk(name: &Digest, upload: &UploadId) -> String {
    let hex = name.to_string();
    format!("{CHUNKS}{}/{hex}-{upload}.zst.age", &hex[..2])
}

#[must_use]
pub fn key_ring(generation: u64) -> String {
    format!("{KEYS}{generation:020}")
}

/// The generation of an object below `keys/`, or nothing if the name is another one.
#[must_use]
pub fn generation_of_key_ring(name: &str) -> Option<u64> {
    let generation = name.strip_prefix(KEYS)?.parse().ok()?;
    (key_ring(generation) == name).then_some(generation)
}

#[must_use]
pub fn ledger_header(seq: Seq) -> String {
    format!("{LEDGER}{seq:020}")
}

/// Each attempt to append has a body of its own, so that a writer that lost the race, or died between body and
/// header, never stands in the way of the next one.
#[must_use]
pub fn ledger_body(seq: Seq, body: &BodyId) -> String {
    format!("{LEDGER}{seq:020}-{body}.body.age")
}

/// The snapshot id in `snapshots/<id>/manifest.age`, or nothing if the name is another one.
#[must_use]
pub fn snapshot_of_manifest(name: &str) -> Option<SnapshotId> {
    name.strip_prefix(SNAPSHOTS)?.strip_suffix("/manifest.age")?.parse().ok()
}

/// The chunk that an object below `chunks/` is, or nothing if the name is another one.
#[must_use]
pub fn chunk_of_name(name: &str) -> Option<(Digest, UploadId)> {
    let file = name.rsplit('/').next()?.strip_suffix(".zst.age")?;
    let (digest, upload) = file.split_once('-')?;
    let chunk = (digest.parse().ok()?, UploadId::try_from(upload.to_owned()).ok()?);
    // Only the one way to write it counts.
    (self::chunk(&chunk.0, &chunk.1) == name).then_some(chunk)
}

/// Below which the reports of one kind lie.
#[must_use]
pub fn reports(kind: ReportKind) -> String {
    format!("{REPORTS}{kind}/")
}

#[must_use]
pub fn report(kind: ReportKind, id: &EventId) -> String {
    format!("{}{id}.json", reports(kind))
}

/// The report that an object is, or nothing if the name is another one.
#[must_use]
pub fn report_of_name(name: &str) -> Option<(ReportKind, EventId)> {
    let (kind, file) = name.strip_prefix(REPORTS)?.split_once('/')?;
    let kind = ReportKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
    Some((kind, file.strip_suffix(".json")?.parse().ok()?))
}

#[must_use]
pub fn lease(snapshot: &SnapshotId, id: &EventId) -> String {
    format!("{LEASES}{snapshot}/{id}")
}

#[must_use]
pub fn lease_of_name(name: &str) -> Option<(SnapshotId, EventId)> {
    let (snapshot, id) = name.strip_prefix(LEASES)?.split_once('/')?;
    Some((snapshot.parse().ok()?, id.parse().ok()?))
}

#[must_use]
pub fn hold(id: &EventId) -> String {
    format!("{HOLDS}{id}")
}

#[must_use]
pub fn hold_of_name(name: &str) -> Option<EventId> {
    name.strip_prefix(HOLDS)?.parse().ok()
}

/// What an object below `snapshots/` is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SnapshotPart {
    Manifest,
    Index,
    Schema,
}

/// The snapshot that an object below `snapshots/` belongs to, or nothing if it is somebody else's object.
#[must_use]
pub fn snapshot_part(name: &str) -> Option<(SnapshotId, SnapshotPart)> {
    let (id, file) = name.strip_prefix(SNAPSHOTS)?.split_once('/')?;
    let part = match file {
        "manifest.age" => SnapshotPart::Manifest,
        "chunks" => SnapshotPart::Index,
        "schema.age" => SnapshotPart::Schema,
        _ => return None,
    };
    Some((id.parse().ok()?, part))
}

#[must_use]
pub fn audit_entry(seq: Seq) -> String {
    format!("{AUDIT}{seq:020}")
}

/// A signed statement about the audit log's first `size` entries.
#[must_use]
pub fn audit_checkpoint(size: u64) -> String {
    format!("{AUDIT}checkpoints/{size:020}")
}

/// Where the signed statements are.
#[must_use]
pub fn audit_checkpoints() -> String {
    format!("{AUDIT}checkpoints/")
}

/// What a name below `audit/` stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditObject {
    Entry(Seq),
    Checkpoint(u64),
    /// Nothing that Lethe writes: somebody else's object.
    Foreign,
}

#[must_use]
pub fn audit_object(name: &str) -> AuditObject {
    let number = || name.rsplit('/').next()?.parse().ok();
    match number() {
        Some(number) if audit_entry(number) == name => AuditObject::Entry(number),
        Some(number) if audit_checkpoint(number) == name => AuditObject::Checkpoint(number),
        _ => AuditObject::Foreign,
    }
}

/// What a name below `ledger/` stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LedgerObject {
    Header(Seq),
    Body(Seq),
    /// Nothing that Lethe writes: somebody else's object.
    Foreign,
}

#[must_use]
pub fn ledger_object(name: &str) -> LedgerObject {
    let Some(rest) = name.strip_prefix(LEDGER) else { return LedgerObject::Foreign };
    let (digits, body) = match rest.split_once('-') {
        Some((digits, body)) => (digits, Some(body)),
        None => (rest, None),
    };
    let seq = match digits.parse() {
        Ok(seq) if digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()) => seq,
        _ => return LedgerObject::Foreign,
    };
    match body {
        None => LedgerObject::Header(seq),
        Some(body) if body.ends_with(".body.age") => LedgerObject::Body(seq),
        Some(_) => LedgerObject::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_known_by_their_names_and_by_nothing_else() {
        let (digest, upload) = (Digest::of(b"a"), UploadId::from_bytes([7; 8]));
        let name = chunk(&digest, &upload);
        assert_eq!(chunk_of_name(&name), Some((digest, upload)));
        for foreign in [
            name.replace("chunks/", "x/"),
            name.replace(".zst", ""),
            name.replace("07", "0G"),
            format!("{name}/.."),
            format!("/{name}"),
            name.to_uppercase(),
        ] {
            assert_eq!(chunk_of_name(&foreign), None, "{foreign}");
        }
    }

    #[test]
    fn reports_are_known_by_their_names_and_by_nothing_else() {
        let id: EventId = "20261123T114905Z-6f3a1c".parse().expect("an id");
        for kind in ReportKind::ALL {
            assert_eq!(report_of_name(&report(kind, &id)), Some((kind, id.clone())));
        }
        for foreign in [
            "reports/other/20261123T114905Z-6f3a1c.json",
            "reports/prune/latest.json",
            "reports/prune/a/20261123T114905Z-6f3a1c.json",
            "reports/prune/20261123T114905Z-6f3a1c",
        ] {
            assert_eq!(report_of_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn audit_names_are_told_apart() {
        assert_eq!(audit_object(&audit_entry(7)), AuditObject::Entry(7));
        assert_eq!(audit_object(&audit_checkpoint(7)), AuditObject::Checkpoint(7));
        for foreign in
            ["audit/7", "audit/checkpoints/7", "audit/x/00000000000000000007", "ledger/00000000000000000007"]
        {
            assert_eq!(audit_object(foreign), AuditObject::Foreign, "{foreign}");
        }
    }

    #[test]
    fn ledger_names_are_told_apart() {
        let body: BodyId = "00112233445566778899aabbccddeeff".parse().expect("a body id");
        assert_eq!(ledger_object(&ledger_header(7)), LedgerObject::Header(7));
        assert_eq!(ledger_object(&ledger_body(7, &body)), LedgerObject::Body(7));
        for foreign in [
            "ledger/7",
            "ledger/+0000000000000000007",
            "ledger/readme",
            "chunks/00",
            "ledger/00000000000000000007-x",
        ] {
            assert_eq!(ledger_object(foreign), LedgerObject::Foreign, "{foreign}");
        }
    }
}
