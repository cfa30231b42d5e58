//! Private PostgreSQL servers: a data directory of their own, a Unix socket, no network.

mod proxy;
mod server;
mod template;

pub use proxy::{Act, At, PgProxy};
pub use server::{PgServer, Shutdown};

use std::path::PathBuf;

/// The `bin` folders of the servers to test with: `LETHE_TEST_PG_BIN` (separated by colons), or the newest one that
/// Debian's packages installed.
///
/// # Panics
/// If there is none: a test without its server has not passed.
#[must_use]
pub fn bin_dirs() -> Vec<PathBuf> {
    let listed: Vec<PathBuf> = std::env::var_os("LETHE_TEST_PG_BIN")
        .map(|list| std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    let found = if listed.is_empty() { installed().into_iter().collect() } else { listed };
    assert!(
        !found.is_empty(),
        "no PostgreSQL server found: install one (apt-get install postgresql) or set LETHE_TEST_PG_BIN"
    );
    for bin in &found {
        assert!(
            bin.join("postgres").is_file(),
            "{} holds no postgres program (LETHE_TEST_PG_BIN)",
            bin.display()
        );
    }
    found
}

/// The first of [`bin_dirs`], for tests that need one server of any version.
#[must_use]
pub fn bin_dir() -> PathBuf {
    bin_dirs().swap_remove(0)
}

fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let with_number = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let bin = entry.path().join("bin");
        bin.join("postgres").is_file().then_some((version, bin))
    });
    with_number.max_by_key(|(version, _)| *version).map(|(_, bin)| bin)
}
