//! The audit log's part for a customer, and certificates.

use lethe_format::audit::{Action, Facts as AuditFacts, Shared};
use lethe_format::ids::{Digest, SnapshotId};
use lethe_format::ledger::Kind;
use lethe_rules::audit::{Certificate, Ending, ErasedEntry, Kept};

use super::{HOSTILE, ago, report};
use crate::report::audit::{Exported, Told};
use crate::report::{Facts, Report};

const KEY: &str =
    "lethe.audit/00112233445566778899aabbccddeeff+b0922524+AYlkSUvvLsXcetacdkIxpwdPBJxPiRUsnLLJw8NhvAlG";

fn exported(tenant: Option<&str>, actions: Vec<Told>) -> Report {
    report(Facts::Audit(Exported {
        tenant: tenant.map(str::to_owned),
        key: KEY.to_owned(),
        size: 1_234,
        root: Digest::of(b"root"),
        actions,
    }))
}

fn told(entry: u64, action: Action, ending: Ending, request: Option<&str>, facts: AuditFacts) -> Told {
    let shared = Shared {
        salt: Digest::of(b"salt"),
        program: "0.1.0".to_owned(),
        tenant: None,
        request: request.map(str::to_owned),
        facts,
    };
    Told { entry, at: ago(1_000 - i64::try_from(entry).expect("small")), action, ending, shared }
}

fn snapshot() -> SnapshotId {
    "20261123T090000Z-6f3a1c".parse().expect("an id")
}

/// One of each action.
pub(in crate::report) fn audit() -> Report {
    let done = |entry: u64| Ending::Done { at: ago(10), entry: entry + 1 };
    let of_snapshot = AuditFacts { snapshot: Some(snapshot()), ..AuditFacts::default() };
    let of_people = |subject: &str| AuditFacts {
        subject: Some(subject.to_owned()),
        ledger: Some(12_345),
        counts: [("people".to_owned(), 1_200)].into(),
        ..AuditFacts::default()
    };
    let nothing = AuditFacts::default;
    exported(
        Some("Nordisk Kaffe A/S"),
        vec![
            told(0, Action::CaptureInstall, done(0), None, nothing()),
            told(2, Action::Snapshot, done(2), None, of_snapshot.clone()),
            told(4, Action::TombstoneAdd, done(4), Some("NK-2026-118"), of_people("user")),
            told(6, Action::TombstoneAdd, done(6), Some(HOSTILE), of_people(HOSTILE)),
            told(8, Action::TombstoneRevoke, done(8), Some("NK-2026-119"), of_people("user")),
            told(10, Action::TombstoneCapture, done(9), None, nothing()),
            told(12, Action::RestorePlan, done(12), None, of_snapshot.clone()),
            told(14, Action::Restore, Ending::Failed { at: ago(9), entry: 15 }, None, of_snapshot.clone()),
            told(16, Action::Restore, done(16), None, of_snapshot.clone()),
            told(18, Action::Drill, done(18), None, of_snapshot.clone()),
            told(20, Action::Prune, done(20), None, nothing()),
            told(22, Action::Copy, done(22), None, nothing()),
            told(24, Action::HoldAdd, done(24), None, of_snapshot.clone()),
            told(26, Action::HoldRemove, done(26), None, of_snapshot),
            told(28, Action::Verify, Ending::Open, None, nothing()),
            told(30, Action::KeysChange, done(30), None, nothing()),
            told(32, Action::KeysSeal, done(32), None, nothing()),
            told(34, Action::AuditExport, done(34), None, nothing()),
            told(36, Action::SettingsLoosened, done(35), None, nothing()),
            told(38, Action::CaptureRemove, done(38), None, nothing()),
        ],
    )
}

pub(in crate::report) fn empty_audit() -> Report {
    exported(None, Vec::new())
}

fn erased(entry: u64, kind: Kind, forgotten: bool) -> ErasedEntry {
    ErasedEntry { entry, at: ago(300), kind, subject: HOSTILE.to_owned(), people: 2, forgotten }
}

fn certified(entries: Vec<ErasedEntry>, may_hold: Vec<Kept>) -> Report {
    report(Facts::Certificate(Certificate {
        request: format!("NK-2026-118 {HOSTILE}"),
        last_goes_at: may_hold.iter().map(|kept| kept.goes_at).max(),
        entries,
        may_hold,
        restores: vec![40, 52],
    }))
}

pub(in crate::report) fn certificate() -> Report {
    let kept = |taken, goes, held| Kept {
        snapshot: snapshot(),
        taken_at: ago(taken),
        goes_at: ago(goes),
        held,
        ledger_seq: 3,
    };
    let entries = vec![erased(17, Kind::Erased, false), erased(18, Kind::Anonymised, false)];
    certified(entries, vec![kept(400, -416, false), kept(310, -2_000, true)])
}

pub(in crate::report) fn finished_certificate() -> Report {
    certified(vec![erased(17, Kind::Erased, true)], Vec::new())
}

pub(in crate::report) fn revoked_certificate() -> Report {
    certified(vec![erased(17, Kind::Erased, false), erased(19, Kind::Revoked, false)], Vec::new())
}
