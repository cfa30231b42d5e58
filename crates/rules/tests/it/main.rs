//! The rules against slow, obvious readings of the same rows; no server.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests say what they expect")]

/// Bytes that are no rows: errors, never panics.
mod garbage;
/// The filter and the closure against an oracle in memory.
mod oracle;
/// Small catalogs, made by hand.
mod schema;

/// The same cases in every run; `LETHE_SEED=n` gives others, and the same for the same number.
fn seed() -> proptest::test_runner::RngSeed {
    let text = std::env::var("LETHE_SEED").ok();
    proptest::test_runner::RngSeed::Fixed(
        text.map_or(1, |text| text.parse().expect("LETHE_SEED is a number")),
    )
}

/// How many cases; `LETHE_CASES=n` for more.
fn cases(usual: u32) -> u32 {
    std::env::var("LETHE_CASES").ok().map_or(usual, |text| text.parse().expect("LETHE_CASES is a number"))
}
