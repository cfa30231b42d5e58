//! What the audit log's entries say together, and what settings are worth an entry of their own.

mod certificate;
mod loosened;
mod story;

pub use certificate::{Certificate, ErasedEntry, Kept, certificate};
pub use loosened::{Leeway, loosened};
pub use story::{Ending, Story, stories};
