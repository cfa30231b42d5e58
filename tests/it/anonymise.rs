//! People whose rows stay, and are overwritten on the way in: as an `UPDATE` of everything restored would do it.

use lethe_engine::Error;
use lethe_engine::ledger::{self, NewEntry};
use lethe_engine::restore::RestoreOptions;
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use lethe_rules::anonymise::{Constant, InactiveRule, MaskRule, Replacement};
use lethe_rules::objection::Code;
use lethe_testkit::pg::{PgServer, Shutdown, bin_dirs};
use lethe_tests::compare::assert_same_rows;
use lethe_tests::oracle;
use lethe_tests::search::hits;
use lethe_tests::world::World;

/// `odd` is copied as text, since an array of a user's type has no portable binary form.
const SCHEMA: &str = "
    CREATE TYPE mood AS ENUM ('fine', 'gone'); CREATE DOMAIN phone AS varchar(12);
    CREATE TABLE person (id int PRIMARY KEY, email varchar(40) UNIQUE, name text NOT NULL, born date, born_at timestamptz, m mood, tel phone,
        weight numeric(6,2), code char(5), doc jsonb, raw bytea, token uuid, active boolean, score int, big bigint, ratio float8, last_seen timestamptz, spot point);
    CREATE TABLE odd (id int PRIMARY KEY, moods mood[], note text, stamp timestamptz);
    CREATE TABLE letter (id int PRIMARY KEY, person_id int REFERENCES person ON DELETE CASCADE, cc int REFERENCES person, body text, kind mood) PARTITION BY RANGE (id);
    CREATE TABLE letter_1 PARTITION OF letter FOR VALUES FROM (0) TO (100);
    CREATE TABLE letter_2 PARTITION OF letter FOR VALUES FROM (100) TO (1000);
    INSERT INTO person SELECT i, 'canary-' || md5('e' || i), 'canary-' || md5('n' || i), '1970-01-01'::date + i, '2001-01-01'::timestamptz + i * interval '1 day',
        'fine', '555' || i, i + 0.25, 'c' || i, jsonb_build_object('k', 'canary-' || md5('d' || i)), decode(md5('r' || i), 'hex'), gen_random_uuid(), true, i, i, i,
        CASE WHEN i % 10 = 0 THEN NULL ELSE '2026-01-01'::timestamptz - i * interval '10 days' END FROM generate_series(1, 200) i;
    INSERT INTO odd SELECT i, ARRAY['fine'::mood], 'canary-' || md5('o' || i) || E'\\t\\\\', '2020-01-01' FROM generate_series(1, 50) i;
    INSERT INTO letter SELECT i, i % 200 + 1, nullif(i % 7, 0), 'canary-' || md5('l' || (i % 200 + 1)), 'fine' FROM generate_series(1, 400) i;";

fn subject(table: &str) -> SubjectRef {
    SubjectRef { name: None, table: QualifiedName::new("public", table), columns: None }
}

fn constant(text: &str) -> Replacement {
    Replacement::Constant(Constant { text: text.to_owned(), binary: None })
}

fn rule(subject_table: &str, table: &str, via: Option<&str>, columns: &[(&str, Replacement)]) -> MaskRule {
    MaskRule {
        subject: subject(subject_table),
        table: QualifiedName::new("public", table),
        via: via.map(|column| vec![column.to_owned()]),
        columns: columns.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    }
}

fn options(masks: Vec<MaskRule>) -> RestoreOptions {
    let mut options = World::options();
    options.anonymise.masks = masks;
    options
}

fn masks() -> Vec<MaskRule> {
    vec![
        rule(
            "person",
            "person",
            None,
            &[
                ("email", Replacement::Null),
                ("name", constant("Former 'user'\t\\")),
                ("born", constant("1900-01-01")),
                ("born_at", constant("1900-01-01 00:00:00+00")),
                ("m", constant("gone")),
                ("tel", constant("0")),
                ("weight", constant("1.5")),
                ("code", constant("x")),
                ("doc", constant("{\"a\": [1, null]}")),
                ("raw", constant("\\x00ff")),
                ("active", constant("false")),
            ],
        ),
        rule(
            "person",
            "letter",
            Some("person_id"),
            &[("body", Replacement::Null), ("kind", constant("gone"))],
        ),
        rule("odd", "odd", None, &[("note", constant("gone\t\\N")), ("stamp", Replacement::Null)]),
    ]
}

