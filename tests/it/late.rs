//! An erasure that arrives at any stage of a restore is honoured before anybody can connect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::ledger::{self, LastSeen, NewEntry};
use lethe_engine::progress::Progress;
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use lethe_store::DirectoryStore;
use lethe_testkit::pg::{PgServer, Shutdown, bin_dirs};
use lethe_tests::compare::{assert_same_rows, assert_same_schema, sequences};
use lethe_tests::intercepted_store::InterceptedStore;
use lethe_tests::oracle;
use lethe_tests::search::hits;
use lethe_tests::world::World;

/// Everything that must not see rows come and go: keys in both directions and in a cycle, triggers that write, a
/// constraint trigger, row security, a partitioned table, a materialised view.
const CLINIC: &str = "
    CREATE TABLE patient (id int PRIMARY KEY, name text NOT NULL, contact int REFERENCES patient ON DELETE SET NULL);
    CREATE TABLE visit (id int, patient_id int REFERENCES patient ON DELETE CASCADE, day date NOT NULL, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
    CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
    CREATE TABLE bill (id serial PRIMARY KEY, visit_id int, visit_day date, payer int REFERENCES patient ON DELETE SET NULL,
        FOREIGN KEY (visit_id, visit_day) REFERENCES visit ON DELETE CASCADE);
    CREATE TABLE other (id int PRIMARY KEY, words text);
    CREATE TABLE journal (at timestamptz DEFAULT now(), what text);
    INSERT INTO patient SELECT i, 'late-canary-' || md5('p' || i), nullif(i / 2, 0) FROM generate_series(1, 2000) i;
    INSERT INTO visit SELECT i, i % 2000 + 1, '2020-01-01'::date + i % 700, 'late-canary-' || md5('v' || (i % 2000 + 1)) FROM generate_series(1, 8000) i;
    INSERT INTO bill (visit_id, visit_day, payer) SELECT id, day, patient_id FROM visit;
    INSERT INTO other SELECT i, 'w' || i FROM generate_series(1, 500) i;
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.journal (what) VALUES (TG_OP || TG_TABLE_NAME); RETURN NULL; END $$;
    CREATE TRIGGER noted AFTER INSERT OR DELETE ON patient FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER \"odd Name\" AFTER INSERT OR TRUNCATE ON bill FOR EACH STATEMENT EXECUTE FUNCTION note();
    CREATE TRIGGER noted AFTER INSERT ON visit FOR EACH ROW EXECUTE FUNCTION note();
    CREATE CONSTRAINT TRIGGER checked AFTER INSERT ON visit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE bill ENABLE ROW LEVEL SECURITY; ALTER TABLE bill FORCE ROW LEVEL SECURITY;
    CREATE POLICY nobody ON bill USING (false);
    CREATE INDEX ON visit (note); CREATE INDEX ON bill (payer);
    CREATE MATERIALIZED VIEW busy AS SELECT patient_id, count(*) FROM visit GROUP BY 1;";

async fn erase(repository: &Repository, last_seen: &LastSeen, id: u64) {
    let subject = SubjectRef { name: None, table: QualifiedName::new("public", "patient"), columns: None };
    let entry = NewEntry::about(Kind::Erased, subject, Keys::Integers([id].into_iter().collect()));
    ledger::append(repository, last_seen, entry, None, Timestamp::now()).await.expect("append");
}

/// Erases one more person at the beginning of every stage, the first time it is reached; tells at which.
fn erasing(world: &World) -> (Progress, Arc<Mutex<Vec<&'static str>>>) {
    let stages = Arc::new(Mutex::new(Vec::new()));
    let (repository, last_seen, seen) = (world.repository.clone(), world.last_seen(), stages.clone());
    let progress = Progress::observed(Box::new(move |stage| {
        let id = {
            let mut seen = seen.lock().expect("nobody panics with it");
            if seen.contains(&stage)
                || [
                    "ledger",
                    "preflight",
                    "validate",
                    "look for erased keys",
                    "look for what was masked",
                    "ready",
                ]
                .contains(&stage)
            {
                return;
            }
            seen.push(stage);
            1000 + seen.len() as u64
        };
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(erase(&repository, &last_seen, id));
        });
    }));
    (progress, stages)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_at_every_stage_is_honoured_before_the_database_opens() {
    for bin in bin_dirs() {
        let world = World::on(PgServer::start_with(&bin, &["wal_compression=off"])).await;
        world.server.sql("source", CLINIC);
        world.erase_integers("patient", [7]).await;
        world.snapshot().await.expect("snapshot");
        let mut target = PgServer::start_with(&bin, &["wal_compression=off"]);
        target.create_database("restored");
        let (progress, stages) = erasing(&world);
        let report =
            world.restore_observed(&target, "restored", World::options(), &progress).await.expect("restored");
        let stages = stages.lock().expect("stages").clone();
        for stage in
            ["plan", "schema", "load", "index", "analyze", "views", "foreign keys", "finish", "cut over"]
        {
            assert!(stages.contains(&stage), "{stage} is not among {stages:?}");
        }
        let erased: Vec<String> = (1001..=1000 + stages.len()).map(|id| id.to_string()).collect();
        let delete = format!(
            "SET session_replication_role = origin; ALTER TABLE patient DISABLE TRIGGER USER;
             DELETE FROM patient WHERE id IN (7, {}); ALTER TABLE patient ENABLE TRIGGER USER; REFRESH MATERIALIZED VIEW busy",
            erased.join(",")
        );
        oracle::delete(&world.server, "source", "oracle", &delete).expect("the server deletes them");
        assert_same_rows((&world.server, "oracle"), (&target, "restored"));
        assert_same_schema((&world.server, "source"), (&target, "restored"));
        assert_eq!(sequences(&world.server, "source"), sequences(&target, "restored"));
        let rows = report.rows;
        assert_eq!(rows.dropped, rows.never_loaded + rows.late_removed, "{rows:?}");
        // Of the erasures before the first row was loaded nothing was ever there.
        assert!(rows.late_removed > 0 && rows.never_loaded > 0, "{rows:?}");

        let lines = world
            .server
            .sql("postgres", "SELECT 'late-canary-' || md5('p1005'); SELECT 'late-canary-' || md5('p1900')");
        let (late, alive) = lines.split_once('\n').expect("two lines");
        let statistics = target.sql("restored", "SELECT string_agg(s::text, ' ') FROM pg_stats s");
        target.stop(Shutdown::Fast);
        let base = target.data_dir().join("base");
        assert_eq!(hits(&base, &[late.as_bytes().to_vec()]), []);
        assert!(!statistics.contains(late), "the statistics");
        assert!(!hits(&base, &[alive.trim().as_bytes().to_vec()]).is_empty(), "the search finds the living");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_goes_on_honours_what_came_in_between_and_what_was_revoked() {
    let world = World::new().await;
    world.server.sql("source", CLINIC);
    world.erase_integers("patient", [7, 8]).await;
    world.snapshot().await.expect("snapshot");
    world.server.create_database("restored");
    // Ends by itself where a crash would end it: its target is gone for a moment.
    let server = world.server.url("postgres");
    let killing = Progress::observed(Box::new(move |stage| {
        if stage == "views" {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'restored'";
            let status =
                std::process::Command::new("psql").args(["-Xqc", kill, &server]).output().expect("psql");
            assert!(status.status.success(), "{status:?}");
        }
    }));
    let ended = world.restore_observed(&world.server, "restored", World::options(), &killing).await;
    ended.expect_err("its sessions were ended");
    world.erase_integers("patient", [1500]).await;
    let subject = SubjectRef { name: None, table: QualifiedName::new("public", "patient"), columns: None };
    world.append(NewEntry::about(Kind::Revoked, subject, Keys::Integers([8].into_iter().collect()))).await;
    world.restore_into(&world.server, "restored").await.expect("goes on");
    let delete = "ALTER TABLE patient DISABLE TRIGGER USER; DELETE FROM patient WHERE id IN (7, 1500); ALTER TABLE patient ENABLE TRIGGER USER; REFRESH MATERIALIZED VIEW busy";
    oracle::delete(&world.server, "source", "oracle", delete).expect("the server deletes them");
    assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
    assert_same_schema((&world.server, "source"), (&world.server, "restored"));
}

/// Between the last look at the ledger and the cut-over's entry there is time for one more.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_takes_the_cut_overs_place_is_honoured() {
    let mut world = World::new().await;
    let folder = world.folder.path().join("intercepted");
    let store = InterceptedStore::new(Arc::new(DirectoryStore::open(folder).expect("a store")));
    world.repository = World::repository(Arc::new(store.clone())).await;
    world.server.sql("source", CLINIC);
    world.snapshot().await.expect("snapshot");
    world.server.create_database("restored");
    let first = AtomicBool::new(true);
    let (armed, repository, last_seen) = (store.clone(), world.repository.clone(), world.last_seen());
    let progress = Progress::observed(Box::new(move |stage| {
        if stage == "cut over" {
            let (repository, last_seen) = (repository.clone(), last_seen.clone());
            // Only the first time: the second cut-over is let through.
            let erase = async move { erase(&repository, &last_seen, 42).await };
            if first.swap(false, Ordering::SeqCst) {
                armed.before_next(Box::new(move || erase.boxed()));
            }
        }
    }));
    let report = world
        .restore_observed(&world.server, "restored", World::options(), &progress)
        .await
        .expect("restored");
    assert!(!store.is_waiting(), "it was erased");
    assert_eq!(world.server.sql("restored", "SELECT count(*) FROM patient WHERE id IN (42, 43)"), "1");
    assert!(report.rows.late_removed > 0, "{:?}", report.rows);
    assert_eq!(report.ledger_head.seq, 2, "genesis, erased, cut over");
}
