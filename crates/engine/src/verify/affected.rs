//! Who needs what was found to be wrong: the manifests are gone through once more, which costs time only when something
//! is wrong, and no memory otherwise.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lethe_format::ids::{Digest, SnapshotId, UploadId};
use lethe_format::layout;
use lethe_format::manifest::{Chunk, ChunkIndex};
use lethe_store::ObjectName;

use super::finding::{Affected, Finding, about_object};
use crate::restore::load_manifest;
use crate::{Error, Repository, objects};

const LARGE_OBJECTS: &str = "large objects";

/// A chunk, and the table of it; none where only the index could be read.
type Use = ((Digest, UploadId), Option<String>);

pub(super) async fn fill(
    repository: &Repository,
    snapshots: &[SnapshotId],
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    let mut gone = BTreeSet::new();
    let mut by_chunk: HashMap<(Digest, UploadId), Vec<usize>> = HashMap::new();
    for (place, finding) in findings.iter().enumerate() {
        if let Some(chunk) = finding.chunk {
            by_chunk.entry(chunk).or_default().push(place);
        }
    }
    for id in snapshots {
        if !is_there(repository, id).await? {
            gone.insert(id.clone());
            continue;
        }
        let mut tables: BTreeMap<usize, BTreeSet<Option<String>>> = BTreeMap::new();
        if !by_chunk.is_empty() {
            for (chunk, table) in uses(repository, id).await? {
                for place in by_chunk.get(&chunk).into_iter().flatten() {
                    tables.entry(*place).or_default().insert(table.clone());
                }
            }
        }
        for (place, tables) in tables {
            if let Some(finding) = findings.get_mut(place) {
                let tables = tables.into_iter().flatten().collect();
                finding.affects.push(Affected { snapshot: id.clone(), tables });
            }
        }
    }
    // A snapshot that was pruned meanwhile needs nothing any more.
    for finding in findings.iter_mut() {
        finding.affects.retain(|affected| !gone.contains(&affected.snapshot));
    }
    if !gone.is_empty() {
        findings.retain(|finding| finding.kind == super::Kind::Ledger || !finding.affects.is_empty());
    }
    Ok(())
}

async fn is_there(repository: &Repository, id: &SnapshotId) -> Result<bool, Error> {
    Ok(repository.store().head(&ObjectName::new(layout::manifest(id))?).await?.is_some())
}

/// What a snapshot needs, as far as it can still be read.
async fn uses(repository: &Repository, id: &SnapshotId) -> Result<Vec<Use>, Error> {
    let key = |chunk: &Chunk| (chunk.name, chunk.upload);
    if !repository.has_identities() {
        let name = layout::chunk_index(id);
        let bytes =
            objects::get_if_there(repository.store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?;
        let naming_key = repository.naming_key()?;
        let index = bytes.and_then(|bytes| ChunkIndex::from_bytes(&bytes, naming_key.as_bytes()).ok());
        return Ok(index.iter().flat_map(|index| &index.chunks).map(|chunk| (key(chunk), None)).collect());
    }
    let manifest = match load_manifest(repository, id).await {
        Ok(manifest) => manifest,
        Err(error) => {
            about_object(error)?;
            return Ok(Vec::new());
        }
    };
    let mut uses = Vec::new();
    for data in &manifest.tables {
        let name = manifest.catalog.table(data.table).map(|table| table.name.to_string());
        uses.extend(data.chunks.iter().map(|chunk| (key(chunk), name.clone())));
    }
    let of_objects = manifest.large_objects.chunks.iter();
    uses.extend(of_objects.map(|chunk| (key(chunk), Some(LARGE_OBJECTS.to_owned()))));
    Ok(uses)
}
