//! Arrays as COPY carries them, in both formats: their elements, and an array without some of them.
//!
//! What is taken out of an array of one dimension is taken out as `array_remove()` does: the lower bound stays, and an array of
//! which nothing is left has no dimensions any more. An array of several dimensions would lose its shape, and the server refuses
//! to do that; there an element becomes NULL.

mod binary;
mod text;

pub use binary::Array;
pub use text::TextArray;

/// `MAXDIM` in PostgreSQL.
const MOST_DIMENSIONS: usize = 6;

/// Why bytes are no array. Never content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("the array cannot have {found} dimensions")]
    Dimensions { found: i32 },
    #[error("the array's dimensions do not fit its {len} bytes")]
    Size { len: usize },
    #[error("the array ends in the middle of an element, at byte {position}")]
    Truncated { position: usize },
    #[error("the text of an array is not understood at byte {position}")]
    Text { position: usize },
}
