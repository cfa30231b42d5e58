//! Customers of a company that serves many: all that is one's goes with it, and comes back alone.
//!
//! `LETHE_TENANT_USERS=1000000` gives the erased one so many users.
#![allow(clippy::print_stdout, reason = "what it took")]

use std::time::Instant;

use lethe_engine::Error;
use lethe_engine::restore::{RestoreOptions, RestoreReport};
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::reference::{Inside, KeyPattern, OnErase, Reference, TableColumns, When};
use lethe_rules::closure::Tombstones;
use lethe_rules::objection::{Code, Objection};
use lethe_tests::compare::{assert_same_rows, assert_same_sums};
use lethe_tests::oracle;
use lethe_tests::world::World;

/// Membership by a foreign key, by a plain column, by a composite key, by a type and an id; shared tables behind each other;
/// rows of nobody, rows of two, and references that lead nowhere.
const SCHEMA: &str = "
    CREATE TABLE currencies (code char(3) PRIMARY KEY, name text);
    CREATE TABLE plans (id int PRIMARY KEY, currency char(3) REFERENCES currencies, upgrade_to int REFERENCES plans);
    CREATE TABLE countries (code text PRIMARY KEY);
    CREATE TABLE settings (name text PRIMARY KEY, value text);
    CREATE TABLE tenants (id int PRIMARY KEY, name text, plan_id int REFERENCES plans);
    CREATE TABLE users (id bigint PRIMARY KEY, tenant_id int REFERENCES tenants ON DELETE CASCADE, country text, invited_by bigint REFERENCES users ON DELETE SET NULL);
    CREATE TABLE members (tenant_id int REFERENCES tenants, user_id bigint, role text, PRIMARY KEY (tenant_id, user_id));
    CREATE TABLE invoices (id bigint PRIMARY KEY, tenant_id int, user_id bigint, total numeric, FOREIGN KEY (tenant_id, user_id) REFERENCES members);
    CREATE TABLE projects (id bigint PRIMARY KEY, tenant_id int, reviewer_id bigint, name text);
    CREATE TABLE notes (id bigint PRIMARY KEY, owner_type text, owner_id bigint, body text);
    CREATE TABLE transfers (id bigint PRIMARY KEY, sender int REFERENCES tenants, receiver int REFERENCES tenants);
    CREATE INDEX ON users (invited_by); CREATE INDEX ON users (tenant_id); CREATE INDEX ON invoices (tenant_id, user_id);
    CREATE SEQUENCE ticket_seq OWNED BY settings.value; SELECT setval('ticket_seq', 4711);";

fn data(users: u64) -> String {
    format!(
        "INSERT INTO currencies VALUES ('EUR', 'Euro'), ('DKK', 'Krone'), ('USD', 'Dollar');
         INSERT INTO plans VALUES (3, 'EUR', NULL), (2, 'DKK', 3), (1, 'EUR', 2), (9, 'USD', 9);
         INSERT INTO countries VALUES ('de'), ('dk'), ('us');
         INSERT INTO settings VALUES ('a', 'b');
         INSERT INTO tenants SELECT i, 'tenant ' || i, CASE WHEN i = 5 THEN 9 ELSE i % 2 + 1 END FROM generate_series(1, 5) i;
         INSERT INTO users SELECT i, CASE WHEN i <= {users} THEN 1 WHEN i % 50 = 0 THEN NULL ELSE i % 4 + 2 END,
             (ARRAY['de', 'dk', 'xx'])[i % 3 + 1], CASE WHEN i > 40 THEN i - 40 END FROM generate_series(1, {users} + 2000) i;
         INSERT INTO members SELECT tenant_id, id, 'r' FROM users WHERE tenant_id IS NOT NULL;
         INSERT INTO invoices SELECT user_id * 2 + n, tenant_id, user_id, n FROM members, generate_series(0, 1) n WHERE user_id % 3 = 0;
         INSERT INTO projects SELECT id, tenant_id, CASE id % 4 WHEN 0 THEN id WHEN 1 THEN id + 1 WHEN 2 THEN -id END, 'p' FROM users WHERE id % 5 = 0;
         INSERT INTO notes SELECT id, CASE WHEN id % 2 = 0 THEN 'User' ELSE 'Project' END, CASE WHEN id % 7 = 0 THEN -1 ELSE id END, 'b' FROM users;
         INSERT INTO transfers SELECT i, i % 5 + 1, i % 3 + 1 FROM generate_series(1, 60) i;"
    )
}

