//! The tombstone ledger: appended to, read back in full and verified, never rewritten.

mod append;
mod last_seen;
mod read;

pub(crate) use append::write_genesis;
pub use append::{NewEntry, append};
pub use last_seen::LastSeen;
pub use read::{Entry, VerifiedLedger, head, headers, read_verified};
