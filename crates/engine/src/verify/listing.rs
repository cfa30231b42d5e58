//! What is in the store, by one listing instead of one request for each object.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use lethe_format::layout;
use serde::Serialize;

use super::documents::Expected;
use super::finding::{Finding, Kind};
use crate::{Error, Repository};

/// Chunks that no snapshot names: left by a snapshot that was interrupted, or of one that is being taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Unnamed {
    pub chunks: u64,
    pub bytes: u64,
}

pub(super) async fn compare(
    repository: &Repository,
    expected: &mut Expected,
    findings: &mut Vec<Finding>,
) -> Result<Unnamed, Error> {
    let mut unnamed = Unnamed::default();
    let mut wrong = BTreeMap::new();
    let mut stored = repository.store().list(layout::CHUNKS).await?;
    while let Some(info) = stored.try_next().await? {
        let chunk = layout::chunk_of_name(info.name.as_str());
        match chunk.and_then(|key| Some((key, expected.chunks.get_mut(&key)?))) {
            None => {
                unnamed.chunks += 1;
                unnamed.bytes = unnamed.bytes.saturating_add(info.len);
            }
            Some((_, chunk)) if chunk.chunk.stored.len == info.len => chunk.is_there = true,
            Some((key, chunk)) => {
                let problem = format!("it has {} bytes, {} were stored", info.len, chunk.chunk.stored.len);
                wrong.insert(key, problem);
            }
        }
    }
    let absent = expected.chunks.iter().filter(|(_, chunk)| !chunk.is_there).map(|(key, _)| *key);
    let mut absent: Vec<_> = absent.collect();
    absent.sort_unstable();
    findings.extend(absent.into_iter().map(|key| match wrong.remove(&key) {
        Some(problem) => Finding::of_chunk(Kind::Damaged, key, problem),
        None => Finding::of_chunk(Kind::Missing, key, "it is missing from the store"),
    }));
    schemas(repository, expected, findings).await?;
    Ok(unnamed)
}

async fn schemas(
    repository: &Repository,
    expected: &Expected,
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    let mut lengths = BTreeMap::new();
    let mut stored = repository.store().list(layout::SNAPSHOTS).await?;
    while let Some(info) = stored.try_next().await? {
        lengths.insert(info.name.to_string(), info.len);
    }
    for (id, schema) in &expected.schemas {
        let object = layout::schema(id);
        let finding = match (lengths.get(&object), schema) {
            (None, _) => (Kind::Missing, "it is missing from the store".to_owned()),
            (Some(len), Some(schema)) if *len != schema.len => {
                (Kind::Damaged, format!("it has {len} bytes, {} were stored", schema.len))
            }
            _ => continue,
        };
        findings.push(Finding::of_snapshot(finding.0, id, object, finding.1));
    }
    Ok(())
}
