//! Restoring a snapshot without the people who were erased.
//!
//! 1. *Ledger*: read and verify all of it, against the manifest and against what this host has seen.
//! 2. *Preflight*: every objection at once.
//! 3. *Plan*: the closure. Up to here nothing is written, and a dry run ends here.
//! 4. *Load*: close the database to others, create the schema, stream the surviving rows.
//! 5. *Finish*: indexes, sequences, statistics, views, foreign keys, triggers, grants.
//! 6. *Cut over*: read the ledger again, append the cut-over entry, open the database: ready. If the ledger says more
//!    by then, what was loaded of those people is taken back, and 4 to 6 are gone through again.
//! 7. *Verify*: validate the foreign keys, look for tombstoned keys and for what was masked, remove the bookkeeping: verified.
//!
//! A restore that was interrupted is continued by running it again: every statement and every chunk is recorded in
//! the transaction that carries it out, so nothing is done twice. Until step 6 nobody else can connect. A run that loses
//! its connections to the target does the same by itself.

mod builds;
mod constants;
mod cut_over;
mod decode;
mod evidence;
mod fetch;
mod filter;
mod finish;
mod large_objects;
mod late;
mod load;
mod look;
mod mask_check;
mod masking;
mod only;
mod outage;
mod plan;
mod preflight;
mod references;
mod scan;
mod schedule;
mod schema_text;
mod select;
mod sequences;
mod statements;
mod target;
mod unclassified;
mod verify;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lethe_format::classification::{Classification, NotPersonal};
use lethe_format::ids::SnapshotId;
use lethe_format::ledger::{Head, Kind, Seq, SubjectRef};
use lethe_format::manifest::{Manifest, Sequence};
use lethe_format::reference::{Reference, TableColumns};
use lethe_postgres::{ConnectionSettings, Purpose, Server};
use lethe_rules::anonymise::Anonymise;
use lethe_rules::closure::Tombstones;
pub use lethe_rules::derived::MayBeStale;
use lethe_rules::derived::may_be_stale;
pub use lethe_rules::large_objects::Counts as LargeObjectCounts;
use lethe_rules::objection::{Code, Objection};
use lethe_rules::row_filter::Counts;
use lethe_rules::schema_text::SchemaText;
use lethe_rules::target_label::TargetLabel;
use serde::{Deserialize, Serialize};

use crate::ledger::{Freshness, LastSeen, VerifiedLedger};
use crate::progress::Progress;
use crate::{Error, Repository, leases, ledger};
use cut_over::CutOver;
pub use evidence::{RestoreEvidence, RestoredTo, keep};
pub(crate) use fetch::{chunk as fetch_chunk, schema};
pub(crate) use load::Memory;
pub use look::look;
pub use mask_check::MaskCheck;
use masking::BoundMasks;
pub use masking::{MaskLabels, Masked};
pub use only::OnlySubject;
use outage::Outage;
pub(crate) use plan::rows;
pub use plan::{Plan, PlannedTable};

pub use select::{SnapshotInfo, Wanted, finished_at, ids as snapshot_ids, list, newest_catalog};
pub(crate) use select::{choose, load_manifest};
pub(crate) use target::{begun, query};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    pub snapshot: Wanted,
    /// What the target is for, as it was said for this restore.
    pub label: Option<TargetLabel>,
    /// What the settings say of its server.
    pub server_label: Option<TargetLabel>,
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
    /// Nothing but what belongs to these comes back, and what that refers to; everything if there are none.
    pub only: Vec<Tombstones>,
    /// References that are no foreign keys, and other answers than a foreign key's own.
    pub references: Vec<Reference>,
    /// Columns that refer to large objects, besides those of the type `lo`.
    pub large_object_columns: Vec<TableColumns>,
    /// Whether large objects come back to which no row refers at all.
    pub unreferenced_large_objects: bool,
    /// Whose data the columns hold, as far as the settings say.
    pub classification: Option<Classification>,
    /// Columns that are nobody's, also where no kind of people is named.
    pub not_personal: Vec<NotPersonal>,
    /// What becomes of the rows of people who are anonymised, who counts as inactive, and what becomes of everybody's rows where no real
    /// people may be.
    pub anonymise: Anonymise,
    pub freshness: Freshness,
    /// How long a deletion may have waited in the source's outbox when the snapshot was taken.
    pub max_capture_lag: Duration,
    /// The reference of the instruction; its keyed hash stands in the cut-over entry.
    pub request: Option<String>,
    /// Objections that somebody has answered for.
    pub acknowledged: Vec<Code>,
    /// The subjects of the settings: ids of theirs are never given out again.
    pub subjects: Vec<SubjectRef>,
    /// How long a target is waited for that has gone away in the middle.
    pub patience: Duration,
    /// Look for erased keys in every table that an erasure may touch, not in the subjects' own alone.
    pub read_back_all: bool,
}

