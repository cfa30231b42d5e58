//! Large objects go with the rows that they belong to. The oracle is the server: delete, then unlink what no row refers to
//! any more. `LETHE_SEED=n` replays a failure.
#![allow(clippy::print_stdout, reason = "the seed that replays a failure")]

use std::sync::atomic::{AtomicBool, Ordering};

use lethe_engine::Error;
use lethe_engine::progress::Progress;
use lethe_engine::restore::{LargeObjectCounts, RestoreOptions};
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::reference::TableColumns;
use lethe_rules::closure::Tombstones;
use lethe_rules::objection::{Code, Objection};
use lethe_testkit::pg::{PgServer, Shutdown, bin_dirs};
use lethe_tests::compare::assert_same_rows;
use lethe_tests::oracle;
use lethe_tests::search::hits;
use lethe_tests::world::World;

/// Numbers as `oid`, as `lo`, as digits; in partitions and in a table that is stored as text; one object for several rows, and
/// several for one; some for nobody, and numbers of none. One object has several pages.
const SCHEMA: &str = "
    CREATE DOMAIN lo AS oid; CREATE TYPE mood AS ENUM ('ok');
    CREATE TABLE users (id int PRIMARY KEY, photo lo);
    CREATE TABLE files (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, body oid);
    CREATE TABLE letters (id int, user_id int REFERENCES users ON DELETE CASCADE, body text, moods mood[]) PARTITION BY HASH (id);
    CREATE TABLE letters_0 PARTITION OF letters FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE letters_1 (moods mood[], body text, user_id int, id int);
    ALTER TABLE letters ATTACH PARTITION letters_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    SELECT count(lo_from_bytea(100000 + i, convert_to('canary-object-' || md5('o' || i), 'UTF8'))) FROM generate_series(1, 200) i;
    SELECT lo_put(100007, 0, decode(repeat('00ff10', 900000), 'hex'));";

fn data(seed: u64) -> String {
    let object = "CASE WHEN random() < 0.8 THEN 100000 + (random() * 220)::int END";
    format!(
        "SELECT setseed({});
         INSERT INTO users SELECT i, {object} FROM generate_series(1, 60) i;
         INSERT INTO files SELECT i, (random() * 59)::int + 1, {object} FROM generate_series(1, 60) i;
         INSERT INTO letters SELECT i, (random() * 59)::int + 1, {object}::text, '{{ok}}' FROM generate_series(1, 60) i;",
        (seed % 1000) as f64 / 1000.0
    )
}

const UNLINK: &str = "SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata WHERE oid NOT IN
    (SELECT photo FROM users WHERE photo IS NOT NULL UNION SELECT body FROM files WHERE body IS NOT NULL
     UNION SELECT body::oid FROM letters WHERE body IS NOT NULL)";

fn columns() -> Vec<TableColumns> {
    let column = |table: &str| TableColumns {
        table: QualifiedName::new("public", table),
        columns: vec!["body".to_owned()],
    };
    vec![column("files"), column("letters")]
}

fn options() -> RestoreOptions {
    RestoreOptions { large_object_columns: columns(), ..World::options() }
}

async fn world(server: PgServer, seed: u64) -> World {
    let world = World::on(server).await;
    world.server.sql("source", SCHEMA);
    world.server.sql("source", &data(seed));
    world.snapshot().await.expect("snapshot");
    world
}

