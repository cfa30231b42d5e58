//! Deletions that the source database reports itself: by whatever statement, once, and never lost.

use std::time::Duration;

use lethe_engine::Error;
use lethe_engine::capture::{self, Capturing, Customer, Installed, RunOptions};
use lethe_engine::ledger;
use lethe_engine::restore::Wanted;
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use lethe_rules::objection::Code;
use lethe_testkit::pg::{PgServer, bin_dirs};
use lethe_tests::world::World;

const SCHEMA: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, name text);
    CREATE TABLE account (region text, no int, name text, PRIMARY KEY (region, no)) PARTITION BY LIST (region);
    CREATE TABLE account_de PARTITION OF account FOR VALUES IN ('de');
    CREATE TABLE account_dk PARTITION OF account FOR VALUES IN ('dk');
    CREATE TABLE person (code text, at timestamptz);
    CREATE TABLE employee (salary int) INHERITS (person);
    CREATE TABLE orders (id int PRIMARY KEY, user_id bigint REFERENCES users ON DELETE CASCADE ON UPDATE CASCADE);
    INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 100) i;
    INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i;
    INSERT INTO account SELECT CASE WHEN i % 2 = 0 THEN 'de' ELSE 'dk' END, i, 'a' FROM generate_series(1, 20) i;
    INSERT INTO person VALUES ('p\\1', '2024-01-02 03:04:05+02'), (NULL, now()), ('p2', NULL);
    INSERT INTO employee VALUES ('e1', '2024-06-01 00:00+00', 1);
    CREATE ROLE app LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public TO app;";

fn subjects() -> Vec<Capturing> {
    let subject = |name: &str, table: &str, columns: Option<&[&str]>| Capturing {
        subject: SubjectRef {
            name: Some(name.to_owned()),
            table: QualifiedName::new("public", table),
            columns: columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        },
        customer: Customer::None,
    };
    vec![
        subject("user", "users", None),
        subject("odd 'Account\"", "account", None),
        subject("person", "person", Some(&["code", "at"])),
    ]
}

async fn installed(server: PgServer) -> World {
    let world = World::on(server).await;
    world.server.sql("source", SCHEMA);
    let source = World::settings(&world.server, "source");
    let wanted = capture::plan_installation(&source, &subjects()).await.expect("SQL");
    assert_eq!(capture::install(&source, &wanted).await.expect("installs"), Installed::Now);
    assert_eq!(capture::install(&source, &wanted).await.expect("is there"), Installed::Before);
    world
}

async fn drain(world: &World) -> u64 {
    let source = World::settings(&world.server, "source");
    let options = RunOptions { heartbeat: Duration::from_secs(3600) };
    let last_seen = world.last_seen();
    capture::run(&world.repository, &source, &last_seen, options).await.expect("drains").keys
}

