//! The capture of deletions in the source database: an outbox table, and triggers on the subjects' tables that fill it.
//!
//! Whatever application deletes a subject's row, by whatever statement, the outbox has its key in the same transaction.
//! [`outbox`] is where the keys wait until they are on the ledger; [`install`] is the SQL that puts all of it there.

mod install;
pub mod outbox;

use lethe_format::catalog::QualifiedName;
use lethe_format::ids::Digest;

pub use install::{CapturedSubject, Columns, Installation, installation, remove_sql};

/// Everything of the capture lies in this schema, but for the triggers.
pub const SCHEMA: &str = "lethe_capture";

/// The table whose rows are never copied into a snapshot: they are ids of deleted people.
#[must_use]
pub fn outbox_table() -> QualifiedName {
    QualifiedName::new(SCHEMA, "outbox")
}

/// Whether a table is the capture's own, which is no matter of anybody's settings.
#[must_use]
pub fn is_own_table(table: &QualifiedName) -> bool {
    table.schema == SCHEMA
}

/// Where the former keys of a subject's people are kept, each row under the key that the person has now: the key's
/// columns, and `lethe_former_key`. It has no foreign key, which would stand in the way of the application's `TRUNCATE`.
#[must_use]
pub fn former_keys_table(subject: &QualifiedName) -> QualifiedName {
    let name = Digest::of(format!("{}\0{}", subject.schema, subject.name).as_bytes()).to_string();
    QualifiedName::new(SCHEMA, format!("former_keys_{}", &name[..16]))
}
