//! One thing fails: operation number 0, 1, 2 … of the store, or round trip number 0, 1, 2 … to the server, until a run passes
//! untouched. After each failure the repository is whole, nobody can connect to a target that is not ready, nothing of an
//! erased person is in it, and the next run succeeds and is equal to what the server itself would have left.
//!
//! A normal test run takes a sample of the numbers, by `LETHE_SEED`; `LETHE_FAIL_AT=all` takes every one.
#![allow(clippy::print_stdout, reason = "how much was tried belongs to the result")]

/// The pruner, in a bucket that keeps versions.
mod prune;

use std::collections::BTreeMap;
use std::sync::Arc;

use lethe_engine::progress::Progress;
use lethe_engine::restore::{RestoreOptions, RestoreReport, prepare};
use lethe_engine::snapshot::{self, SnapshotOptions, SnapshotStats};
use lethe_engine::verify::{Part, VerifyOptions, verify};
use lethe_engine::{Error, ExitCode};
use lethe_postgres::ConnectionSettings;
use lethe_store::DirectoryStore;
use lethe_testkit::pg::{Act, At, PgProxy, PgServer, Shutdown, bin_dir};
use lethe_tests::compare::contents;
use lethe_tests::failing_store::{FailingStore, Trouble};
use lethe_tests::oracle;
use lethe_tests::search::{contains, hits};
use lethe_tests::world::World;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const SHOP: &str = "
    CREATE TABLE person (id int PRIMARY KEY, name text UNIQUE);
    CREATE TABLE purchase (id serial PRIMARY KEY, buyer int REFERENCES person ON DELETE CASCADE, giver int REFERENCES person ON DELETE SET NULL, what text);
    CREATE INDEX ON purchase (buyer);
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER on_purchase AFTER INSERT ON purchase FOR EACH ROW EXECUTE FUNCTION nothing();
    INSERT INTO person SELECT i, 'canary-' || md5('p' || i) FROM generate_series(1, 300) i;
    INSERT INTO purchase (buyer, giver, what) SELECT i % 300 + 1, i % 7 + 1, 'canary-' || md5('p' || (i % 300 + 1)) FROM generate_series(1, 2000) i;
    CREATE MATERIALIZED VIEW sums AS SELECT buyer, count(*) FROM purchase GROUP BY 1;
    CREATE DOMAIN lo AS oid; CREATE TABLE attachment (body lo); INSERT INTO attachment SELECT lo_from_bytea(0, 'some bytes');";

const ERASED: [i64; 2] = [5, 77];

/// A source with a repository behind a store that can fail, a target server, and what must be in it in the end.
struct Sweep {
    world: World,
    store: FailingStore,
    target: PgServer,
    expected: String,
    databases: usize,
    changes: usize,
    outcomes: BTreeMap<String, usize>,
}

impl Sweep {
    async fn new() -> Self {
        let mut world = World::new().await;
        let directory = DirectoryStore::open(world.folder.path().join("failing")).expect("a store");
        let store = FailingStore::new(Arc::new(directory));
        world.repository = World::repository(Arc::new(store.clone())).await;
        world.server.sql("source", SHOP);
        world.snapshot().await.expect("snapshot");
        world.erase_integers("person", ERASED).await;
        let delete = "DELETE FROM person WHERE id IN (5, 77)";
        oracle::delete(&world.server, "source", "oracle", delete).expect("delete");
        world.server.sql("oracle", "REFRESH MATERIALIZED VIEW sums");
        let expected = contents(&world.server, "oracle");
        let target = PgServer::start_with(
            bin_dir(),
            &["wal_compression=off", "wal_keep_size=4GB", "max_wal_size=4GB", "log_statement=all"],
        );
        target.sql("postgres", "CREATE ROLE guest LOGIN");
        let sweep =
            Self { world, store, target, expected, databases: 0, changes: 0, outcomes: BTreeMap::new() };
        sweep.copy("failing", "saved");
        sweep
    }

