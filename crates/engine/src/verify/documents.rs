//! What the snapshots' documents say: which chunks there must be, of which length, with which rows.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt as _;
use lethe_format::ids::{Digest, SnapshotId, UploadId};
use lethe_format::layout;
use lethe_format::manifest::{Chunk, ChunkIndex, CopyFormat, Manifest, StoredObject};

use super::finding::{Finding, Kind, about_object};
use super::ledger::Ledger;
use crate::progress::Progress;
use crate::restore::load_manifest;
use crate::{Error, Repository, objects};

/// Documents fetched and opened at a time.
const PARALLEL: usize = 4;

/// What must be in the store.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) chunks: HashMap<(Digest, UploadId), ExpectedChunk>,
    /// The schemas of the snapshots whose manifest could be opened; those of the others are only looked for.
    pub(super) schemas: BTreeMap<SnapshotId, Option<StoredObject>>,
}

#[derive(Debug)]
pub(super) struct ExpectedChunk {
    pub(super) chunk: Chunk,
    /// What its rows must look like. Tables of equal content share chunks, so there may be several; there is none without
    /// an identity.
    pub(super) shapes: Vec<Shape>,
    /// Whether the listing has it, with its length.
    pub(super) is_there: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    pub(super) format: CopyFormat,
    pub(super) columns: usize,
}

/// Large objects are rows of this shape.
const LARGE_OBJECTS: Shape = Shape { format: CopyFormat::Binary, columns: 3 };

struct Documents {
    id: SnapshotId,
    manifest: Option<Result<Manifest, Error>>,
    index: Result<ChunkIndex, Error>,
}

pub(super) async fn read(
    repository: &Repository,
    snapshots: &[SnapshotId],
    ledger: Option<&Ledger>,
    progress: &Progress,
    findings: &mut Vec<Finding>,
) -> Result<Expected, Error> {
    let mut expected = Expected::default();
    let documents = futures_util::stream::iter(snapshots).map(|id| fetch(repository, id));
    let mut documents = documents.buffered(PARALLEL);
    while let Some(Documents { id, manifest, index }) = documents.next().await {
        progress.advance(1);
        let index = match index {
            Ok(index) => Some(index),
            Err(error) => {
                let (kind, problem) = about_object(error)?;
                let problem = format!("{problem}; without it the next snapshot uploads everything again");
                findings.push(Finding::of_snapshot(kind, &id, layout::chunk_index(&id), problem));
                None
            }
        };
        match manifest {
            None => {
                expected.schemas.insert(id, None);
                index.into_iter().flat_map(|index| index.chunks).for_each(|chunk| {
                    expected.add(chunk, None, findings);
                });
            }
            Some(Ok(manifest)) => {
                let problem = index.and_then(|index| disagreement(&manifest, &index));
                findings.extend(problem.map(|problem| {
                    Finding::of_snapshot(Kind::Damaged, &id, layout::chunk_index(&id), problem)
                }));
                if let Some(Err(error)) = ledger.map(|ledger| ledger.check_for(&manifest)) {
                    findings.push(Finding::of_snapshot(Kind::Ledger, &id, layout::manifest(&id), error));
                }
                expected.schemas.insert(id, Some(manifest.schema));
                expected.add_manifest(manifest, findings);
            }
            Some(Err(error)) => {
                let (kind, problem) = about_object(error)?;
                findings.push(Finding::of_snapshot(kind, &id, layout::manifest(&id), problem));
                expected.schemas.insert(id, None);
            }
        }
    }
    Ok(expected)
}

async fn fetch(repository: &Repository, id: &SnapshotId) -> Documents {
    let manifest = match repository.has_identities() {
        true => Some(load_manifest(repository, id).await),
        false => None,
    };
    Documents { id: id.clone(), manifest, index: fetch_index(repository, id).await }
}

async fn fetch_index(repository: &Repository, id: &SnapshotId) -> Result<ChunkIndex, Error> {
    let object = layout::chunk_index(id);
    let bytes = objects::get(repository.store().as_ref(), &object, objects::DOCUMENT_LIMIT).await?;
    let key = repository.naming_key()?;
    let index = ChunkIndex::from_bytes(&bytes, key.as_bytes()).map_err(Error::format(&object))?;
    if index.snapshot == *id {
        Ok(index)
    } else {
        Err(Error::damaged(object, "it belongs to another snapshot"))
    }
}

/// How the index differs from the manifest, if it does.
fn disagreement(manifest: &Manifest, index: &ChunkIndex) -> Option<&'static str> {
    let of_index: HashMap<_, _> = index.chunks.iter().map(|chunk| (chunk.name, chunk)).collect();
    let of_manifest: HashMap<_, _> = manifest.all_chunks().map(|chunk| (chunk.name, chunk)).collect();
    if of_index != of_manifest {
        Some("it names other chunks than the manifest")
    } else if index.started_at != manifest.started_at {
        Some("it states another age of the snapshot than the manifest")
    } else if index.ledger != manifest.ledger_window() {
        Some("it names other entries of the ledger than the manifest")
    } else {
        None
    }
}

impl Expected {
    fn add_manifest(&mut self, manifest: Manifest, findings: &mut Vec<Finding>) {
        for data in manifest.tables {
            let shape = Shape { format: data.format, columns: data.columns.len() };
            data.chunks.into_iter().for_each(|chunk| self.add(chunk, Some(shape), findings));
        }
        let large_objects = manifest.large_objects.chunks;
        large_objects.into_iter().for_each(|chunk| self.add(chunk, Some(LARGE_OBJECTS), findings));
    }

    fn add(&mut self, chunk: Chunk, shape: Option<Shape>, findings: &mut Vec<Finding>) {
        let key = (chunk.name, chunk.upload);
        let known = self.chunks.entry(key).or_insert_with(|| ExpectedChunk {
            chunk: chunk.clone(),
            shapes: Vec::new(),
            is_there: false,
        });
        if known.chunk != chunk {
            let problem = "the snapshots that name it state different lengths or checksums";
            findings.push(Finding::of_chunk(Kind::Damaged, key, problem));
        }
        if let Some(shape) = shape.filter(|shape| !known.shapes.contains(shape)) {
            known.shapes.push(shape);
        }
    }
}
