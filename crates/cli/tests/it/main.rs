//! The program as it is typed.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests say what they expect")]

/// The policies of `deploy/iam`: who may send which request.
mod access;
/// What was done, by whom, and a customer's part of it.
mod audit;
/// Rules that `lethe coverage` guesses.
mod coverage;
/// Everything that can be wrong before a restore is needed.
mod doctor;
/// Drills: what passes, what is found, and what a killed one leaves.
mod drill;
/// Whole runs, and the last line for programs.
mod flows;
/// The help of every command.
mod help;
/// Recipients.
mod keys;
/// `kill -9` at any moment, of either side, and the next run.
mod kill;
/// An identity that AWS KMS keeps sealed.
mod kms;
/// Rows that a target refuses.
mod leaks;
/// Capture, heartbeats, expiry, anonymised people, and ids that are none.
mod ledger;
/// What a run is doing, in numbers and in spans.
mod live;
/// The manual and the completions of shells.
mod manual;
/// How the backups are, in numbers.
mod metrics;
/// A month of days, each with a drill.
mod month;
/// What leaves the machine.
mod nowhere_else;
/// Somebody restored alone.
mod only;
/// `kill -9` at random instants.
mod random_kills;
/// Bad input: what is said, the exit code, and that nothing was written.
mod refusals;
/// Pages and JSON of what was restored, tried out, let go, and where it is.
mod report;
/// Stores and servers that are where data may not be.
mod residency;
/// What goes after 34 days, what keeps it, and the alarm when nobody decides.
mod retention;
/// A copy of everything in a second store.
mod second_store;
/// Keys and passwords.
mod secrets;
/// A folder with settings, a store and a server.
mod shell;
/// The roles of `deploy/sql`: who may do what in a database.
mod sql_roles;
/// Checking what is stored.
mod staging;
mod verify;
