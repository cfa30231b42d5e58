//! `--only`: nothing comes back but what belongs to a few subjects, and what that refers to; on random schemas, with
//! PostgreSQL as the oracle.
//!
//! `LETHE_SEED=n` runs one seed alone, `LETHE_SEEDS=n` as many from 0 on as are wanted.
#![allow(clippy::print_stdout, reason = "a failing run must show its seed")]

use lethe_engine::Error;
use lethe_engine::restore::RestoreOptions;
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::sql::quote_ident;
use lethe_rules::closure::Tombstones;
use lethe_rules::objection::Code;
use lethe_tests::compare::assert_same_rows;
use lethe_tests::generator::{Subject, generate};
use lethe_tests::only_oracle::keep_only;
use lethe_tests::world::World;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::equality::{erase, has_key, some_keys};

/// Seeds in a normal run, over both parts.
const SEEDS: u64 = 80;

#[derive(Debug, Default)]
struct Tally {
    equal: usize,
    rows: u64,
    nobody: usize,
    refused_by_both: usize,
    cautious: usize,
}

async fn part(part: u64) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("LETHE_SEED and LETHE_SEEDS are numbers"))
    };
    let seeds: Vec<u64> = match number("LETHE_SEED") {
        Some(seed) => (part == 0).then_some(seed).into_iter().collect(),
        None => (0..number("LETHE_SEEDS").unwrap_or(SEEDS)).filter(|seed| seed % 2 == part).collect(),
    };
    let (mut world, mut tally) = (World::new().await, Tally::default());
    for seed in &seeds {
        println!("seed {seed} (replay with LETHE_SEED={seed})");
        world = one(world, *seed, &mut tally).await;
    }
    println!("{tally:?}");
    if seeds.len() > 20 {
        assert!(tally.equal * 3 > seeds.len(), "many seeds must be restored and compared: {tally:?}");
        assert!(tally.rows > 3 * seeds.len() as u64, "rows must come back: {tally:?}");
        assert!(
            tally.cautious * 5 < seeds.len(),
            "objections that the server does not share must be rare: {tally:?}"
        );
    }
}

async fn one(world: World, seed: u64, tally: &mut Tally) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6f6e_6c79);
    let generated = generate(seed);
    let server = world.server;
    server.sql("postgres", "DROP DATABASE IF EXISTS source WITH (FORCE); DROP DATABASE IF EXISTS oracle; DROP DATABASE IF EXISTS \"oracle owners\"; DROP DATABASE IF EXISTS restored");
    let world = World::on(server).await;
    world.server.sql("source", &generated.script);
    world.snapshot().await.unwrap_or_else(|error| panic!("seed {seed}: snapshot: {error} {error:?}"));

    // The first tables are those that the others mostly refer to.
    let mut subjects = generated.subjects.iter();
    let found = subjects.find_map(|subject| {
        let mut keys = some_keys(&world, subject, &mut rng);
        keys.retain(|key| key[0] != "987654321");
        (!keys.is_empty() && rng.random_bool(0.7)).then_some((subject, keys))
    });
    let Some((subject, chosen)) = found else { return world };
    let mut erased = Vec::new();
    if rng.random_bool(0.6) {
        let subject = generated.subjects.choose(&mut rng).expect("a table");
        let keys = some_keys(&world, subject, &mut rng);
        if !keys.is_empty() {
            erased.push((format!("public.{}", quote_ident(&subject.table)), has_key(subject, &keys)));
            erase(&world, subject, keys).await;
        }
    }
    let (table, which) = (format!("public.{}", quote_ident(&subject.table)), has_key(subject, &chosen));
    let oracle = keep_only(&world.server, ("source", "oracle"), (&table, &which), &erased);
    world.server.create_database("restored");
    // Tables and their keys are numbered, and so are the people.
    let options = RestoreOptions {
        only: vec![only(subject, chosen.clone())],
        acknowledged: vec![Code::SchemaText],
        ..World::options()
    };
    let restored = world.restore_with(&world.server, "restored", options).await;
    match (oracle, restored) {
        (Ok(()), Ok(report)) => {
            assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
            assert_eq!(report.rows.read, report.rows.loaded + report.rows.dropped);
            assert_eq!(report.only[0].keys, chosen.len() as u64);
            tally.equal += 1;
            tally.rows += report.rows.loaded;
        }
        (Ok(()), Err(Error::Refused(objections))) => {
            let nobody = objections.iter().all(|objection| objection.code == Code::NobodyToRestore);
            let careful = objections
                .iter()
                .all(|objection| matches!(objection.code, Code::OrderDependent | Code::ErasureRefused));
            assert!(nobody || careful, "seed {seed}: the server has no objection, but: {objections:?}");
            if nobody {
                let left = world.server.sql(
                    "oracle",
                    &format!("SET timezone = 'UTC'; SELECT count(*) FROM {table} WHERE {which}"),
                );
                assert_ne!(left, chosen.len().to_string(), "seed {seed}: all of them are there");
                tally.nobody += 1;
            } else {
                tally.cautious += 1;
            }
        }
        (Err(_), Err(Error::Refused(_))) => tally.refused_by_both += 1,
        (Err(refusal), Ok(_)) => panic!("seed {seed}: the server refuses, the restore does not: {refusal}"),
        (oracle, Err(error)) => panic!("seed {seed}: {error} {error:?} (the oracle: {oracle:?})"),
    }
    world
}

fn only(subject: &Subject, keys: Vec<Vec<String>>) -> Tombstones {
    Tombstones {
        subject: SubjectRef {
            name: None,
            table: QualifiedName::new("public", &subject.table),
            columns: Some(subject.columns.clone()),
        },
        keys: Keys::Tuples(keys),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_restored_alone_equal_the_oracle_1() {
    part(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn few_restored_alone_equal_the_oracle_2() {
    part(1).await;
}