/// A restore that may begin: everything decided, nothing written.
#[derive(Debug)]
pub struct Prepared {
    repository: Repository,
    target: ConnectionSettings,
    options: RestoreOptions,
    manifest: Manifest,
    archive: lethe_format::archive::Archive,
    ledger: VerifiedLedger,
    plan: Plan,
    masks: BoundMasks,
    label: TargetLabel,
    /// Objections that were raised and that somebody has answered for.
    acknowledged: Vec<Objection>,
    /// Sequences of the newest snapshot, if that is not the one that is restored.
    later_sequences: Vec<Sequence>,
    last_seen: LastSeen,
    started: Instant,
}

/// What came of it: the summary of a restore.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RestoreReport {
    pub snapshot: SnapshotId,
    pub ledger_head: Head,
    /// Set if these were restored alone; then the rows of all others count as dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<OnlySubject>,
    /// What the target is for.
    #[serde(default)]
    pub label: Option<TargetLabel>,
    #[serde(default)]
    pub masked: Masked,
    pub rows: RowCounts,
    pub tables: Vec<TableReport>,
    #[serde(default)]
    pub large_objects: LargeObjectCounts,
    /// References by which rows of erased people stayed, and why.
    #[serde(default)]
    pub kept: Vec<Kept>,
    /// Columns by which an application tells of rows that are not there any more.
    #[serde(default)]
    pub may_be_stale: Vec<MayBeStale>,
    pub seconds: Seconds,
    pub bytes: Bytes,
    /// Objections that were raised and that somebody has answered for.
    pub acknowledged: Vec<Objection>,
    /// Peak resident memory of this process, in bytes.
    pub peak_rss: u64,
}

/// A `[[reference]]` with `on_erase = "keep"`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Kept {
    pub reference: String,
    pub because: String,
}

