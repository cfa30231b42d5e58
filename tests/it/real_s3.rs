//! Data in a versioned bucket and the ledger in one that was never versioned, on a real server.
#![allow(clippy::print_stdout, reason = "what came and went belongs to the result")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lethe_engine::ExitCode;
use lethe_engine::progress::Progress;
use lethe_engine::prune::{self, PruneOptions};
use lethe_engine::residency::Residency;
use lethe_engine::verify::{Part, VerifyOptions, verify};
use lethe_format::layout;
use lethe_rules::retention::Retention;
use lethe_rules::store_fitness::Use;
use lethe_store::{Checksums, ObjectName, RetryPolicy, S3Settings, VersionInfo};
use lethe_tests::compare::assert_same_rows;
use lethe_tests::oracle;
use lethe_tests::world::World;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: make test-s3"))
}

fn settings() -> S3Settings {
    S3Settings {
        region: Some(variable("LETHE_TEST_S3_REGION")),
        endpoint: Some(variable("LETHE_TEST_S3_ENDPOINT")),
        path_style: true,
        checksums: Checksums::WhenRequired,
        ..S3Settings::default()
    }
}

/// `deploy/iam/bucket-policy-ceph.json`: not even the bucket's owner deletes an entry, and everything else goes on.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: make test-s3"]
async fn real_s3_guards_the_ledger_by_its_policy() {
    let url = format!("s3://{}/guarded", variable("LETHE_TEST_S3_GUARDED_BUCKET"));
    let (residency, settings) = (Residency::default(), settings());
    let opened = residency.open_store(&url, &settings, RetryPolicy::default(), Use::Ledger).await;
    let (store, _) = opened.expect("open");
    let mut world = World::new().await;
    world.repository = World::try_repository(store.clone(), store.clone()).await.expect("create");
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 100)",
    );
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", 1..=10).await;
    for entry in ["00000000000000000000", "00000000000000000001"] {
        let name = ObjectName::new(format!("ledger/{entry}")).expect("a name");
        let denied = store.delete(&name).await.expect_err("it is guarded");
        assert!(matches!(denied, lethe_store::Error::Denied { .. }), "{denied}");
        assert!(store.head(&name).await.expect("look").is_some());
    }
    let report = world.restore(&world.server, "restored").await.expect("restore");
    assert_eq!((report.rows.loaded, report.rows.dropped), (90, 10));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: make test-s3"]
async fn real_s3_keeps_people_erased() {
    let settings = settings();
    let residency = Residency::default();
    let unversioned = variable("LETHE_TEST_S3_BUCKET");
    for (round, data) in [unversioned.clone(), variable("LETHE_TEST_S3_VERSIONED_BUCKET")].iter().enumerate()
    {
        let open = |bucket: &str, part: &str, purpose| {
            let url = format!("s3://{bucket}/whole-{round}/{part}");
            let (residency, settings) = (&residency, &settings);
            async move { residency.open_store(&url, settings, RetryPolicy::default(), purpose).await }
        };
        let (store, _) = open(data, "data", Use::Data).await.expect("data");
        let (ledger, _) = open(&unversioned, "ledger", Use::Ledger).await.expect("ledger");
        let mut world = World::new().await;
        world.repository = World::try_repository(store, ledger).await.expect("create");
        world.server.sql(
            "source",
            "CREATE TABLE users (id int PRIMARY KEY, name text);
             CREATE TABLE orders (id int PRIMARY KEY, buyer int REFERENCES users ON DELETE CASCADE, what text);
             INSERT INTO users SELECT i, 'user ' || md5(i::text) FROM generate_series(1, 5000) i;
             INSERT INTO orders SELECT i, i % 5000 + 1, repeat(md5(i::text), 20) FROM generate_series(1, 40000) i;",
        );
        world.snapshot().await.expect("snapshot");
        world.erase_integers("users", 1..=10).await;
        let report = world.restore(&world.server, "restored").await.expect("restore");
        assert_eq!(report.rows.dropped, 10 + 80);
        oracle::delete(&world.server, "source", "oracle", "DELETE FROM users WHERE id <= 10")
            .expect("delete");
        assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
    }
}

/// The store dates what it is given itself, and refuses nobody's clock but a wrong one. So a day has to pass: it is a second.
const DAY: SignedDuration = SignedDuration::from_secs(1);
const RETENTION: Retention = Retention {
    keep: SignedDuration::from_secs(34 * DAY.as_secs()),
    ceiling: SignedDuration::from_secs(35 * DAY.as_secs()),
    grace: SignedDuration::from_secs(3 * DAY.as_secs()),
};

#[derive(Debug, Default)]
struct Removed {
    snapshots: usize,
    abandoned: usize,
    objects: usize,
    chunks: usize,
    uploads: usize,
    ledger_bodies: usize,
}

impl Removed {
    /// Prunes, and gives the time by which it was decided.
    async fn prune(&mut self, world: &World) -> Timestamp {
        let options = PruneOptions { retention: RETENTION, ..PruneOptions::default() };
        let (now, last_seen) = (Timestamp::now(), world.last_seen());
        let plan = prune::plan(&world.repository, &options, now).await.expect("plan");
        let done = prune::carry_out(&world.repository, &plan, &options, &last_seen, now).await;
        let (_, receipt) = done.expect("prune");
        assert!(receipt.tells_history && receipt.left.is_empty(), "{receipt:?}");
        self.snapshots += receipt.removed_snapshots.len();
        self.abandoned += receipt.removed_abandoned.len();
        self.objects += receipt.removed_objects;
        self.chunks += receipt.removed_chunks;
        self.uploads += receipt.aborted_uploads;
        self.ledger_bodies += receipt.removed_ledger_bodies;
        plan.stored.at
    }
}

