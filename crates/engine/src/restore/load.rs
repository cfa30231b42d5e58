//! Loading: each chunk is one transaction, its surviving rows and the record that they are there.
//!
//! Every connection has one chunk on its way to the server and the next one being fetched and filtered. What is in
//! memory is bounded in bytes, not in chunks. As tables become whole, their indexes and statistics are built beside the load
//! of others.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::try_join_all;
use lethe_format::archive::ddl::{Statement, Step};
use lethe_format::catalog::{Table, TableKind};
use lethe_format::ids::Oid;
use lethe_format::manifest::{Chunk, CopyFormat, Manifest, TableData};
use lethe_postgres::{CopyIn, Server};
use lethe_rules::row_filter::{Counts, Seeds};
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::builds::Builds;
use super::filter::ChunkFilter;
use super::schedule::{Next, OfTable, OnTable, Schedule, Task};
use super::statements::Statements;
use super::target::{ChunkKey, Loaded, Target, UnloggedTable, record_chunk};
use super::{Prepared, large_objects, late};
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
    seeds: Seeds,
}

impl OfTable for Work {
    fn table(&self) -> Oid {
        self.table.oid
    }
}

/// What is done with a table that is whole.
#[derive(Debug)]
struct Build<'a> {
    table: Option<Oid>,
    /// Plain bytes of the table.
    size: u64,
    what: What<'a>,
}

#[derive(Debug)]
enum What<'a> {
    /// An index, a primary key, a unique or an exclusion constraint.
    Index(&'a Statement),
    /// Statistics of the table with this name in SQL. They are made from what was loaded, never copied: they hold values.
    Statistics(String),
}

impl Build<'_> {
    /// About as many bytes as building it sorts; none if it is not a B-tree.
    fn sorted(&self) -> Option<u64> {
        let What::Index(statement) = self.what else { return None };
        let is_btree = match statement.constraint {
            Some(_) => !statement.sql.contains(" EXCLUDE "),
            None => statement.sql.contains(" USING btree "),
        };
        is_btree.then_some(self.size)
    }
}

impl OnTable for Build<'_> {
    fn table(&self) -> Option<Oid> {
        self.table
    }

    fn is_exclusive(&self) -> bool {
        match self.what {
            What::Index(statement) => statement.constraint.is_some(),
            What::Statistics(_) => true,
        }
    }
}

#[derive(Debug)]
struct TableTarget {
    oid: Oid,
    sql: String,
    columns: Vec<String>,
    format: CopyFormat,
}

/// Loads everything that is not loaded yet, and builds the indexes of each table as soon as it is whole.
pub(super) async fn load(
    prepared: &Prepared,
    target: &Target,
    statements: &Statements,
    progress: &Progress,
) -> Result<TableCounts, Error> {
    forget_lost_rows(prepared, target, statements).await?;
    target.hold_off_autovacuum().await?;
    let mut done = target.restored_chunks().await?;
    let work = work(prepared, target, &done);
    let left: u64 = work.iter().map(|work| work.chunk.plain_len).sum();
    let all: u64 = prepared.manifest.tables.iter().map(TableData::plain_len).sum();
    progress.stage_of_bytes("load", all);
    progress.advance(all.saturating_sub(left));
    let servers = target.workers(prepared.options.jobs).await?;
    let jobs = servers.len();
    let queue = Queue::new(Schedule::new(jobs, work, builds(prepared, statements)));
    let worker = Worker {
        target,
        statements,
        filter: ChunkFilter::new(prepared),
        memory: Memory::new(prepared.options.memory),
        queue: &queue,
        jobs,
        progress,
    };
    let loaded = try_join_all(servers.iter().map(|server| worker.run(server))).await?;
    done.extend(loaded.into_iter().flatten());
    large_objects::load(prepared, target).await?;
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
/// Such a table is taken back as one that a late erasure has changed, and loaded again.
async fn forget_lost_rows(
    prepared: &Prepared,
    target: &Target,
    statements: &Statements,
) -> Result<(), Error> {
    let recorded = counts(target).await?;
    for UnloggedTable { schema, name, rows: found } in target.unlogged_tables().await? {
        let named = |table: &&Table| table.name.schema == schema && table.name.name == name;
        let Some(table) = prepared.manifest.catalog.tables.iter().find(named) else { continue };
        let expected = recorded.get(&table.oid).map_or(0, |counts| counts.loaded);
        if found == expected {
            continue;
        }
        if found > 0 {
            return Err(Error::Counts { table: table.name.to_string(), expected, found });
        }
        late::empty(prepared, target, statements, table.oid, 0).await?;
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
fn work(prepared: &Prepared, target: &Target, done: &BTreeMap<ChunkKey, Loaded>) -> Vec<Work> {
    let manifest = &prepared.manifest;
    let mut queue = Vec::new();
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
            seeds: target.seeds(key),
        }));
    }
    queue
}

