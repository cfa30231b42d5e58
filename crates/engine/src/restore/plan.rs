//! The plan: the closure over this snapshot's rows, and what it does to each table.

use jiff::{SignedDuration, Timestamp};
use lethe_format::ids::{Oid, SnapshotId};
use lethe_format::ledger::{Head, Keys, SubjectRef};
use lethe_format::manifest::{Chunk, CopyFormat, Manifest};
use lethe_postgres::capture::former_keys_table;
use lethe_rules::closure::{Closure, Tombstones, subject_key};
use lethe_rules::large_objects::Counts as LargeObjectCounts;
use lethe_rules::ledger::Standing;
use lethe_rules::only::Shared;
use lethe_rules::retention::Retention;
use lethe_rules::row_filter::Filters;
use lethe_rules::scan::Scan;
use lethe_rules::target_label::TargetLabel;
use serde::Serialize;
use std::sync::Arc;

use super::large_objects::{self, RestoredObjects};
use super::masking::BoundMasks;
use super::{Kept, MaskLabels, Masked, OnlySubject, RestoreOptions, decode, fetch, only, scan};
use crate::ledger::VerifiedLedger;
use crate::progress::Progress;
use crate::{Error, Repository, objects};

/// Everything that is decided before the first write.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    pub snapshot: SnapshotId,
    pub ledger_head: Head,
    /// What the target is for.
    pub label: TargetLabel,
    /// What is masked whoever it is about; rows as the snapshot has them.
    pub masked: Masked,
    pub mask_labels: MaskLabels,
    /// Keys on the ledger that are erased and not revoked.
    pub tombstones: u64,
    /// Of those, the ones that were put on the ledger before the snapshot was begun, ahead of their deletion.
    pub written_ahead: u64,
    /// Keys on the ledger that are anonymised, neither erased nor revoked.
    pub anonymised: u64,
    /// People of this snapshot who were not seen for so long that they are anonymised, and are not on the ledger yet.
    pub inactive: u64,
    /// Set if these are restored alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<OnlySubject>,
    /// In the order in which they are loaded: the largest first.
    pub tables: Vec<PlannedTable>,
    /// Columns of this snapshot that the ledger says are erased as a whole: `schema.table.column`.
    pub erased_columns: Vec<String>,
    /// References by which rows of erased people stay, with the reasons.
    pub kept: Vec<Kept>,
    /// What somebody has done to the ledger; restoring goes on by what was written first.
    pub incidents: Vec<String>,
    /// Set if the snapshot goes before the restore is likely to be done: from then on no lease keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goes_at: Option<Timestamp>,
    pub large_objects: LargeObjectCounts,
    #[serde(skip)]
    pub(super) restored_objects: RestoredObjects,
    #[serde(skip)]
    pub(super) filters: Arc<Filters>,
    #[serde(skip)]
    pub(super) newly_inactive: Option<(SubjectRef, Keys)>,
}

#[derive(Clone, Debug, Serialize)]
pub struct PlannedTable {
    pub table: String,
    pub rows: u64,
    pub chunks: usize,
    pub plain_bytes: u64,
    pub format: CopyFormat,
    /// Whether rows of it may be dropped or changed.
    pub filtered: bool,
    #[serde(skip)]
    pub(super) oid: Oid,
}

pub(super) async fn make(
    repository: &Repository,
    manifest: &Manifest,
    ledger: &VerifiedLedger,
    options: &RestoreOptions,
    masks: &BoundMasks,
    label: &TargetLabel,
    progress: &Progress,
) -> Result<Plan, Error> {
    let mut standing = ledger.standing(manifest.ledger_head.seq);
    let tombstones = count(&standing.erased) + count(&standing.gone);
    tracing::info!(erased = tombstones, head = ledger.head().seq, hash = %ledger.head().hash, "filtering by");
    let former = former_keys(manifest, &standing.erased);
    standing.erased.extend(former);
    let scanned = Scanned { repository, manifest, options, masks, progress };
    let (filters, newly_inactive) = filters(&scanned, &standing).await?;
    let (restored_objects, counts) = large_objects::plan(&scanned, &filters, label).await?;
    let mut tables: Vec<PlannedTable> = manifest
        .tables
        .iter()
        .map(|data| PlannedTable {
            table: manifest.catalog.table(data.table).map(|table| table.name.to_string()).unwrap_or_default(),
            rows: data.rows(),
            chunks: data.chunks.len(),
            plain_bytes: data.plain_len(),
            format: data.format,
            filtered: filters.touches(data.table),
            oid: data.table,
        })
        .collect();
    let masked = Masked {
        columns: options.anonymise.everybody.iter().map(|rule| rule.columns.len() as u64).sum(),
        rows: tables.iter().filter(|table| filters.masks_everybody(table.oid)).map(|table| table.rows).sum(),
        ..Masked::default()
    };
    tables.sort_by(|one, other| {
        other.plain_bytes.cmp(&one.plain_bytes).then_with(|| one.table.cmp(&other.table))
    });
    Ok(Plan {
        snapshot: manifest.snapshot.clone(),
        ledger_head: ledger.head(),
        label: label.clone(),
        masked,
        mask_labels: masks.labels.clone(),
        tombstones,
        written_ahead: standing.written_ahead,
        anonymised: count(&standing.anonymised),
        inactive: newly_inactive.as_ref().map_or(0, |(_, keys)| keys.len()),
        only: only::named(&options.only),
        tables,
        erased_columns: standing
            .columns
            .iter()
            .filter(|erased| {
                let table = manifest.catalog.table_named(&erased.table);
                table.is_some_and(|table| table.column_named(&erased.column).is_some())
            })
            .map(|erased| format!("{}.{}", erased.table, erased.column))
            .collect(),
        kept: Kept::of(&options.references),
        incidents: ledger.incidents().to_vec(),
        goes_at: goes_too_soon(manifest, Timestamp::now()),
        large_objects: counts,
        restored_objects,
        filters: Arc::new(filters),
        newly_inactive,
    })
}

