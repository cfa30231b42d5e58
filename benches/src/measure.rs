//! One round: each way once, one after the other, so that a slow minute of the machine hits all of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use lethe_testkit::pg::PgServer;
use serde_json::Value;
use tempfile::TempDir;

use crate::database::erased;

pub(crate) struct Bench<'a> {
    server: &'a PgServer,
    lethe: PathBuf,
    users: u32,
    jobs: String,
}

/// Seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) pg_dump: f64,
    pub(crate) pg_restore: f64,
    /// `DELETE` of the erased users and `VACUUM` of all tables, after `pg_restore`.
    pub(crate) delete_and_vacuum: f64,
    pub(crate) snapshot: f64,
    pub(crate) plan: f64,
    pub(crate) ready: f64,
    pub(crate) verified: f64,
    /// MiB.
    pub(crate) peak_rss: f64,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pg_dump {:.1} s, pg_restore {:.1} s, delete and vacuum {:.1} s | snapshot {:.1} s, plan {:.1} s, ready {:.1} s, verified {:.1} s, {:.0} MiB",
            self.pg_dump,
            self.pg_restore,
            self.delete_and_vacuum,
            self.snapshot,
            self.plan,
            self.ready,
            self.verified,
            self.peak_rss
        )
    }
}

impl<'a> Bench<'a> {
    pub(crate) fn new(server: &'a PgServer, lethe: &Path, users: u32, jobs: usize) -> Self {
        Self { server, lethe: lethe.to_owned(), users, jobs: jobs.to_string() }
    }

    pub(crate) fn round(&self) -> Times {
        let mut times = Times::default();
        self.today(&mut times);
        self.lethe(&mut times);
        times
    }

    fn today(&self, times: &mut Times) {
        let folder = self.server.data_dir().with_file_name("dump");
        let _ = std::fs::remove_dir_all(&folder);
        let target = folder.to_str().expect("UTF-8");
        times.pg_dump = seconds(|| {
            self.server.run_tool("pg_dump", &["-Fd", "-Z0", "-j", &self.jobs, "-f", target, "source"]);
        });
        self.fresh("today");
        times.pg_restore = seconds(|| {
            self.server.run_tool("pg_restore", &["-j", &self.jobs, "-d", "today", target]);
        });
        let ids: Vec<String> = erased(self.users).map(|id| id.to_string()).collect();
        times.delete_and_vacuum = seconds(|| {
            self.server.sql("today", &format!("DELETE FROM users WHERE id IN ({})", ids.join(",")));
            self.server.sql("today", "VACUUM ANALYZE");
        });
        self.server.sql("postgres", "DROP DATABASE today");
    }

    fn lethe(&self, times: &mut Times) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = format!("file://{}", folder.path().join("store").display());
        self.run(&folder, &["init", "--store", &store]);
        times.snapshot = seconds(|| {
            self.run(&folder, &["snapshot", "--from", &self.server.url("source"), "--jobs", &self.jobs]);
        });
        let ids: Vec<String> = erased(self.users).map(|id| format!("{id}\n")).collect();
        std::fs::write(folder.path().join("ids"), ids.concat()).expect("write the ids");
        self.run(&folder, &["tombstone", "add", "--subject", "public.users", "--ids-file", "ids"]);
        self.fresh("filtered");
        let into = self.server.url("filtered");
        let printed =
            self.run(&folder, &["restore", "--into", &into, "--jobs", &self.jobs, "--output", "json"]);
        let summary: Value = serde_json::from_str(printed.lines().last().expect("a summary")).expect("JSON");
        let number = |value: &Value| value.as_f64().expect("a number");
        times.plan = number(&summary["seconds"]["plan"]);
        times.ready = number(&summary["seconds"]["ready"]);
        times.verified = number(&summary["seconds"]["verified"]);
        times.peak_rss = number(&summary["peak_rss"]) / f64::from(1 << 20);
        self.server.sql("postgres", "DROP DATABASE filtered");
    }

    fn fresh(&self, database: &str) {
        self.server.create_database(database);
        self.server.sql("postgres", "CHECKPOINT");
    }

    fn run(&self, folder: &TempDir, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.lethe);
        command.args(arguments).current_dir(folder.path());
        command.env("LETHE_STATE_DIR", folder.path().join("state")).env("LETHE_PG_BIN", self.server.bin());
        let output = command.output().expect("run lethe");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let clock = Instant::now();
    work();
    clock.elapsed().as_secs_f64()
}
