//! A few subjects restored alone: one customer deleted its data by mistake, and wants it back.
//!
//! 1. [`Owned`]: what is theirs is what erasing them would drop. [`Closure::ownership`](crate::closure::Closure::ownership)
//!    finds it, a closure of its own over the references that drop rows.
//! 2. The rows of others, in tables of which rows can be somebody's, count as erased, beside everybody on the ledger.
//!    [`Closure::of_few`](crate::closure::Closure::of_few) follows that by the foreign keys' own actions.
//! 3. [`Shared`]: of tables whose rows are nobody's, the rows that are referred to by what is left, directly or through
//!    other such rows.
//!
//! What others own is never collected where foreign keys say that whatever a row refers to is there: then a key that is
//! not one of theirs is gone. Memory follows what is restored, not what is left out.

mod owned;
mod shared;

pub use owned::Owned;
pub use shared::Shared;
pub(crate) use shared::Wanted;
