//! The bytes themselves: every chunk through the stages of a restore, and every row of it looked at.

use futures_util::{StreamExt as _, TryStreamExt as _};
use lethe_format::ids::{Digest, SnapshotId};
use lethe_format::layout;
use lethe_format::manifest::{Chunk, CopyFormat, StoredObject};
use lethe_format::{copy_binary, copy_text};
use serde::Serialize;

use super::documents::{Expected, Shape};
use super::finding::{Finding, Kind, about_object};
use super::{Part, VerifyOptions};
use crate::progress::Progress;
use crate::restore::{self, Memory};
use crate::{Error, Repository, objects};

/// What was read and is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ReadCounts {
    pub chunks: u64,
    pub stored_bytes: u64,
    /// 0 without an identity.
    pub plain_bytes: u64,
    /// 0 without an identity.
    pub rows: u64,
}

pub(super) async fn read(
    repository: &Repository,
    expected: &Expected,
    part: Part,
    options: &VerifyOptions,
    progress: &Progress,
    findings: &mut Vec<Finding>,
) -> Result<ReadCounts, Error> {
    let chosen =
        || expected.chunks.values().filter(|chunk| chunk.is_there && part.includes(&chunk.chunk.name));
    progress.stage_of_bytes("read", chosen().map(|chunk| chunk.chunk.stored.len).sum());
    let memory = Memory::new(options.memory);
    let mut counts = ReadCounts::default();
    // What is missing was found by the listing; only those whose length is right are read.
    let checks = chosen().map(|chunk| {
        let (repository, memory, progress) = (repository.clone(), memory.clone(), progress.clone());
        let (chunk, shapes) = (chunk.chunk.clone(), chunk.shapes.clone());
        async move {
            let _memory = memory.reserve(&chunk).await?;
            let result = check(&repository, &chunk, shapes).await;
            progress.advance(chunk.stored.len);
            Ok::<_, Error>((chunk, result))
        }
    });
    let mut checks = futures_util::stream::iter(checks).buffer_unordered(options.jobs.max(1));
    while let Some((chunk, result)) = checks.try_next().await? {
        match result {
            Ok(()) => counts.add(&chunk, repository.has_identities()),
            Err(error) => {
                let (kind, problem) = about_object(error)?;
                findings.push(Finding::of_chunk(kind, (chunk.name, chunk.upload), problem));
            }
        }
    }
    drop(checks);
    for (id, schema) in &expected.schemas {
        let Some(schema) = schema.filter(|_| part.includes(&Digest::of(id.as_str().as_bytes()))) else {
            continue;
        };
        read_schema(repository, id, &schema, findings).await?;
    }
    // Chunks come in any order.
    findings.sort_by(|one, other| one.object.cmp(&other.object));
    Ok(counts)
}

impl ReadCounts {
    fn add(&mut self, chunk: &Chunk, opened: bool) {
        self.chunks += 1;
        self.stored_bytes = self.stored_bytes.saturating_add(chunk.stored.len);
        if opened {
            self.plain_bytes = self.plain_bytes.saturating_add(chunk.plain_len);
            self.rows = self.rows.saturating_add(chunk.rows);
        }
    }
}

async fn check(repository: &Repository, chunk: &Chunk, shapes: Vec<Shape>) -> Result<(), Error> {
    if !repository.has_identities() {
        let sealed = restore::fetch_chunk(repository.store().as_ref(), chunk).await?;
        let (object, stored) = (layout::chunk(&chunk.name, &chunk.upload), chunk.stored);
        return objects::off_runtime(move || objects::check_stored(&object, &sealed, &stored)).await;
    }
    let plain = restore::rows(repository, chunk).await?;
    let (object, rows) = (layout::chunk(&chunk.name, &chunk.upload), chunk.rows);
    objects::off_runtime(move || {
        for shape in shapes {
            let found = count_rows(&plain, shape).map_err(|problem| Error::damaged(&object, problem))?;
            if found != rows {
                return Err(Error::damaged(&object, format!("it holds {found} rows, {rows} were stored")));
            }
        }
        Ok(())
    })
    .await
}

/// The number of rows, each whole and with the right number of fields.
fn count_rows(plain: &[u8], shape: Shape) -> Result<u64, String> {
    let (mut rest, mut count) = (plain, 0_u64);
    match shape.format {
        CopyFormat::Binary => {
            let mut fields = Vec::new();
            while let Some((_, after)) =
                copy_binary::next_row(rest, shape.columns, &mut fields).map_err(|error| error.to_string())?
            {
                (rest, count) = (after, count + 1);
            }
        }
        CopyFormat::Text => {
            let mut fields = Vec::new();
            while let Some((_, after)) =
                copy_text::next_row(rest, shape.columns, &mut fields).map_err(|error| error.to_string())?
            {
                (rest, count) = (after, count + 1);
            }
        }
    }
    Ok(count)
}

async fn read_schema(
    repository: &Repository,
    id: &SnapshotId,
    schema: &StoredObject,
    findings: &mut Vec<Finding>,
) -> Result<(), Error> {
    let Err(error) = restore::schema(repository, id, schema).await else { return Ok(()) };
    let (kind, problem) = about_object(error)?;
    let object = layout::schema(id);
    // One that is missing or too short was found by the listing.
    if kind != Kind::Missing && !findings.iter().any(|finding| finding.object == object) {
        findings.push(Finding::of_snapshot(kind, id, object, problem));
    }
    Ok(())
}
