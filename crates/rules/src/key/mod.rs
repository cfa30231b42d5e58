//! When two keys are equal: as PostgreSQL's equality operator says, not as their bytes do.
//!
//! A key is compared in a [`Domain`], the set of values that its equality operator tells apart. Every value has one
//! canonical form in its domain, and two values are equal exactly if their canonical forms are the same bytes. So an
//! exact set of canonical forms answers "is this row's parent gone?" without a server. What has no canonical form here
//! is [`Undecidable`], and the plan objects: it never guesses.

mod binary;
mod date;
mod decide;
mod domain;
mod numeric;
mod record_text;
mod set;
mod sieve;
mod text;

pub use decide::{Undecidable, column_domain, operator_domain, reader};
pub use domain::{Domain, Reader, Source};
pub use set::{KeyBuffer, KeyReader, KeySet};

/// Why a stored value could not be read. It names the type, never the value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ValueError {
    #[error("a value is not a valid {expected}")]
    Malformed { expected: &'static str },
    #[error("the text form of {of} cannot be compared")]
    NoTextForm { of: &'static str },
}

pub(crate) fn malformed<T>(expected: &'static str) -> Result<T, ValueError> {
    Err(ValueError::Malformed { expected })
}