fn seed() -> u64 {
    let seed = std::env::var("LETHE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::random::<u16>().into());
    println!("LETHE_SEED={seed}");
    seed
}

fn refused(error: &Error) -> &[Objection] {
    let Error::Refused(objections) = error else { panic!("{error:?}") };
    objections
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_go_with_the_last_row_that_refers_to_them() {
    for bin in bin_dirs() {
        let world = world(PgServer::start(&bin), seed()).await;
        let erased = [3, 5, 8, 13, 21, 34, 55];
        world.erase_integers("users", erased).await;
        world.server.create_database("restored");
        let report = world.restore_with(&world.server, "restored", options()).await.expect("restored");
        let delete = format!("DELETE FROM users WHERE id IN (3, 5, 8, 13, 21, 34, 55); {UNLINK}");
        oracle::delete(&world.server, "source", "oracle", &delete).expect("deleted");
        assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
        let LargeObjectCounts { stored, restored, of_dropped_rows, unreferenced } = report.large_objects;
        assert_eq!((stored, restored + of_dropped_rows + unreferenced), (200, 200));
        assert!(restored > 0 && of_dropped_rows > 0 && unreferenced > 0, "{:?}", report.large_objects);

        world.server.create_database("kept");
        let keep = RestoreOptions { unreferenced_large_objects: true, ..options() };
        let report = world.restore_with(&world.server, "kept", keep).await.expect("restored");
        assert_eq!(report.large_objects.restored, restored + unreferenced);

        let subject = SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns: None };
        let only = vec![Tombstones { subject, keys: Keys::Tuples(vec![vec!["2".to_owned()]]) }];
        world.server.create_database("alone");
        world
            .restore_with(&world.server, "alone", RestoreOptions { only, ..options() })
            .await
            .expect("restored");
        world.server.sql("oracle", &format!("DELETE FROM users WHERE id <> 2; {UNLINK}"));
        assert_same_rows((&world.server, "oracle"), (&world.server, "alone"));
    }
}

/// Whose objects nobody knows are anybody's; a setting about what is not there may be about what has another name here.
#[tokio::test(flavor = "multi_thread")]
async fn objects_that_nobody_knows_the_owners_of_are_an_objection() {
    let world = World::new().await;
    world.server.sql("source", "CREATE TABLE files (id int PRIMARY KEY, body oid, name text); INSERT INTO files SELECT 1, lo_from_bytea(0, 'x')");
    world.snapshot().await.expect("snapshot");
    world.server.create_database("restored");
    let restore = |options| world.restore_with(&world.server, "restored", options);
    let codes = |error: Error| refused(&error).iter().map(|objection| objection.code).collect::<Vec<_>>();
    assert_eq!(codes(restore(World::options()).await.expect_err("refused")), [Code::LargeObjects]);
    for (table, column) in [("filez", "body"), ("files", "bodies")] {
        let named =
            TableColumns { table: QualifiedName::new("public", table), columns: vec![column.to_owned()] };
        let options = RestoreOptions { large_object_columns: vec![named], ..World::options() };
        let error = restore(options).await.expect_err("refused");
        assert_eq!(codes(error), [Code::UnknownReference, Code::LargeObjects]);
    }
    let answered = RestoreOptions { acknowledged: vec![Code::LargeObjects], ..World::options() };
    let report = restore(answered).await.expect("restored");
    assert_eq!(report.large_objects.restored, 1);
    assert_eq!(report.acknowledged.len(), 1);
    assert_same_rows((&world.server, "source"), (&world.server, "restored"));
}

/// An object that was loaded when its owner was erased is in no table's file afterwards; one that was erased before never was
/// anywhere.
#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_an_erased_object_however_late() {
    let server = PgServer::start(lethe_testkit::pg::bin_dir());
    let world = World::on(server).await;
    world.server.sql("source", SCHEMA);
    world.server.sql("source", "INSERT INTO users SELECT i, 100000 + i FROM generate_series(1, 30) i");
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [3]).await;
    let canary = |id: u32| {
        world.server.sql("postgres", &format!("SELECT 'canary-object-' || md5('o{id}')")).into_bytes()
    };
    let (before, late, alive) = (canary(3), canary(9), canary(11));
    let mut target = PgServer::start_with(world.server.bin(), &["wal_compression=off", "log_statement=all"]);
    target.create_database("restored");

    let first = AtomicBool::new(true);
    let (repository, last_seen) = (world.repository.clone(), world.last_seen());
    let progress = Progress::observed(Box::new(move |stage| {
        if stage == "foreign keys" && first.swap(false, Ordering::SeqCst) {
            let subject =
                SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns: None };
            let keys = Keys::Integers([9].into_iter().collect());
            let entry =
                lethe_engine::ledger::NewEntry::about(lethe_format::ledger::Kind::Erased, subject, keys);
            tokio::task::block_in_place(|| {
                let append = lethe_engine::ledger::append(
                    &repository,
                    &last_seen,
                    entry,
                    None,
                    jiff::Timestamp::now(),
                );
                tokio::runtime::Handle::current().block_on(append).expect("append");
            });
        }
    }));
    let report = world.restore_observed(&target, "restored", options(), &progress).await.expect("restored");
    assert_eq!(report.large_objects.restored, 28);
    assert_eq!(target.sql("restored", "SELECT count(*) FROM pg_largeobject_metadata"), "28");
    target.stop(Shutdown::Fast);
    assert_eq!(hits(&target.data_dir(), &[before]), [], "it was never sent");
    let base = target.data_dir().join("base");
    assert_eq!(hits(&base, &[late]), [], "it was taken back");
    assert!(!hits(&base, &[alive]).is_empty(), "the search finds what is there");
}
