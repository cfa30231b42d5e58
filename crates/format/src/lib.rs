//! What Lethe writes down, and how it is read back: bytes ↔ types.
//!
//! Everything here is a plain function over bytes or a plain value. There is no runtime, no clock, no randomness,
//! no file and no socket, so that every format can be tested and fuzzed anywhere. The specification for people is
//! `docs/FORMAT.md`; a change here without a change there is a defect.

pub mod archive;
pub mod array;
pub mod audit;
pub mod catalog;
pub mod classification;
pub mod copy_binary;
pub mod copy_text;
mod error;
pub mod ids;
pub mod json;
pub mod keys;
pub mod layout;
pub mod lease;
pub mod ledger;
pub mod manifest;
pub mod mask;
pub mod reference;
pub mod report;
pub mod repository;
pub mod sql;
mod vouched;

pub use error::Error;
