//! `LETHE_SEED=n` replays one world, `LETHE_DAYS=n` lives as many days in all as are wanted.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was seen, and the seed that replays a failure"
)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use lethe_engine::ledger::LastSeen;
use lethe_engine::prune::{self, PruneOptions};
use lethe_engine::{Error, Repository, holds, leases, reports};
use lethe_format::layout;
use lethe_format::report::ReportKind;
use lethe_store::{ObjectName, ObjectStore as _, S3Store};
use lethe_testkit::s3::{Misbehaviour, S3Server};
use lethe_tests::memory_store::MemoryStore;
use lethe_tests::retention::{RetentionWorld, SeenInYear, store_snapshot, try_store_manifest};
use lethe_tests::s3_settings::s3_settings;
use lethe_tests::world::World;

/// Of one world in a normal run; the first lives for a year.
const DAYS_OF_ONE: i64 = 120;
const YEAR: i64 = 365;
const DAYS: i64 = YEAR + 8 * DAYS_OF_ONE;

#[test]
fn a_year_of_backups_keeps_every_promise() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<i64>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let worlds = (number("LETHE_DAYS").unwrap_or(DAYS) - YEAR).max(0) / DAYS_OF_ONE + 1;
    let seeds: Vec<i64> = number("LETHE_SEED").map_or_else(|| (0..worlds).collect(), |seed| vec![seed]);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut total = SeenInYear::default();
    std::thread::scope(|scope| {
        let shares = (0..threads).map(|thread| {
            let seeds: Vec<i64> = seeds.iter().copied().skip(thread).step_by(threads).collect();
            scope.spawn(move || share(&seeds))
        });
        for share in shares.collect::<Vec<_>>() {
            total.add(share.join().expect("a seed was printed above"));
        }
    });
    println!("{total:?}");
    if seeds.len() > 5 {
        for (what, count) in [
            ("removed snapshots", total.removed_snapshots),
            ("removed chunks", total.removed_chunks),
            ("chunks that snapshots share", total.shared_chunks),
            ("crashes", total.crashes),
            ("flows at once", total.at_once),
            ("snapshots beyond the ceiling that are held", total.held),
            ("expired snapshots that a lease kept", total.leased),
            ("alarms", total.alarms),
            ("discarded last snapshots", total.discarded),
            ("wrong clocks", total.wrong_clocks),
            ("snapshots that took too long", total.took_too_long),
            ("people who are gone", total.gone_people),
        ] {
            assert!(count > 0, "the simulation never reached {what}");
        }
    }
}

fn share(seeds: &[i64]) -> SeenInYear {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut total = SeenInYear::default();
    for seed in seeds {
        let guard = PrintOnPanic(*seed);
        runtime.block_on(async {
            let mut world = RetentionWorld::new(seed.unsigned_abs()).await;
            world.run(if *seed == 0 { YEAR } else { DAYS_OF_ONE }).await;
            total.add(world.seen);
        });
        std::mem::forget(guard);
    }
    total
}

/// Tells which world to replay.
struct PrintOnPanic(i64);

impl Drop for PrintOnPanic {
    fn drop(&mut self) {
        eprintln!("replay with LETHE_SEED={}", self.0);
    }
}