    /// Takes back what was stored: otherwise each restore would have more entries of the ledger to read than the one before,
    /// and the numbers would come to mean others and others of its operations.
    fn start_over(&self) {
        let state = self.world.folder.path().join("state");
        if state.exists() {
            std::fs::remove_dir_all(state).expect("forget the ledger");
        }
        self.copy("saved", "failing");
    }

    fn copy(&self, from: &str, to: &str) {
        let folder = self.world.folder.path();
        if folder.join(to).exists() {
            std::fs::remove_dir_all(folder.join(to)).expect("remove");
        }
        let copied =
            std::process::Command::new("cp").arg("-a").args([folder.join(from), folder.join(to)]).status();
        assert!(copied.expect("cp").success());
    }

    /// The numbers of a sweep over this many steps, and one more, at which nothing happens.
    fn numbers(steps: u64, samples: u64) -> Vec<u64> {
        if std::env::var("LETHE_FAIL_AT").is_ok_and(|which| which == "all") {
            return (0..=steps).collect();
        }
        let seed =
            std::env::var("LETHE_SEED").ok().map_or(1, |text| text.parse().expect("LETHE_SEED is a number"));
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let width = steps.div_ceil(samples).max(1);
        let one_of = |start: u64| start + random.random_range(0..width).min(steps - 1 - start);
        let mut numbers: Vec<u64> =
            (0..steps).step_by(usize::try_from(width).expect("small")).map(one_of).collect();
        numbers.push(steps);
        println!("LETHE_SEED={seed}: {numbers:?} of {steps}");
        numbers
    }

    /// Moves a few rows to another place: the table is then stored anew, and so each snapshot takes the same steps. A change of all
    /// rows would leave them in their order, and there would be nothing to upload.
    fn change(&mut self) {
        self.changes += 1;
        let few = self.changes % 17;
        self.world.server.sql("source", &format!("UPDATE purchase SET what = what WHERE id % 17 = {few}"));
    }

    fn new_database(&mut self) -> String {
        self.databases += 1;
        let name = format!("restored{}", self.databases);
        self.target.create_database(&name);
        name
    }

    async fn restore(&self, url: &str) -> Result<RestoreReport, Error> {
        let target = ConnectionSettings::parse(url, &|_| None).expect("settings");
        let (progress, options) = (Progress::default(), RestoreOptions { jobs: 2, ..World::options() });
        prepare(&self.world.repository, &target, options, self.world.last_seen(), &progress)
            .await?
            .run(&progress)
            .await
    }

    async fn snapshot(&self, url: &str) -> Result<SnapshotStats, Error> {
        let source = ConnectionSettings::parse(url, &|_| None).expect("settings");
        let options = SnapshotOptions {
            jobs: 2,
            level: 1,
            pg_bin: Some(self.world.server.bin().to_owned()),
            references: Vec::new(),
            large_object_columns: Vec::new(),
            classification: None,
        };
        snapshot::take(&self.world.repository, &source, &options, &Progress::default()).await
    }

    async fn assert_whole(&self, read: bool, what: &str) {
        assert_whole(&self.world, read, what).await;
    }

    /// After a restore that failed: closed to others, and nobody in it who must not be.
    fn assert_closed(&self, database: &str, what: &str) {
        let begun = self.target.sql(database, "SELECT to_regclass('lethe.restore') IS NOT NULL") == "t";
        if begun && self.target.sql(database, "SELECT cut_over_seq IS NULL FROM lethe.restore") == "t" {
            let may = format!("SELECT has_database_privilege('guest', '{database}', 'CONNECT')");
            assert_eq!(self.target.sql("postgres", &may), "f", "{what}: others can connect");
        }
    }