impl Kept {
    fn of(references: &[Reference]) -> Vec<Self> {
        let kept = |reference: &Reference| {
            let because = reference.keeps()?.to_owned();
            Some(Self { reference: reference.to_string(), because })
        };
        references.iter().filter_map(kept).collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RowCounts {
    pub read: u64,
    pub loaded: u64,
    pub dropped: u64,
    pub changed: u64,
    /// Of the dropped ones, those that were never sent to the target.
    pub never_loaded: u64,
    /// Of the dropped ones, those that had been loaded when the erasure arrived.
    pub late_removed: u64,
}

impl RowCounts {
    fn new(counts: Counts, late_removed: u64) -> Self {
        let Counts { read, loaded, dropped, changed } = counts;
        let late_removed = late_removed.min(dropped);
        Self { read, loaded, dropped, changed, never_loaded: dropped - late_removed, late_removed }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TableReport {
    pub table: String,
    #[serde(flatten)]
    pub rows: RowCounts,
}

/// Seconds from the start to the end of each stage.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Seconds {
    pub plan: f64,
    pub load: f64,
    pub ready: f64,
    pub verified: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    let ledger = ledger::read_trusted(repository, &last_seen).await?;
    options.freshness.check(&ledger, Timestamp::now())?;
    let id = select::choose(repository, &options.snapshot).await?;
    let manifest = select::load_manifest(repository, &id).await?;
    ledger.check_for(&manifest)?;
    progress.stage("preflight", 0);
    let archive = fetch::schema(repository, &manifest.snapshot, &manifest.schema).await?;
    let server = Server::connect(target, Purpose::Restore).await?;
    let begun = target::begun(&server).await?;
    // After the cut-over, erasures are the applications' business.
    let ledger = match begun.as_ref().and_then(|begun| begun.cut_over) {
        Some(cut_over) => ledger.until(cut_over),
        None => ledger,
    };
    let mut objections =
        preflight::check(repository, &server, begun.as_ref(), &manifest, &archive, &ledger, &options).await?;
    let mut options = options;
    options.anonymise.words = words::english();
    let label = masking::label(&server, begun.as_ref(), &options).await?;
    let masks = label.as_ref().is_ok_and(|label| !label.holds_real_people());
    let mut bound = BoundMasks::default();
    if masks {
        let found = masking::require(&manifest, &mut options);
        bound.labels = (&found).into();
        objections.extend(found.objections);
    } else {
        masking::leave_out(&mut options);
    }
    let (references, unknown) = references::effective(&manifest, &options.references);
    objections.extend(unknown);
    options.references = references;
    if !masks {
        objections.extend(large_objects::objections(&manifest, &options.large_object_columns));
    }
    objections.extend(unclassified::objections(&manifest, &ledger, &options));
    let texts = SchemaText::of(&archive.entries);
    objections.extend(schema_text::by_keys(&manifest, &texts, &ledger, &options));
    let answered = |objection: &Objection| options.acknowledged.contains(&objection.code);
    let (mut acknowledged, mut objections): (Vec<_>, Vec<_>) = objections.into_iter().partition(answered);
    objections.extend(constants::resolve(&server, &manifest, &mut options).await?);
    if masks {
        let (everybody, more) = masking::bind(&server, &manifest, &ledger, &options).await?;
        bound.everybody = Arc::new(everybody);
        objections.extend(more);
    }
    let label = match label {
        Ok(label) => label,
        Err(objection) => {
            objections.push(objection);
            TargetLabel::staging()
        }
    };
    let plan = match plan::make(repository, &manifest, &ledger, &options, &bound, &label, progress).await {
        Ok(plan) => plan,
        Err(Error::Refused(more)) => {
            objections.extend(more);
            return Err(Error::Refused(objections));
        }
        Err(other) => return Err(other),
    };
    let addresses =
        schema_text::by_addresses(repository, &manifest, &texts, &plan.filters, options.jobs, progress);
    for objection in addresses.await? {
        let answered = options.acknowledged.contains(&objection.code);
        if answered { acknowledged.push(objection) } else { objections.push(objection) }
    }
    if !objections.is_empty() {
        return Err(Error::Refused(objections));
    }
    let later_sequences = select::later_sequences(repository, &manifest.snapshot).await?;
    Ok(Prepared {
        repository: repository.clone(),
        target: target.clone(),
        options,
        manifest,
        archive,
        ledger,
        plan,
        masks: bound,
        label,
        acknowledged,
        later_sequences,
        last_seen,
        started,
    })
}

impl Prepared {
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Steps 4 to 7, while a lease keeps the snapshot.
    ///
    /// # Errors
    /// The target stays closed unless the cut-over was reached; running the same restore again continues it.
    pub async fn run(self, progress: &Progress) -> Result<RestoreReport, Error> {
        let (repository, snapshot) = (self.repository.clone(), self.manifest.snapshot.clone());
        leases::during(&repository, &snapshot, async {
            // A pruner that did not see the lease has taken the manifest first.
            select::choose(&repository, &Wanted::Id(snapshot.clone())).await?;
            self.run_leased(progress).await
        })
        .await
    }

    async fn run_leased(mut self, progress: &Progress) -> Result<RestoreReport, Error> {
        let planned = self.started.elapsed().as_secs_f64();
        let mut seconds = Seconds { plan: planned, load: planned, ready: 0.0, verified: 0.0 };
        let mut outage = Outage::new(self.options.patience);
        let (target, report) = loop {
            match self.go_on(&mut outage, &mut seconds, progress).await {
                Ok(done) => break done,
                Err(error) => outage.wait(error).await?,
            }
        };
        // Whether the book is gone can be unknown as well, but removing it twice does no harm.
        let mut removed = target.remove_bookkeeping().await;
        drop(target);
        while let Err(error) = removed {
            outage.wait(error).await?;
            removed = target::Target::remove_bookkeeping_of(&self.target).await;
        }
        Ok(report)
    }

    /// Everything that the book does not say is done.
    async fn go_on(
        &mut self,
        outage: &mut Outage,
        seconds: &mut Seconds,
        progress: &Progress,
    ) -> Result<(target::Target, RestoreReport), Error> {
        let target = target::Target::open(self).await?;
        outage.is_over(target.recorded().await?);
        let statements = statements::Statements::new(self);
        // A run before this one may have cut over already: then only the verification is left.
        let head = match target.cut_over().await? {
            Some(entry) => self.head_at(entry).await?,
            None => self.load_and_cut_over(&target, &statements, seconds, progress).await?,
        };
        let since_start = self.started;
        let now = || since_start.elapsed().as_secs_f64();
        if seconds.ready == 0.0 {
            seconds.ready = now();
            progress.stage("ready", 0);
        }
        let (tables, late) = (load::counts(&target).await?, target.late_removed().await?);
        let check = verify::verify(self, &target, &statements.unvalidated(self), progress).await?;
        seconds.verified = now();
        let mut report = self.report(head, &tables, &late, *seconds);
        report.masked.check = check;
        Ok((target, report))
    }

    /// The cut-over's entry.
    async fn head_at(&self, entry: Seq) -> Result<Head, Error> {
        if self.ledger.head().seq >= entry {
            return Ok(self.ledger.head());
        }
        Ok(ledger::read_trusted(&self.repository, &self.last_seen).await?.until(entry).head())
    }

    /// Steps 4 to 6, gone through again for as long as the ledger comes to say more about people. Gives the
    /// cut-over's entry.
    async fn load_and_cut_over(
        &mut self,
        target: &target::Target,
        statements: &statements::Statements,
        seconds: &mut Seconds,
        progress: &Progress,
    ) -> Result<Head, Error> {
        self.record_inactive().await?;
        loop {
            late::take_back(self, target, statements, progress).await?;
            statements.create_schema(target, progress).await?;
            let tables = load::load(self, target, statements, progress).await?;
            load::reconcile(&self.manifest, &tables)?;
            seconds.load = self.started.elapsed().as_secs_f64();
            // Before there are foreign keys and triggers, a table is taken back for next to nothing.
            if let Some(ledger) = self.follow_ledger().await? {
                self.plan_again(ledger, progress).await?;
                continue;
            }
            finish::finish(self, target, statements, progress).await?;
            match cut_over::cut_over(self, target, progress).await? {
                CutOver::Done(entry) => return Ok(entry),
                CutOver::Late(ledger) => self.plan_again(ledger, progress).await?,
            }
        }
    }

    /// By what rows are filtered: as long as this is the same, what was loaded stays as it is.
    fn rules(&self) -> Result<String, Error> {
        let mut hash = blake3::Hasher::new();
        for entry in self.ledger.entries().iter().filter(|entry| entry.header.kind.is_about_rows()) {
            hash.update(&entry.header.seq.to_be_bytes());
        }
        for reference in &self.options.references {
            hash.update(reference.fingerprint().as_bytes());
        }
        for rule in &self.options.anonymise.masks {
            hash.update(rule.fingerprint().as_bytes());
        }
        for rule in &self.options.anonymise.everybody {
            hash.update(rule.fingerprint().as_bytes());
        }
        hash.update(self.plan.restored_objects.hash().as_bytes());
        if let Some(only) = self.only()? {
            hash.update(only.as_bytes());
        }
        Ok(hash.finalize().to_hex().to_string())
    }

    /// Names exactly those who are restored alone; none if everything is.
    fn only(&self) -> Result<Option<String>, Error> {
        only::fingerprint(&self.repository, &self.options.only)
    }

    /// Puts the people that the two-year rule found on the ledger, before anything of theirs is loaded.
    async fn record_inactive(&mut self) -> Result<(), Error> {
        let Some((subject, keys)) = self.plan.newly_inactive.take() else { return Ok(()) };
        let entry = ledger::NewEntry::about(Kind::Anonymised, subject, keys);
        let appended =
            ledger::append(&self.repository, &self.last_seen, entry, None, Timestamp::now()).await?;
        if let Some(head) = appended {
            // Nobody else's entry in between: then the plan knows everything that the ledger says.
            let ledger = self.read_ledger().await?;
            if !ledger.until(head.seq - 1).speaks_of_people_after(self.ledger.head().seq) {
                self.ledger = ledger.until(head.seq);
            }
        }
        Ok(())
    }

    async fn read_ledger(&self) -> Result<VerifiedLedger, Error> {
        let ledger = ledger::read_trusted(&self.repository, &self.last_seen).await?;
        let planned = self.ledger.head();
        if !ledger.contains(&planned) {
            return Err(Error::ledger(planned.seq, "an entry that this restore was planned by is gone"));
        }
        self.options.freshness.check(&ledger, Timestamp::now())?;
        ledger.check_for(&self.manifest)?;
        Ok(ledger)
    }

    /// Reads the ledger again, and gives it if it says anything about people that the plan does not know.
    async fn follow_ledger(&mut self) -> Result<Option<VerifiedLedger>, Error> {
        let ledger = self.read_ledger().await?;
        if ledger.speaks_of_people_after(self.ledger.head().seq) {
            return Ok(Some(ledger));
        }
        self.ledger = ledger;
        Ok(None)
    }

    /// Makes the plan again by what the ledger says now.
    async fn plan_again(&mut self, ledger: VerifiedLedger, progress: &Progress) -> Result<(), Error> {
        let Self { repository, manifest, options, masks, label, .. } = &*self;
        self.plan = plan::make(repository, manifest, &ledger, options, masks, label, progress).await?;
        self.ledger = ledger;
        self.record_inactive().await
    }

    fn report(
        &self,
        ledger_head: Head,
        tables: &load::TableCounts,
        late: &BTreeMap<u32, u64>,
        seconds: Seconds,
    ) -> RestoreReport {
        let (mut total, mut total_late, mut masked) = (Counts::default(), 0, 0);
        let mut rows = Vec::new();
        let (mut dropped, mut changed) = (BTreeSet::new(), BTreeSet::new());
        for data in &self.manifest.tables {
            let counts = tables.get(&data.table).copied().unwrap_or_default();
            let late = late.get(&data.table).copied().unwrap_or(0);
            total.add(counts);
            if counts.dropped > 0 {
                dropped.insert(data.table);
            }
            // Where everybody is masked, nothing tells of anybody.
            if counts.changed > 0 && self.label.holds_real_people() {
                changed.insert(data.table);
            }
            total_late += late;
            if self.plan.filters.masks_everybody(data.table) {
                masked += counts.loaded;
            }
            let name = self.manifest.catalog.table(data.table).map(|table| table.name.to_string());
            rows.push(TableReport { table: name.unwrap_or_default(), rows: RowCounts::new(counts, late) });
        }
        RestoreReport {
            snapshot: self.manifest.snapshot.clone(),
            ledger_head,
            only: self.plan.only.clone(),
            label: Some(self.label.clone()),
            masked: Masked { rows: masked, ..self.plan.masked },
            rows: RowCounts::new(total, total_late),
            tables: rows,
            large_objects: self.plan.large_objects,
            kept: self.plan.kept.clone(),
            may_be_stale: may_be_stale(&self.manifest.catalog, &self.options.references, &dropped, &changed),
            seconds,
            bytes: Bytes {
                stored: self.manifest.all_chunks().map(|chunk| chunk.stored.len).sum(),
                plain: self.manifest.all_chunks().map(|chunk| chunk.plain_len).sum(),
            },
            acknowledged: self.acknowledged.clone(),
            peak_rss: peak_rss(),
        }
    }
}

/// `VmHWM` of this process (`proc(5)`); 0 where that file is not.
pub(crate) fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1024)
}
