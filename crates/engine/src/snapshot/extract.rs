//! Rows out of the tables: block ranges, shared out among the connections.

use std::collections::VecDeque;
use std::sync::Arc;

use lethe_format::catalog::{Catalog, Table};
use lethe_format::manifest::{Chunk, CopyFormat, TableData};
use lethe_format::{copy_binary, copy_text};
use lethe_postgres::{BlockRange, CopyOut, ExportedSnapshot, Server, blocks, copy_format};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::upload::Uploads;
use crate::Error;
use crate::progress::Progress;

/// 16 MiB of heap: large enough to compress and to load well, small enough that a change costs little.
const BLOCKS_PER_CHUNK: u32 = 2048;
const BLOCK: u64 = 8192;
/// A range whose rows are longer than this (values out of line, for the most part) becomes several chunks.
const LARGEST_PLAIN: usize = 32 << 20;

/// One table, and the ranges that it is cut into.
#[derive(Debug)]
pub(super) struct TableWork {
    table: Table,
    format: CopyFormat,
    ranges: Vec<BlockRange>,
}

impl TableWork {
    pub(super) async fn new(server: &Server, catalog: &Catalog, table: &Table) -> Result<Self, Error> {
        let blocks = blocks(server, table).await?.unwrap_or(0);
        let starts: Vec<u32> = (0..blocks.max(1)).step_by(BLOCKS_PER_CHUNK as usize).collect();
        let range = |index: usize| BlockRange { start: starts[index], end: starts.get(index + 1).copied() };
        let ranges = (0..starts.len()).map(range).collect();
        Ok(Self { table: table.clone(), format: copy_format(catalog, table), ranges })
    }

    pub(super) fn estimated_bytes(&self) -> u64 {
        self.ranges.len() as u64 * u64::from(BLOCKS_PER_CHUNK) * BLOCK
    }

    pub(super) fn data(&self, chunks: Vec<Chunk>) -> TableData {
        let columns = self.table.copied_columns().map(|column| column.attnum).collect();
        TableData { table: self.table.oid, format: self.format, columns, chunks }
    }
}

/// Copies all tables and returns the chunks of each, in the order of their ranges.
pub(super) async fn copy_tables(
    view: &ExportedSnapshot,
    tables: &[TableWork],
    uploads: &Arc<Uploads>,
    jobs: usize,
    progress: &Progress,
) -> Result<Vec<Vec<Chunk>>, Error> {
    let shared: Arc<Vec<(usize, Table, CopyFormat)>> = Arc::new(
        tables.iter().enumerate().map(|(index, work)| (index, work.table.clone(), work.format)).collect(),
    );
    // The largest tables first, so that no connection is left alone with one of them at the end.
    let mut order: Vec<usize> = (0..tables.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(tables[*index].ranges.len()));
    let ranges = |table: usize| {
        tables[table].ranges.iter().enumerate().map(move |(number, range)| (table, number, *range))
    };
    let queue: Arc<Mutex<VecDeque<(usize, usize, BlockRange)>>> =
        Arc::new(Mutex::new(order.into_iter().flat_map(ranges).collect()));

    let mut workers = JoinSet::new();
    for _ in 0..jobs.max(1) {
        let server = view.worker().await?;
        let (shared, queue, uploads, progress) =
            (shared.clone(), queue.clone(), uploads.clone(), progress.clone());
        workers.spawn(async move {
            let mut hand_over = HandOver::new(uploads, progress.clone());
            loop {
                let Some((table, number, range)) = queue.lock().await.pop_front() else {
                    return hand_over.finish().await;
                };
                let (_, description, format) = &shared[table];
                copy_range(&server, description, range, *format, (table, number), &mut hand_over).await?;
                progress.advance(u64::from(BLOCKS_PER_CHUNK) * BLOCK);
            }
        });
    }
    let mut pieces = Vec::new();
    while let Some(worker) = workers.join_next().await {
        pieces.extend(worker.map_err(|cause| Error::Worker(cause.to_string()))??);
    }
    // The sort is stable: the pieces of one range stay in their order.
    pieces.sort_by_key(|(place, _)| *place);
    let mut chunks = vec![Vec::new(); tables.len()];
    for ((table, _), chunk) in pieces {
        chunks[table].push(chunk);
    }
    Ok(chunks)
}

/// A table, and which of its ranges.
type Place = (usize, usize);

/// A chunk that is in the store, and the memory in which its rows were.
struct Stored {
    place: Place,
    chunk: Chunk,
    rows: Vec<u8>,
}

/// One piece of a connection is encoded and uploaded while the next one is read, so that the server need not wait for us
/// nor we for it; no more than one, so that a connection never holds more than two.
struct HandOver {
    uploads: Arc<Uploads>,
    pending: JoinSet<Result<Stored, Error>>,
    done: Vec<(Place, Chunk)>,
    spare: Vec<u8>,
    progress: Progress,
}

