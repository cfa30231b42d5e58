//! Large objects, a page of many at a time: those that fill the page are asked for the next one.

use std::sync::Arc;

use lethe_format::copy_binary;
use lethe_format::manifest::{CopyFormat, LargeObjects};
use lethe_format::reference::TableColumns;
use lethe_postgres::{Server, large_objects};

use super::upload::Uploads;
use crate::Error;

/// Objects asked for at once, so that one chunk's worth of pages fits into memory.
const AT_ONCE: usize = 16;
const COLUMNS: usize = 3;

/// `columns` are those that refer to them.
pub(super) async fn copy(
    server: &Server,
    uploads: &Arc<Uploads>,
    columns: Vec<TableColumns>,
) -> Result<LargeObjects, Error> {
    let objects = large_objects::list(server).await?;
    let mut chunks = Vec::new();
    for batch in objects.chunks(AT_ONCE) {
        let mut unfinished: Vec<u32> = batch.iter().map(|object| object.oid).collect();
        let mut offset = 0_i64;
        while !unfinished.is_empty() {
            let (rows, count) = pages(server, &unfinished, offset).await?;
            unfinished = full_pages(&rows)?;
            chunks.push(uploads.store(rows, count).await?);
            offset = offset.saturating_add(i64::from(large_objects::PAGE));
        }
    }
    Ok(LargeObjects { objects, chunks, columns })
}

async fn pages(server: &Server, oids: &[u32], offset: i64) -> Result<(Vec<u8>, u64), Error> {
    let mut copy = large_objects::copy_pages(server, oids, offset).await?;
    let mut splitter = copy_binary::StreamSplitter::default();
    let (mut rows, mut count) = (Vec::new(), 0);
    while let Some(piece) = copy.next().await? {
        count += splitter.push(&piece, &mut rows).map_err(unexpected)?;
    }
    splitter.finish().map_err(unexpected)?;
    Ok((rows, count))
}

/// The objects of which there may be more.
fn full_pages(mut rows: &[u8]) -> Result<Vec<u32>, Error> {
    let mut full = Vec::new();
    let mut fields = Vec::new();
    while let Some((_, rest)) = copy_binary::next_row(rows, COLUMNS, &mut fields).map_err(unexpected)? {
        if let [Some(oid), Some(_), Some(data)] = fields.as_slice()
            && data.len() == large_objects::PAGE as usize
        {
            full.push(u32::from_be_bytes(
                (*oid).try_into().map_err(|_| unexpected("an oid of another width"))?,
            ));
        }
        rows = rest;
    }
    Ok(full)
}

fn unexpected(problem: impl ToString) -> Error {
    let problem = problem.to_string();
    let object = format!("large objects as {:?}", CopyFormat::Binary);
    Error::Postgres(lethe_postgres::Error::Unexpected { stage: "copy", object, problem })
}
