//! Times Lethe against what people do today, in one run, alternating, and keeps the record.
//!
//! See `benches/README.md` for what is timed and what is not.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark prints its result, and ends when something is missing"
)]

mod database;
mod measure;
mod record;

use std::path::PathBuf;

use clap::Parser;
use lethe_testkit::pg::{PgServer, bin_dir};

/// Compare `lethe snapshot` and `lethe restore` with `pg_dump`, `pg_restore`, `DELETE` and `VACUUM`.
#[derive(Debug, Parser)]
struct Args {
    /// Users; a thousand of them come with about 90,000 rows and 15 MB
    #[arg(long, default_value_t = 10_000)]
    users: u32,
    /// How often each is timed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Connections
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// The release program
    #[arg(long, default_value = "target/release/lethe")]
    lethe: PathBuf,
    /// Where the record is written; nowhere if it is not given
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() {
    let args = Args::parse();
    let lethe = args.lethe.canonicalize().expect("build it first: cargo build --release -p lethe-cli");
    // As a production server would be set up to load: nothing is synced late or left out.
    let settings = [
        "fsync=on",
        "shared_buffers=512MB",
        "max_wal_size=8GB",
        "maintenance_work_mem=256MB",
        "autovacuum=on",
    ];
    let server = PgServer::start_with(bin_dir(), &settings);
    let size = database::create(&server, args.users);
    println!("{} users, {:.2} GB, {} rounds, {} jobs", args.users, size as f64 / 1e9, args.rounds, args.jobs);
    let bench = measure::Bench::new(&server, &lethe, args.users, args.jobs);
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        let times = bench.round();
        println!("round {round}: {times}");
        rounds.push(times);
    }
    let result = record::Result::new(&server, args.users, size, args.jobs, &rounds);
    println!("\n{result}");
    if let Some(path) = args.record {
        std::fs::write(&path, result.to_json()).expect("write the record");
        println!("\nrecord: {}", path.display());
    }
}
