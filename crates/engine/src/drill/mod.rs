//! A drill: a full restore into a server or a database that is thrown away, checked, timed, and kept as evidence.
//!
//! 1. *Leftovers* of drills that were killed are removed.
//! 2. *Choose*: the snapshot and its manifest.
//! 3. *Place*: a server of its own, or a database on a server that was named.
//! 4. *Restore*: all stages of a restore, including its verification, which here reads back every table that erasures
//!    may touch.
//! 5. *Check*: rows as the server counts them, constraints, indexes, the owner's assertions, the live source.
//! 6. *Search* the stopped server's files for canaries.
//! 7. *Remove*: whatever happened.
//! 8. *Evidence*: the verdict and what it rests on, written once.
//!
//! A drill that cannot run is a failed drill and leaves evidence as well. One that is killed leaves none; what it made
//! is removed by the next.

mod canaries;
mod check;
mod leftovers;
mod place;
mod so_far;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lethe_format::ids::{EventId, SnapshotId};
use lethe_format::ledger::Head;
use lethe_format::manifest::Manifest;
use lethe_format::report::ReportKind;
use lethe_postgres::{ConnectionSettings, Purpose, Server};
use lethe_rules::drill::{DrillFacts, DrillFailure, DrillVerdict, TableFacts};
use serde::{Deserialize, Serialize};

use crate::ledger::LastSeen;
use crate::progress::Progress;
use crate::restore::{self, RestoreOptions, RestoreReport};
use crate::{Error, Repository, reports};
pub use canaries::Canaries;
pub use check::Assertion;
pub use leftovers::left_in;
use place::Made;

/// Which of the kept snapshots.
#[derive(Clone, Debug)]
pub enum Pick {
    /// The one that [`RestoreOptions::snapshot`] says.
    Wanted,
    Random,
}

/// Where it is restored to.
#[derive(Clone, Debug)]
pub enum Where {
    /// A server that the drill starts.
    Own {
        /// The folder in which it is made.
        work_dir: PathBuf,
        pg_bin: Option<PathBuf>,
        /// The variable `PATH`.
        path: Option<String>,
    },
    /// A new database on this server, where the settings name one to connect to first.
    Into(Box<ConnectionSettings>),
}

#[derive(Clone, Debug)]
pub struct DrillOptions {
    pub pick: Pick,
    pub place: Where,
    pub restore: RestoreOptions,
    pub assertions: Vec<Assertion>,
    pub canaries: Option<Canaries>,
    /// The live database to compare counts with.
    pub source: Option<ConnectionSettings>,
    /// How far a count may be from the source's before it is shown.
    pub tolerance_percent: u64,
    /// A drill that takes longer is ended, and has failed.
    pub at_most: Option<Duration>,
}

/// What a drill leaves: the content of `reports/drill/<id>.json`. Names and counts, never a row's value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DrillEvidence {
    /// Of this program.
    pub version: String,
    pub started_at: Timestamp,
    pub finished_at: Timestamp,
    pub verdict: DrillVerdict,
    pub snapshot: Option<SnapshotId>,
    pub snapshot_at: Option<Timestamp>,
    /// How old the data was that would have been brought back, when the drill began.
    pub age_seconds: Option<u64>,
    pub ledger_head: Option<Head>,
    pub place: Option<String>,
    /// Seconds from the start of the drill; none if it did not get so far.
    pub ready_seconds: Option<f64>,
    pub verified_seconds: Option<f64>,
    pub stages: Vec<Stage>,
    pub bytes_stored: Option<u64>,
    pub bytes_plain: Option<u64>,
    /// What drills that were killed had left.
    pub removed_leftovers: Vec<String>,
    pub facts: DrillFacts,
}

/// A stage that was begun, and when it ended, in seconds from the start of the drill.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Stage {
    pub stage: String,
    pub from: f64,
    pub to: f64,
}

/// What came of a drill, whatever that is.
#[derive(Debug)]
pub struct Drilled {
    pub evidence: DrillEvidence,
    /// The report's id, or why there is none.
    pub stored: Result<EventId, Error>,
}

/// How long a drill that has failed is asked what it had loaded.
const SO_FAR: Duration = Duration::from_secs(60);

/// Runs a drill. It always comes to a verdict.
pub async fn run(
    repository: &Repository,
    options: &DrillOptions,
    last_seen: LastSeen,
    progress: &Progress,
) -> Drilled {
    run_at(repository, options, last_seen, progress, Timestamp::now()).await
}