/// Indexes and keys, with the table that must be whole before each is built; none for materialised views, which hold no
/// rows yet. Those of the largest tables come first. Statistics come last, since a table's expression indexes have some too.
fn builds<'a>(prepared: &Prepared, statements: &'a Statements) -> Vec<Build<'a>> {
    let catalog = &prepared.manifest.catalog;
    let table_of = |statement: &Statement| {
        let (schema, name) = statement.table.as_ref()?;
        let named = |table: &&Table| table.name.schema == *schema && table.name.name == *name;
        catalog.tables.iter().find(named).map(|table| table.oid)
    };
    let size = |table: Option<Oid>| {
        let data = prepared.manifest.tables.iter().find(|data| Some(data.table) == table);
        data.map_or(0, TableData::plain_len)
    };
    let build = |table, what| Build { table, size: size(table), what };
    let indexes = statements.of(Step::Index);
    let mut due: Vec<Build<'a>> =
        indexes.map(|statement| build(table_of(statement), What::Index(statement))).collect();
    // The others get theirs when all of a family's rows are there.
    let alone = |table: &&Table| {
        table.kind == TableKind::Plain && table.partition_of.is_none() && !catalog.has_children(table.oid)
    };
    due.extend(
        catalog
            .tables
            .iter()
            .filter(alone)
            .map(|table| build(Some(table.oid), What::Statistics(table.name.sql()))),
    );
    // Keys before indexes: while one is built, another table has to be found for the other connections.
    due.sort_by_key(|build| {
        let last = matches!(build.what, What::Statistics(_));
        (last, std::cmp::Reverse(build.size), !build.is_exclusive())
    });
    due
}

/// The tasks that all connections share.
struct Queue<'a> {
    schedule: Mutex<Schedule<Work, Build<'a>>>,
    changed: Notify,
}

impl<'a> Queue<'a> {
    fn new(schedule: Schedule<Work, Build<'a>>) -> Self {
        Self { schedule: Mutex::new(schedule), changed: Notify::new() }
    }

    /// The next task, after waiting for one if others may still make one possible.
    async fn next(&self) -> Option<Task<Work, Build<'a>>> {
        loop {
            // Taken before looking, so that no change in between is missed.
            let changed = self.changed.notified();
            // A guard in the scrutinee would be held while waiting.
            let next = self.schedule.lock().await.next();
            match next {
                Next::Task(task) => return Some(task),
                Next::Done => return None,
                Next::Wait => changed.await,
            }
        }
    }

    async fn update(&self, change: impl FnOnce(&mut Schedule<Work, Build<'a>>)) {
        change(&mut *self.schedule.lock().await);
        self.changed.notify_waiters();
    }
}

/// Bytes of chunks in memory at once.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    left: Arc<Semaphore>,
    /// Kilobytes in all.
    budget: u32,
}

impl Memory {
    pub(crate) fn new(memory: u64) -> Self {
        let budget =
            u32::try_from((memory / 1024).max(1)).unwrap_or(u32::MAX).min(Semaphore::MAX_PERMITS as u32);
        Self { left: Arc::new(Semaphore::new(budget as usize)), budget }
    }