/// A bucket that keeps versions, with all that may lie around in one: 45 days, a snapshot and a prune every five.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_older_than_35_days_is_left_in_any_version() {
    for refuses_batches in [false, true] {
        let s3 = S3Server::start().await;
        s3.create_versioned_bucket("backups");
        if refuses_batches {
            s3.misbehave(Misbehaviour::RefusesDeleteObjects);
        }
        let settings = s3_settings(&s3);
        let store = Arc::new(S3Store::connect("backups", "main", &settings).await.expect("connect"));
        let mut world = World::new().await;
        world.repository = World::repository(store.clone()).await;
        world.server.sql(
            "source",
            "CREATE TABLE users (id int PRIMARY KEY, name text);
             INSERT INTO users SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 2000) i",
        );
        let begun = Timestamp::now();
        let system =
            |at: Timestamp| SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millisecond() as u64);
        let name = |text: &str| ObjectName::new(text).expect("a name");
        let options = PruneOptions::default();
        for day in (0..45).step_by(5) {
            let now = begun + SignedDuration::from_hours(24 * day);
            s3.set_clock(system(now));
            world.server.sql("source", &format!("UPDATE users SET name = name || 'x' WHERE id % 45 = {day}"));
            world.snapshot_at(now).await.expect("snapshot");
            if day == 5 {
                // A snapshot that was not finished, an upload that was not, and what somebody did by hand.
                let chunk = format!("chunks/ab/{}-{}.zst.age", "ab".repeat(32), "cd".repeat(8));
                store.put(&name(&chunk), "one".into()).await.expect("put");
                store.put(&name(&chunk), "another".into()).await.expect("put");
                store.delete(&name(&chunk)).await.expect("delete");
                store.put(&name("snapshots/20250101T000000Z-000000/chunks"), "?".into()).await.expect("put");
                s3.leave_upload("backups", "main/chunks/unfinished", system(now));
            }
            let plan = prune::plan(&world.repository, &options, now).await.expect("plan");
            let done = prune::carry_out(&world.repository, &plan, &options, &world.last_seen(), now).await;
            let (id, receipt) = done.expect("prune");
            assert!(receipt.tells_history && receipt.left.is_empty(), "{receipt:?}");
            let read = reports::read::<prune::Receipt>(&world.repository, ReportKind::Prune, &id).await;
            assert_eq!(read.expect("a receipt").content, receipt);
            let limit = system(now - SignedDuration::from_hours(24 * 35));
            let stays = ["main/ledger/", "main/keys/", "main/reports/", "main/repository.json"];
            let data = |key: &str| !stays.iter().any(|prefix| key.starts_with(prefix));
            let history = s3.history("backups");
            let old: Vec<_> = history.iter().filter(|(key, at)| data(key) && *at < limit).collect();
            // A chunk lives for as long as a snapshot names it; here every update changes the one that there is.
            assert!(old.is_empty(), "day {day}: {old:?}");
            assert!(day < 10 || s3.uploads("backups").is_empty());
        }
        assert!(s3.history("backups").iter().all(|(key, _)| !key.contains("/ab/abab")));
        assert_eq!(s3.calls("DeleteObjects") > 0, !refuses_batches);
        let report =
            world.restore(&world.server, &format!("restored_{refuses_batches}")).await.expect("restore");
        assert_eq!(report.rows.loaded, 2000);
        // Backups stop. Nobody deletes the last one, and nobody keeps it silently.
        let now = begun + SignedDuration::from_hours(24 * 80);
        s3.set_clock(system(now));
        let plan = prune::plan(&world.repository, &options, now).await.expect("plan");
        let done = prune::carry_out(&world.repository, &plan, &options, &world.last_seen(), now).await;
        let Err(Error::Ceiling { remains }) = done else { panic!("{done:?}") };
        assert_eq!(remains.len(), 1, "{remains:?}");
        world.restore(&world.server, &format!("last_{refuses_batches}")).await.expect("restore the last one");
    }
}

/// A repository with a snapshot that has expired and one that has not, and what a pruner planned to do about it.
struct Planned {
    store: MemoryStore,
    repository: Repository,
    now: Timestamp,
    plan: prune::PrunePlan,
    old: lethe_format::ids::SnapshotId,
    old_chunks: Vec<lethe_format::manifest::Chunk>,
    young: lethe_format::ids::SnapshotId,
    folder: tempfile::TempDir,
}

