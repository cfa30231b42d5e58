use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use lethe_engine::prune::{self, PruneOptions, Receipt};
use lethe_engine::{Error, holds};
use lethe_format::ids::SnapshotId;
use lethe_format::layout;
use lethe_store::{ObjectName, ObjectStore as _, S3Store};
use lethe_testkit::s3::S3Server;
use lethe_tests::compare::contents;
use lethe_tests::failing_store::{FailingStore, Trouble};
use lethe_tests::oracle;
use lethe_tests::s3_settings::s3_settings;
use lethe_tests::world::World;

use super::{SHOP, Sweep, assert_whole};

/// A bucket in which there is something of everything that a pruner removes or must not remove, behind a store that can fail.
struct Month {
    world: World,
    s3: S3Server,
    store: FailingStore,
    now: Timestamp,
    /// Begun 40 days ago, with a person who was erased and deleted since; its chunks are also those of others, but for some.
    expired: SnapshotId,
    /// Begun 38 days ago. It has expired as well, and somebody answers for it.
    held: SnapshotId,
    /// Begun 20 days ago.
    kept: SnapshotId,
    /// Begun 15 days ago, and without a manifest.
    abandoned: SnapshotId,
    /// What a restore of the one that is kept must give.
    expected: String,
}

const DATA: &str = "main/";

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millisecond().unsigned_abs())
}

impl Month {
    async fn new() -> Self {
        let s3 = S3Server::start().await;
        s3.create_versioned_bucket("backups");
        let settings = s3_settings(&s3);
        let bucket = Arc::new(S3Store::connect("backups", "main", &settings).await.expect("connect"));
        let store = FailingStore::new(bucket.clone());
        let now = Timestamp::now();
        let at = |day: i64| {
            let at = now - SignedDuration::from_hours(24 * day);
            s3.set_clock(system_time(at));
            at
        };
        at(41);
        let mut world = World::new().await;
        world.repository = World::repository(Arc::new(store.clone())).await;
        world.server.sql("source", SHOP);
        world
            .server
            .sql("source", "CREATE TABLE place AS SELECT i, md5(i::text) FROM generate_series(1, 500) i");
        let change = || world.server.sql("source", "UPDATE person SET name = name || '!' WHERE id = 100");

        let expired = world.snapshot_at(at(40)).await.expect("snapshot").snapshot;
        at(39);
        world.erase_integers("person", [5]).await;
        world.server.sql("source", "DELETE FROM person WHERE id = 5");
        let held = world.snapshot_at(at(38)).await.expect("snapshot").snapshot;
        let hold = async |snapshot, from: i64, until: i64| {
            let (from, until) = (at(from), now - SignedDuration::from_hours(24 * until));
            holds::add(&world.repository, snapshot, until, "an order", "legal", from).await.expect("hold");
        };
        hold(&held, 37, -100).await;
        hold(&expired, 36, 30).await;

        change();
        let stats = world.snapshot_at(at(20)).await.expect("snapshot");
        assert!((1..stats.chunks).contains(&stats.reused_chunks), "{stats:?}");
        let kept = stats.snapshot;
        oracle::delete(&world.server, "source", "oracle", "DELETE FROM person WHERE id = 77")
            .expect("delete");
        world.server.sql("oracle", "REFRESH MATERIALIZED VIEW sums");
        let expected = contents(&world.server, "oracle");

        change();
        let abandoned = world.snapshot_at(at(15)).await.expect("snapshot").snapshot;
        let manifest = ObjectName::new(layout::manifest(&abandoned)).expect("a name");
        for version in bucket.versions(manifest.as_str()).await.expect("list").expect("it keeps history") {
            bucket.delete_version(&manifest, &version.version).await.expect("delete");
        }
        s3.leave_upload("backups", "main/chunks/unfinished", system_time(at(14)));
        // Somebody deleted a document by hand, which hides it and removes nothing.
        let schema = ObjectName::new(layout::schema(&abandoned)).expect("a name");
        bucket.delete(&schema).await.expect("delete");
        at(10);
        world.erase_integers("person", [77]).await;
        at(0);
        s3.copy_bucket("backups", "saved");
        Self { world, s3, store, now, expired, held, kept, abandoned, expected }
    }