    #[track_caller]
    fn assert_restored(&self, database: &str, what: &str) {
        assert!(
            contents(&self.target, database) == self.expected,
            "{what}: {database} differs from the oracle"
        );
        let open = format!("SELECT has_database_privilege('guest', '{database}', 'CONNECT')");
        assert_eq!(self.target.sql("postgres", &open), "t", "{what}: others cannot connect");
        assert_eq!(
            self.target.sql(database, "SELECT to_regnamespace('lethe') IS NULL"),
            "t",
            "{what}: the book is there"
        );
    }

    fn count(&mut self, trouble: &impl std::fmt::Debug, outcome: &str) {
        *self.outcomes.entry(format!("{trouble:?}: {outcome}")).or_default() += 1;
    }

    /// No file of the target, and not its log, holds anything of an erased person, in any of the restores; the living are
    /// found by the same search.
    fn finish(mut self, sweep: &str) {
        println!("{sweep}: {:?}", self.outcomes);
        let canary = |id: i64| {
            let token = self.world.server.sql("source", &format!("SELECT 'canary-' || md5('p{id}')"));
            token.into_bytes()
        };
        let (erased, living) = (ERASED.map(canary), [canary(6)]);
        self.target.stop(Shutdown::Fast);
        let data = self.target.data_dir();
        assert_eq!(hits(&data, &erased), [], "files of the target");
        let found = hits(&data, &living);
        for place in ["base/", "pg_wal/"] {
            assert!(
                found.iter().any(|(path, _)| path.contains(place)),
                "the search finds nothing in {place}"
            );
        }
        let log = std::fs::read(self.target.log_path()).expect("read the log");
        assert!(!erased.iter().any(|canary| contains(&log, canary)), "the log");
    }
}