/// A project goes with its tenant and stays without its reviewer, a note goes with what it is about; a country stays.
fn references() -> Vec<Reference> {
    let side = |table: &str, columns: &[&str]| TableColumns {
        table: QualifiedName::new("public", table),
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
    };
    let rule = |from: (&str, &str), to: (&str, &str), on_erase: OnErase| Reference {
        from: side(from.0, &[from.1]),
        inside: Inside::default(),
        to: side(to.0, &[to.1]),
        when: None,
        on_erase,
    };
    let about = |kind: &str, table: &str| Reference {
        when: Some(When { column: "owner_type".to_owned(), equals: kind.to_owned() }),
        ..rule(("notes", "owner_id"), (table, "id"), OnErase::Drop)
    };
    vec![
        rule(("projects", "tenant_id"), ("tenants", "id"), OnErase::Drop),
        rule(("projects", "reviewer_id"), ("users", "id"), OnErase::Null),
        rule(
            ("users", "country"),
            ("countries", "code"),
            OnErase::Keep { because: "it is no person".to_owned() },
        ),
        about("User", "users"),
        about("Project", "projects"),
    ]
}

/// What a server would leave; triggers of the rules are written out.
const ERASED: &str = "
    CREATE TEMP TABLE gone AS SELECT id FROM users WHERE tenant_id = 1 OR id = 2048;
    DELETE FROM notes WHERE owner_type = 'Project' AND owner_id IN (SELECT id FROM projects WHERE tenant_id = 1);
    DELETE FROM projects WHERE tenant_id = 1;
    DELETE FROM notes WHERE owner_type = 'User' AND owner_id IN (TABLE gone);
    UPDATE projects SET reviewer_id = NULL WHERE reviewer_id IN (TABLE gone);
    DELETE FROM tenants WHERE id = 1; DELETE FROM users WHERE id = 2048";

/// Nothing but tenant 1: rows of others and of nobody go, by the same rules, then what nothing refers to.
const ALONE: &str = "
    DELETE FROM users WHERE id = 48;
    CREATE TEMP TABLE gone AS SELECT id FROM users WHERE tenant_id IS DISTINCT FROM 1;
    DELETE FROM notes WHERE NOT EXISTS (SELECT FROM users u WHERE owner_type = 'User' AND u.id = owner_id AND tenant_id = 1)
        AND NOT EXISTS (SELECT FROM projects p WHERE owner_type = 'Project' AND p.id = owner_id AND tenant_id = 1);
    DELETE FROM projects WHERE tenant_id IS DISTINCT FROM 1;
    UPDATE projects SET reviewer_id = NULL WHERE reviewer_id IN (TABLE gone) OR reviewer_id = 48;
    DELETE FROM users WHERE tenant_id IS NULL; DELETE FROM tenants WHERE id <> 1;
    DELETE FROM settings;
    DELETE FROM countries WHERE code NOT IN (SELECT country FROM users WHERE country IS NOT NULL);
    DELETE FROM plans WHERE id IN (1, 9); DELETE FROM currencies WHERE code = 'USD'";

fn tenant(id: &str) -> Tombstones {
    let subject = SubjectRef {
        name: Some("tenant".to_owned()),
        table: QualifiedName::new("public", "tenants"),
        columns: None,
    };
    Tombstones { subject, keys: Keys::Tuples(vec![vec![id.to_owned()]]) }
}

fn options(only: &[&str]) -> RestoreOptions {
    let only = only.iter().map(|id| tenant(id)).collect();
    RestoreOptions { references: references(), only, ..World::options() }
}

async fn world(users: u64) -> World {
    let world = World::new().await;
    world.server.sql("source", SCHEMA);
    world.server.sql("source", &data(users));
    world.snapshot_with(references()).await.expect("snapshot");
    world
}

