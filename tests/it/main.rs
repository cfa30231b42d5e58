//! The whole program against real servers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests say what they expect")]

/// Nothing of an erased person in any file of the target.
mod canary;
/// Random schemas against the oracle.
mod equality;
/// One of every kind of object and of every type.
mod everything;
/// Ledgers that cannot be trusted.
mod ledger;
/// What cannot be decided exactly.
mod objections;
/// Through S3, and databases that other programs made.
mod s3;
/// A database that nobody here made: a music shop with customers, employees and invoices.
mod shop;
/// A store that throttles, resets and loses answers.
mod store_faults;
