//! Taking a snapshot.
//!
//! 1. Read the ledger's head; only then open the database's view, so that a restore of this snapshot asks for every
//!    erasure that it could still hold.
//! 2. Read the catalog, lock the tables, let `pg_dump` write the schema under the same view.
//! 3. *Extract* each table by block ranges, *encode* the pieces, *upload* those that the newest snapshot does not have.
//! 4. *Commit*: schema and chunk index, then the manifest with put-if-absent. Without a manifest nothing exists.
//!
//! A crash at any point leaves chunks that no manifest names, at most a schema and an index beside them; no reader
//! ever looks at them.

mod commit;
mod encode;
mod extract;
mod large_objects;
mod upload;

use std::sync::Arc;

use jiff::Timestamp;
use lethe_format::catalog::{Catalog, TableKind, display_ident};
use lethe_format::classification::Classification;
use lethe_format::ids::SnapshotId;
use lethe_format::manifest::{CaptureState, Manifest, Source, TableData, VERSION};
use lethe_format::reference::{Reference, TableColumns};
use lethe_postgres::capture::{outbox, outbox_table};
use lethe_postgres::pg_dump::PgDump;
use lethe_postgres::{ConnectionSettings, ExportedSnapshot, Server, ServerInfo, catalog, facts};
use lethe_rules::closure::known_references;
use lethe_rules::large_objects::known;
use serde::Serialize;

pub use upload::Uploads;