/// All keys of one subject on the ledger, as text, sorted.
async fn on_the_ledger(world: &World, table: &str) -> Vec<String> {
    let ledger = ledger::read_verified(&world.repository).await.expect("verifies");
    let mut found = Vec::new();
    for tombstones in ledger.erased().into_iter().filter(|found| found.subject.table.name == table) {
        match tombstones.keys {
            Keys::Integers(set) => found.extend(set.iter().map(|id| id.cast_signed().to_string())),
            Keys::Tuples(tuples) => found.extend(tuples.iter().map(|tuple| tuple.join("|"))),
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_deleting_is_captured_and_nothing_else() {
    for bin in bin_dirs() {
        let world = installed(PgServer::start(bin)).await;
        // As the application's role, with sessions that try to get around it.
        world.server.sql(
            "source",
            "SET ROLE app; SET datestyle = 'German'; SET timezone = 'Asia/Tokyo'; SET search_path = pg_temp;
             DELETE FROM public.users WHERE id IN (1, 2);
             BEGIN; DELETE FROM public.users WHERE id = 3; ROLLBACK;
             BEGIN; DELETE FROM public.users WHERE id = 4; INSERT INTO public.users VALUES (4, 'again'); COMMIT;
             UPDATE public.users SET name = 'x' WHERE id = 5;
             UPDATE public.account SET region = 'dk' WHERE no = 2;
             DELETE FROM public.account_de WHERE no = 4;
             DELETE FROM public.person WHERE code IS NULL OR at < '2025-01-01'",
        );
        world.server.sql("source", "SET session_replication_role = replica; DELETE FROM users WHERE id = 6");
        assert_eq!(drain(&world).await, 3 + 2 + 2);
        assert_eq!(on_the_ledger(&world, "users").await, ["1", "2", "6"]);
        // The account that moved to another region has another key now; its old one is gone with it.
        assert_eq!(on_the_ledger(&world, "account").await, ["de|2", "de|4"]);
        assert_eq!(
            on_the_ledger(&world, "person").await,
            ["e1|2024-06-01 00:00:00+00", "p\\1|2024-01-02 01:04:05+00"]
        );
        world.server.sql(
            "source",
            "SET ROLE app; TRUNCATE account_dk; BEGIN; TRUNCATE users CASCADE; ROLLBACK; TRUNCATE account",
        );
        assert_eq!(drain(&world).await, 11 + 8);
        assert_eq!(drain(&world).await, 0);
        let ledger = ledger::read_verified(&world.repository).await.expect("verifies");
        assert!(
            ledger.entries().iter().all(|entry| entry.header.settled == (entry.header.kind == Kind::Erased))
        );
        let source = World::settings(&world.server, "source");
        let status = capture::status(&source, &subjects()).await.expect("status").expect("is installed");
        assert_eq!((status.outbox.waiting, status.up_to_date), (0, Some(true)));
        world.server.sql("source", "CREATE TABLE account_se PARTITION OF account FOR VALUES IN ('se')");
        let status = capture::status(&source, &subjects()).await.expect("status").expect("is installed");
        assert_eq!(status.up_to_date, Some(false), "TRUNCATE of the new partition is not captured");
        capture::remove(&source).await.expect("removed");
        world.server.sql("source", "DELETE FROM users WHERE id = 50");
        assert_eq!(world.server.sql("source", "SELECT count(*) FROM pg_trigger WHERE tgname ~ 'lethe'"), "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_whose_key_changed_is_erased_under_all_keys() {
    let world = installed(PgServer::start(lethe_testkit::pg::bin_dir())).await;
    world.snapshot().await.expect("snapshot");
    let first = world.newest_snapshot().await;
    world.server.sql("source", "UPDATE users SET id = 1010 WHERE id = 10; UPDATE users SET id = 2010 WHERE id = 1010; UPDATE users SET id = 1011 WHERE id = 11");
    assert_eq!(drain(&world).await, 0, "both live on");
    world.snapshot().await.expect("snapshot");
    world.server.sql("source", "DELETE FROM users WHERE id = 2010");
    assert_eq!(drain(&world).await, 3);
    assert_eq!(on_the_ledger(&world, "users").await, ["10", "1010", "2010"]);
    // The newer snapshot knows the person as 2010, and has noted what they were called before.
    world.restore(&world.server, "newer").await.expect("restored");
    let former = "SELECT format('SELECT string_agg(id::text, '','') FROM %s', oid::regclass) FROM pg_class WHERE relname ~ '^former_keys_' AND relkind = 'r' AND obj_description(oid) = 'former keys of public.users' \\gexec";
    assert_eq!(world.server.sql("newer", former), "1011", "nothing is left of the erased person");
    // The old snapshot knows the person as 10.
    world.server.create_database("restored");
    let options = lethe_engine::restore::RestoreOptions { snapshot: Wanted::Id(first), ..World::options() };
    world.restore_with(&world.server, "restored", options).await.expect("restored");
    assert_eq!(
        world.server.sql(
            "restored",
            "SELECT string_agg(id::text, ',' ORDER BY id) FROM users WHERE id IN (9, 10, 11)"
        ),
        "9,11"
    );
    assert_eq!(world.server.sql("restored", "SELECT count(*) FROM orders"), "99");
    // The capture goes on in the restored database, from where it is.
    world.server.sql("restored", "DELETE FROM users WHERE id = 12");
    assert_eq!(
        world.server.sql("restored", "SELECT string_agg(key[1], ',') FROM lethe_capture.outbox"),
        "12"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_is_not_copied_and_its_lag_is_an_objection() {
    let world = installed(PgServer::start(lethe_testkit::pg::bin_dir())).await;
    world.server.sql(
        "source",
        "DELETE FROM users WHERE id = 1; UPDATE lethe_capture.outbox SET at = now() - interval '1 hour'",
    );
    world.snapshot().await.expect("snapshot");
    world.server.create_database("restored");
    let refused =
        world.restore_into(&world.server, "restored").await.expect_err("the capture was not at work");
    let Error::Refused(objections) = &refused else { panic!("{refused:?}") };
    assert!(objections.iter().all(|objection| objection.code == Code::CaptureLag), "{objections:?}");
    let mut options = World::options();
    options.acknowledged.push(Code::CaptureLag);
    world.server.create_database("acknowledged");
    world.restore_with(&world.server, "acknowledged", options).await.expect("somebody answers for it");
    assert_eq!(world.server.sql("acknowledged", "SELECT count(*) FROM lethe_capture.outbox"), "0");
    // Once the outbox was seen empty, everything that was deleted before is on the ledger.
    assert_eq!(drain(&world).await, 1);
    world.restore_into(&world.server, "restored").await.expect("nothing is left in the outbox");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_a_crash_left_behind_is_brought_once() {
    let world = installed(PgServer::start(lethe_testkit::pg::bin_dir())).await;
    world.server.sql("source", "DELETE FROM users WHERE id <= 3");
    // As a crash leaves it after the entry and before the outbox is emptied.
    let marked = "00112233445566778899aabbccddeeff";
    world.server.sql("source", &format!("UPDATE lethe_capture.outbox SET batch = '{marked}'; CREATE TABLE kept AS SELECT * FROM lethe_capture.outbox"));
    assert_eq!(drain(&world).await, 3);
    let entries = ledger::headers(&world.repository).await.expect("headers").len();
    world.server.sql("source", "INSERT INTO lethe_capture.outbox OVERRIDING SYSTEM VALUE SELECT * FROM kept");
    drain(&world).await;
    assert_eq!(ledger::headers(&world.repository).await.expect("headers").len(), entries, "no second entry");
    assert_eq!(world.server.sql("source", "SELECT count(*) FROM lethe_capture.outbox"), "0");
}

/// Whose people they were, however they went: the log of a customer can then say so.
#[tokio::test(flavor = "multi_thread")]
async fn every_captured_deletion_knows_its_customer() {
    let world = World::on(PgServer::start(lethe_testkit::pg::bin_dir())).await;
    world.server.sql(
        "source",
        "CREATE TABLE tenants (region text, id int, PRIMARY KEY (region, id));
         CREATE TABLE users (id int PRIMARY KEY, region text, tenant_id int);
         INSERT INTO tenants VALUES ('de', 1), ('dk', 1);
         INSERT INTO users SELECT i, CASE WHEN i % 2 = 0 THEN 'de' ELSE 'dk' END, CASE WHEN i <= 90 THEN 1 END FROM generate_series(1, 100) i;",
    );
    let of = |name: &str, table: &str, customer| Capturing {
        subject: SubjectRef {
            name: Some(name.to_owned()),
            table: QualifiedName::new("public", table),
            columns: None,
        },
        customer,
    };
    let source = World::settings(&world.server, "source");
    let install = async |customers: bool| {
        let (people, themselves) = if customers {
            let columns = ["region", "tenant_id"].map(str::to_owned).to_vec();
            (Customer::Named(columns), Customer::Themselves)
        } else {
            (Customer::None, Customer::None)
        };
        let subjects = [of("user", "users", people), of("tenant", "tenants", themselves)];
        let wanted = capture::plan_installation(&source, &subjects).await.expect("SQL");
        capture::install(&source, &wanted).await.expect("installs");
        capture::status(&source, &subjects).await.expect("status").expect("installed")
    };
    let options = RunOptions { heartbeat: Duration::from_secs(3600) };
    let drained = async || {
        let drained = capture::run(&world.repository, &source, &world.last_seen(), options).await;
        let captured = drained.expect("drains").captured.into_iter();
        captured
            .map(|captured| (captured.subject.to_string(), captured.tenant, captured.people))
            .collect::<Vec<_>>()
    };
    let user = |tenant: Option<&str>, people| ("user".to_owned(), tenant.map(str::to_owned), people);
    // An outbox of an older version, with something in it, does not know.
    install(false).await;
    world.server.sql("source", "ALTER TABLE lethe_capture.outbox DROP tenant");
    world.server.sql("source", "CREATE OR REPLACE FUNCTION lethe_capture.user_deleted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
        $$ BEGIN INSERT INTO lethe_capture.outbox (subject, table_schema, table_name, key) VALUES ('user', 'public', 'users', ARRAY[OLD.id::text]); RETURN NULL; END $$");
    world.server.sql("source", "DELETE FROM users WHERE id = 1");
    assert_eq!(drained().await, [user(None, 1)]);
    assert_eq!(install(true).await.up_to_date, Some(true));
    // By itself, with a former key, of nobody, and both customers at once.
    world.server.sql(
        "source",
        "UPDATE users SET id = 1002 WHERE id = 2; DELETE FROM users WHERE id IN (1002, 3, 4, 95)",
    );
    assert_eq!(drained().await, [user(None, 1), user(Some("de\t1"), 3), user(Some("dk\t1"), 1)]);
    world.server.sql(
        "source",
        "UPDATE users SET id = 1006 WHERE id = 6; TRUNCATE users; DELETE FROM tenants WHERE region = 'de'",
    );
    let all = drained().await;
    assert_eq!(all[..3], [user(None, 9), user(Some("de\t1"), 44), user(Some("dk\t1"), 43)]);
    assert_eq!(all[3..], [("tenant".to_owned(), Some("de\t1".to_owned()), 1)]);
}
