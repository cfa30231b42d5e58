//! What the tests of all crates share: private PostgreSQL servers, an S3 server and a key management service inside
//! the test process, and a strict reader of pages.
//!
//! A test whose server is missing fails loudly; nothing here skips anything.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test helper that cannot do its work must end the test with a message"
)]

pub mod html;
pub mod kms;
pub mod pg;
pub mod s3;
