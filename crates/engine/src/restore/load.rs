//! Loading: each chunk is one transaction, its surviving rows and the record that they are there.
//!
//! Every connection has one chunk on its way to the server and the next one being fetched and filtered. What is in
//! memory is bounded in bytes, not in chunks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use lethe_format::catalog::Table;
use lethe_format::copy_binary;
use lethe_format::ids::Oid;
use lethe_format::manifest::{Chunk, CopyFormat, Manifest};
use lethe_postgres::{CopyIn, Server, large_objects};
use lethe_rules::row_filter::Counts;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use super::filter::ChunkFilter;
use super::plan::rows;
use super::target::{ChunkKey, Loaded, Target, UnloggedTable, record_chunk};
use super::{Prepared, RestoreOptions};
use crate::Error;
use crate::progress::Progress;

/// Counts of each table, by its oid in the snapshot.
pub(super) type TableCounts = BTreeMap<Oid, Counts>;

/// What is handed to the connection at a time: one `CopyData` message.
const PIECE: usize = 128 << 10;

#[derive(Clone, Debug)]
struct Work {
    key: ChunkKey,
    chunk: Chunk,
    table: Arc<TableTarget>,
    seed: [u8; 32],
}

#[derive(Debug)]
struct TableTarget {
    oid: Oid,
    sql: String,
    columns: Vec<String>,
    format: CopyFormat,
}

/// Loads everything that is not loaded yet.
pub(super) async fn load(
    prepared: &Prepared,
    target: &Target,
    progress: &Progress,
) -> Result<TableCounts, Error> {
    forget_lost_rows(prepared, target).await?;
    let mut done = target.restored_chunks().await?;
    let queue = work(prepared, target, &done);
    progress.stage("load", queue.iter().map(|work| work.chunk.plain_len).sum());
    let queue = Arc::new(Mutex::new(queue));
    let loader = Arc::new(Loader::new(prepared, progress));
    let mut workers = JoinSet::new();
    for _ in 0..prepared.options.jobs.max(1) {
        workers.spawn(loader.clone().run(target.worker().await?, queue.clone()));
    }
    while let Some(worker) = workers.join_next().await {
        done.extend(worker.map_err(|cause| Error::Worker(cause.to_string()))??);
    }
    load_large_objects(prepared, target).await?;
    Ok(add_up(done))
}

/// What the book says about each table.
pub(super) async fn counts(target: &Target) -> Result<TableCounts, Error> {
    Ok(add_up(target.restored_chunks().await?))
}

fn add_up(chunks: BTreeMap<ChunkKey, Loaded>) -> TableCounts {
    let mut tables = TableCounts::new();
    for ((table, _), loaded) in chunks {
        tables.entry(table).or_default().add(loaded.counts);
    }
    tables
}

/// A crash of the server empties unlogged tables, and the book, which is logged, still says that they were loaded.
/// Such a table is loaded again, unless it has triggers or foreign keys already, which would see it happen.
async fn forget_lost_rows(prepared: &Prepared, target: &Target) -> Result<(), Error> {
    let recorded = counts(target).await?;
    for UnloggedTable { schema, name, rows: found, has_triggers } in target.unlogged_tables().await? {
        let named = |table: &&Table| table.name.schema == schema && table.name.name == name;
        let Some(table) = prepared.manifest.catalog.tables.iter().find(named) else { continue };
        let expected = recorded.get(&table.oid).map_or(0, |counts| counts.loaded);
        if found == expected {
            continue;
        }
        if found > 0 || has_triggers {
            return Err(Error::Counts { table: table.name.to_string(), expected, found });
        }
        target.forget_chunks(table.oid).await?;
    }
    Ok(())
}

/// Rows in the manifest = rows loaded + rows dropped, for each table.
pub(super) fn reconcile(manifest: &Manifest, tables: &TableCounts) -> Result<(), Error> {
    for data in &manifest.tables {
        let counts = tables.get(&data.table).copied().unwrap_or_default();
        let found = counts.loaded.saturating_add(counts.dropped);
        if found != data.rows() || counts.read != data.rows() {
            let table =
                manifest.catalog.table(data.table).map(|table| table.name.to_string()).unwrap_or_default();
            return Err(Error::Counts { table, expected: data.rows(), found });
        }
    }
    Ok(())
}

/// Chunks still to be loaded, those of the largest table first.
fn work(prepared: &Prepared, target: &Target, done: &BTreeMap<ChunkKey, Loaded>) -> VecDeque<Work> {
    let manifest = &prepared.manifest;
    let mut queue = VecDeque::new();
    for planned in &prepared.plan.tables {
        let data = manifest.tables.iter().find(|data| data.table == planned.oid);
        let Some((data, table)) = data.zip(manifest.catalog.table(planned.oid)) else { continue };
        let name = |attnum: &i16| table.column(*attnum).map(|column| column.name.clone());
        let table = Arc::new(TableTarget {
            oid: data.table,
            sql: table.name.sql(),
            columns: data.columns.iter().filter_map(name).collect(),
            format: data.format,
        });
        let chunks = data.chunks.iter().enumerate().map(|(index, chunk)| ((data.table, index), chunk));
        let left = chunks.filter(|(key, _)| !done.contains_key(key));
        queue.extend(left.map(|(key, chunk)| Work {
            key,
            chunk: chunk.clone(),
            table: table.clone(),
            seed: target.seed(key),
        }));
    }
    queue
}

struct Loader {
    filter: ChunkFilter,
    memory: Arc<Semaphore>,
    /// Kilobytes in all.
    budget: u32,
    progress: Progress,
}

