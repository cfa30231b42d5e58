//! The same flows through S3, and databases that other programs made.

use std::sync::Arc;

use lethe_store::{Checksums, S3Settings, S3Store};
use lethe_testkit::s3::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};
use lethe_tests::compare::assert_same_rows;
use lethe_tests::oracle;
use lethe_tests::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_in_s3_keeps_people_erased() {
    for checksums in [Checksums::WhenSupported, Checksums::WhenRequired] {
        let s3 = S3Server::start().await;
        s3.create_bucket("backups");
        let settings = S3Settings {
            region: Some(REGION.to_owned()),
            endpoint: Some(s3.endpoint()),
            path_style: true,
            checksums,
            credentials: Some((ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())),
        };
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
