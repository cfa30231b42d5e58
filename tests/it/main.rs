//! The whole program against real servers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests say what they expect")]

/// Random schemas against the oracle.
mod equality;
/// One of every kind of object and of every type.
mod everything;
/// A database that nobody here made: a music shop with customers, employees and invoices.
mod shop;