/// A chunk that may be sent.
struct Filtered {
    work: Work,
    rows: Bytes,
    loaded: Loaded,
    _memory: OwnedSemaphorePermit,
}

impl Loader {
    fn new(prepared: &Prepared, progress: &Progress) -> Self {
        let RestoreOptions { memory, .. } = prepared.options;
        let budget =
            u32::try_from((memory / 1024).max(1)).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32);
        Self {
            filter: ChunkFilter::new(prepared),
            memory: Arc::new(Semaphore::new(budget as usize)),
            budget,
            progress: progress.clone(),
        }
    }

    async fn run(
        self: Arc<Self>,
        server: Server,
        queue: Arc<Mutex<VecDeque<Work>>>,
    ) -> Result<Vec<(ChunkKey, Loaded)>, Error> {
        let mut done = Vec::new();
        let mut next = self.start_next(&queue).await;
        while let Some(filtered) = next {
            let filtered = filtered.await.map_err(|cause| Error::Worker(cause.to_string()))??;
            next = self.start_next(&queue).await;
            send(&server, &filtered).await?;
            self.progress.advance(filtered.work.chunk.plain_len);
            done.push((filtered.work.key, filtered.loaded));
        }
        Ok(done)
    }

    async fn start_next(
        self: &Arc<Self>,
        queue: &Mutex<VecDeque<Work>>,
    ) -> Option<JoinHandle<Result<Filtered, Error>>> {
        let work = queue.lock().await.pop_front()?;
        Some(tokio::spawn(self.clone().filter(work)))
    }

    async fn filter(self: Arc<Self>, work: Work) -> Result<Filtered, Error> {
        // The stored bytes, the plain rows and the surviving rows may all be there at once. A chunk that is larger
        // than the whole budget gets all of it.
        let bytes = work.chunk.plain_len.saturating_mul(2).saturating_add(work.chunk.stored.len);
        let kilobytes = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(self.budget);
        let permit = self.memory.clone().acquire_many_owned(kilobytes).await;
        let memory = permit.map_err(|cause| Error::Worker(cause.to_string()))?;
        let (rows, loaded) = self.filter.apply(work.table.oid, &work.chunk, work.seed).await?;
        Ok(Filtered { work, rows, loaded, _memory: memory })
    }
}

async fn send(server: &Server, filtered: &Filtered) -> Result<(), Error> {
    let table = &filtered.work.table;
    server.run("BEGIN", "begin", &table.sql).await?;
    if filtered.loaded.counts.loaded > 0 {
        let columns = table.columns.iter().map(String::as_str);
        let mut copy = CopyIn::start(server, &table.sql, columns, table.format).await?;
        let mut rows = filtered.rows.clone();
        while !rows.is_empty() {
            let piece = rows.split_to(rows.len().min(PIECE));
            copy.send(piece).await?;
        }
        let taken = copy.finish().await?;
        if taken != filtered.loaded.counts.loaded {
            return Err(Error::Counts {
                table: table.sql.clone(),
                expected: filtered.loaded.counts.loaded,
                found: taken,
            });
        }
    }
    let record = record_chunk(filtered.work.key, &filtered.loaded);
    server.run(&(record + "COMMIT"), "record a chunk of", &table.sql).await?;
    Ok(())
}

/// Chunks of large objects are recorded under table 0.
async fn load_large_objects(prepared: &Prepared, target: &Target) -> Result<(), Error> {
    const COLUMNS: usize = 3;
    let stored = &prepared.manifest.large_objects;
    let done = target.restored_chunks().await?;
    let keep_owner = !prepared.options.no_owner && prepared.options.role.is_none();
    let server = target.worker().await?;
    for (index, chunk) in
        stored.chunks.iter().enumerate().filter(|(index, _)| !done.contains_key(&(0, *index)))
    {
        let plain = Bytes::from(rows(&prepared.repository, chunk).await?);
        server.run("BEGIN", "begin", "large objects").await?;
        let mut fields = Vec::new();
        let mut rest: &[u8] = &plain;
        let unreadable =
            |problem: &str| Error::damaged(format!("chunk {index} of the large objects"), problem);
        while let Some((_, after)) =
            copy_binary::next_row(rest, COLUMNS, &mut fields).map_err(|e| unreadable(&e.to_string()))?
        {
            let [Some(oid), Some(offset), Some(data)] = fields.as_slice() else {
                return Err(unreadable("a NULL"));
            };
            let oid =
                u32::from_be_bytes((*oid).try_into().map_err(|_| unreadable("an oid of another width"))?);
            let offset = i64::from_be_bytes(
                (*offset).try_into().map_err(|_| unreadable("an offset of another width"))?,
            );
            let object = stored
                .objects
                .iter()
                .find(|object| object.oid == oid)
                .ok_or_else(|| unreadable("an unknown object"))?;
            if offset == 0 {
                let mut object = object.clone();
                if prepared.options.no_acl {
                    object.grants.clear();
                }
                large_objects::create(&server, &object, keep_owner.then_some(object.owner.as_str())).await?;
            }
            if !data.is_empty() {
                large_objects::write(&server, oid, offset, &plain.slice_ref(data)).await?;
            }
            rest = after;
        }
        let counts = Counts { read: chunk.rows, loaded: chunk.rows, ..Counts::default() };
        let record = record_chunk((0, index), &Loaded { counts, content: chunk.name.to_string() });
        server.run(&(record + "COMMIT"), "record a chunk of", "large objects").await?;
    }
    Ok(())
}
