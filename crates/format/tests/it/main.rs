//! The crate's one integration test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail with a message"
)]

/// Rows in binary form: round trips, any slicing of the stream, garbage.
mod copy_binary;
/// Rows in text form: the same, and escapes.
mod copy_text;
/// Names, literals and the notation of subjects.
mod sql;