impl HandOver {
    fn new(uploads: Arc<Uploads>, progress: Progress) -> Self {
        Self { uploads, pending: JoinSet::new(), done: Vec::new(), spare: Vec::new(), progress }
    }

    /// Takes the rows out of the buffer and leaves an empty one.
    async fn piece(&mut self, place: Place, rows: &mut Vec<u8>, count: u64) -> Result<(), Error> {
        self.settle().await?;
        let (uploads, rows) =
            (self.uploads.clone(), std::mem::replace(rows, std::mem::take(&mut self.spare)));
        self.pending.spawn(async move {
            let (chunk, rows) = uploads.store_and_return(rows, count).await?;
            Ok(Stored { place, chunk, rows })
        });
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Error> {
        while let Some(piece) = self.pending.join_next().await {
            let Stored { place, chunk, rows } = piece.map_err(|cause| Error::Worker(cause.to_string()))??;
            self.progress.rows(chunk.rows);
            self.done.push((place, chunk));
            self.spare = rows;
            self.spare.clear();
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Vec<(Place, Chunk)>, Error> {
        self.settle().await?;
        Ok(self.done)
    }
}

async fn copy_range(
    server: &Server,
    table: &Table,
    range: BlockRange,
    format: CopyFormat,
    place: Place,
    hand_over: &mut HandOver,
) -> Result<(), Error> {
    let mut copy = CopyOut::start(server, table, range, format).await?;
    let mut splitter = Splitter::new(format);
    let (mut rows, mut count) = (std::mem::take(&mut hand_over.spare), 0);
    while let Some(piece) = copy.next().await? {
        count += splitter.push(&piece, &mut rows).map_err(|problem| unexpected(table, problem))?;
        // Each message of the server holds one row, so the cut falls at the same row every time.
        if rows.len() >= LARGEST_PLAIN {
            hand_over.piece(place, &mut rows, std::mem::take(&mut count)).await?;
        }
    }
    splitter.finish().map_err(|problem| unexpected(table, problem))?;
    if count > 0 {
        hand_over.piece(place, &mut rows, count).await?;
    }
    hand_over.spare = rows;
    Ok(())
}

fn unexpected(table: &Table, problem: String) -> Error {
    let object = table.name.to_string();
    Error::Postgres(lethe_postgres::Error::Unexpected { stage: "copy rows from", object, problem })
}

enum Splitter {
    Binary(copy_binary::StreamSplitter),
    Text(copy_text::StreamSplitter),
}

impl Splitter {
    fn new(format: CopyFormat) -> Self {
        match format {
            CopyFormat::Binary => Self::Binary(copy_binary::StreamSplitter::default()),
            CopyFormat::Text => Self::Text(copy_text::StreamSplitter::default()),
        }
    }

    fn push(&mut self, piece: &[u8], rows: &mut Vec<u8>) -> Result<u64, String> {
        match self {
            Self::Binary(splitter) => splitter.push(piece, rows).map_err(|error| error.to_string()),
            Self::Text(splitter) => Ok(splitter.push(piece, rows)),
        }
    }

    fn finish(self) -> Result<(), String> {
        match self {
            Self::Binary(splitter) => splitter.finish().map_err(|error| error.to_string()),
            Self::Text(splitter) => splitter.finish().map_err(|error| error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use lethe_rules::retention::Retention;

    use super::*;

    /// What a bucket at Hetzner holds (its Object Storage documentation, "Limits").
    const OBJECTS_IN_A_BUCKET: u64 = 50_000_000;

    /// Chunks of a database that are kept, each changed one until its snapshot expires.
    fn kept(database: u64, changed_percent: u64, snapshots_per_day: u64) -> u64 {
        let chunks = database.div_ceil(u64::from(BLOCKS_PER_CHUNK) * BLOCK);
        let days = u64::try_from(Retention::CEILING.as_hours() / 24).expect("35");
        // An index, a schema and a manifest each, and of a change at least one chunk.
        let each = (chunks * changed_percent).div_ceil(100).max(1) + 3;
        chunks + days * snapshots_per_day * each
    }

    #[test]
    fn thirty_five_days_of_snapshots_fit_into_a_bucket() {
        for (terabytes, changed_percent, snapshots_per_day) in
            [(1, 1, 288), (1, 10, 144), (10, 1, 48), (10, 10, 12)]
        {
            let kept = kept(terabytes << 40, changed_percent, snapshots_per_day);
            assert!(
                kept < OBJECTS_IN_A_BUCKET,
                "{terabytes} TB, {changed_percent} %, {snapshots_per_day}: {kept}"
            );
        }
        // Where it does not, docs/OPERATIONS.md says so.
        assert!(kept(10 << 40, 10, 48) > OBJECTS_IN_A_BUCKET);
    }
}
