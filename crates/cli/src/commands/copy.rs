//! `lethe copy`.

use jiff::Timestamp;
use lethe_engine::copy::{self, CopyOptions, CopyReport, Which};
use lethe_engine::progress::Progress;
use lethe_engine::{Error, ExitCode, Repository};
use lethe_format::audit::{Action, Facts};
use lethe_format::ids::SnapshotId;
use serde_json::json;

use super::audited::{audited, with_all};
use crate::args::CopyArgs;
use crate::failure::Failure;
use crate::output::{Output, bytes, count};
use crate::progress_bar;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, args: CopyArgs, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    if args.back {
        let entries = copy::bring_back(&repository).await?;
        output.say(format!("{} ledger entries brought back to the first store", count(entries)));
        output.summary("copy", &json!({"back": true, "ledger_entries": entries}));
        return Ok(());
    }
    let which = if args.check { Which::All } else { Which::Missing };
    let options =
        CopyOptions { jobs: settings.jobs(args.jobs.or(Some(8)))?, retention: settings.retention()?, which };
    audited(settings, &repository, with_all(Action::Copy), Box::pin(bring(&repository, &options, output)))
        .await
}

async fn bring(repository: &Repository, options: &CopyOptions, output: &Output) -> Result<Facts, Failure> {
    let progress = Progress::default();
    let work = copy::run(repository, options, Timestamp::now(), &progress);
    let report = progress_bar::show(output, &progress, work).await?;
    say(&report, output);
    if report.damaged.is_empty() {
        output.summary("copy", &report);
        let counts =
            [("snapshots", report.snapshots.len() as u64), ("ledger_entries", report.ledger_entries)];
        let counts = counts.map(|(name, count)| (name.to_owned(), count));
        return Ok(Facts { counts: counts.into(), ..Facts::default() });
    }
    let message = format!("{} snapshots could not be copied", report.damaged.len());
    let failure =
        Failure { code: ExitCode::Damaged, causes: report.damaged.clone(), ..Failure::failed(message) };
    Err(failure
        .hint("lethe verify says what is missing or damaged in the first store")
        .with_summary("copy", &report))
}

fn say(report: &CopyReport, output: &Output) {
    output.say(format!("copied to {}", report.store));
    output.say(format!(
        "  {} ledger entries, {} snapshots, {} chunks ({})",
        count(report.ledger_entries),
        count(report.snapshots.len() as u64),
        count(report.chunks),
        bytes(report.bytes)
    ));
    output.say(format!("  {} snapshots are in both stores", count(report.in_both as u64)));
}

/// Brings a snapshot that was just taken to the second store, if there is one. True if it is in both now.
///
/// # Errors
/// [`Error::SingleCopy`]: the snapshot is complete all the same.
pub(super) async fn after_snapshot(
    settings: &Settings,
    repository: &Repository,
    snapshot: &SnapshotId,
    output: &Output,
) -> Result<bool, Failure> {
    if !settings.copies_after_snapshot() || repository.copy().is_none() {
        return Ok(false);
    }
    let options =
        CopyOptions { jobs: 8, retention: settings.retention()?, which: Which::Only(snapshot.clone()) };
    let progress = Progress::default();
    let work = copy::run(repository, &options, Timestamp::now(), &progress);
    let single = |cause: Error| Error::SingleCopy { snapshot: snapshot.clone(), cause: Box::new(cause) };
    let report = progress_bar::show(output, &progress, work).await.map_err(single)?;
    match report.damaged.into_iter().next() {
        None => {
            output.say(format!("  copied to {}: {}", report.store, bytes(report.bytes)));
            Ok(true)
        }
        Some(problem) => Err(single(Error::Damaged { object: snapshot.to_string(), problem }).into()),
    }
}
