//! The rules against slow, obvious readings of the same rows; no server.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests say what they expect")]

/// Bytes that are no rows: errors, never panics.
mod garbage;
/// The filter and the closure against an oracle in memory.
mod oracle;
/// Small catalogs, made by hand.
mod schema;
