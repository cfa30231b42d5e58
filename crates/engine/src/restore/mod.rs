//! Restoring a snapshot without the people who were erased.
//!
//! 1. *Ledger*: read and verify all of it, against the manifest and against what this host has seen.
//! 2. *Preflight*: every objection at once.
//! 3. *Plan*: the closure. Up to here nothing is written, and a dry run ends here.
//! 4. *Load*: close the database to others, create the schema, stream the surviving rows.
//! 5. *Finish*: indexes, sequences, statistics, views, foreign keys, triggers, grants.
//! 6. *Cut over*: read the ledger again, reconcile the counts, append the cut-over entry, open the database: ready.
//! 7. *Verify*: validate the foreign keys, look for tombstoned keys, remove the bookkeeping: verified.
//!
//! A restore that was interrupted is continued by running it again: every statement and every chunk is recorded in
//! the transaction that carries it out, so nothing is done twice. Until step 6 nobody else can connect.

mod cut_over;
mod decode;
mod fetch;
mod finish;
mod load;
mod plan;
mod preflight;
mod select;
mod statements;
mod target;
mod verify;

use std::time::Instant;

use lethe_format::ids::SnapshotId;
use lethe_format::ledger::Head;
use lethe_postgres::{ConnectionSettings, Purpose, Server};
use lethe_rules::row_filter::Counts;
use serde::Serialize;

use crate::ledger::{LastSeen, VerifiedLedger};
use crate::progress::Progress;
use crate::{Error, Repository, ledger};
pub use plan::{Plan, PlannedTable};
pub use select::{SnapshotInfo, Wanted, list, newest_catalog};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    pub snapshot: Wanted,
    /// Connections that load and build at once.
    pub jobs: usize,
    /// Bytes of chunks in memory at once.
    pub memory: u64,
    /// Objects belong to the restoring role.
    pub no_owner: bool,
    /// Grants are left out.
    pub no_acl: bool,
    /// `SET ROLE` before anything is created.
    pub role: Option<String>,
}

/// A restore that may begin: everything decided, nothing written.
#[derive(Debug)]
pub struct Prepared {
    repository: Repository,
    target: ConnectionSettings,
    options: RestoreOptions,
    manifest: lethe_format::manifest::Manifest,
    archive: lethe_format::archive::Archive,
    ledger: VerifiedLedger,
    plan: Plan,
    last_seen: LastSeen,
    started: Instant,
}

/// What came of it: the summary of a restore.
#[derive(Clone, Debug, Serialize)]
pub struct RestoreReport {
    pub snapshot: SnapshotId,
    pub ledger_head: Head,
    pub rows: RowCounts,
    pub tables: Vec<TableReport>,
    pub seconds: Seconds,
    pub bytes: Bytes,
    /// Peak resident memory of this process, in bytes.
    pub peak_rss: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct RowCounts {
    pub read: u64,
    pub loaded: u64,
    pub dropped: u64,
    pub changed: u64,
}

impl From<Counts> for RowCounts {
    fn from(counts: Counts) -> Self {
        let Counts { read, loaded, dropped, changed } = counts;
        Self { read, loaded, dropped, changed }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct TableReport {
    pub table: String,
    #[serde(flatten)]
    pub rows: RowCounts,
}

/// Seconds from the start to the end of each stage.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seconds {
    pub plan: f64,
    pub load: f64,
    pub ready: f64,
    pub verified: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bytes {
    pub stored: u64,
    pub plain: u64,
}

/// Steps 1 to 3: reads, decides, writes nothing.
///
/// # Errors
/// [`Error::Ledger`] if the ledger does not verify, [`Error::Refused`] with every objection.
pub async fn prepare(
    repository: &Repository,
    target: &ConnectionSettings,
    options: RestoreOptions,
    last_seen: LastSeen,
    progress: &Progress,
) -> Result<Prepared, Error> {
    let started = Instant::now();
    progress.stage("ledger", 0);
    repository.identities()?;
    let ledger = ledger::read_verified(repository).await?;
    last_seen.check_and_advance(&ledger)?;
    let id = select::choose(repository, &options.snapshot).await?;
    let manifest = select::load_manifest(repository, &id).await?;
    if !ledger.contains(&manifest.ledger_head) {
        let seq = manifest.ledger_head.seq;
        return Err(Error::ledger(
            seq,
            format!(
                "it lacks entry {seq}, which snapshot {id} was taken after: it was rolled back or replaced"
            ),
        ));
    }
    progress.stage("preflight", 0);
    let archive = fetch::schema(repository, &manifest).await?;
    let server = Server::connect(target, Purpose::Restore).await?;
    let mut objections =
        preflight::check(repository, &server, &manifest, &archive, &ledger, &options).await?;
    let plan = match plan::make(repository, &manifest, &ledger, options.jobs, progress).await {
        Ok(plan) => plan,
        Err(Error::Refused(more)) => {
            objections.extend(more);
            return Err(Error::Refused(objections));
        }
        Err(other) => return Err(other),
    };
    if !objections.is_empty() {
        return Err(Error::Refused(objections));
    }
    let (repository, target) = (repository.clone(), target.clone());
    Ok(Prepared { repository, target, options, manifest, archive, ledger, plan, last_seen, started })
}

impl Prepared {
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Steps 4 to 7.
    ///
    /// # Errors
    /// The target stays closed unless the cut-over was reached; running the same restore again continues it.
    pub async fn run(self, progress: &Progress) -> Result<RestoreReport, Error> {
        let planned = self.started.elapsed().as_secs_f64();
        let target = target::Target::open(&self).await?;
        target.refuse_late_erasures(&self.ledger).await?;
        let statements = statements::Statements::new(&self);
        statements.create_schema(&target, progress).await?;
        let tables = load::load(&self, &target, progress).await?;
        load::reconcile(&self.manifest, &tables)?;
        let loaded = self.started.elapsed().as_secs_f64();
        let unvalidated = finish::finish(&self, &target, &statements, progress).await?;
        let head = cut_over::cut_over(&self, &target, progress).await?;
        let ready = self.started.elapsed().as_secs_f64();
        verify::verify(&self, &target, &unvalidated, progress).await?;
        target.remove_bookkeeping().await?;
        let verified = self.started.elapsed().as_secs_f64();
        Ok(self.report(head, &tables, Seconds { plan: planned, load: loaded, ready, verified }))
    }

    fn report(&self, ledger_head: Head, tables: &load::TableCounts, seconds: Seconds) -> RestoreReport {
        let mut total = Counts::default();
        let mut rows = Vec::new();
        for data in &self.manifest.tables {
            let counts = tables.get(&data.table).copied().unwrap_or_default();
            total.add(counts);
            let name = self.manifest.catalog.table(data.table).map(|table| table.name.to_string());
            rows.push(TableReport { table: name.unwrap_or_default(), rows: counts.into() });
        }
        RestoreReport {
            snapshot: self.manifest.snapshot.clone(),
            ledger_head,
            rows: total.into(),
            tables: rows,
            seconds,
            bytes: Bytes {
                stored: self.manifest.all_chunks().map(|chunk| chunk.stored.len).sum(),
                plain: self.manifest.all_chunks().map(|chunk| chunk.plain_len).sum(),
            },
            peak_rss: peak_rss(),
        }
    }
}

/// `VmHWM` of this process (`proc(5)`); 0 where that file is not.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1024)
}