use crate::coverage::by_names;
use crate::progress::Progress;
use crate::restore::begun;
use crate::{Error, Repository, ledger};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct SnapshotOptions {
    /// Connections that copy at once.
    pub jobs: usize,
    /// zstd level, 1 to 19.
    pub level: i32,
    /// References that are no foreign keys: stored with the snapshot, so that a restore knows them whatever its settings say.
    pub references: Vec<Reference>,
    /// Columns that refer to large objects; stored for the same reason.
    pub large_object_columns: Vec<TableColumns>,
    /// Whose data the columns hold, as far as the settings say; stored for the same reason. None if they name no kind of people.
    pub classification: Option<Classification>,
    /// Folder of `pg_dump`, where it is not on the `PATH`.
    pub pg_bin: Option<std::path::PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct SnapshotStats {
    pub snapshot: SnapshotId,
    pub tables: usize,
    pub rows: u64,
    pub chunks: usize,
    pub reused_chunks: usize,
    /// Plain bytes of all chunks.
    pub plain_bytes: u64,
    /// Stored bytes of the chunks that were uploaded now.
    pub new_bytes: u64,
    /// Columns that may refer to people, and of which nothing says what becomes of them; as `table.column`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unclassified: Vec<String>,
    pub seconds: f64,
}

/// Takes a snapshot of a database into a repository.
pub async fn take(
    repository: &Repository,
    source: &ConnectionSettings,
    options: &SnapshotOptions,
    progress: &Progress,
) -> Result<SnapshotStats, Error> {
    take_at(repository, source, options, progress, Timestamp::now()).await
}

/// The same at a time that the caller has from a clock of its own.
pub async fn take_at(
    repository: &Repository,
    source: &ConnectionSettings,
    options: &SnapshotOptions,
    progress: &Progress,
    started_at: Timestamp,
) -> Result<SnapshotStats, Error> {
    let stopwatch = std::time::Instant::now();
    let uploads = Arc::new(Uploads::begin(repository, options.level, started_at).await?);
    let id = SnapshotId::new(started_at, rand::random());
    progress.stage("prepare", 0);
    let ledger_head = ledger::head(repository).await?;
    let view = ExportedSnapshot::open(source).await?;
    let info = ServerInfo::read(view.leader()).await?;
    let ledger_seq_after = ledger::head(repository).await?.seq;
    refuse_unfinished_restore(view.leader()).await?;
    let catalog = catalog::read(view.leader()).await?;
    let (references, unknown) = known_references(&catalog, &options.references);
    let (owner_columns, more) = known(&catalog, &options.large_object_columns);
    for objection in unknown.into_iter().chain(more) {
        tracing::warn!(%objection, "a rule of the settings is about nothing in this database");
    }
    let unclassified = match &options.classification {
        Some(classification) => open_columns(&catalog, &references, classification),
        None => Vec::new(),
    };
    let capture = capture_state(view.leader()).await?;
    // The outbox holds ids of people who were deleted before this snapshot: they are not in it, and need not be.
    let with_rows = || {
        let outbox = outbox_table();
        catalog.tables.iter().filter(move |table| table.kind == TableKind::Plain && table.name != outbox)
    };
    view.lock(with_rows().map(|table| &table.name)).await?;
    let path = std::env::var("PATH").ok();
    let pg_dump = PgDump::find(info.major(), options.pg_bin.as_deref(), path.as_deref()).await?;
    if !pg_dump.is_safe() {
        tracing::warn!(version = ?pg_dump.version, "this pg_dump lacks the fixes for CVE-2025-8714 and CVE-2025-8715");
    }
    let archive = pg_dump.schema(source, view.id()).await?;

    let mut tables = Vec::new();
    for table in with_rows() {
        tables.push(extract::TableWork::new(view.leader(), &catalog, table).await?);
    }
    let total = tables.iter().map(extract::TableWork::estimated_bytes).sum();
    progress.stage_of_bytes("copy", total);
    let chunks = extract::copy_tables(&view, &tables, &uploads, options.jobs, progress).await?;
    view.check().await?;
    let data: Vec<TableData> = tables.iter().zip(chunks).map(|(work, chunks)| work.data(chunks)).collect();

    progress.stage("large objects", 0);
    let large_objects = large_objects::copy(view.leader(), &uploads, owner_columns).await?;

    progress.stage("commit", 0);
    let schema = uploads.write_schema(&id, archive).await?;
    let manifest = Manifest {
        version: VERSION,
        repository: repository.id().to_owned(),
        snapshot: id.clone(),
        started_at,
        finished_at: started_at.checked_add(stopwatch.elapsed()).unwrap_or(started_at),
        source: Source {
            server_version: info.version,
            database: info.database,
            encoding: info.encoding,
            collate: info.collate,
            ctype: info.ctype,
            locale_provider: info.locale_provider,
            collation_version: info.collation_version,
        },
        ledger_head,
        ledger_seq_after,
        capture,
        schema,
        references,
        classification: options.classification.clone(),
        tables: data,
        sequences: catalog::sequences(view.leader()).await?,
        large_objects,
        extensions: facts::extensions(view.leader()).await?,
        populated_views: facts::populated_views(view.leader()).await?,
        roles: facts::roles_in_use(view.leader()).await?,
        tablespaces: facts::tablespaces_in_use(view.leader()).await?,
        catalog,
    };
    uploads.commit(&manifest).await?;
    let upload::Totals { new_bytes, reused } = uploads.totals();
    Ok(SnapshotStats {
        tables: manifest.tables.len(),
        rows: manifest.tables.iter().map(TableData::rows).sum(),
        chunks: manifest.all_chunks().count(),
        reused_chunks: reused,
        plain_bytes: manifest.all_chunks().map(|chunk| chunk.plain_len).sum(),
        new_bytes,
        unclassified,
        snapshot: id,
        seconds: stopwatch.elapsed().as_secs_f64(),
    })
}

/// A table or a column that came since the settings were written is found here.
fn open_columns(catalog: &Catalog, references: &[Reference], classification: &Classification) -> Vec<String> {
    let columns = by_names(catalog, references, classification);
    let open = columns.iter().filter(|column| column.is_open());
    open.map(|column| format!("{}.{}", column.table, display_ident(&column.column))).collect()
}

async fn capture_state(server: &Server) -> Result<Option<CaptureState>, Error> {
    if !outbox::is_installed(server).await? {
        return Ok(None);
    }
    let state = outbox::waiting(server).await?;
    if state.waiting > 0 {
        tracing::warn!(waiting = state.waiting, lag = ?state.lag(), "deletions wait to be put on the ledger");
    }
    Ok(Some(state))
}

/// A target that was not cut over may hold rows of people whose erasure came late: it must not become a backup.
async fn refuse_unfinished_restore(server: &Server) -> Result<(), Error> {
    match begun(server).await? {
        Some(begun) if begun.cut_over.is_none() => Err(Error::SourceNotReady),
        _ => Ok(()),
    }
}
