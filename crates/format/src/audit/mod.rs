//! The audit log: who did what to personal data, when, and on whose instruction.
//!
//! Entries are numbered from 0. Each names the hash of the one before it, and all of them are the leaves of a Merkle tree (RFC 6962)
//! whose root is signed now and then ([`checkpoint`]). What an entry says besides its [`Header`] is in two parts, of which the header
//! holds the hashes: one that a customer may read, and one that stays in the company. So a customer can be given the entries that
//! concern them, and can check that they are in the log, without seeing anything of the others ([`export`]).

pub mod checkpoint;
mod entry;
pub mod export;
pub mod merkle;

pub use entry::{
    Action, Audience, Body, Entry, Facts, Header, Internal, Opened, Phase, Shared, VERSION, tenant_tag,
};
