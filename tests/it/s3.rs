//! The same flows through S3, and databases that other programs made.

use std::sync::Arc;

use lethe_engine::ledger::NewEntry;
use lethe_format::catalog::QualifiedName;
use lethe_format::layout;
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use lethe_store::{Checksums, ObjectName, ObjectStore as _, S3Settings, S3Store};
use lethe_testkit::s3::S3Server;
use lethe_tests::compare::assert_same_rows;
use lethe_tests::oracle;
use lethe_tests::s3_settings::s3_settings;
use lethe_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_in_s3_keeps_people_erased() {
    for checksums in [Checksums::WhenSupported, Checksums::WhenRequired] {
        let s3 = S3Server::start().await;
        s3.create_bucket("backups");
        let settings = S3Settings { checksums, ..s3_settings(&s3) };
        let store = S3Store::connect("backups", "production/main", &settings).await.expect("connect");
        let mut world = World::new().await;
        world.repository = World::repository(Arc::new(store)).await;
        world.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT i, 'canary ' || i FROM generate_series(1, 5000) i");
        world.snapshot().await.expect("snapshot");
        world.erase_integers("users", 1..=10).await;
        let report = world.restore(&world.server, "restored").await.expect("restore");
        assert_eq!((report.rows.loaded, report.rows.dropped), (4990, 10));
        let objects = s3.objects("backups");
        assert!(objects.iter().all(|(name, _)| name.starts_with("production/main/")));
        let plain = objects.iter().find(|(_, body)| body.windows(6).any(|window| window == b"canary"));
        assert!(plain.is_none(), "{:?} holds rows in the clear", plain.map(|(name, _)| name));
    }
}

/// In a versioned bucket a `DELETE` frees the name again, even for put-if-absent. What was written first stays.
#[tokio::test(flavor = "multi_thread")]
async fn ledger_entries_that_somebody_deleted_or_replaced_still_count() {
    let s3 = S3Server::start().await;
    s3.create_versioned_bucket("backups");
    let settings = s3_settings(&s3);
    let store = Arc::new(S3Store::connect("backups", "", &settings).await.expect("connect"));
    let mut world = World::new().await;
    world.repository = World::repository(store.clone()).await;
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 10)",
    );
    world.snapshot().await.expect("snapshot");
    for id in 1..=3 {
        world.erase_integers("users", [id]).await;
    }
    let header = |seq: u64| ObjectName::new(layout::ledger_header(seq)).expect("a name");
    let objects = s3.objects("backups");
    let body =
        objects.iter().find(|(name, _)| name.starts_with(&format!("ledger/{:020}-", 1))).expect("a body");
    // Deleted, replaced after having been deleted, overwritten, and a body that is gone.
    store.delete(&header(3)).await.expect("delete");
    store.delete(&header(2)).await.expect("delete");
    store.put_if_absent(&header(2), "{}".into()).await.expect("the name is free");
    store.put(&header(1), "nothing".into()).await.expect("overwrite");
    store.delete(&ObjectName::new(body.0.clone()).expect("a name")).await.expect("delete");
    let ledger = lethe_engine::ledger::read_verified(&world.repository).await.expect("what was first counts");
    assert_eq!(ledger.incidents().len(), 3, "{:?}", ledger.incidents());
    let report = world.restore(&world.server, "restored").await.expect("restore");
    assert_eq!(report.rows.dropped, 3);

    // A prune in such a bucket leaves no version behind.
    let subject = SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns: None };
    let keys = Keys::Integers([4].into_iter().collect());
    world.server.sql("source", "DELETE FROM users WHERE id = 4");
    let head = world.append(NewEntry { settled: true, ..NewEntry::about(Kind::Erased, subject, keys) }).await;
    let first = world.newest_snapshot().await;
    world.snapshot().await.expect("snapshot");
    // A delete marker alone does not make a snapshot go: what it hides is still there.
    let manifest = ObjectName::new(layout::manifest(&first)).expect("a name");
    store.delete(&manifest).await.expect("delete");
    assert!(world.prune_plan().await.expect("plan").ledger.expire.is_empty());
    for version in store.versions(manifest.as_str()).await.expect("list").expect("it keeps history") {
        store.delete_version(&manifest, &version.version).await.expect("delete");
    }
    let plan = world.prune_plan().await.expect("plan");
    assert_eq!(plan.ledger.expire, [head.seq]);
    world.prune(&plan).await.expect("prune");
    let left =
        store.versions(&format!("ledger/{:020}-", head.seq)).await.expect("list").expect("it keeps history");
    assert_eq!(left, []);
    world.restore(&world.server, "again").await.expect("restore");
}

/// `pgbench -i`: two million rows at its scale of 20, no foreign keys until they are added.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_of_pgbench_comes_back() {
    let world = World::new().await;
    world.server.run_tool("pgbench", &["-i", "-q", "-s", "20", "--foreign-keys", "source"]);
    world.server.sql("source", "INSERT INTO pgbench_history SELECT i % 200 + 1, i % 20 + 1, i, i, now(), 'x' FROM generate_series(1, 20000) i");
    world.snapshot().await.expect("snapshot");
    world
        .erase(
            "public",
            "pgbench_branches",
            None,
            lethe_format::ledger::Keys::Integers([3, 20].into_iter().collect()),
        )
        .await;
    world.erase_integers("pgbench_accounts", [1, 2_000_000, 5]).await;
    world.restore(&world.server, "restored").await.expect("restore");
    let delete = "DELETE FROM pgbench_branches WHERE bid IN (3, 20); DELETE FROM pgbench_accounts WHERE aid IN (1, 2000000, 5)";
    // Without an index on the referencing columns each cascaded row costs a scan.
    let help = "CREATE INDEX ON pgbench_history (aid); CREATE INDEX ON pgbench_history (bid); CREATE INDEX ON pgbench_history (tid); CREATE INDEX ON pgbench_accounts (bid);";
    oracle::delete(&world.server, "source", "oracle", &format!("{help} {delete}")).expect("delete");
    assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
}
