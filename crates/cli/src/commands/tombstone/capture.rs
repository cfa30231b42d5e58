//! `lethe tombstone capture`.

use std::time::Duration;

use lethe_engine::ExitCode;
use lethe_engine::audit::Intent;
use lethe_engine::capture::{self, Captured, Installed, RunOptions};
use lethe_engine::progress::Progress;
use lethe_format::audit::{Action, Facts};
use serde_json::json;

use crate::args::{Capture, CaptureChange, CaptureRun, CaptureSource};
use crate::commands::audited::{audited, note, with_all, with_some};
use crate::failure::Failure;
use crate::live;
use crate::output::{Output, count};
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, command: Capture, output: &Output) -> Result<(), Failure> {
    match command {
        Capture::Install(args) => install(settings, args, output).await,
        Capture::Remove(args) => remove(settings, args, output).await,
        Capture::Run(args) => drain(settings, args, output).await,
        Capture::Status(args) => status(settings, args, output).await,
    }
}

async fn install(settings: &Settings, args: CaptureChange, output: &Output) -> Result<(), Failure> {
    let source = settings.source(args.source.from.as_deref())?;
    let subjects = settings.captured_subjects()?;
    if subjects.is_empty() {
        return Err(Failure::usage("lethe.toml names no subject whose deletions could be captured")
            .hint("add [subject.user] with table = \"public.users\""));
    }
    let wanted = capture::plan_installation(&source, &subjects).await?;
    output.say(&wanted.sql);
    if !args.confirm {
        output.say(format!("-- nothing was changed in {source}: --confirm carries it out"));
        output.summary("capture", &json!({"installed": false, "sql": wanted.sql}));
        return Ok(());
    }
    let repository = settings.open_repository().await?;
    let work = async {
        let installed = capture::install(&source, &wanted).await?;
        output.say(match installed {
            Installed::Now => format!("-- installed in {source}; next: lethe tombstone capture run --follow"),
            Installed::Before => format!("-- {source} has exactly this already"),
        });
        output.summary("capture", &json!({"installed": true, "changed": installed == Installed::Now}));
        Ok(Facts::default())
    };
    audited(settings, &repository, with_all(Action::CaptureInstall), Box::pin(work)).await
}

async fn remove(settings: &Settings, args: CaptureChange, output: &Output) -> Result<(), Failure> {
    let source = settings.source(args.source.from.as_deref())?;
    output.say(capture::removal_sql());
    if args.confirm {
        let repository = settings.open_repository().await?;
        let work = async {
            capture::remove(&source).await?;
            Ok(Facts::default())
        };
        audited(settings, &repository, with_all(Action::CaptureRemove), Box::pin(work)).await?;
        output.say(format!("-- removed from {source}: deletions are no longer captured there"));
    } else {
        output.say(format!("-- nothing was changed in {source}: --confirm carries it out"));
    }
    output.summary("capture", &json!({"removed": args.confirm}));
    Ok(())
}

async fn drain(settings: &Settings, args: CaptureRun, output: &Output) -> Result<(), Failure> {
    let source = settings.source(args.source.from.as_deref())?;
    let repository = settings.open_repository().await?;
    let last_seen = settings.last_seen(&repository);
    let log = settings.audit_log(&repository).await?;
    let options = RunOptions { heartbeat: settings.heartbeat()? };
    let progress = Progress::default();
    progress.stage("capture", 0);
    live::watch(&progress);
    loop {
        let round = capture::run(&repository, &source, &last_seen, options).await;
        match round {
            Ok(drained) => {
                // The deletion is a fact, and on the ledger: it is not held up for the log.
                progress.rows(drained.keys);
                for captured in &drained.captured {
                    note(settings, &log, erased(captured)).await;
                }
                if drained.keys > 0 || !args.follow {
                    output.say(format!("{} deletions brought to the ledger", count(drained.keys)));
                    output.item("drained", &drained);
                }
                if !args.follow {
                    output.summary("capture", &drained);
                    return Ok(());
                }
            }
            Err(error) if !args.follow => return Err(error.into()),
            Err(error) if error.exit_code() == ExitCode::Residency => return Err(error.into()),
            // A server or a store that is away for a while must not end the capture.
            Err(error @ (lethe_engine::Error::Store(_) | lethe_engine::Error::Postgres(_))) => {
                tracing::warn!(%error, "the capture goes on trying");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(Duration::from_secs(args.every.max(1))).await;
    }
}

/// What is written down of people of one customer.
fn erased(captured: &Captured) -> Intent {
    let facts = Facts {
        subject: Some(captured.subject.to_string()),
        counts: [("people".to_owned(), captured.people)].into(),
        ledger: Some(captured.entry),
        ..Facts::default()
    };
    Intent { facts, ..with_some(Action::TombstoneCapture, captured.tenant.iter().cloned().collect()) }
}

async fn status(settings: &Settings, args: CaptureSource, output: &Output) -> Result<(), Failure> {
    let source = settings.source(args.from.as_deref())?;
    let Some(status) = capture::status(&source, &settings.captured_subjects()?).await? else {
        return Err(Failure::failed(format!("the capture is not installed in {source}"))
            .hint("lethe tombstone capture install"));
    };
    let (waiting, lag) = (status.outbox.waiting, status.outbox.lag().as_secs());
    output.say(format!("{} deletions wait, the oldest for {lag} s", count(waiting)));
    let up_to_date = match status.up_to_date {
        Some(true) => "what is installed is what lethe.toml asks for",
        Some(false) => "what is installed differs from what lethe.toml and the tables ask for",
        None => "lethe.toml names no subjects to compare with",
    };
    output.say(up_to_date);
    output.summary(
        "capture",
        &json!({"waiting": waiting, "lag_seconds": lag, "up_to_date": status.up_to_date}),
    );
    if status.up_to_date == Some(false) {
        return Err(
            Failure::failed("the capture is out of date").hint("lethe tombstone capture install --confirm")
        );
    }
    if status.outbox.lag() > settings.max_capture_lag()? {
        return Err(Failure::failed(format!("deletions have been waiting for {lag} s"))
            .hint("is lethe tombstone capture run --follow at work? A restore from a snapshot that is taken now will be refused"));
    }
    Ok(())
}