    /// The stored bytes, the plain rows and the surviving rows may all be there at once. A chunk that is larger than the
    /// whole budget gets all of it.
    pub(crate) async fn reserve(&self, chunk: &Chunk) -> Result<OwnedSemaphorePermit, Error> {
        let bytes = chunk.plain_len.saturating_mul(2).saturating_add(chunk.stored.len);
        let kilobytes = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX).min(self.budget);
        let permit = self.left.clone().acquire_many_owned(kilobytes).await;
        permit.map_err(|cause| Error::Worker(cause.to_string()))
    }
}

/// One connection's work.
struct Worker<'a> {
    target: &'a Target,
    statements: &'a Statements,
    filter: ChunkFilter,
    memory: Memory,
    queue: &'a Queue<'a>,
    jobs: usize,
    progress: &'a Progress,
}

/// A chunk that may be sent.
struct Filtered {
    work: Work,
    rows: Bytes,
    loaded: Loaded,
    _memory: OwnedSemaphorePermit,
}

/// A task that was begun: a chunk is fetched and filtered while the one before it is sent.
enum Begun<'a> {
    /// The only task of the set, which ends it when it is dropped: otherwise a worker that fails would leave it behind, with
    /// its memory and its download.
    Chunk(JoinSet<Result<Filtered, Error>>),
    /// With the number of idle connections.
    Build(Build<'a>, usize),
}

impl<'a> Worker<'a> {
    async fn run(&self, server: &Server) -> Result<Vec<(ChunkKey, Loaded)>, Error> {
        let mut builds = Builds::prepare(server, self.jobs).await?;
        let mut done = Vec::new();
        let mut next = self.begin().await;
        while let Some(begun) = next {
            match begun {
                Begun::Chunk(mut filtered) => {
                    let ended =
                        filtered.join_next().await.ok_or_else(|| Error::Worker("no task".to_owned()))?;
                    let filtered = ended.map_err(|cause| Error::Worker(cause.to_string()))??;
                    next = self.begin_chunk(filtered.work.table.oid).await;
                    send(server, &filtered).await?;
                    self.progress.advance(filtered.work.chunk.plain_len);
                    self.progress.rows(filtered.loaded.counts.loaded);
                    let table = filtered.work.table.oid;
                    self.queue.update(|schedule| schedule.loaded(&table)).await;
                    done.push((filtered.work.key, filtered.loaded));
                    if next.is_some() {
                        continue;
                    }
                }
                Begun::Build(build, idle) => {
                    builds.begin(server, idle, build.sorted()).await?;
                    match &build.what {
                        What::Index(statement) => self.statements.run(self.target, server, statement).await?,
                        What::Statistics(table) => {
                            server.run(&format!("ANALYZE {table}"), "analyze", table).await?;
                        }
                    }
                    self.queue.update(|schedule| schedule.built(&build)).await;
                }
            }
            next = self.begin().await;
        }
        Ok(done)
    }

    async fn begin(&self) -> Option<Begun<'a>> {
        Some(match self.queue.next().await? {
            Task::Build(build, idle) => Begun::Build(build, idle),
            Task::Load(work) => self.start(work),
        })
    }

    /// The next chunk, if that is what comes next: a connection must not wait for others before it has sent what it has.
    async fn begin_chunk(&self, table: Oid) -> Option<Begun<'a>> {
        let work = self.queue.schedule.lock().await.next_load(table)?;
        Some(self.start(work))
    }

    /// Waits for memory on its own: the chunk that is being sent gives its share back only afterwards.
    fn start(&self, work: Work) -> Begun<'a> {
        let (filter, memory) = (self.filter.clone(), self.memory.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let memory = memory.reserve(&work.chunk).await?;
            let (rows, loaded) = filter.apply(work.table.oid, &work.chunk, work.seeds).await?;
            Ok(Filtered { work, rows, loaded, _memory: memory })
        });
        Begun::Chunk(tasks)
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
