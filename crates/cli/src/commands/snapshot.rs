//! `lethe snapshot`.

use lethe_engine::Repository;
use lethe_engine::progress::Progress;
use lethe_engine::snapshot::{SnapshotOptions, SnapshotStats, take};
use lethe_format::audit::{Action, Facts};
use lethe_postgres::ConnectionSettings;
use serde::Serialize;

use super::audited::{audited, with_all};
use super::copy;
use crate::args::Snapshot;
use crate::failure::Failure;
use crate::output::{Output, bytes, count};
use crate::progress_bar;
use crate::settings::Settings;

#[derive(Debug, Serialize)]
struct Summary {
    #[serde(flatten)]
    stats: SnapshotStats,
    /// Whether it is in the second store as well.
    copied: bool,
}

pub(crate) async fn run(settings: &Settings, args: Snapshot, output: &Output) -> Result<(), Failure> {
    let source = settings.source(args.from.as_deref())?;
    let options = SnapshotOptions {
        jobs: settings.jobs(args.jobs)?,
        level: settings.level()?,
        references: settings.references()?,
        large_object_columns: settings.large_object_columns()?,
        classification: settings.classification()?,
        pg_bin: settings.pg_bin(),
    };
    if let Some(doubt) = settings.residency()?.doubt_source(&source) {
        settings.warn(doubt);
    }
    let repository = settings.open_repository().await?;
    let work = take_and_copy(settings, &repository, &source, &options, output);
    audited(settings, &repository, with_all(Action::Snapshot), Box::pin(work)).await
}

async fn take_and_copy(
    settings: &Settings,
    repository: &Repository,
    source: &ConnectionSettings,
    options: &SnapshotOptions,
    output: &Output,
) -> Result<Facts, Failure> {
    let progress = Progress::default();
    let stats = progress_bar::show(output, &progress, take(repository, source, options, &progress)).await?;
    output.say(format!("snapshot {}", stats.snapshot));
    output.say(format!(
        "  {} rows of {} tables, {}",
        count(stats.rows),
        stats.tables,
        bytes(stats.plain_bytes)
    ));
    let new = stats.chunks.saturating_sub(stats.reused_chunks);
    output.say(format!(
        "  {new} new chunks ({}), {} shared with the snapshot before",
        bytes(stats.new_bytes),
        stats.reused_chunks
    ));
    output.say(format!("  {:.1} seconds", stats.seconds));
    if let Some(first) = stats.unclassified.first() {
        settings.warn(format!(
            "{} columns may refer to people and nothing says what becomes of them, {first} among them: a restore will ask. See lethe coverage",
            stats.unclassified.len()
        ));
    }
    let facts = Facts {
        snapshot: Some(stats.snapshot.clone()),
        counts: [("rows".to_owned(), stats.rows), ("tables".to_owned(), stats.tables as u64)].into(),
        ..Facts::default()
    };
    match copy::after_snapshot(settings, repository, &stats.snapshot, output).await {
        Ok(copied) => {
            output.summary("snapshot", &Summary { stats, copied });
            Ok(facts)
        }
        Err(failure) => Err(failure.with_summary("snapshot", &Summary { stats, copied: false })),
    }
}
