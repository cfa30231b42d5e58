//! Data in a versioned bucket and the ledger in one that was never versioned, on a real server.

use lethe_engine::residency::Residency;
use lethe_rules::store_fitness::Use;
use lethe_store::{Checksums, ObjectName, RetryPolicy, S3Settings};
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
