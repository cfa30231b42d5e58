//! The tombstone ledger: appended to, read back in full and verified, never rewritten.

mod append;
mod follow;
mod freshness;
mod last_seen;
mod listing;
mod read;

pub(crate) use append::write_genesis;
pub use append::{NewEntry, append};
pub(crate) use follow::{bodies, bring, left_bodies};
pub use freshness::Freshness;
pub use last_seen::LastSeen;
pub use lethe_rules::ledger::Entry;
pub use read::{VerifiedLedger, head, headers, headers_trusted, read_trusted, read_verified};
