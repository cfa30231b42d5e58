//! Facts as the tests of the pages have them. What comes from outside has a name that would be markup.

mod audit;

use jiff::{SignedDuration, Timestamp};
use lethe_engine::drill::{DrillEvidence, Stage};
use lethe_engine::holds;
use lethe_engine::prune::{PlanSummary, Receipt};
use lethe_engine::restore::{
    Bytes, Kept, LargeObjectCounts, Masked, MayBeStale, RestoreEvidence, RestoreReport, RestoredTo,
    RowCounts, Seconds, TableReport,
};
use lethe_format::ids::EventId;
use lethe_format::lease::Hold;
use lethe_format::ledger::Head;
use lethe_rules::drill::{
    CanaryFacts, CheckFacts, CheckOutcome, ConstraintFacts, DrillFacts, DrillFailure, DrillVerdict,
    IndexFacts, SourceFacts, SourceTable, TableFacts,
};
use lethe_rules::ledger::ExpiryPlan;
use lethe_rules::objection::{Code, Objection};
use lethe_rules::residency::{PLACES, Profile};
use lethe_rules::retention::{Fate, Remains, Retention, Verdict};
use lethe_rules::target_label::TargetLabel;

use super::{
    Drilled, Facts, Finding, PastDrill, PastPrune, Placed, Report, Restored, Retained, StoreSeen, StoreUse,
    TargetSeen,
};

pub(super) use audit::{audit, certificate, empty_audit, finished_certificate, revoked_certificate};

pub(super) const HOSTILE: &str = "<script>alert(1)</script>\"&";

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    time("2026-11-23T11:49:05Z")
}

fn ago(hours: i64) -> Timestamp {
    now().checked_sub(SignedDuration::from_hours(hours)).expect("a time")
}

fn id(hours_ago: i64) -> EventId {
    EventId::new(ago(hours_ago), 7)
}

fn report(facts: Facts) -> Report {
    Report {
        made_at: now(),
        program: "0.1.0",
        store: format!("s3://kopier/{HOSTILE}"),
        repository: Some("00112233445566778899aabbccddeeff".to_owned()),
        facts,
    }
}

fn head() -> Head {
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    Head { seq: 1_234_567, hash: hash.parse().expect("a hash") }
}

fn rows(read: u64, never_loaded: u64, late_removed: u64, changed: u64) -> RowCounts {
    let dropped = never_loaded + late_removed;
    RowCounts { read, loaded: read - dropped, dropped, changed, never_loaded, late_removed }
}

pub(super) fn restore() -> Report {
    let table = |table: &str, rows| TableReport { table: table.to_owned(), rows };
    let tables = vec![
        table("public.ordrer", rows(1_200_000, 4_000, 12, 0)),
        table("public.kunder", rows(34_567, 300, 0, 25)),
        table(HOSTILE, rows(0, 0, 0, 0)),
    ];
    let hint = "say so".to_owned();
    let objection = Objection::new(Code::Unclassified, HOSTILE, "may refer to somebody").hint(hint);
    report(Facts::Restore(Restored {
        id: id(1),
        evidence: RestoreEvidence {
            version: "0.1.0".to_owned(),
            finished_at: ago(1),
            target: RestoredTo { place: Some("fsn1".to_owned()), purpose: Some(TargetLabel::production()) },
            report: RestoreReport {
                snapshot: "20261123T090000Z-6f3a1c".parse().expect("an id"),
                ledger_head: head(),
                only: Vec::new(),
                label: Some(TargetLabel::production()),
                masked: Masked::default(),
                rows: rows(1_234_567, 4_300, 12, 25),
                tables,
                large_objects: LargeObjectCounts {
                    stored: 12,
                    restored: 9,
                    of_dropped_rows: 1,
                    unreferenced: 2,
                },
                kept: vec![Kept {
                    reference: format!("public.fakturaer(kunde) → {HOSTILE}(id)"),
                    because: "bogføringsloven kræver fem år".to_owned(),
                }],
                may_be_stale: vec![MayBeStale {
                    table: "public.kunder".to_owned(),
                    column: HOSTILE.to_owned(),
                    why: lethe_rules::derived::Kind::Counter,
                }],
                seconds: Seconds { plan: 12.3, load: 184.2, ready: 243.7, verified: 301.9 },
                bytes: Bytes { stored: 912_680_550, plain: 3_456_789_012 },
                acknowledged: vec![objection],
                peak_rss: 412_316_860,
            },
        },
    }))
}

