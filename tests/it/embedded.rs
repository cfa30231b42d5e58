//! Keys within arrays, documents and texts: what a restore leaves is what the oracle leaves, on random tables and rules.
//! `LETHE_SEED=n` replays a seed, `LETHE_SEEDS=n` runs as many from 0 on.
#![allow(clippy::print_stdout, reason = "a failing run must show its seed")]

use lethe_engine::Error;
use lethe_engine::restore::RestoreOptions;
use lethe_format::catalog::QualifiedName;
use lethe_format::json::Path;
use lethe_format::ledger::Keys;
use lethe_format::reference::{Inside, OnErase, Reference, Removed, TableColumns};
use lethe_rules::objection::Code;
use lethe_testkit::pg::{PgServer, Shutdown, bin_dir};
use lethe_tests::compare::assert_same_rows;
use lethe_tests::embedded::generate;
use lethe_tests::search::hits;
use lethe_tests::world::World;

const SEEDS: u64 = 24;

fn options(references: Vec<Reference>) -> RestoreOptions {
    RestoreOptions { references, ..World::options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_is_what_the_oracle_leaves() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("LETHE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LETHE_SEEDS").unwrap_or(SEEDS),
    };
    let many = seeds.end - seeds.start > 20;
    let mut world = World::new().await;
    let (mut equal, mut refused, mut dropped, mut changed) = (0, 0, 0, 0);
    for seed in seeds {
        println!("seed {seed} (replay with LETHE_SEED={seed})");
        let server = world.server;
        server.sql("postgres", "DROP DATABASE IF EXISTS source WITH (FORCE); DROP DATABASE IF EXISTS oracle; DROP DATABASE IF EXISTS restored");
        world = World::on(server).await;
        let generated = generate(seed);
        world.server.sql("source", &generated.script);
        world.snapshot_with(generated.references.clone()).await.expect("snapshot");
        let keys = if generated.integer {
            Keys::Integers(generated.erased.iter().map(|key| key.parse::<u64>().expect("a number")).collect())
        } else {
            Keys::Tuples(generated.erased.iter().map(|key| vec![key.clone()]).collect())
        };
        world.erase("public", "users", None, keys).await;
        world.server.sql("postgres", "CREATE DATABASE oracle TEMPLATE source");
        let oracle = world.server.try_sql("oracle", &generated.oracle);
        match (oracle, world.restore(&world.server, "restored").await) {
            (Ok(_), Ok(report)) => {
                // Two spellings of one document are the same.
                for database in ["oracle", "restored"] {
                    for table in 0..3 {
                        let sql = format!("ALTER TABLE IF EXISTS t{table} ALTER e TYPE jsonb USING e::jsonb");
                        world.server.sql(database, &sql);
                    }
                }
                assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
                equal += 1;
                dropped += report.rows.dropped;
                changed += report.rows.changed;
            }
            (Err(refusal), Err(Error::Refused(objections))) => {
                assert!(refusal.contains("not-null"), "seed {seed}: {refusal}");
                assert!(objections.iter().all(|it| it.code == Code::ErasureRefused), "{objections:?}");
                refused += 1;
            }
            (oracle, restored) => panic!("seed {seed}: the oracle: {oracle:?}, the restore: {restored:?}"),
        }
    }
    println!("{equal} equal, {refused} refused by both, {dropped} rows dropped, {changed} changed");
    assert!(!many || (equal > refused && dropped > 50 && changed > 50));
}

fn rule(column: &str, inside: Inside, on_erase: OnErase) -> Reference {
    let side = |table: &str, column: &str| TableColumns {
        table: QualifiedName::new("public", table),
        columns: vec![column.to_owned()],
    };
    Reference { from: side("notes", column), inside, to: side("users", "id"), when: None, on_erase }
}

fn at(path: &str) -> Inside {
    Inside { path: Some(Path::parse(path).expect("a path")), ..Inside::default() }
}

fn element() -> Inside {
    Inside { element: true, ..Inside::default() }
}