async fn world(server: PgServer) -> World {
    let world = World::on(server).await;
    world.server.sql("source", SCHEMA);
    world.snapshot().await.expect("snapshot");
    world
}

async fn anonymise(world: &World, table: &str, ids: &[u64]) {
    let keys = Keys::Integers(ids.iter().copied().collect());
    world.append(NewEntry::about(Kind::Anonymised, subject(table), keys)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymised_people_come_back_as_an_update_would_leave_them() {
    for bin in bin_dirs() {
        let world = world(PgServer::start(&bin)).await;
        anonymise(&world, "person", &[3, 5, 150, 7777]).await;
        anonymise(&world, "odd", &[9]).await;
        world.erase_integers("person", [5]).await;
        let mut target = PgServer::start(&bin);
        target.create_database("restored");
        let report = world.restore_with(&target, "restored", options(masks())).await.expect("restored");
        let update = "DELETE FROM person WHERE id = 5;
            UPDATE person SET email = NULL, name = E'Former ''user''\\t\\\\', born = '1900-01-01', born_at = '1900-01-01 00:00:00+00', m = 'gone', tel = '0', weight = 1.5,
                code = 'x', doc = '{\"a\": [1, null]}', raw = '\\x00ff', active = false WHERE id IN (3, 150);
            UPDATE letter SET body = NULL, kind = 'gone' WHERE person_id IN (3, 150);
            UPDATE odd SET note = E'gone\\t\\\\N', stamp = NULL WHERE id = 9";
        oracle::delete(&world.server, "source", "oracle", update).expect("the server does it");
        assert_same_rows((&world.server, "oracle"), (&target, "restored"));
        let letters = world.server.sql("oracle", "SELECT count(*) FROM letter WHERE kind = 'gone'");
        assert_eq!(
            report.rows.changed.to_string(),
            (3 + letters.parse::<u64>().expect("a count")).to_string()
        );
        // Nothing of what was overwritten was ever sent.
        let tokens = world.server.sql(
            "postgres",
            "SELECT 'canary-' || md5(x) FROM unnest(ARRAY['e3', 'n3', 'd3', 'l3', 'e150', 'n150', 'l150', 'o9']) x",
        );
        let alive = world.server.sql("postgres", "SELECT 'canary-' || md5('n4')");
        target.stop(Shutdown::Fast);
        let wanted: Vec<Vec<u8>> = tokens.lines().map(|token| token.as_bytes().to_vec()).collect();
        assert_eq!(hits(&target.data_dir(), &wanted), []);
        let alive = alive.trim().as_bytes().to_vec();
        assert!(!hits(&target.data_dir(), &[alive]).is_empty(), "the search finds the living");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_values_are_of_the_type_and_of_nobody() {
    let world = world(PgServer::start(lethe_testkit::pg::bin_dir())).await;
    anonymise(&world, "person", &(1..=100).collect::<Vec<_>>()).await;
    anonymise(&world, "odd", &(1..=25).collect::<Vec<_>>()).await;
    let random = [
        "email", "name", "born", "born_at", "code", "doc", "raw", "token", "active", "score", "big", "ratio",
    ];
    let columns: Vec<_> = random.iter().map(|name| (*name, Replacement::Random)).collect();
    let rules = || {
        vec![
            rule("person", "person", None, &columns),
            rule("odd", "odd", None, &[("note", Replacement::Random), ("stamp", Replacement::Random)]),
        ]
    };
    for database in ["one", "two"] {
        world.server.create_database(database);
        world.restore_with(&world.server, database, options(rules())).await.expect("restored");
    }
    let living = "SELECT md5(string_agg(p::text, '' ORDER BY id)) FROM person p WHERE id > 100";
    assert_eq!(world.server.sql("one", living), world.server.sql("source", living));
    let values = "SELECT p.id::text || x.* FROM (SELECT * FROM person WHERE id <= 100) p, LATERAL (VALUES (email), (name), (doc::text), (raw::text), (token::text), (big::text)) x(v)
                  UNION ALL SELECT note FROM odd WHERE id <= 25";
    let of = |database: &str| -> Vec<String> {
        world.server.sql(database, values).lines().map(str::to_owned).collect()
    };
    let (source, one, two) = (of("source"), of("one"), of("two"));
    assert_eq!(one.len(), 625);
    for (place, value) in one.iter().enumerate() {
        assert!(
            !source.contains(value) && !two.contains(value),
            "value {place} is somebody's, or not random"
        );
    }
    let distinct = "SELECT count(DISTINCT name) + count(DISTINCT email) + count(DISTINCT token) + count(DISTINCT big) FROM person WHERE id <= 100";
    assert_eq!(world.server.sql("one", distinct), "400");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_would_break_the_database_are_refused_by_name() {
    let world = world(PgServer::start(lethe_testkit::pg::bin_dir())).await;
    anonymise(&world, "person", &[1]).await;
    world.server.create_database("restored");
    let person = |columns: &[(&str, Replacement)]| vec![rule("person", "person", None, columns)];
    let null = || Replacement::Null;
    let cases = [
        (Vec::new(), Code::MissingMask, "no columns are named"),
        (person(&[("name", null())]), Code::MaskRefused, "NOT NULL"),
        (person(&[("id", Replacement::Random)]), Code::MaskRefused, "foreign key"),
        (person(&[("email", constant("same"))]), Code::MaskRefused, "same value twice"),
        (person(&[("nothing", null())]), Code::UnknownSubject, "no column nothing"),
        (person(&[("born", constant("canary"))]), Code::MaskRefused, "no value of its type"),
        (person(&[("spot", Replacement::Random)]), Code::MaskRefused, "no random value"),
        (
            vec![rule("person", "letter", None, &[("body", null())])],
            Code::UnknownSubject,
            "several foreign keys",
        ),
        (
            vec![rule("person", "letter", Some("person_id"), &[("id", Replacement::Random)])],
            Code::MaskRefused,
            "primary key",
        ),
        (
            vec![rule("person", "odd", None, &[("note", null())])],
            Code::UnknownSubject,
            "no foreign key leads",
        ),
    ];
    for (masks, code, problem) in cases {
        let refused = world.restore_with(&world.server, "restored", options(masks)).await.expect_err(problem);
        let Error::Refused(objections) = &refused else { panic!("{problem}: {refused:?}") };
        assert!(
            objections.iter().any(|found| found.code == code && found.problem.contains(problem)),
            "{problem}: {objections:?}"
        );
        assert!(!format!("{objections:?}").contains("canary"), "{objections:?}");
    }
    assert_eq!(
        world.server.sql("restored", "SELECT count(*) FROM pg_namespace WHERE nspname = 'lethe'"),
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_not_seen_for_long_is_anonymised_on_the_way_and_put_on_the_ledger() {
    let world = world(PgServer::start(lethe_testkit::pg::bin_dir())).await;
    world.erase_integers("person", [199]).await;
    anonymise(&world, "person", &[198]).await;
    let with_rule = || {
        let mut options = options(vec![
            rule("person", "person", None, &[("name", constant("gone")), ("email", Replacement::Random)]),
            rule("person", "letter", Some("person_id"), &[("body", Replacement::Null)]),
        ]);
        // Two years before 2026-01-01, in microseconds since 2000-01-01.
        let before = "2024-01-02T00:00:00Z".parse::<jiff::Timestamp>().expect("a time").as_microsecond()
            - 946_684_800_000_000;
        options.anonymise.inactive =
            Some(InactiveRule { subject: subject("person"), column: "last_seen".to_owned(), before });
        options
    };
    world.server.create_database("restored");
    world.restore_with(&world.server, "restored", with_rule()).await.expect("restored");
    let inactive = "id <> 199 AND (id = 198 OR last_seen < '2024-01-02')";
    let gone = world
        .server
        .sql("source", &format!("SELECT string_agg(id::text, ',' ORDER BY id) FROM person WHERE {inactive}"));
    assert!(gone.len() > 100, "{gone}");
    assert_eq!(
        world
            .server
            .sql("restored", "SELECT string_agg(id::text, ',' ORDER BY id) FROM person WHERE name = 'gone'"),
        gone
    );
    assert_eq!(
        world.server.sql(
            "restored",
            &format!("SELECT count(*) FROM letter WHERE (body IS NULL) <> (person_id IN ({gone}))")
        ),
        "0"
    );
    let ledger = ledger::read_verified(&world.repository).await.expect("verifies");
    let known: u64 = ledger.standing(0).anonymised.iter().map(|tombstones| tombstones.keys.len()).sum();
    assert_eq!(known as usize, gone.split(',').count());
    // The next restore knows them already.
    let entries = ledger.entries().len();
    world.server.create_database("again");
    world.restore_with(&world.server, "again", with_rule()).await.expect("restored");
    let ledger = ledger::read_verified(&world.repository).await.expect("verifies");
    assert_eq!(ledger.entries().len(), entries + 1, "the cut-over alone");
}
