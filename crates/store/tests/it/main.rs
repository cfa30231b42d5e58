//! Stores, against a real directory and a real S3 protocol.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests say what they expect")]

/// What every store must do, on every store that there is.
mod conformance;
/// What a directory alone can get wrong: leftovers of a crash, names that lead out.
mod directory;
/// Stores on a bad day, and what the wrapper that retries makes of it.
mod faults;
/// Stores that are where they may not be.
mod guarded;
/// URLs that are no stores.
mod open;
/// Stores whose put-if-absent is none.
mod probe;
/// A real server, by `make test-s3`.
mod real_s3;
/// The S3 stores that the other modules test with.
mod s3;
/// Where a bucket sends reports and messages.
mod ways_out;