fn evidence(facts: DrillFacts, hours_ago: i64, seconds: Option<(f64, f64)>) -> DrillEvidence {
    let stage = |stage: &str, from, to| Stage { stage: stage.to_owned(), from, to };
    let (ready, verified) = seconds.unwrap_or((3.0, 3.0));
    let mut stages = vec![stage("leftovers", 0.0, 0.1), stage("choose", 0.1, 0.4), stage("place", 0.4, 2.9)];
    if seconds.is_some() {
        stages.extend([
            stage("plan", 2.9, 5.0),
            stage("load", 5.0, ready * 0.8),
            stage("finish", ready * 0.8, ready),
            stage("verify", ready, verified),
            stage("check", verified, verified + 20.0),
            stage("compare with the source", verified + 20.0, verified + 22.0),
            stage("search for canaries", verified + 22.0, verified + 31.0),
            stage("remove", verified + 31.0, verified + 32.5),
        ]);
    } else {
        stages.push(stage("restore", 2.9, 3.0));
    }
    DrillEvidence {
        version: "0.1.0".to_owned(),
        started_at: ago(hours_ago),
        finished_at: ago(hours_ago - 1),
        verdict: DrillVerdict::of(&facts),
        snapshot: Some("20261123T090000Z-6f3a1c".parse().expect("an id")),
        snapshot_at: Some(ago(hours_ago + 30)),
        age_seconds: Some(30 * 3600 + u64::try_from(hours_ago).unwrap_or(0) * 60),
        ledger_head: Some(head()),
        place: Some("a server of its own, PostgreSQL 18.1".to_owned()),
        ready_seconds: seconds.map(|(ready, _)| ready),
        verified_seconds: seconds.map(|(_, verified)| verified),
        stages,
        bytes_stored: Some(912_680_550),
        bytes_plain: Some(3_456_789_012),
        removed_leftovers: Vec::new(),
        facts,
    }
}

fn good_facts() -> DrillFacts {
    let table = |table: &str, manifest, dropped| TableFacts {
        table: table.to_owned(),
        manifest,
        read: manifest,
        loaded: manifest - dropped,
        dropped,
        changed: 25,
        found: manifest - dropped,
    };
    let check = |name: &str| CheckFacts { name: name.to_owned(), outcome: CheckOutcome::Met };
    DrillFacts {
        tables: vec![table("public.ordrer", 1_200_000, 4_012), table(HOSTILE, 34_567, 300)],
        constraints: Some(ConstraintFacts { valid: 41, ..ConstraintFacts::default() }),
        indexes: Some(IndexFacts { amcheck: true, checked: 37, ..IndexFacts::default() }),
        checks: vec![check("gårsdagens ordrer er der"), check(HOSTILE)],
        canaries: Some(CanaryFacts {
            files: 1_412,
            bytes: 5_123_456_789,
            erased: 3,
            living: 2,
            living_found: 2,
            ..CanaryFacts::default()
        }),
        ..DrillFacts::default()
    }
}

/// Everything that can speak against a drill, and every note.
pub(super) fn bad_facts() -> DrillFacts {
    let hostile = || vec![HOSTILE.to_owned()];
    let check = |name: &str, outcome| CheckFacts { name: name.to_owned(), outcome };
    let source = |source, estimated| SourceTable { table: HOSTILE.to_owned(), found: 10, source, estimated };
    DrillFacts {
        so_far: false,
        tables: vec![TableFacts {
            table: HOSTILE.to_owned(),
            manifest: 1_001,
            read: 1_000,
            loaded: 990,
            dropped: 9,
            changed: 0,
            found: 989,
        }],
        constraints: Some(ConstraintFacts { valid: 1, not_valid: hostile(), not_valid_in_source: hostile() }),
        indexes: Some(IndexFacts {
            amcheck: true,
            checked: 2,
            not_checked: 1,
            damaged: hostile(),
            invalid: hostile(),
        }),
        checks: vec![
            check("andet", CheckOutcome::Different),
            check(HOSTILE, CheckOutcome::Failed(HOSTILE.to_owned())),
        ],
        canaries: Some(CanaryFacts {
            files: 1,
            bytes: 2,
            erased: 1,
            erased_found_in: hostile(),
            living: 2,
            living_found: 1,
        }),
        source: Some(SourceFacts {
            unreachable: Some(HOSTILE.to_owned()),
            tables: vec![source(Some(20), false), source(Some(30), true), source(None, false)],
            tolerance_percent: 5,
        }),
        left_behind: Some(HOSTILE.to_owned()),
        failure: None,
    }
}