/// 45 days, with a snapshot and a prune every third.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: make test-s3"]
async fn real_s3_is_left_by_what_has_expired() {
    let (residency, settings) = (Residency::default(), settings());
    let open = async |bucket: &str, part: &str, purpose| {
        let url = format!("s3://{}/month/{part}", variable(bucket));
        residency.open_store(&url, &settings, RetryPolicy::default(), purpose).await.expect("open").0
    };
    let store = open("LETHE_TEST_S3_VERSIONED_BUCKET", "data", Use::Data).await;
    let ledger = open("LETHE_TEST_S3_BUCKET", "ledger", Use::Ledger).await;
    let uploads =
        async || lethe_store::uploads(store.as_ref(), "").await.expect("list").expect("it knows the call");
    let mut world = World::new().await;
    world.repository = World::try_repository(store.clone(), ledger.clone()).await.expect("create");
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY, name text);
         CREATE TABLE orders (id int PRIMARY KEY, buyer int REFERENCES users ON DELETE CASCADE, what text);
         CREATE TABLE places (id int PRIMARY KEY, name text);
         INSERT INTO users SELECT i, 'user ' || md5(i::text) FROM generate_series(1, 1000) i;
         INSERT INTO orders SELECT i, i % 1000 + 1, repeat(md5(i::text), 20) FROM generate_series(1, 5000) i;
         INSERT INTO places SELECT i, md5(i::text) FROM generate_series(1, 1000) i;",
    );

    // What lies around: an upload that deploy/test-s3/run.sh has begun, a chunk of no snapshot, written twice and deleted, and an
    // index without a manifest.
    assert_eq!(uploads().await.len(), 1, "an unfinished upload");
    let name = |text: &str| ObjectName::new(text).expect("a name");
    let chunk = name(&format!("chunks/ab/{}-{}.zst.age", "ab".repeat(32), "cd".repeat(8)));
    store.put(&chunk, "one".into()).await.expect("put");
    store.put(&chunk, "another".into()).await.expect("put");
    store.delete(&chunk).await.expect("delete");
    store.put(&name("snapshots/20250101T000000Z-000000/chunks"), "?".into()).await.expect("put");

    let (begun, mut rounds, mut removed) = (Instant::now(), 0_u32, Removed::default());
    let day = Duration::try_from(DAY).expect("a duration");
    while begun.elapsed() < 45 * day {
        world.server.sql(
            "source",
            &format!(
                "UPDATE users SET name = name || 'x' WHERE id % 45 = {rounds};
                 UPDATE orders SET what = what || 'x' WHERE id % 45 = {rounds};"
            ),
        );
        world.snapshot().await.expect("snapshot");
        if rounds == 1 {
            world.erase_integers("users", 1..=10).await;
            world.server.sql("source", "DELETE FROM users WHERE id <= 10");
        }
        removed.prune(&world).await;
        rounds += 1;
        tokio::time::sleep((rounds * 3 * day).saturating_sub(begun.elapsed())).await;
    }
    world.erase_integers("users", 11..=20).await;
    let decided_at = removed.prune(&world).await;

    let versions = store.versions("").await.expect("list").expect("it keeps history");
    let below = |prefix: &str| -> Vec<&VersionInfo> {
        versions.iter().filter(|version| version.name.as_str().starts_with(prefix)).collect()
    };
    let is_old = |version: &&&VersionInfo| {
        Timestamp::try_from(version.modified).expect("a time") <= decided_at - RETENTION.keep
    };
    let markers = versions.iter().filter(|version| version.is_delete_marker).count();
    let names: BTreeSet<_> = versions.iter().map(|version| &version.name).collect();
    assert_eq!((markers, names.len()), (0, versions.len()), "each object has one version");
    assert_eq!(uploads().await, []);
    assert_eq!(below(layout::SNAPSHOTS).iter().filter(is_old).count(), 0, "documents of what has expired");
    let options = VerifyOptions { snapshot: None, read_data: Some(Part::WHOLE), jobs: 2, memory: 64 << 20 };
    let report = verify(&world.repository, &options, &world.last_seen(), &Progress::default()).await;
    let report = report.expect("verify");
    assert_eq!(report.exit_code(), ExitCode::Done, "{:?}", report.findings);
    assert_eq!(report.unnamed.expect("all were checked").chunks, 0);
    assert_eq!(below(layout::CHUNKS).len() as u64, report.chunks, "every chunk is some snapshot's");
    assert_eq!(below(layout::CHUNKS).iter().filter(is_old).count(), 1, "the table that never changed");
    assert_eq!(below(layout::SNAPSHOTS).len(), 3 * report.snapshots.len());
    assert_eq!(removed.snapshots + report.snapshots.len(), rounds as usize);
    assert!(removed.snapshots >= 3 && removed.chunks >= 3, "{removed:?}");
    assert_eq!((removed.abandoned, removed.uploads, removed.ledger_bodies), (1, 1, 1));
    let stored = ledger.list_page(layout::LEDGER, None).await.expect("list").infos;
    let bodies = stored.iter().filter(|info| info.name.as_str().ends_with(".body.age")).count();
    assert_eq!(bodies, 1, "the body of those whose rows are still there");
    println!("{rounds} snapshots, {} stay, {} versions; {removed:?}", report.snapshots.len(), versions.len());

    world.restore(&world.server, "restored").await.expect("restore");
    let delete = "DELETE FROM users WHERE id BETWEEN 11 AND 20";
    oracle::delete(&world.server, "source", "oracle", delete).expect("delete");
    assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
}