const NOTES: &str = "
    CREATE DOMAIN short AS jsonb CHECK (length(VALUE::text) < 1000);
    CREATE TABLE users (id text PRIMARY KEY, born date UNIQUE);
    CREATE TABLE notes (id int PRIMARY KEY, who text, readers text[], doc jsonb, plain json, limited short, checked jsonb CHECK (jsonb_typeof(checked) = 'object'), times timestamptz[]);
    INSERT INTO users SELECT 'canary-' || md5(i::text) || '@example.org', '2000-01-01'::date + i FROM generate_series(1, 50) i;
    INSERT INTO notes SELECT i, u.id, ARRAY[u.id, 'x', u.id], jsonb_build_object('by', jsonb_build_object('mail', u.id, 'n', 1.50)),
        json_build_array(json_build_object('mail', u.id), 7), jsonb_build_object('by', u.id), jsonb_build_object('by', u.id)
        FROM generate_series(1, 400) i JOIN users u ON u.id = 'canary-' || md5((i % 50 + 1)::text) || '@example.org';";

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_the_target_holds_a_key_that_was_taken_out() {
    let world = World::new().await;
    world.server.sql("source", &format!("{NOTES} UPDATE notes SET checked = NULL"));
    world.snapshot().await.expect("snapshot");
    let canary = world.server.sql("source", "SELECT 'canary-' || md5('7')");
    let plain = || Inside { text: Some("{}".to_owned().try_into().expect("a pattern")), ..Inside::default() };
    let rules = vec![
        rule("who", plain(), OnErase::Null),
        rule("readers", element(), OnErase::Remove(Removed::Value)),
        rule("doc", at("$.by.mail"), OnErase::Remove(Removed::Value)),
        rule("plain", at("$.mail"), OnErase::Remove(Removed::Object)),
        rule("limited", at("$.by"), OnErase::Null),
    ];
    let settings = ["log_statement=all", "wal_compression=off", "wal_keep_size=1GB"];
    // Without the erasure the same search finds the key.
    for (erased, found) in [(false, true), (true, false)] {
        if erased {
            let keys = Keys::Tuples(vec![vec![format!("{canary}@example.org")]]);
            world.erase("public", "users", None, keys).await;
        }
        let mut target = PgServer::start_with(bin_dir(), &settings);
        target.create_database("restored");
        let report = world.restore_with(&target, "restored", options(rules.clone())).await.expect("restore");
        let (doc, plain) =
            ("SELECT doc, plain, readers FROM notes WHERE id = 6", (erased, report.rows.changed));
        assert_eq!(plain, (erased, if erased { 8 } else { 0 }));
        if erased {
            assert_eq!(target.sql("restored", doc), "{\"by\": {\"n\": 1.50}}|[7]|{x}");
        }
        target.stop(Shutdown::Fast);
        assert_eq!(!hits(&target.data_dir(), &[canary.clone().into_bytes()]).is_empty(), found, "{erased}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_followed_is_an_objection() {
    let world = World::new().await;
    world.server.sql("source", NOTES);
    world.snapshot().await.expect("snapshot");
    let keys = Keys::Tuples(vec![vec![world.server.sql("source", "SELECT min(id) FROM users")]]);
    world.erase("public", "users", None, keys).await;
    world.server.create_database("refused");
    let take = OnErase::Remove(Removed::Value);
    let by_date = |mut rule: Reference| {
        rule.to.columns = vec!["born".to_owned()];
        rule
    };
    for (rule, code, said) in [
        (rule("gone", element(), OnErase::Drop), Code::UnknownReference, "no column"),
        (rule("who", element(), OnErase::Drop), Code::UnsupportedReference, "no array"),
        (rule("readers", at("$.a"), OnErase::Drop), Code::UnsupportedReference, "no json or jsonb"),
        (rule("who", Inside::default(), take.clone()), Code::UnsupportedReference, "taken out"),
        (
            rule("readers", element(), OnErase::Remove(Removed::Object)),
            Code::UnsupportedReference,
            "document",
        ),
        (rule("times", element(), OnErase::Drop), Code::UndecidableEquality, "element of times"),
        (by_date(rule("doc", at("$.by"), OnErase::Drop)), Code::UndecidableEquality, "more than one way"),
        (rule("limited", at("$.by"), take.clone()), Code::ErasureRefused, "domain"),
        (rule("checked", at("$.by"), take.clone()), Code::ErasureRefused, "check constraint"),
    ] {
        let shown = format!("{rule}");
        let error =
            world.restore_with(&world.server, "refused", options(vec![rule])).await.expect_err(&shown);
        let Error::Refused(objections) = &error else { panic!("{shown}: {error:?}") };
        let fits = |objection: &lethe_rules::objection::Objection| {
            objection.code == code
                && objection.problem.contains(said)
                && (objection.object.contains("reference public.notes")
                    || objection.problem.contains("reference public.notes"))
        };
        assert!(objections.iter().all(fits), "{shown}: {objections:?}");
    }
}
