//! A store on a bad day: snapshots and restores take longer, and are the same.

use std::sync::Arc;
use std::time::Duration;

use lethe_engine::progress::Progress;
use lethe_engine::restore::{RestoreOptions, prepare};
use lethe_engine::{Error, ExitCode};
use lethe_postgres::ConnectionSettings;
use lethe_store::{ObjectStore, RetryPolicy, open_with};
use lethe_testkit::pg::{Act, At, PgProxy};
use lethe_testkit::s3::{Fault, Requests, S3Server};
use lethe_tests::compare::assert_same_rows;
use lethe_tests::oracle;
use lethe_tests::s3_settings::s3_settings;
use lethe_tests::world::World;

/// Waits of a few milliseconds at most.
fn policy() -> RetryPolicy {
    RetryPolicy {
        first_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(5),
        ..RetryPolicy::default()
    }
}

async fn store(s3: &S3Server, policy: RetryPolicy) -> Arc<dyn ObjectStore> {
    let settings = s3_settings(s3);
    open_with("s3://backups/production", &settings, policy).await.expect("open")
}

/// A world whose repository is in a new S3 server. Its rows do not compress, and fill more than one chunk.
async fn world(policy: RetryPolicy) -> (S3Server, World) {
    let s3 = S3Server::start().await;
    s3.create_bucket("backups");
    let mut world = World::new().await;
    world.repository = World::repository(store(&s3, policy).await).await;
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY, name text);
         CREATE TABLE orders (id int PRIMARY KEY, buyer int REFERENCES users ON DELETE CASCADE, what text);
         INSERT INTO users SELECT i, 'user ' || md5(i::text) FROM generate_series(1, 5000) i;
         INSERT INTO orders
         SELECT i, i % 5000 + 1, (SELECT string_agg(md5((i * 20 + n)::text), '') FROM generate_series(1, 20) n)
         FROM generate_series(1, 40000) i;",
    );
    (s3, world)
}

/// Storms of 503, lost and broken answers, one after the other, each more than once.
fn make_trouble(s3: &S3Server) {
    s3.inject(Fault::SlowDown, Requests::first(25));
    for number in 1..12 {
        s3.inject(Fault::ResetMidBody { at: 500 }, Requests::nth(3 * number).of("GetObject"));
        s3.inject(Fault::ShortBody { at: 90 }, Requests::nth(3 * number + 1).of("GetObject"));
        s3.inject(Fault::LostAnswer, Requests::nth(2 * number).of("PutObject"));
        s3.inject(Fault::InternalError, Requests::nth(2 * number).of("ListObjectsV2"));
    }
    s3.inject(Fault::WrongAnswer, Requests::nth(1).of("PutObject"));
    s3.inject(Fault::ExpiredCredentials, Requests::nth(40));
    s3.inject(Fault::ResetMidBody { at: 100_000 }, Requests::all().of("GetObject"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_survives_a_bad_day() {
    let (s3, world) = world(policy()).await;
    make_trouble(&s3);
    world.snapshot().await.expect("snapshot");
    let snapshot = s3.take_seen();
    s3.recover();
    make_trouble(&s3);
    world.erase_integers("users", 1..=10).await;
    let report = world.restore(&world.server, "restored").await.expect("restore");
    assert_eq!(report.rows.dropped, 10 + 80);
    oracle::delete(&world.server, "source", "oracle", "DELETE FROM users WHERE id <= 10").expect("delete");
    assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));

    // That nothing went wrong would prove nothing.
    let restore = s3.take_seen();
    for (what, seen) in [("snapshot", snapshot), ("restore", restore)] {
        let hit = |wanted: fn(&Fault) -> bool| seen.iter().filter_map(|seen| seen.fault.as_ref()).any(wanted);
        assert!(hit(|fault| *fault == Fault::SlowDown), "{what}");
        assert!(hit(|fault| matches!(fault, Fault::LostAnswer | Fault::WrongAnswer)), "{what}");
        assert!(hit(|fault| matches!(fault, Fault::ResetMidBody { .. })), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_recover_ends_the_restore_with_its_reason() {
    let policy = RetryPolicy { deadline: Duration::from_millis(100), ..policy() };
    let (s3, world) = world(policy).await;
    world.snapshot().await.expect("snapshot");
    s3.inject(Fault::SlowDown, Requests::all());
    let error = world.restore(&world.server, "restored").await.expect_err("no store");
    let Error::LedgerUnreadable { cause: error @ lethe_store::Error::GaveUp { .. } } = &error else {
        panic!("{error:?}")
    };
    assert!(error.hint().is_some_and(|hint| hint.contains("run this again")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_ends_leaves_no_download_behind() {
    let policy = RetryPolicy { idle_timeout: Duration::from_millis(300), ..policy() };
    let (s3, world) = world(policy).await;
    world.snapshot().await.expect("snapshot");
    world.server.create_database("restored");
    let proxy = PgProxy::start(&world.server);
    let s3 = Arc::new(s3);
    let store = s3.clone();
    let progress = Progress::observed(Box::new(move |stage| {
        if stage == "load" {
            // The first chunk comes, and while it is sent, nothing of the next one does.
            drop(store.take_seen());
            store.inject(Fault::StallMidBody { at: 100 }, Requests::after(1).of("GetObject"));
        }
    }));
    proxy.at(At::Data(3), Act::Cut);
    let options = RestoreOptions { jobs: 1, patience: Duration::ZERO, ..World::options() };
    let target = ConnectionSettings::parse(&proxy.url("restored"), &|_| None).expect("settings");
    let prepared = prepare(&world.repository, &target, options, world.last_seen(), &progress).await;
    let error = prepared.expect("prepare").run(&progress).await.expect_err("the connection is cut");
    assert_eq!(error.exit_code(), ExitCode::Interrupted, "{error:?}");
    assert!(s3.take_seen().iter().any(|seen| seen.fault.is_some()), "no download was under way");
    // One that was left behind asks again and again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(s3.take_seen().len(), 0, "somebody still asks");
}
