//! Brings the rows that a decision needs to see.

use futures_util::{StreamExt as _, TryStreamExt as _};
use lethe_format::ids::Oid;
use lethe_format::manifest::{Chunk, Manifest};
use lethe_rules::scan::Scan;

use super::plan::rows;
use crate::progress::Progress;
use crate::{Error, Repository};

/// Shows it every chunk that it asks for, until it asks for no more.
pub(super) async fn show(
    repository: &Repository,
    manifest: &Manifest,
    jobs: usize,
    scan: &mut impl Scan,
    progress: &Progress,
) -> Result<(), Error> {
    while let Some(tables) = scan.next_scan() {
        let chunks: Vec<(Oid, &Chunk)> = tables
            .iter()
            .filter_map(|oid| manifest.tables.iter().find(|data| data.table == *oid))
            .flat_map(|data| data.chunks.iter().map(|chunk| (data.table, chunk)))
            .collect();
        progress.stage_of_bytes("plan", chunks.iter().map(|(_, chunk)| chunk.plain_len).sum());
        // Decoding is parallel, looking at the rows is not: each row may add to what the next one is asked.
        let mut decoded = futures_util::stream::iter(chunks)
            .map(|(table, chunk)| async move { Ok::<_, Error>((table, rows(repository, chunk).await?)) })
            .buffered(jobs.max(1));
        while let Some((table, rows)) = decoded.try_next().await? {
            let filter = |cause| Error::Filter { snapshot: manifest.snapshot.clone(), cause };
            scan.observe(table, &rows).map_err(filter)?;
            progress.advance(rows.len() as u64);
        }
    }
    Ok(())
}
