//! Times Lethe against what people do today, in one run, alternating, and keeps the record.
//!
//! See `benches/README.md` for what is timed and what is not.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark prints its result, and ends when something is missing"
)]

mod bare;
mod database;
mod filter;
mod lethe;
mod measure;
mod record;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use lethe_testkit::pg::{PgServer, bin_dir};

/// Time Lethe, in ratios that a noisy machine cannot spoil.
#[derive(Debug, Parser)]
struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// `lethe snapshot` and `lethe restore` against `pg_dump`, `pg_restore`, `DELETE` and `VACUUM`, and the bare limit
    Restore(Restore),
    /// The filter alone, on rows in memory, on one processor
    Filter(Filter),
}

#[derive(Debug, Args)]
struct Restore {
    /// Users; a thousand of them come with about 90,000 rows and 15 MB
    #[arg(long, default_value_t = 10_000)]
    users: u32,
    #[arg(long, value_enum, default_value_t = database::Shape::Shop)]
    shape: database::Shape,
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

#[derive(Debug, Args)]
struct Filter {
    /// How often each is timed
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Where the record is written; nowhere if it is not given
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() {
    match Bench::parse().what {
        What::Restore(args) => restore(&args),
        What::Filter(args) => keep(&filter::run(args.rounds), args.record),
    }
}

fn restore(args: &Restore) {
    let program = args.lethe.canonicalize().expect("build it first: cargo build --release -p lethe-cli");
    // As a production server would be set up to load: nothing is synced late or left out.
    let settings = [
        "fsync=on",
        "shared_buffers=512MB",
        "max_wal_size=8GB",
        "maintenance_work_mem=256MB",
        "autovacuum=on",
    ];
    let server = PgServer::start_with(bin_dir(), &settings);
    let size = database::create(&server, args.shape, args.users);
    println!("{} users, {:.2} GB, {} rounds, {} jobs", args.users, size as f64 / 1e9, args.rounds, args.jobs);
    let bench = measure::Bench::new(&server, &program, args.users, args.jobs);
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        let times = bench.round();
        println!("round {round}: {times}");
        rounds.push(times);
    }
    let result = record::Result::of_restore(&server, args, size, &rounds, bench.second_snapshot());
    keep(&result, args.record.clone());
}

fn keep(result: &record::Result, path: Option<PathBuf>) {
    println!("\n{result}");
    if let Some(path) = path {
        std::fs::write(&path, result.to_json()).expect("write the record");
        println!("\nrecord: {}", path.display());
    }
}
