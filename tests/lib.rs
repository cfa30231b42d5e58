//! What the whole-program tests share: a repository beside a source, an oracle, and the comparison of two databases.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test helper that cannot do its work must end the test with a message"
)]

pub mod compare;
pub mod embedded;
pub mod failing_store;
pub mod forge;
pub mod generator;
pub mod intercepted_store;
pub mod memory_store;
pub mod only_oracle;
pub mod oracle;
pub mod retention;
pub mod s3_settings;
pub mod search;
pub mod simulation;
pub mod world;
