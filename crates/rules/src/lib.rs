//! What is decided: which rows an erasure takes, what is left of the others, in which order a restore works.
//!
//! Everything here is a pure function of the manifest, the tombstones and the rows. The server that a database is
//! restored into never sees a dropped row, so nothing here may ask it; PostgreSQL is the oracle in the tests instead.
//!
//! - [`key`]: when two keys are equal.
//! - [`closure`]: from tombstones to rules for each table, by scanning the tables that others refer to.
//! - [`coverage`]: which columns may refer to a person, and what says what becomes of them.
//! - [`large_objects`]: whose they are, and which of them come back.
//! - [`only`]: a few subjects restored alone.
//! - [`row_filter`]: a chunk and its table's rules in, the surviving rows out.
//! - [`anonymise`]: what the rows of people who are anonymised become.
//! - [`audit`]: what the audit log says, and which settings are worth an entry of it.
//! - [`target_label`]: what a database is for, and so whether people go there as they are.
//! - [`ledger`]: what all entries together say about one snapshot, and when an entry has done its work.
//! - [`residency`]: where data may be.
//! - [`bucket_policy`]: whether Amazon itself guards the ledger's entries.
//! - [`lifecycle`]: what a bucket's own rules delete, and what they should.
//! - [`store_fitness`]: which settings of a bucket would break a promise.
//! - [`doctor`]: what can be wrong and be found out before a restore is needed.
//! - [`drill`]: whether a drill has shown that a snapshot can be restored.
//! - [`objection`]: everything that speaks against a restore, with the way out.

pub mod anonymise;
pub mod audit;
pub mod bucket_policy;
mod check_expression;
pub mod closure;
pub mod coverage;
pub mod derived;
pub mod doctor;
pub mod drill;
mod embedded;
pub mod key;
pub mod large_objects;
pub mod ledger;
pub mod lifecycle;
pub mod objection;
pub mod only;
pub mod residency;
pub mod retention;
pub mod row_filter;
pub mod scan;
pub mod schema_text;
pub mod store_fitness;
pub mod target_label;
