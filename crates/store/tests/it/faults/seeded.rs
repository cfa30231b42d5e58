#![allow(clippy::print_stdout, reason = "a failing run must show its seed")]

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::*;

const SEEDS: u64 = 12;
const STEPS: usize = 60;

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    fn fault(&mut self) -> Fault {
        let at = self.below(150_000);
        match self.below(11) {
            0 => Fault::SlowDown,
            1 => Fault::TooManyRequests,
            2 => Fault::InternalError,
            3 => Fault::RequestTimeout,
            4 => Fault::ExpiredCredentials,
            5 => Fault::LostAnswer,
            6 => Fault::WrongAnswer,
            7 => Fault::Slow(Duration::from_millis(2)),
            8 => Fault::StallMidBody { at },
            9 => Fault::ShortBody { at },
            _ => Fault::ResetMidBody { at },
        }
    }

    fn requests(&mut self) -> Requests {
        match self.below(2) {
            0 => Requests::first(self.below(6) as usize),
            _ => Requests::nth(self.below(6) as usize + 1),
        }
    }
}

/// Creates an object as the ledger does: what is stored decides.
async fn create(store: &ResilientStore, object: &str, body: &Bytes) -> bool {
    match store.put_if_absent(&name(object), body.clone()).await {
        Ok(()) => true,
        Err(Error::AlreadyExists { .. }) => false,
        Err(Error::OutcomeUnknown { .. }) => read(store, object).await.expect("it is there") == *body,
        Err(error) => panic!("{error:?}"),
    }
}

async fn run(seed: u64) {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let policy = RetryPolicy { idle_timeout: Duration::from_millis(300), ..policy() };
    let (server, store) = world_with(policy).await;
    let mut model: BTreeMap<String, Bytes> = BTreeMap::new();
    for step in 0..STEPS {
        for _ in 0..dice.below(3) {
            server.inject(dice.fault(), dice.requests());
        }
        let object = dice.below(12).to_string();
        // Contents differ, or nobody could tell whose an object is.
        let body = || {
            let mut body = content(100_000 + step).to_vec();
            body.extend_from_slice(&seed.to_be_bytes());
            Bytes::from(body)
        };
        match dice.below(6) {
            0 => {
                store.put(&name(&object), body()).await.expect("put");
                model.insert(object, body());
            }
            1 => {
                let created = create(&store, &object, &body()).await;
                assert_eq!(created, !model.contains_key(&object), "step {step}");
                model.entry(object).or_insert_with(body);
            }
            2 => {
                store.delete(&name(&object)).await.expect("delete");
                model.remove(&object);
            }
            3 => {
                let listed = names(&store, "").await.expect("list");
                assert_eq!(listed, model.keys().cloned().collect::<Vec<_>>(), "step {step}");
            }
            _ => match (read(&store, &object).await, model.get(&object)) {
                (Ok(found), Some(expected)) => assert!(found == *expected, "step {step}: other bytes"),
                (Err(Error::NotFound { .. }), None) => {}
                (found, expected) => panic!("step {step}: {found:?} instead of {expected:?}"),
            },
        }
    }
}

/// `LETHE_SEED=n` runs one seed alone.
#[tokio::test(flavor = "multi_thread")]
async fn any_mixture_of_faults_leaves_the_right_bytes() {
    let one = std::env::var("LETHE_SEED").ok().map(|text| text.parse().expect("LETHE_SEED is a number"));
    for seed in one.map_or(0..SEEDS, |seed: u64| seed..seed + 1) {
        println!("seed {seed} (replay with LETHE_SEED={seed})");
        run(seed).await;
    }
}
