//! JSON documents as PostgreSQL stores them: what stands at a path, and a document without some of it.
//!
//! A document is looked through as text, once, and never built up in memory: what is taken out is cut out, and every other
//! byte stays as it is, numbers of any length and the spelling of `json` included. See "JSON Types" and "The SQL/JSON Path
//! Language" in PostgreSQL's documentation.

mod cut;
mod needle;
mod path;
mod remake;
mod walk;

pub use cut::without;
pub use needle::Needle;
pub use path::{Path, PathError, Step};
pub use remake::{Token, quote_into, remake};
pub use walk::{Error, Item, Scalar, Take, any, items, spans};

/// The version that `jsonb_send` puts before the text (`jsonb_recv` in `jsonb.c`).
pub const JSONB_VERSION: u8 = 1;
