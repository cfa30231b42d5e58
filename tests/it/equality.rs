//! The property of this project: on random schemas and rows, the filtered restore equals what a server leaves when it
//! restores everything and deletes the subjects.
//!
//! `LETHE_SEED=n` runs one seed alone, `LETHE_SEEDS=n` as many from 0 on as are wanted.
#![allow(clippy::print_stdout, reason = "a failing run must show its seed")]

use lethe_engine::Error;
use lethe_engine::restore::RestoreOptions;
use lethe_format::copy_text;
use lethe_format::ledger::Keys;
use lethe_format::sql::{quote_ident, quote_literal};
use lethe_rules::objection::Code;
use lethe_tests::compare::assert_same_rows;
use lethe_tests::generator::{Subject, generate};
use lethe_tests::oracle;
use lethe_tests::world::World;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Seeds in a normal run, over all four parts.
const SEEDS: u64 = 240;

#[derive(Debug, Default)]
struct Tally {
    equal: usize,
    refused_by_both: usize,
    order_dependent: usize,
    cautious: usize,
}

async fn part(part: u64) {
    let chosen =
        std::env::var("LETHE_SEED").ok().map(|text| text.parse::<u64>().expect("LETHE_SEED is a number"));
    let seeds = std::env::var("LETHE_SEEDS")
        .ok()
        .map_or(SEEDS, |text| text.parse().expect("LETHE_SEEDS is a number"));
    let seeds: Vec<u64> = match chosen {
        Some(seed) => (part == 0).then_some(seed).into_iter().collect(),
        None => (0..seeds).filter(|seed| seed % 4 == part).collect(),
    };
    let mut world = World::new().await;
    let mut tally = Tally::default();
    for seed in &seeds {
        println!("seed {seed} (replay with LETHE_SEED={seed})");
        world = one(world, *seed, &mut tally).await;
    }
    println!("{tally:?}");
    if seeds.len() > 20 {
        assert!(tally.equal * 2 > seeds.len(), "most seeds must be restored and compared: {tally:?}");
        assert!(
            tally.cautious * 5 < seeds.len(),
            "objections that the server does not share must be rare: {tally:?}"
        );
    }
}

async fn one(world: World, seed: u64, tally: &mut Tally) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6c65_7468_6521);
    let generated = generate(seed);
    let server = world.server;
    server.sql("postgres", "DROP DATABASE IF EXISTS source WITH (FORCE); DROP DATABASE IF EXISTS oracle; DROP DATABASE IF EXISTS restored");
    let world = World::on(server).await;
    world.server.sql("source", &generated.script);
    world.snapshot().await.unwrap_or_else(|error| panic!("seed {seed}: snapshot: {error} {error:?}"));

    let mut deletes = String::from("SET timezone = 'UTC'; BEGIN;");
    for _ in 0..rng.random_range(1..3) {
        let subject = &generated.subjects[rng.random_range(0..generated.subjects.len())];
        let keys = some_keys(&world, subject, &mut rng);
        deletes.push_str(&delete_statement(subject, &keys));
        erase(&world, subject, keys).await;
    }
    deletes.push_str("COMMIT");
    let oracle = oracle::delete(&world.server, "source", "oracle", &deletes);
    world.server.create_database("restored");
    // Tables and their keys are numbered, and so are the people.
    let options = RestoreOptions { acknowledged: vec![Code::SchemaText], ..World::options() };
    let restored = world.restore_with(&world.server, "restored", options).await;
    match (oracle, restored) {
        (Ok(()), Ok(_)) => {
            assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
            tally.equal += 1;
        }
        (Err(_), Err(Error::Refused(_))) => tally.refused_by_both += 1,
        (Ok(()), Err(Error::Refused(objections))) => {
            let by_order = objections.iter().all(|objection| objection.code == Code::OrderDependent);
            let careful = objections
                .iter()
                .all(|objection| matches!(objection.code, Code::OrderDependent | Code::ErasureRefused));
            assert!(careful, "seed {seed}: the server has no objection, but: {objections:?}");
            if by_order { tally.order_dependent += 1 } else { tally.cautious += 1 }
        }
        (Err(refusal), Ok(_)) => panic!("seed {seed}: the server refuses, the restore does not: {refusal}"),
        (oracle, Err(error)) => panic!("seed {seed}: {error} {error:?} (the oracle: {oracle:?})"),
    }
    world
}

/// Keys of rows that are there, as the server writes them, and a few of none.
pub(crate) fn some_keys(world: &World, subject: &Subject, rng: &mut ChaCha8Rng) -> Vec<Vec<String>> {
    let columns: Vec<String> =
        subject.columns.iter().map(|name| format!("{}::text", quote_ident(name))).collect();
    let table = quote_ident(&subject.table);
    let text = world.server.sql(
        "source",
        &format!(
            "SET timezone = 'UTC'; COPY (SELECT {} FROM public.{table} ORDER BY 1) TO STDOUT",
            columns.join(", ")
        ),
    );
    // `psql`'s last newline is trimmed; an empty table has none.
    let text = if text.is_empty() { text } else { text + "\n" };
    let mut rows = text.as_bytes();
    let mut keys = Vec::new();
    let mut fields = Vec::new();
    while let Ok(Some((_, rest))) = copy_text::next_row(rows, subject.columns.len(), &mut fields) {
        let value = |field: &Option<&[u8]>| {
            let value = copy_text::unescape(field.expect("a key is never NULL")).expect("escaped");
            String::from_utf8(value.into_owned()).expect("UTF-8")
        };
        if rng.random_bool(0.15) {
            keys.push(fields.iter().map(value).collect());
        }
        rows = rest;
    }
    if subject.integer {
        keys.push(vec!["987654321".to_owned()]);
    }
    keys
}

fn delete_statement(subject: &Subject, keys: &[Vec<String>]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    format!("DELETE FROM public.{} WHERE {};", quote_ident(&subject.table), has_key(subject, keys))
}

/// The condition that a row of the subject has one of these keys.
pub(crate) fn has_key(subject: &Subject, keys: &[Vec<String>]) -> String {
    let columns: Vec<String> =
        subject.columns.iter().map(|name| format!("{}::text", quote_ident(name))).collect();
    let tuple = |key: &Vec<String>| {
        format!("({})", key.iter().map(|value| quote_literal(value)).collect::<Vec<_>>().join(", "))
    };
    let tuples: Vec<String> = keys.iter().map(tuple).collect();
    format!("({}) IN ({})", columns.join(", "), tuples.join(", "))
}

pub(crate) async fn erase(world: &World, subject: &Subject, keys: Vec<Vec<String>>) {
    let columns: Vec<&str> = subject.columns.iter().map(String::as_str).collect();
    let keys = if subject.integer {
        Keys::Integers(
            keys.iter().map(|key| key[0].parse::<i64>().expect("an integer").cast_unsigned()).collect(),
        )
    } else {
        Keys::Tuples(keys)
    };
    world.erase("public", &subject.table, Some(&columns), keys).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_equal_the_oracle_1() {
    part(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_equal_the_oracle_2() {
    part(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_equal_the_oracle_3() {
    part(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restores_equal_the_oracle_4() {
    part(3).await;
}