    /// Takes everything back.
    fn start_over(&self) {
        let state = self.world.folder.path().join("state");
        if state.exists() {
            std::fs::remove_dir_all(state).expect("forget the ledger");
        }
        self.s3.copy_bucket("saved", "backups");
    }

    async fn prune(&self) -> Result<Receipt, Error> {
        let options = PruneOptions::default();
        let plan = prune::plan(&self.world.repository, &options, self.now).await?;
        let last_seen = self.world.last_seen();
        let done = prune::carry_out(&self.world.repository, &plan, &options, &last_seen, self.now).await?;
        Ok(done.1)
    }

    /// Every version and mark of what snapshots and the ledger consist of, and unfinished uploads. Headers of the ledger stay for
    /// ever, and so do reports; a lease of the restore that was just made may be there.
    fn stored(&self) -> Vec<String> {
        let counts = |name: &String| {
            let name = name.strip_prefix(DATA).expect("the repository's");
            let header = name.starts_with(layout::LEDGER) && !name.ends_with(".body.age");
            !header && !name.starts_with("reports/") && !name.starts_with(layout::LEASES)
        };
        let history = self.s3.history("backups").into_iter().map(|(name, _)| name);
        history.filter(counts).chain(self.s3.uploads("backups")).collect()
    }

    /// What an untouched prune leaves, after a look at whether that is right.
    async fn left(&self) -> Vec<String> {
        let receipt = self.prune().await.expect("prune");
        assert_eq!(receipt.removed_snapshots, std::slice::from_ref(&self.expired));
        assert_eq!(receipt.removed_abandoned, std::slice::from_ref(&self.abandoned));
        assert_eq!((receipt.aborted_uploads, receipt.removed_ledger_bodies), (1, 1));
        let stored = self.stored();
        let is_there = |name: String| stored.contains(&format!("{DATA}{name}"));
        for (snapshot, stays) in
            [(&self.expired, false), (&self.held, true), (&self.kept, true), (&self.abandoned, false)]
        {
            for name in [layout::manifest(snapshot), layout::chunk_index(snapshot), layout::schema(snapshot)]
            {
                assert_eq!(is_there(name.clone()), stays, "{name}");
            }
        }
        assert_eq!(self.s3.uploads("backups").len(), 0);
        let distinct: BTreeSet<&String> = stored.iter().collect();
        assert_eq!(distinct.len(), stored.len(), "one version of each");
        let in_part =
            |part: &str| stored.iter().filter(|name| name.starts_with(&format!("{DATA}{part}"))).count();
        assert_eq!((in_part(layout::LEDGER), in_part(layout::HOLDS)), (1, 1));
        stored
    }

    async fn assert_restores(&self, database: &str, what: &str) {
        let restored = self.world.restore(&self.world.server, database).await;
        restored.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let found = contents(&self.world.server, database);
        assert!(found == self.expected, "{what}: {database} differs from the oracle");
        self.world.server.sql("postgres", &format!("DROP DATABASE {database}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_survives_every_operation_of_the_store() {
    let month = Month::new().await;
    let left = month.left().await;
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for (trouble, samples) in
        [(Trouble::Error, 6), (Trouble::LostAnswer, 6), (Trouble::WrongByte, 3), (Trouble::Truncated, 2)]
    {
        month.start_over();
        month.store.fail_at(u64::MAX, trouble);
        month.prune().await.expect("prune");
        let steps = month.store.operations();
        for number in Sweep::numbers(steps, samples) {
            let what = format!("{trouble:?} at {number} of {steps}");
            month.start_over();
            month.store.fail_at(number, trouble);
            let result = month.prune().await;
            let untouched = month.store.heal();
            assert_eq!(untouched, number == steps, "{what}");
            assert!(!untouched || result.is_ok(), "{what}: nothing failed, and yet: {result:?}");
            let outcome = if result.is_ok() { "went on" } else { "failed" };
            *outcomes.entry(format!("{trouble:?}: {outcome}")).or_default() += 1;
            assert_whole(&month.world, true, &what).await;
            month.assert_restores("restored", &what).await;
            month.prune().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(month.stored(), left, "{what}");
        }
    }
    println!("prune, store: {outcomes:?}");
}
