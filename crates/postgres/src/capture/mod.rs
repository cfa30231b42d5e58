//! The capture of deletions in the source database: an outbox table, and triggers on the subjects' tables that fill it.
//!
//! Whatever application deletes a subject's row, by whatever statement, the outbox has its key in the same transaction.
//! [`outbox`] is where the keys wait until they are on the ledger; [`install`] is the SQL that puts all of it there.

mod install;
pub mod outbox;

use lethe_format::catalog::QualifiedName;

pub use install::{CapturedSubject, Columns, Installation, installation, remove_sql};

/// Everything of the capture lies in this schema, but for the triggers.
pub const SCHEMA: &str = "lethe_capture";

/// The table whose rows are never copied into a snapshot: they are ids of deleted people.
#[must_use]
pub fn outbox_table() -> QualifiedName {
    QualifiedName::new(SCHEMA, "outbox")
}
