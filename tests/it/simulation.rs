//! `LETHE_SEED=n` replays one world, `LETHE_STEPS=n` takes as many steps in all as are wanted.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was seen, and the seed that replays a failure"
)]

use lethe_tests::simulation::{Seen, Simulation};

/// Steps of one world: long enough for entries to expire, short enough for many worlds.
const STEPS_PER_WORLD: u64 = 250;
const STEPS: u64 = 20_000;

#[test]
fn random_histories_keep_every_promise() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let worlds = number("LETHE_STEPS").unwrap_or(STEPS).div_ceil(STEPS_PER_WORLD);
    let seeds: Vec<u64> = number("LETHE_SEED").map_or_else(|| (0..worlds).collect(), |seed| vec![seed]);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let totals: Vec<Seen> = std::thread::scope(|scope| {
        let shares = (0..threads).map(|thread| {
            let seeds: Vec<u64> = seeds.iter().copied().skip(thread).step_by(threads).collect();
            scope.spawn(move || share(&seeds))
        });
        let shares: Vec<_> = shares.collect();
        shares.into_iter().flat_map(|share| share.join().expect("a seed was printed above")).collect()
    });
    let total = totals.into_iter().fold(Seen::default(), |mut total, seen| {
        total.steps += seen.steps;
        total.crashes += seen.crashes;
        total.restores += seen.restores;
        total.late += seen.late;
        total.expired += seen.expired;
        total.reused += seen.reused;
        total.forgotten += seen.forgotten;
        total.failovers += seen.failovers;
        total
    });
    println!("{total:?}");
    if seeds.len() > 20 {
        let Seen { crashes, restores, late, expired, reused, forgotten, failovers, .. } = total;
        for (what, count) in [
            ("crashes", crashes),
            ("restores", restores),
            ("late erasures", late),
            ("expired entries", expired),
            ("reused ids", reused),
            ("snapshots that an expiry overtook", forgotten),
            ("failovers", failovers),
        ] {
            assert!(count > 0, "the simulation never reached {what}");
        }
    }
}

fn share(seeds: &[u64]) -> Vec<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run = |seed: &u64| {
        let guard = PrintOnPanic(*seed);
        let seen = runtime.block_on(async {
            let mut world = Simulation::new(*seed).await;
            world.run(STEPS_PER_WORLD).await;
            world.seen
        });
        std::mem::forget(guard);
        seen
    };
    seeds.iter().map(run).collect()
}

/// Tells which world to replay.
struct PrintOnPanic(u64);

impl Drop for PrintOnPanic {
    fn drop(&mut self) {
        eprintln!("replay with LETHE_SEED={}", self.0);
    }
}
