//! What the ledger's entries, taken together, say about one snapshot; and when an entry has done its work.

mod columns;
mod expiry;
#[cfg(test)]
mod fixture;
mod key_union;
mod personal;
mod standing;

pub use columns::ErasedColumn;
pub use expiry::{Evidence, ExpiryPlan, StoredSnapshot, expired, needed_by, plan_expiry};
pub use personal::looks_personal;
pub use standing::{Entry, Standing, standing, unrevoked};
