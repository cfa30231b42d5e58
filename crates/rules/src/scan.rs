//! Decisions that need to see rows: which tables to read next, and what is learned from them.

use lethe_format::ids::Oid;

use crate::row_filter::Error;

pub trait Scan {
    /// The tables to read next, in this order; none when everything is known, or cannot become so.
    ///
    /// Each chunk of these tables must be given to [`Self::observe`] before this is called again.
    fn next_scan(&mut self) -> Option<Vec<Oid>>;

    /// Looks at all rows of one chunk of a table that [`Self::next_scan`] named.
    ///
    /// # Errors
    /// If the rows or a key in them do not parse.
    fn observe(&mut self, table: Oid, chunk: &[u8]) -> Result<(), Error>;
}
