//! The audit log: every action on personal data is an entry before it begins, and another one when it has ended.
//!
//! ```text
//! begin → (the action) → end → checkpoint      read → export
//! ```
//!
//! It lies where the ledger lies, and is written like it: with put-if-absent, each entry after the last. An action whose beginning
//! cannot be written does not begin. A crash in the middle leaves a beginning without an end, which is shown as such; one between an
//! end and its checkpoint leaves entries that the next checkpoint covers.

mod certificate;
mod checkpoint;
mod copy;
mod export;
mod extent;
mod log;
mod read;

pub use certificate::certificate;
pub use checkpoint::{new_key, read_key};
pub(crate) use copy::bring;
pub use export::{Made, export};
pub(crate) use extent::extent;
pub use log::{AuditLog, Began, Intent};
pub use read::{Verified, read};