/// A drill that ended early.
pub(super) fn broken_facts() -> DrillFacts {
    DrillFacts {
        failure: Some(DrillFailure {
            stage: "restore".to_owned(),
            problem: format!("refused: {HOSTILE}"),
            exit_code: 3,
            objections: vec![HOSTILE.to_owned()],
        }),
        ..DrillFacts::default()
    }
}

fn drilled(evidence: DrillEvidence, unreadable: Vec<EventId>) -> Report {
    let mut history: Vec<PastDrill> = (1..=12)
        .map(|week| {
            let (facts, seconds) = match week {
                5 => (broken_facts(), None),
                _ => {
                    let ready = 180.0 + f64::from(week) * 7.0 + f64::from(week % 3) * 20.0;
                    (good_facts(), Some((ready, ready * 1.3)))
                }
            };
            let hours = (13 - i64::from(week)) * 168;
            PastDrill::new(id(hours), &super::golden::evidence(facts, hours, seconds))
        })
        .collect();
    history.push(PastDrill::new(id(1), &evidence));
    report(Facts::Drill(Box::new(Drilled { id: id(1), evidence, history, unreadable })))
}

pub(super) fn drill() -> Report {
    drilled(evidence(good_facts(), 2, Some((243.7, 301.9))), Vec::new())
}

pub(super) fn bad_drill() -> Report {
    drilled(evidence(bad_facts(), 2, Some((243.7, 301.9))), vec![id(900)])
}

pub(super) fn broken_drill() -> Report {
    let evidence = DrillEvidence {
        snapshot: None,
        snapshot_at: None,
        age_seconds: None,
        ledger_head: None,
        place: None,
        bytes_stored: None,
        bytes_plain: None,
        ..evidence(broken_facts(), 2, None)
    };
    let mut report = drilled(evidence, Vec::new());
    if let Facts::Drill(drilled) = &mut report.facts {
        // The first drill of all.
        drilled.history = drilled.history.split_off(12);
    }
    report
}

fn verdict(hours: i64, fate: Fate) -> Verdict {
    let retention = Retention::default();
    let taken_at = ago(hours);
    let after = |time: SignedDuration| taken_at.checked_add(time).expect("a time");
    Verdict {
        snapshot: lethe_format::ids::SnapshotId::new(taken_at, 5),
        taken_at,
        expires_at: after(retention.keep),
        ceiling_at: after(retention.ceiling),
        fate,
        is_known: true,
    }
}

fn receipt(days_ago: i64, remains: Vec<String>) -> PastPrune {
    let at = ago(days_ago * 24);
    let receipt = Receipt {
        keep: 34,
        ceiling: 35,
        tells_history: true,
        removed_snapshots: vec![lethe_format::ids::SnapshotId::new(ago(days_ago * 24 + 34 * 24), 5); 4],
        removed_abandoned: Vec::new(),
        removed_objects: 1_204,
        removed_chunks: 1_192,
        removed_bytes: 123_456_789,
        aborted_uploads: 0,
        removed_ledger_bodies: 2,
        spared_snapshots: Vec::new(),
        staying_snapshots: 136,
        oldest_snapshot: Some(ago(days_ago * 24 + 33 * 24)),
        listed_objects: 40_123,
        oldest_object: Some(ago(days_ago * 24 + 34 * 24 - 3)),
        left: remains.clone(),
        remains,
    };
    PastPrune { report: id(days_ago * 24), at, receipt }
}

fn retained(snapshots: Vec<Verdict>, holds: Vec<holds::Listed>, remains: Vec<Remains>) -> Retained {
    let going: Vec<Verdict> = snapshots.iter().filter(|one| one.fate.goes()).cloned().collect();
    Retained {
        at: now(),
        keep: 34,
        ceiling: 35,
        next: PlanSummary {
            at: now(),
            staying: snapshots.len() - going.len(),
            going,
            oldest: None,
            objects: 1_204,
            chunks: 1_192,
            uploads: 1,
            bytes: 123_456_789,
            unclear_chunks: 0,
            remains,
            ledger: ExpiryPlan::default(),
        },
        snapshots,
        holds,
        prunes: (0..5).map(|day| receipt(day, Vec::new())).collect(),
        unreadable: Vec::new(),
    }
}