/// What the rows are looked at for, and where they are.
pub(super) struct Scanned<'a> {
    repository: &'a Repository,
    pub(super) manifest: &'a Manifest,
    pub(super) options: &'a RestoreOptions,
    masks: &'a BoundMasks,
    progress: &'a Progress,
}

impl Scanned<'_> {
    pub(super) async fn show(&self, decision: &mut impl Scan) -> Result<(), Error> {
        scan::show(self.repository, self.manifest, self.options.jobs, decision, self.progress).await
    }
}

/// The finished filters, and the people whom the rule for the inactive found.
async fn filters(
    scanned: &Scanned<'_>,
    standing: &Standing,
) -> Result<(Filters, Option<(SubjectRef, Keys)>), Error> {
    let Scanned { manifest, options, masks, .. } = scanned;
    let masks = (&options.anonymise, &masks.everybody);
    let (catalog, data, references) = (&manifest.catalog, &manifest.tables, &options.references);
    if options.only.is_empty() {
        let mut closure = Closure::new(catalog, references, data, standing, masks);
        scanned.show(&mut closure).await?;
        let inactive = closure.newly_inactive();
        return Ok((closure.finish().map_err(Error::Refused)?, inactive));
    }
    let mut ownership = Closure::ownership(catalog, references, data, &options.only);
    scanned.show(&mut ownership).await?;
    let owned = ownership.into_owned().map_err(Error::Refused)?;
    let mut closure = Closure::of_few(catalog, references, data, standing, masks, owned);
    scanned.show(&mut closure).await?;
    let inactive = closure.newly_inactive();
    let filters = closure.finish().map_err(Error::Refused)?;
    let mut shared = Shared::new(catalog, references, data, filters);
    scanned.show(&mut shared).await?;
    Ok((shared.finish().map_err(Error::Refused)?, inactive))
}

/// Slower than any restore that was measured, and an hour for what does not depend on the rows.
const LIKELY_BYTES_PER_SECOND: u64 = 10 << 20;
const LIKELY_REST: SignedDuration = SignedDuration::from_hours(1);

/// When the snapshot goes, if that is before a restore that begins now is likely to be done.
fn goes_too_soon(manifest: &Manifest, now: Timestamp) -> Option<Timestamp> {
    let bytes: u64 = manifest.all_chunks().map(|chunk| chunk.plain_len).sum();
    let seconds = i64::try_from(bytes / LIKELY_BYTES_PER_SECOND).unwrap_or(i64::MAX);
    let likely = SignedDuration::from_secs(seconds).checked_add(LIKELY_REST).unwrap_or(SignedDuration::MAX);
    let goes_at = manifest.started_at.checked_add(Retention::CEILING).unwrap_or(Timestamp::MAX);
    (now.checked_add(likely).unwrap_or(Timestamp::MAX) > goes_at).then_some(goes_at)
}

/// The capture keeps former keys of living people, under the key that each has now: they go with the person.
fn former_keys(manifest: &Manifest, erased: &[Tombstones]) -> Vec<Tombstones> {
    let of = |tombstones: &Tombstones| {
        let table = former_keys_table(&tombstones.subject.table);
        manifest.catalog.table_named(&table)?;
        let key = subject_key(&manifest.catalog, &tombstones.subject).ok()?;
        let subject = manifest.catalog.table(key.table)?;
        let names = key.columns.iter().filter_map(|column| Some(subject.column(*column)?.name.clone()));
        let subject = SubjectRef { name: None, table, columns: Some(names.collect()) };
        Some(Tombstones { subject, keys: tombstones.keys.clone() })
    };
    erased.iter().filter_map(of).collect()
}

fn count(tombstones: &[Tombstones]) -> u64 {
    tombstones.iter().map(|tombstones| tombstones.keys.len()).sum()
}

/// Fetches and decodes one chunk.
pub(crate) async fn rows(repository: &Repository, chunk: &Chunk) -> Result<Vec<u8>, Error> {
    let sealed = fetch::chunk(repository.store().as_ref(), chunk).await?;
    let (identities, key) = (repository.identities()?.clone(), repository.naming_key()?.clone());
    let chunk = chunk.clone();
    objects::off_runtime(move || decode::decode(&identities, &key, &chunk, &sealed)).await
}
