use lethe_format::ids::{Digest, UploadId};
use lethe_format::manifest::LedgerWindow;

use std::collections::BTreeMap;

use super::super::inventory::{ChunkSet, Note, Part, Record, Upload};
use super::*;

const DAY: i64 = 86_400;
/// The day on which everything is looked at.
const TODAY: i64 = 100;

fn day(day: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + day * DAY).expect("a time")
}

fn copy(modified: Timestamp) -> Copy {
    Copy { version: None, len: 10, modified, is_current: true, is_mark: false }
}

fn chunk(number: u8) -> ChunkKey {
    (Digest::of(&[number]), UploadId::from_bytes([0; 8]))
}

fn id(number: i64) -> SnapshotId {
    SnapshotId::new(day(number), 0)
}

/// A snapshot that was taken on a day and is whole, once it is put into an inventory.
fn snapshot(taken: i64, chunks: &[u8]) -> Snapshot {
    let part = |part| Part { part, copy: copy(day(taken)) };
    Snapshot {
        id: id(taken),
        parts: [SnapshotPart::Schema, SnapshotPart::Index, SnapshotPart::Manifest].map(part).to_vec(),
        record: Some(Record {
            started_at: day(taken),
            ledger: LedgerWindow { before: 0, after: 0 },
            chunks: chunks.iter().map(|number| u32::from(*number)).collect(),
            missing: 0,
        }),
    }
}

fn inventory(mut snapshots: Vec<Snapshot>, chunks: &[(u8, i64)]) -> Inventory {
    let stored: BTreeMap<_, _> =
        chunks.iter().map(|(number, at)| (chunk(*number), vec![copy(day(*at))])).collect();
    let chunks = ChunkSet::new(stored);
    for record in snapshots.iter_mut().filter_map(|snapshot| snapshot.record.as_mut()) {
        let named: Vec<ChunkKey> = record.chunks.iter().map(|number| chunk(number as u8)).collect();
        (record.chunks, record.missing) = chunks.positions(named.into_iter());
    }
    Inventory {
        now: day(TODAY),
        snapshots,
        chunks,
        holds: Vec::new(),
        leases: Vec::new(),
        notes: Vec::new(),
        uploads: Vec::new(),
        discard: BTreeSet::new(),
    }
}

fn decide(inventory: &Inventory) -> PrunePlan {
    plan(inventory, &Retention::default())
}

fn fates(plan: &PrunePlan) -> Vec<Fate> {
    plan.snapshots.iter().map(|verdict| verdict.fate.clone()).collect()
}

fn gone_chunks(plan: &PrunePlan) -> Vec<ChunkKey> {
    plan.removals.chunks.iter().map(|(key, _)| *key).collect()
}

#[test]
fn what_is_34_days_old_goes_with_what_only_it_names() {
    let inventory = inventory(
        vec![snapshot(66, &[1, 2]), snapshot(67, &[2, 3]), snapshot(99, &[3])],
        &[(1, 66), (2, 66), (3, 67)],
    );
    let plan = decide(&inventory);
    assert_eq!(fates(&plan), [Fate::Expired, Fate::Kept, Fate::Kept]);
    assert_eq!(gone_chunks(&plan), [chunk(1)]);
    assert_eq!(plan.removals.manifests.len(), 1);
    assert_eq!(plan.removals.documents.len(), 2);
    assert!(plan.remains.is_empty());
}

#[test]
fn a_record_and_the_store_cannot_make_each_other_younger() {
    // A record of the future, and one that a store's date contradicts: the earlier one counts.
    let mut future = snapshot(66, &[]);
    future.record.as_mut().expect("a record").started_at = day(200);
    let mut copied = snapshot(99, &[]);
    copied.record.as_mut().expect("a record").started_at = day(60);
    let plan = decide(&inventory(vec![future, copied, snapshot(98, &[])], &[]));
    assert_eq!(fates(&plan), [Fate::Expired, Fate::Expired, Fate::Kept]);
}

#[test]
fn names_decide_nothing() {
    let mut young = snapshot(99, &[]);
    young.id = id(1);
    let mut old = snapshot(1, &[]);
    old.id = id(99);
    let plan = decide(&inventory(vec![young, old], &[]));
    assert_eq!(fates(&plan), [Fate::Expired, Fate::Kept]);
}

#[test]
fn a_lease_counts_until_the_ceiling_and_a_hold_until_its_end() {
    let (soon, past) = (day(TODAY) + SignedDuration::from_hours(1), day(TODAY));
    for (taken, leased, held, expected) in [
        (66, None, None, Fate::Expired),
        (66, Some(soon), None, Fate::Leased { until: soon }),
        (66, Some(past), None, Fate::Expired),
        (65, Some(soon), None, Fate::Expired),
        (65, None, Some(soon), Fate::Held { until: soon }),
        (65, None, Some(past), Fate::Expired),
    ] {
        let mut inventory = inventory(vec![snapshot(taken, &[1]), snapshot(99, &[])], &[(1, taken)]);
        let snapshot = id(taken);
        inventory.leases.extend(leased.map(|until| Leased { snapshot: snapshot.clone(), until }));
        inventory.holds.extend(held.map(|until| Holding { snapshot: snapshot.clone(), until }));
        let plan = decide(&inventory);
        assert_eq!(plan.snapshots[0].fate, expected, "{taken} {leased:?} {held:?}");
        assert_eq!(gone_chunks(&plan).is_empty(), !expected.goes());
    }
}

