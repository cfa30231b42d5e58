//! From a stored chunk to the rows of it that may be loaded, and a name for exactly those rows.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use lethe_format::ids::{Oid, SnapshotId};
use lethe_format::manifest::Chunk;
use lethe_rules::row_filter::{Filters, Seeds};

use super::Prepared;
use super::plan::rows;
use super::target::Loaded;
use crate::{Error, Repository, objects};

#[derive(Clone, Debug)]
pub(super) struct ChunkFilter {
    repository: Repository,
    filters: Arc<Filters>,
    snapshot: SnapshotId,
}

impl ChunkFilter {
    pub(super) fn new(prepared: &Prepared) -> Self {
        Self {
            repository: prepared.repository.clone(),
            filters: prepared.plan.filters.clone(),
            snapshot: prepared.manifest.snapshot.clone(),
        }
    }

    /// Whether the filter may change what is loaded of a table.
    pub(super) fn touches(&self, table: Oid) -> bool {
        self.filters.touches(table)
    }

    /// The surviving rows. The same chunk, plan and seeds give the same rows, and the same [`Loaded::content`].
    pub(super) async fn apply(
        &self,
        table: Oid,
        chunk: &Chunk,
        seeds: Seeds,
    ) -> Result<(Bytes, Loaded), Error> {
        let plain = rows(&self.repository, chunk).await?;
        let key = self.repository.naming_key()?.clone();
        let (filters, snapshot, chunk) = (self.filters.clone(), self.snapshot.clone(), chunk.clone());
        objects::off_runtime(move || {
            let (rows, counts) = filters
                .apply(table, &plain, chunk.rows, &seeds)
                .map_err(|cause| Error::Filter { snapshot, cause })?;
            if counts.read != chunk.rows {
                let problem = format!("it holds {} rows, {} were stored", counts.read, chunk.rows);
                return Err(Error::damaged(format!("chunk {} of table {table}", chunk.name), problem));
            }
            let filtered = match rows {
                Cow::Borrowed(_) => None,
                Cow::Owned(rows) => Some(rows),
            };
            // A chunk that was not changed is named already.
            let content = match &filtered {
                None => chunk.name.to_string(),
                Some(rows) => blake3::keyed_hash(key.as_bytes(), rows).to_hex().to_string(),
            };
            Ok((Bytes::from(filtered.unwrap_or(plain)), Loaded { counts, content }))
        })
        .await
    }
}
