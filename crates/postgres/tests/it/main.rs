//! Against real servers.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests say what they expect")]

/// Views that are lost, and tables that change before they are locked.
mod exported_snapshot;
/// Certificates, right and wrong, and servers that offer none.
mod tls;
