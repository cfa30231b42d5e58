//! The release program, run as a user runs it, on a repository in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use lethe_testkit::pg::PgServer;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Lethe<'a> {
    program: &'a Path,
    server: &'a PgServer,
    jobs: usize,
    folder: TempDir,
}

/// What `lethe restore` says about itself. Seconds and MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restored {
    pub(crate) plan: f64,
    pub(crate) ready: f64,
    pub(crate) verified: f64,
    pub(crate) peak_rss: f64,
}

impl<'a> Lethe<'a> {
    /// A new, empty repository.
    pub(crate) fn new(program: &'a Path, server: &'a PgServer, jobs: usize) -> Self {
        let lethe = Self { program, server, jobs, folder: tempfile::tempdir().expect("a folder") };
        let store = format!("file://{}", lethe.store().display());
        lethe.run(&["init", "--store", &store]);
        lethe
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// Bytes of all objects of the repository.
    pub(crate) fn stored_bytes(&self) -> u64 {
        let listed = Command::new("du").arg("-sb").arg(self.store()).output().expect("run du");
        let text = String::from_utf8_lossy(&listed.stdout);
        text.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).expect("a number")
    }

    pub(crate) fn snapshot(&self) {
        self.run(&["snapshot", "--from", &self.server.url("source"), "--jobs", &self.jobs.to_string()]);
    }

    pub(crate) fn erase(&self, ids: impl Iterator<Item = u32>) {
        let lines: Vec<String> = ids.map(|id| format!("{id}\n")).collect();
        std::fs::write(self.folder.path().join("ids"), lines.concat()).expect("write the ids");
        self.run(&["tombstone", "add", "--subject", "public.users", "--ids-file", "ids"]);
    }

    /// Restores into a database of this name, which is made before and dropped after.
    pub(crate) fn restore(&self, database: &str) -> Restored {
        self.server.create_database(database);
        self.server.sql("postgres", "CHECKPOINT");
        let (into, jobs) = (self.server.url(database), self.jobs.to_string());
        let printed = self.run(&[
            "restore",
            "--label",
            "production",
            "--into",
            &into,
            "--jobs",
            &jobs,
            "--output",
            "json",
        ]);
        let summary: Value = serde_json::from_str(printed.lines().last().expect("a summary")).expect("JSON");
        let number = |value: &Value| value.as_f64().expect("a number");
        self.server.sql("postgres", &format!("DROP DATABASE {database}"));
        Restored {
            plan: number(&summary["seconds"]["plan"]),
            ready: number(&summary["seconds"]["ready"]),
            verified: number(&summary["seconds"]["verified"]),
            peak_rss: number(&summary["peak_rss"]) / f64::from(1 << 20),
        }
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.program);
        command.args(arguments).current_dir(self.folder.path());
        command
            .env("LETHE_STATE_DIR", self.folder.path().join("state"))
            .env("LETHE_PG_BIN", self.server.bin());
        let output = command.output().expect("run lethe");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}