/// The same at a time that the caller has from a clock of its own.
pub async fn run_at(
    repository: &Repository,
    options: &DrillOptions,
    last_seen: LastSeen,
    progress: &Progress,
    now: Timestamp,
) -> Drilled {
    let mut drill = Drill::new(progress, now);
    if let Err(error) = drill.carry_out(repository, options, last_seen).await {
        drill.fail(&error);
    }
    let evidence = drill.close();
    let stored = reports::write(repository, ReportKind::Drill, evidence.finished_at, &evidence).await;
    Drilled { evidence, stored }
}

/// A drill under way.
struct Drill<'a> {
    started: Instant,
    progress: &'a Progress,
    evidence: DrillEvidence,
}

impl<'a> Drill<'a> {
    fn new(progress: &'a Progress, now: Timestamp) -> Self {
        let facts = DrillFacts::default();
        let evidence = DrillEvidence {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: now,
            finished_at: now,
            verdict: DrillVerdict::of(&facts),
            snapshot: None,
            snapshot_at: None,
            age_seconds: None,
            ledger_head: None,
            place: None,
            ready_seconds: None,
            verified_seconds: None,
            stages: Vec::new(),
            bytes_stored: None,
            bytes_plain: None,
            removed_leftovers: Vec::new(),
            facts,
        };
        Self { started: Instant::now(), progress, evidence }
    }

