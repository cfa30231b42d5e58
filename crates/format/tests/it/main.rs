//! The crate's one integration test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail with a message"
)]

/// Golden archives of every version, and broken ones named after their defect.
mod archive;
/// Archives written by the test itself, byte by byte.
mod archive_bytes;
/// The audit log: entries, parts, exports.
mod audit;
/// Rows in binary form: round trips, any slicing of the stream, garbage.
mod copy_binary;
/// Rows in text form: the same, and escapes.
mod copy_text;
/// The statements that golden archives turn into, and their order.
mod ddl;
/// The bodies of the fuzz targets.
#[path = "../../../../fuzz/entry_points.rs"]
mod entry_points;
/// A stored manifest.
mod manifest;
/// The same over a corpus and what becomes of it.
mod mutated;
/// Names, literals and the notation of subjects.
mod sql;