pub(super) fn retention() -> Report {
    let snapshots: Vec<Verdict> = (0..136).rev().map(|number| verdict(number * 6 + 1, Fate::Kept)).collect();
    report(Facts::Retention(retained(snapshots, Vec::new(), Vec::new())))
}

/// With every fate, a hold, something beyond the ceiling and more rows than a page shows.
pub(super) fn bad_retention() -> Report {
    let until = ago(-2_000);
    let mut snapshots = vec![
        verdict(90 * 24, Fate::Held { until }),
        verdict(36 * 24, Fate::Last),
        verdict(34 * 24 + 12, Fate::Leased { until: ago(-2) }),
        verdict(34 * 24 + 6, Fate::Expired),
        verdict(34 * 24 + 5, Fate::Abandoned),
    ];
    snapshots.extend((0..800).rev().map(|hour| verdict(hour + 1, Fate::Kept)));
    snapshots.push(verdict(0, Fate::Unfinished));
    let hold = Hold {
        version: 1,
        repository: "00".to_owned(),
        id: id(2_000),
        snapshot: snapshots[0].snapshot.clone(),
        at: ago(2_000),
        until,
        reason: HOSTILE.to_owned(),
        approved_by: HOSTILE.to_owned(),
    };
    let ended = Hold { id: id(2_500), until: ago(100), ..hold.clone() };
    let holds =
        vec![holds::Listed { hold: ended, is_active: false }, holds::Listed { hold, is_active: true }];
    let remains =
        vec![Remains { what: HOSTILE.to_owned(), why: HOSTILE.to_owned(), hint: HOSTILE.to_owned() }];
    let mut facts = retained(snapshots, holds, remains);
    facts.prunes.insert(0, receipt(0, vec![HOSTILE.to_owned()]));
    facts.unreadable.push(id(900));
    report(Facts::Retention(facts))
}

/// Nothing is wrong, and something is old all the same.
pub(super) fn held_retention() -> Report {
    let snapshots = vec![verdict(90 * 24, Fate::Held { until: ago(-2_000) }), verdict(5, Fate::Kept)];
    report(Facts::Retention(retained(snapshots, Vec::new(), Vec::new())))
}

pub(super) fn empty_retention() -> Report {
    let mut facts = retained(Vec::new(), Vec::new(), Vec::new());
    facts.prunes.clear();
    report(Facts::Retention(facts))
}

fn placed(
    profile: Profile,
    stores: Vec<StoreSeen>,
    targets: Vec<TargetSeen>,
    findings: Vec<Finding>,
) -> Report {
    let allowed = profile.allowed().collect();
    let profile = profile.to_string();
    let facts = Facts::Residency(Placed { profile, allowed, stores, targets, findings });
    Report { repository: None, ..report(facts) }
}

fn store(purpose: StoreUse, place: Option<&'static str>) -> StoreSeen {
    StoreSeen { purpose, url: format!("s3://kopier/{HOSTILE}"), answered: true, place }
}

pub(super) fn residency() -> Report {
    let stores = vec![
        store(StoreUse::Store, Some("eu-central-1")),
        store(StoreUse::Ledger, Some("eu-central-1")),
        store(StoreUse::Second, Some("fsn1")),
    ];
    let target = |host: &str, place: &str, purpose| TargetSeen {
        host: host.to_owned(),
        place: place.to_owned(),
        purpose,
        allowed: true,
    };
    let targets = vec![
        target("ny-db.eksempel", "fsn1", TargetLabel::production()),
        target("prøve.eksempel", "nbg1", TargetLabel::staging()),
    ];
    placed(Profile::De, stores, targets, Vec::new())
}

pub(super) fn bad_residency() -> Report {
    let stores = vec![
        store(StoreUse::Store, None),
        StoreSeen { answered: false, ..store(StoreUse::SecondLedger, None) },
    ];
    let mut targets: Vec<TargetSeen> = PLACES
        .iter()
        .map(|place| TargetSeen {
            host: HOSTILE.to_owned(),
            place: place.code.to_owned(),
            purpose: TargetLabel::drill(),
            allowed: place.is_allowed(Profile::Eu),
        })
        .collect();
    targets.push(TargetSeen { host: "x".to_owned(), place: HOSTILE.to_owned(), ..targets[0].clone() });
    let findings = vec![
        Finding::Elsewhere(HOSTILE.to_owned()),
        Finding::Unknown(HOSTILE.to_owned()),
        Finding::Other(format!("{HOSTILE}: the public access block is not on in all of its four parts")),
    ];
    placed(Profile::Eu, stores, targets, findings)
}