async fn restored(world: &World, options: RestoreOptions) -> Result<RestoreReport, Error> {
    world.server.create_database("restored");
    world.restore_with(&world.server, "restored", options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_a_tenants_goes_with_it() {
    let users = std::env::var("LETHE_TENANT_USERS").map_or(20_000, |text| text.parse().expect("a number"));
    let world = world(users).await;
    world.erase_integers("tenants", [1]).await;
    world.erase_integers("users", [2048]).await;
    let begun = Instant::now();
    let report = restored(&world, options(&[])).await.expect("restored");
    println!("{users} users: {:?}, {:?}, peak {}", begun.elapsed(), report.seconds, report.peak_rss);
    oracle::delete(&world.server, "source", "oracle", ERASED).expect("deleted");
    assert_same_sums((&world.server, "oracle"), (&world.server, "restored"));
    assert!(report.rows.dropped > users * 2, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_comes_back_alone() {
    let users = std::env::var("LETHE_TENANT_USERS").map_or(2_000, |text| text.parse().expect("a number"));
    let world = world(users).await;
    world.erase_integers("users", [48]).await;
    let begun = Instant::now();
    let report = restored(&world, options(&["1"])).await.expect("restored");
    println!("{users} users: {:?}, {:?}, peak {}", begun.elapsed(), report.seconds, report.peak_rss);
    oracle::delete(&world.server, "source", "oracle", ALONE).expect("deleted");
    let same = if users > 10_000 { assert_same_sums } else { assert_same_rows };
    same((&world.server, "oracle"), (&world.server, "restored"));
    assert_eq!(report.rows.read, report.rows.loaded + report.rows.dropped);
    assert_eq!(world.server.sql("restored", "SELECT last_value FROM ticket_seq"), "4711");
    // What was made so is there: reviewers of others, and references that lead nowhere.
    let projects = "SELECT count(*) FILTER (WHERE reviewer_id < 0) > 0 AND count(*) FILTER (WHERE reviewer_id IS NULL) > 0 FROM projects";
    assert_eq!(world.server.sql("restored", projects), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_come_back_and_nobody_is_an_objection() {
    let world = world(100).await;
    restored(&world, options(&["1", "2", "3", "4", "5"])).await.expect("restored");
    assert_eq!(world.server.sql("restored", "SELECT count(*) FROM transfers"), "60");
    world.erase_integers("tenants", [2]).await;
    for ids in [&["2"][..], &["1", "2"], &["4711"]] {
        world.server.sql("postgres", "DROP DATABASE restored");
        let error = restored(&world, options(ids)).await.expect_err("nobody");
        let Error::Refused(objections) = &error else { panic!("{error:?}") };
        assert!(objections.iter().all(|objection| objection.code == Code::NobodyToRestore), "{objections:?}");
        assert!(objections.iter().all(|objection| objection.object.contains("tenant")), "{objections:?}");
    }
}

/// A country that only a text names would stay away, whatever becomes of such texts in an erasure.
#[tokio::test(flavor = "multi_thread")]
async fn shared_rows_that_are_named_within_values_are_an_objection() {
    let world = world(100).await;
    let keep = || OnErase::Keep { because: "it is no person".to_owned() };
    for (inside, on_erase) in [
        (Inside { text: Some(KeyPattern::parse("in {}").expect("a pattern")), ..Inside::default() }, keep()),
        (
            Inside { text: Some(KeyPattern::parse("in {}").expect("a pattern")), ..Inside::default() },
            OnErase::Null,
        ),
        (Inside::default(), keep()),
    ] {
        let whole = inside.is_whole();
        let mut options = options(&["1"]);
        let country = options.references.iter().find(|rule| rule.keeps().is_some()).expect("a rule").clone();
        let from =
            TableColumns { columns: vec!["body".to_owned()], table: QualifiedName::new("public", "notes") };
        options.references.push(Reference { from, inside, on_erase, ..country });
        let restored = restored(&world, options).await;
        match restored {
            Ok(_) => assert!(whole, "a shared row may be missing"),
            Err(Error::Refused(objections)) => {
                let is_it = |objection: &&Objection| objection.code == Code::UnsupportedReference;
                let found = objections.iter().find(is_it).expect("the objection");
                assert!(!whole && found.problem.contains("keys within"), "{objections:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
        world.server.sql("postgres", "DROP DATABASE restored");
    }
}
