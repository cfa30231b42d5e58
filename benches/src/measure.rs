//! One round: each way once, one after the other, so that a slow minute of the machine hits all of them.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use lethe_testkit::pg::PgServer;

use crate::bare::Bare;
use crate::database::{change_the_newest_percent, erased};
use crate::lethe::Lethe;

const MILLION: u32 = 1_000_000;

pub(crate) struct Bench<'a> {
    server: &'a PgServer,
    program: &'a Path,
    users: u32,
    jobs: usize,
    bare: Bare,
    /// A million tombstones of people whom the snapshot does not know.
    million: Lethe<'a>,
    /// The same snapshot, and nobody erased.
    none: Lethe<'a>,
}

/// Seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) pg_dump: f64,
    pub(crate) pg_restore: f64,
    /// `DELETE` of the erased users and `VACUUM` of all tables, after `pg_restore`.
    pub(crate) delete_and_vacuum: f64,
    pub(crate) bare: f64,
    pub(crate) snapshot: f64,
    pub(crate) plan: f64,
    pub(crate) ready: f64,
    pub(crate) verified: f64,
    /// Verified, nobody erased.
    pub(crate) none: f64,
    /// Verified, with a million tombstones that match nothing.
    pub(crate) million: f64,
    /// MiB, the largest of the three restores.
    pub(crate) peak_rss: f64,
}

/// Bytes in the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SecondSnapshot {
    pub(crate) first: u64,
    pub(crate) second: u64,
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pg_dump {:.1} s, pg_restore {:.1} s, delete and vacuum {:.1} s, bare {:.1} s | snapshot {:.1} s, plan {:.1} s, ready {:.1} s, verified {:.1} s | verified with no tombstones {:.1} s, with a million {:.1} s | {:.0} MiB",
            self.pg_dump,
            self.pg_restore,
            self.delete_and_vacuum,
            self.bare,
            self.snapshot,
            self.plan,
            self.ready,
            self.verified,
            self.none,
            self.million,
            self.peak_rss
        )
    }
}

impl<'a> Bench<'a> {
    pub(crate) fn new(server: &'a PgServer, program: &'a Path, users: u32, jobs: usize) -> Self {
        let with_snapshot = || {
            let lethe = Lethe::new(program, server, jobs);
            lethe.snapshot();
            lethe
        };
        let (million, none) = (with_snapshot(), with_snapshot());
        million.erase(users + 1..=users + MILLION);
        Self { server, program, users, jobs, bare: Bare::prepare(server), million, none }
    }

    pub(crate) fn round(&self) -> Times {
        let (pg_dump, pg_restore, delete_and_vacuum) = self.today();
        self.fresh("bare");
        let bare = seconds(|| self.bare.load(self.server, "bare", self.jobs));
        self.server.sql("postgres", "DROP DATABASE bare");
        let lethe = Lethe::new(self.program, self.server, self.jobs);
        let snapshot = seconds(|| lethe.snapshot());
        lethe.erase(erased(self.users));
        let restored = lethe.restore("filtered");
        let (none, million) = (self.none.restore("filtered"), self.million.restore("filtered"));
        Times {
            pg_dump,
            pg_restore,
            delete_and_vacuum,
            bare,
            snapshot,
            plan: restored.plan,
            ready: restored.ready,
            verified: restored.verified,
            none: none.verified,
            million: million.verified,
            peak_rss: restored.peak_rss.max(none.peak_rss).max(million.peak_rss),
        }
    }

    fn today(&self) -> (f64, f64, f64) {
        let folder = self.server.data_dir().with_file_name("dump");
        let _ = std::fs::remove_dir_all(&folder);
        let (target, jobs) = (folder.to_str().expect("UTF-8"), self.jobs.to_string());
        let dump = seconds(|| {
            self.server.run_tool("pg_dump", &["-Fd", "-Z0", "-j", &jobs, "-f", target, "source"]);
        });
        self.fresh("today");
        let restore = seconds(|| {
            self.server.run_tool("pg_restore", &["-j", &jobs, "-d", "today", target]);
        });
        let ids: Vec<String> = erased(self.users).map(|id| id.to_string()).collect();
        let delete_and_vacuum = seconds(|| {
            self.server.sql("today", &format!("DELETE FROM users WHERE id IN ({})", ids.join(",")));
            self.server.sql("today", "VACUUM ANALYZE");
        });
        self.server.sql("postgres", "DROP DATABASE today");
        let _ = std::fs::remove_dir_all(&folder);
        (dump, restore, delete_and_vacuum)
    }

    /// What the next snapshot adds after 1 % of the rows changed. Changes `source`, so nothing is timed afterwards.
    pub(crate) fn second_snapshot(&self) -> SecondSnapshot {
        let lethe = Lethe::new(self.program, self.server, self.jobs);
        lethe.snapshot();
        let first = lethe.stored_bytes();
        change_the_newest_percent(self.server);
        lethe.snapshot();
        SecondSnapshot { first, second: lethe.stored_bytes() - first }
    }

    fn fresh(&self, database: &str) {
        self.server.create_database(database);
        self.server.sql("postgres", "CHECKPOINT");
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let clock = Instant::now();
    work();
    clock.elapsed().as_secs_f64()
}