    fn now(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn end_stage(&mut self) {
        let now = self.now();
        if let Some(last) = self.evidence.stages.last_mut().filter(|last| last.to < last.from) {
            last.to = now;
        }
    }

    fn stage(&mut self, name: &'static str) {
        self.end_stage();
        self.progress.stage(name, 0);
        // Until it ends, its end lies before its beginning.
        self.evidence.stages.push(Stage { stage: name.to_owned(), from: self.now(), to: -1.0 });
    }

    fn fail(&mut self, error: &Error) {
        let stage = self.evidence.stages.last().map_or_else(String::new, |last| last.stage.clone());
        let objections = match error {
            Error::Refused(objections) | Error::Incomplete { objects: objections, .. } => {
                objections.iter().map(ToString::to_string).collect()
            }
            _ => Vec::new(),
        };
        self.evidence.facts.failure.get_or_insert(DrillFailure {
            stage,
            problem: crate::error::with_causes(error),
            exit_code: error.exit_code() as u8,
            objections,
        });
    }

    fn close(mut self) -> DrillEvidence {
        self.end_stage();
        let took = jiff::SignedDuration::try_from(self.started.elapsed()).unwrap_or_default();
        self.evidence.finished_at =
            self.evidence.started_at.saturating_add(took).unwrap_or(self.evidence.started_at);
        self.evidence.verdict = DrillVerdict::of(&self.evidence.facts);
        self.evidence
    }

    async fn carry_out(
        &mut self,
        repository: &Repository,
        options: &DrillOptions,
        last_seen: LastSeen,
    ) -> Result<(), Error> {
        self.stage("leftovers");
        let key = repository.naming_key()?.clone();
        let ground = place::Ground::new(&options.place, &key).await?;
        self.evidence.removed_leftovers = ground.remove_leftovers().await?;
        self.stage("choose");
        let id = match options.pick {
            Pick::Wanted => restore::choose(repository, &options.restore.snapshot).await?,
            Pick::Random => {
                let ids = restore::snapshot_ids(repository).await?;
                let number = rand::random::<u64>() % (ids.len().max(1) as u64);
                let chosen = usize::try_from(number).ok().and_then(|number| ids.get(number).cloned());
                let none =
                    || Error::NoSnapshot { store: repository.store().url(), wanted: "at all".to_owned() };
                chosen.ok_or_else(none)?
            }
        };
        self.evidence.snapshot = Some(id.clone());
        let manifest = restore::load_manifest(repository, &id).await?;
        let age = self.evidence.started_at.duration_since(manifest.started_at).as_secs();
        self.evidence.age_seconds = Some(u64::try_from(age).unwrap_or(0));
        self.evidence.snapshot_at = Some(manifest.started_at);
        self.stage("place");
        let mut made = ground.make(&manifest).await?;
        self.evidence.place = Some(made.describe());
        let mut restore = options.restore.clone();
        restore.snapshot = restore::Wanted::Id(id);
        made.adapt(&mut restore);
        let left = options.at_most.map(|at_most| (at_most, at_most.saturating_sub(self.started.elapsed())));
        let work = Box::pin(self.in_place(repository, &mut made, &manifest, options, restore, last_seen));
        let ended = match left {
            None => work.await,
            Some((at_most, left)) => match tokio::time::timeout(left, work).await {
                Ok(ended) => ended,
                Err(_) => Err(Error::Overran { at_most }),
            },
        };
        if let Err(error) = ended {
            self.fail(&error);
            self.note_what_was_loaded(&made, &manifest).await;
        }
        self.stage("remove");
        let what = made.what();
        if let Err(error) = made.remove().await {
            self.evidence.facts.left_behind = Some(format!("{what}: {}", crate::error::with_causes(&error)));
        }
        Ok(())
    }

    /// Steps 4 to 6.
    async fn in_place(
        &mut self,
        repository: &Repository,
        made: &mut Made,
        manifest: &Manifest,
        options: &DrillOptions,
        restore: RestoreOptions,
        last_seen: LastSeen,
    ) -> Result<(), Error> {
        self.stage("restore");
        let begun = self.now();
        let target = made.settings()?;
        let prepared = restore::prepare(repository, &target, restore, last_seen, self.progress).await?;
        let report = prepared.run(self.progress).await?;
        self.restored(&report, begun);
        self.stage("check");
        let server = Server::connect(&target, Purpose::Drill).await?;
        self.count(&server, manifest, &report).await?;
        self.evidence.facts.constraints = Some(check::constraints(&server, manifest).await?);
        self.evidence.facts.indexes = Some(check::indexes(&server, self.progress).await?);
        for assertion in &options.assertions {
            self.evidence.facts.checks.push(check::assertion(&server, assertion).await?);
        }
        drop(server);
        if let Some(source) = &options.source {
            self.stage("compare with the source");
            let found: Vec<(String, u64)> =
                self.evidence.facts.tables.iter().map(|table| (table.table.clone(), table.found)).collect();
            self.evidence.facts.source =
                Some(check::source(source, manifest, &found, options.tolerance_percent).await);
        }
        if let (Some(canaries), Made::Server { server, .. }) = (&options.canaries, made) {
            self.stage("search for canaries");
            server.shut_down().await?;
            self.evidence.facts.canaries = Some(canaries.search(server.home()).await?);
        }
        Ok(())
    }

    /// After a restore that did not come to its end.
    async fn note_what_was_loaded(&mut self, made: &Made, manifest: &Manifest) {
        if self.evidence.ledger_head.is_some() {
            return;
        }
        let tables = async { so_far::tables(&made.settings()?, manifest).await };
        match tokio::time::timeout(SO_FAR, tables).await {
            Ok(Ok(tables)) => {
                self.evidence.facts.so_far = !tables.is_empty();
                self.evidence.facts.tables = tables;
            }
            Ok(Err(error)) => tracing::warn!(%error, "what was loaded before it failed cannot be told"),
            Err(_) => tracing::warn!("what was loaded before it failed cannot be told in time"),
        }
    }

    fn restored(&mut self, report: &RestoreReport, begun: f64) {
        let evidence = &mut self.evidence;
        evidence.ledger_head = Some(report.ledger_head);
        evidence.ready_seconds = Some(begun + report.seconds.ready);
        evidence.verified_seconds = Some(begun + report.seconds.verified);
        evidence.bytes_stored = Some(report.bytes.stored);
        evidence.bytes_plain = Some(report.bytes.plain);
        // The restore's own stages, in place of the one that stood for them.
        evidence.stages.retain(|stage| stage.stage != "restore");
        let ends = [
            ("plan", report.seconds.plan),
            ("load", report.seconds.load),
            ("finish", report.seconds.ready),
            ("verify", report.seconds.verified),
        ];
        let mut from = begun;
        for (stage, end) in ends {
            let to = begun + end;
            evidence.stages.push(Stage { stage: stage.to_owned(), from, to });
            from = to;
        }
    }

    async fn count(
        &mut self,
        server: &Server,
        manifest: &Manifest,
        report: &RestoreReport,
    ) -> Result<(), Error> {
        for (data, table) in manifest.tables.iter().zip(&report.tables) {
            let Some(known) = manifest.catalog.table(data.table) else { continue };
            let found = check::count(server, &known.name).await?;
            self.evidence.facts.tables.push(TableFacts {
                table: table.table.clone(),
                manifest: data.rows(),
                read: table.rows.read,
                loaded: table.rows.loaded,
                dropped: table.rows.dropped,
                changed: table.rows.changed,
                found,
            });
        }
        Ok(())
    }
}