#[test]
fn the_last_one_stays_and_is_an_alarm_from_the_ceiling_on() {
    for (taken, alarms) in [(66, 0), (65, 1)] {
        let mut inventory =
            inventory(vec![snapshot(taken - 1, &[1]), snapshot(taken, &[2])], &[(1, 60), (2, 60)]);
        let plan = decide(&inventory);
        assert_eq!(fates(&plan), [Fate::Expired, Fate::Last]);
        assert_eq!((gone_chunks(&plan), plan.remains.len()), (vec![chunk(1)], alarms));
        inventory.discard.insert(id(taken));
        let plan = decide(&inventory);
        assert_eq!((fates(&plan), plan.remains.len()), (vec![Fate::Expired, Fate::Expired], 0));
    }
}

#[test]
fn one_that_lacks_a_chunk_is_none_to_restore_from() {
    let plan =
        decide(&inventory(vec![snapshot(60, &[]), snapshot(61, &[1]), snapshot(99, &[2])], &[(1, 61)]));
    assert_eq!(fates(&plan), [Fate::Expired, Fate::Last, Fate::Kept]);
    assert_eq!(plan.remains.len(), 1);
}

#[test]
fn what_never_got_a_manifest_goes_after_the_grace_period() {
    let without_manifest = |taken| {
        let mut snapshot = snapshot(taken, &[]);
        snapshot.parts.retain(|part| part.part != SnapshotPart::Manifest);
        snapshot
    };
    let plan = decide(&inventory(
        vec![snapshot(96, &[]), without_manifest(97), without_manifest(98)],
        &[(1, 97), (2, 98)],
    ));
    assert_eq!(fates(&plan), [Fate::Kept, Fate::Abandoned, Fate::Unfinished]);
    assert_eq!(gone_chunks(&plan), [chunk(1)]);
}

#[test]
fn a_manifest_that_a_delete_mark_hides_still_keeps_its_snapshot() {
    let mut hidden = snapshot(90, &[1]);
    for part in &mut hidden.parts {
        part.copy.is_current = false;
    }
    let mark = Copy { is_mark: true, len: 0, ..copy(day(91)) };
    hidden.parts.push(Part { part: SnapshotPart::Manifest, copy: mark });
    let plan = decide(&inventory(vec![hidden, snapshot(99, &[])], &[(1, 90)]));
    assert_eq!(fates(&plan), [Fate::Kept, Fate::Kept]);
    assert!(plan.removals.is_empty());
}

#[test]
fn an_index_that_cannot_be_read_keeps_every_chunk_and_is_an_alarm() {
    let mut unreadable = snapshot(90, &[]);
    unreadable.record = None;
    let mut inventory = inventory(vec![unreadable, snapshot(99, &[])], &[(1, 64), (2, 80)]);
    let plan = decide(&inventory);
    assert_eq!((plan.removals.chunks.len(), plan.unclear_chunks, plan.remains.len()), (0, 2, 1));
    assert!(plan.remains[0].why.contains(id(90).as_str()));
    inventory.discard.insert(id(90));
    let plan = decide(&inventory);
    assert_eq!((plan.removals.chunks.len(), plan.unclear_chunks, plan.remains.len()), (2, 0, 0));
    // One that can be read is not let go by name before its time.
    inventory.discard.insert(id(99));
    assert_eq!(decide(&inventory).snapshots[1].fate, Fate::Kept);
}

#[test]
fn every_version_goes_and_the_rest_that_is_old() {
    let mut inventory = inventory(vec![snapshot(99, &[])], &[]);
    let older = Copy { version: Some("x".to_owned()), is_current: false, ..copy(day(59)) };
    inventory.chunks = ChunkSet::new(BTreeMap::from([(chunk(1), vec![copy(day(60)), older])]));
    inventory.uploads = [96, 98]
        .map(|at| Upload { name: format!("chunks/{at}"), id: "u".to_owned(), begun: day(at) })
        .to_vec();
    inventory.notes = [(Some(96), 90), (Some(98), 90), (None, 96), (None, 98)]
        .map(|(until, written)| Note {
            name: format!("holds/{until:?}-{written}"),
            copies: vec![copy(day(written))],
            until: until.map(day),
        })
        .to_vec();
    let plan = decide(&inventory);
    assert_eq!(plan.removals.chunks.len(), 2);
    assert_eq!(plan.removals.uploads, [("chunks/96".to_owned(), "u".to_owned())]);
    let notes: Vec<&str> = plan.removals.notes.iter().map(|note| note.name.as_str()).collect();
    assert_eq!(notes, ["holds/Some(96)-90", "holds/None-96"]);
    assert_eq!(plan.removals.bytes(), 40);
}

#[test]
fn clocks_agree_within_five_minutes_and_the_earlier_counts() {
    let (one, other) = (day(0), day(0) + SignedDuration::from_mins(5));
    assert_eq!(super::super::agreed_now(one, other), Ok(one));
    assert_eq!(super::super::agreed_now(other, one), Ok(one));
    let far = other + SignedDuration::from_secs(1);
    assert!(super::super::agreed_now(one, far).is_err());
    assert!(super::super::agreed_now(far, one).is_err());
}

#[test]
fn chunks_of_one_that_is_about_to_go_are_not_shared() {
    let retention = Retention::default();
    assert!(retention.may_be_shared(day(TODAY - 30), day(TODAY)));
    assert!(!retention.may_be_shared(day(TODAY - 31), day(TODAY)));
    assert!(retention.longest_snapshot() < retention.grace);
}