impl Planned {
    async fn new() -> Self {
        let store = MemoryStore::default();
        let begun: Timestamp = "2026-11-23T00:00:00Z".parse().expect("a time");
        let at = |hours: i64| begun + SignedDuration::from_hours(hours);
        let set = |now: Timestamp| {
            store.set_clock(SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_second().unsigned_abs()));
        };
        set(begun);
        let repository = World::repository(Arc::new(store.clone())).await;
        let (old, old_chunks) = store_snapshot(&repository, begun, &["a", "b"]).await;
        set(at(30 * 24));
        let (young, _) = store_snapshot(&repository, at(30 * 24), &["b", "c"]).await;
        // Half a day after the first has expired, and half a day before the ceiling.
        let now = at(34 * 24 + 12);
        set(now);
        let plan = prune::plan(&repository, &PruneOptions::default(), now).await.expect("plan");
        assert_eq!(plan.stored.removals.manifests.len(), 1);
        assert_eq!(plan.stored.removals.chunks.len(), 1, "b is shared");
        let folder = tempfile::tempdir().expect("a folder");
        Self { store, repository, now, plan, old, old_chunks, young, folder }
    }

    async fn carry_out(&self) -> prune::Receipt {
        let last_seen = LastSeen::new(self.folder.path(), self.repository.id());
        let options = PruneOptions::default();
        let done = prune::carry_out(&self.repository, &self.plan, &options, &last_seen, self.now).await;
        done.expect("carry out").1
    }

    fn has(&self, name: &str) -> bool {
        self.store.dated().iter().any(|(found, ..)| found == name)
    }

    /// Whether all of the old snapshot is there.
    fn has_old(&self) -> bool {
        let chunks = self.old_chunks.iter().map(|chunk| layout::chunk(&chunk.name, &chunk.upload));
        let documents =
            [layout::manifest(&self.old), layout::chunk_index(&self.old), layout::schema(&self.old)];
        chunks.chain(documents).all(|name| self.has(&name))
    }
}

#[tokio::test]
async fn what_was_planned_is_done() {
    let planned = Planned::new().await;
    let receipt = planned.carry_out().await;
    assert_eq!(receipt.removed_snapshots, std::slice::from_ref(&planned.old));
    assert_eq!((receipt.removed_objects, receipt.removed_chunks), (4, 1));
    assert!(!planned.has_old() && planned.has(&layout::manifest(&planned.young)));
    assert!(!planned.has(&layout::chunk_index(&planned.old)));
    assert!(planned.has(&layout::chunk(&planned.old_chunks[1].name, &planned.old_chunks[1].upload)));
}

#[tokio::test]
async fn a_lease_that_came_after_the_plan_counts() {
    let planned = Planned::new().await;
    let receipt = leases::during(&planned.repository, &planned.old, planned.carry_out()).await;
    assert_eq!(receipt.spared_snapshots, std::slice::from_ref(&planned.old));
    assert!(planned.has_old());
}

#[tokio::test]
async fn a_hold_that_came_after_the_plan_counts() {
    let planned = Planned::new().await;
    let until = planned.now + SignedDuration::from_hours(24 * 100);
    holds::add(&planned.repository, &planned.old, until, "an order", "legal", planned.now)
        .await
        .expect("hold");
    let receipt = planned.carry_out().await;
    assert_eq!(receipt.spared_snapshots, std::slice::from_ref(&planned.old));
    assert!(planned.has_old());
}

#[tokio::test]
async fn one_that_became_the_last_after_the_plan_stays() {
    let planned = Planned::new().await;
    let name = ObjectName::new(layout::manifest(&planned.young)).expect("a name");
    planned.store.delete(&name).await.expect("delete");
    let receipt = planned.carry_out().await;
    assert_eq!(receipt.spared_snapshots, std::slice::from_ref(&planned.old));
    assert!(planned.has_old());
}

#[tokio::test]
async fn chunks_of_a_snapshot_that_came_after_the_plan_stay() {
    let planned = Planned::new().await;
    let new = try_store_manifest(&planned.repository, planned.now, planned.old_chunks.clone()).await;
    let new = new.expect("commit");
    let receipt = planned.carry_out().await;
    assert_eq!((receipt.removed_snapshots.len(), receipt.removed_chunks), (1, 0));
    assert!(planned.has(&layout::manifest(&new)));
    for chunk in &planned.old_chunks {
        assert!(planned.has(&layout::chunk(&chunk.name, &chunk.upload)));
    }
}

#[tokio::test]
async fn a_snapshot_of_which_something_vanished_is_not_published() {
    let planned = Planned::new().await;
    planned.carry_out().await;
    let refused = try_store_manifest(&planned.repository, planned.now, planned.old_chunks.clone()).await;
    assert!(matches!(refused, Err(Error::Vanished { count: 1, .. })), "{refused:?}");
    assert!(!planned.has(&layout::manifest(&lethe_format::ids::SnapshotId::new(planned.now, 1))));
}
