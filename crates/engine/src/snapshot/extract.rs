//! Rows out of the tables: block ranges, shared out among the connections.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
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
            let mut done = Vec::new();
            loop {
                let Some((table, number, range)) = queue.lock().await.pop_front() else {
                    return Ok::<_, Error>(done);
                };
                let (_, description, format) = &shared[table];
                let chunks = copy_range(&server, description, range, *format, &uploads).await?;
                progress.advance(u64::from(BLOCKS_PER_CHUNK) * BLOCK);
                done.push((table, number, chunks));
            }
        });
    }
    let mut pieces = Vec::new();
    while let Some(worker) = workers.join_next().await {
        pieces.extend(worker.map_err(|cause| Error::Worker(cause.to_string()))??);
    }
    pieces.sort_by_key(|(table, number, _)| (*table, *number));
    let mut chunks = vec![Vec::new(); tables.len()];
    for (table, _, of_range) in pieces {
        chunks[table].extend(of_range);
    }
    Ok(chunks)
}

async fn copy_range(
    server: &Server,
    table: &Table,
    range: BlockRange,
    format: CopyFormat,
    uploads: &Arc<Uploads>,
) -> Result<Vec<Chunk>, Error> {
    let mut copy = CopyOut::start(server, table, range, format).await?;
    let mut splitter = Splitter::new(format);
    let mut chunks = Vec::new();
    let (mut rows, mut count) = (Vec::new(), 0);
    while let Some(piece) = copy.next().await? {
        count += splitter.push(&piece, &mut rows).map_err(|problem| unexpected(table, problem))?;
        // Each message of the server holds one row, so the cut falls at the same row every time.
        if rows.len() >= LARGEST_PLAIN {
            chunks.push(
                uploads.store(Bytes::from(std::mem::take(&mut rows)), std::mem::take(&mut count)).await?,
            );
        }
    }
    splitter.finish().map_err(|problem| unexpected(table, problem))?;
    if count > 0 {
        chunks.push(uploads.store(Bytes::from(rows), count).await?);
    }
    Ok(chunks)
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