/// Everything that snapshots need is there; `read` reads and checks every byte of it.
async fn assert_whole(world: &World, read: bool, what: &str) {
    let read_data = read.then_some(Part::WHOLE);
    let options = VerifyOptions { snapshot: None, read_data, jobs: 2, memory: 16 << 20 };
    let report = verify(&world.repository, &options, &world.last_seen(), &Progress::default()).await;
    let report = report.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(report.exit_code(), ExitCode::Done, "{what}: {:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_survives_every_operation_of_the_store() {
    let mut sweep = Sweep::new().await;
    for (trouble, samples) in
        [(Trouble::Error, 3), (Trouble::LostAnswer, 3), (Trouble::WrongByte, 1), (Trouble::Truncated, 1)]
    {
        sweep.start_over();
        sweep.store.fail_at(u64::MAX, trouble);
        let database = sweep.new_database();
        sweep.restore(&sweep.target.url(&database)).await.expect("restore");
        let steps = sweep.store.operations();
        for number in Sweep::numbers(steps, samples) {
            let what = format!("{trouble:?} at {number} of {steps}");
            sweep.start_over();
            let database = sweep.new_database();
            let url = sweep.target.url(&database);
            sweep.store.fail_at(number, trouble);
            let result = sweep.restore(&url).await;
            let untouched = sweep.store.heal();
            assert_eq!(untouched, number == steps, "{what}: {result:?}");
            assert!(!untouched || result.is_ok(), "{what}: nothing failed, and yet: {result:?}");
            let outcome = match &result {
                Ok(_) => "went on".to_owned(),
                Err(error) => format!("exit code {}", error.exit_code() as u8),
            };
            if result.is_err() {
                sweep.assert_closed(&database, &what);
                sweep.restore(&url).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            }
            sweep.count(&trouble, &outcome);
            sweep.assert_whole(true, &what).await;
            sweep.assert_restored(&database, &what);
            sweep.target.sql("postgres", &format!("DROP DATABASE {database}"));
        }
    }
    sweep.finish("restore, store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_survives_every_round_trip_to_the_target() {
    let mut sweep = Sweep::new().await;
    let proxy = PgProxy::start(&sweep.target);
    let database = sweep.new_database();
    sweep.restore(&proxy.url(&database)).await.expect("restore");
    let steps = proxy.take_requests();
    for (act, samples) in [("Cut", 4), ("LoseAnswer", 4)] {
        for number in Sweep::numbers(steps, samples) {
            let what = format!("{act} at {number} of {steps}");
            let database = sweep.new_database();
            proxy.at(At::Request(number), if act == "Cut" { Act::Cut } else { Act::LoseAnswer });
            let result = sweep.restore(&proxy.url(&database)).await;
            proxy.take_requests();
            let outcome = match &result {
                Ok(_) => "went on".to_owned(),
                Err(error) => format!("exit code {}", error.exit_code() as u8),
            };
            if let Err(error) = result {
                // Before anything was begun there is nothing to go on from.
                assert_eq!(error.exit_code(), ExitCode::Failed, "{what}: {error:?}");
                assert_eq!(
                    sweep.target.sql(&database, "SELECT to_regclass('lethe.restore') IS NULL"),
                    "t",
                    "{what}"
                );
                sweep
                    .restore(&proxy.url(&database))
                    .await
                    .unwrap_or_else(|error| panic!("{what}: {error:?}"));
            }
            sweep.count(&act, &outcome);
            sweep.assert_restored(&database, &what);
            sweep.target.sql("postgres", &format!("DROP DATABASE {database} WITH (FORCE)"));
        }
    }
    sweep.assert_whole(true, "at the end").await;
    sweep.finish("restore, target");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_survives_every_operation_of_the_store() {
    let mut sweep = Sweep::new().await;
    let url = sweep.world.server.url("source");
    for (trouble, samples) in
        [(Trouble::Error, 3), (Trouble::LostAnswer, 3), (Trouble::WrongByte, 1), (Trouble::Truncated, 1)]
    {
        sweep.start_over();
        sweep.store.fail_at(u64::MAX, trouble);
        sweep.change();
        sweep.snapshot(&url).await.expect("snapshot");
        let steps = sweep.store.operations();
        for number in Sweep::numbers(steps, samples) {
            let what = format!("{trouble:?} at {number} of {steps}");
            sweep.start_over();
            sweep.change();
            sweep.store.fail_at(number, trouble);
            let result = sweep.snapshot(&url).await;
            let untouched = sweep.store.heal();
            assert_eq!(untouched, number == steps, "{what}: {result:?}");
            assert!(!untouched || result.is_ok(), "{what}: nothing failed, and yet: {result:?}");
            let outcome = if result.is_ok() { "went on" } else { "failed" };
            sweep.count(&trouble, outcome);
            sweep.assert_whole(false, &what).await;
            sweep.snapshot(&url).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        }
    }
    sweep.assert_whole(true, "at the end").await;
    let database = sweep.new_database();
    sweep.restore(&sweep.target.url(&database)).await.expect("restore");
    sweep.assert_restored(&database, "at the end");
    sweep.finish("snapshot, store");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_survives_every_round_trip_to_the_source() {
    let mut sweep = Sweep::new().await;
    let proxy = PgProxy::start(&sweep.world.server);
    sweep.snapshot(&proxy.url("source")).await.expect("snapshot");
    let steps = proxy.take_requests();
    for (act, samples) in [("Cut", 3), ("LoseAnswer", 3)] {
        for number in Sweep::numbers(steps, samples) {
            let what = format!("{act} at {number} of {steps}");
            sweep.change();
            proxy.at(At::Request(number), if act == "Cut" { Act::Cut } else { Act::LoseAnswer });
            let result = sweep.snapshot(&proxy.url("source")).await;
            proxy.take_requests();
            if let Err(error) = &result {
                assert_eq!(error.exit_code(), ExitCode::Failed, "{what}: {error:?}");
            }
            sweep.count(&act, if result.is_ok() { "went on" } else { "failed" });
            sweep.assert_whole(false, &what).await;
            sweep.snapshot(&proxy.url("source")).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        }
    }
    sweep.assert_whole(true, "at the end").await;
    let database = sweep.new_database();
    sweep.restore(&sweep.target.url(&database)).await.expect("restore");
    sweep.assert_restored(&database, "at the end");
    sweep.finish("snapshot, source");
}
