//! `lethe metrics`: the repository's health in the text format of Prometheus ("Exposition formats" of its documentation).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lethe_engine::drill::left_in;
use lethe_engine::health::{self, Health};
use lethe_engine::{Repository, capture, replace_file};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::args::Metrics;
use crate::failure::Failure;
use crate::live::listen;
use crate::live::page::Page;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, args: Metrics, output: &Output) -> Result<(), Failure> {
    if let Some(address) = args.listen {
        return serve(settings, &args, address).await;
    }
    let (page, health) = look(settings, &args).await?;
    match &args.textfile {
        None => output.say(page.trim_end()),
        Some(path) => {
            // In one step, so that nobody reads a half of it: node_exporter asks for that.
            replace_file(path, page.as_bytes())?;
        }
    }
    output.summary("metrics", &json!({"health": health}));
    Ok(())
}

async fn look(settings: &Settings, args: &Metrics) -> Result<(String, Health), Failure> {
    let repository = settings.open_repository().await?;
    let health = health::look(&repository, Timestamp::now()).await?;
    let mut page = Page::default();
    write_health(&health, &mut page);
    if let Some(every) = settings.snapshot_every()? {
        page.gauge(
            "snapshot_expected_seconds",
            "Time between two snapshots, by the settings.",
            every.as_secs_f64(),
        );
    }
    if let Some(every) = settings.drill_every()? {
        page.gauge(
            "drill_expected_seconds",
            "Time between two drills, by the settings.",
            every.as_secs_f64(),
        );
    }
    write_leftovers(settings, args, &repository, &mut page)?;
    if args.capture {
        write_capture(settings, args, &mut page).await?;
    }
    Ok((page.into_text(), health))
}

/// How old what is served may be: whoever scrapes every few seconds must not have the store listed as often.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Looks when somebody asks. What cannot be looked at is no answer, so that the monitoring's own alarm for that goes off.
async fn serve(settings: &Settings, args: &Metrics, address: SocketAddr) -> Result<(), Failure> {
    let listener = listen::bind(address).await?;
    let (wanted, mut asked) = mpsc::channel::<oneshot::Sender<Result<String, String>>>(1);
    let page = move || {
        let wanted = wanted.clone();
        async move {
            let (answer, page) = oneshot::channel();
            let ended = || "the look at the store ended without a result\n".to_owned();
            wanted.send(answer).await.map_err(|_| ended())?;
            page.await.map_err(|_| ended())?
        }
    };
    let answering = async {
        let mut last: Option<(Instant, String)> = None;
        while let Some(answer) = asked.recv().await {
            if last.as_ref().is_none_or(|(at, _)| at.elapsed() > LOOK_EVERY) {
                match look(settings, args).await {
                    Ok((page, _)) => last = Some((Instant::now(), page)),
                    Err(failure) => {
                        let problem = failure.in_one_line();
                        tracing::warn!(%problem, "the backups cannot be looked at");
                        let _ = answer.send(Err(format!("{problem}\n")));
                        continue;
                    }
                }
            }
            // Whoever asked may have hung up.
            let _ = answer.send(Ok(last.as_ref().map(|(_, page)| page.clone()).unwrap_or_default()));
        }
    };
    tokio::select! {
        () = listen::serve(listener, page) => {}
        () = answering => {}
    }
    Err(Failure::failed("the numbers are not served any more"))
}

async fn write_capture(settings: &Settings, args: &Metrics, page: &mut Page) -> Result<(), Failure> {
    let source = settings.source(args.from.as_deref())?;
    let status = capture::status(&source, &settings.captured_subjects()?).await?;
    let (waiting, lag) =
        status.as_ref().map_or((0, 0.0), |status| (status.outbox.waiting, status.outbox.lag().as_secs_f64()));
    page.gauge(
        "capture_installed",
        "Whether the source reports deletions itself.",
        u8::from(status.is_some()),
    );
    page.gauge("capture_waiting", "Deletions that are not on the ledger yet.", waiting as f64);
    page.gauge("capture_lag_seconds", "How long the oldest of them has waited.", lag);
    Ok(())
}

/// What killed drills have left on this machine.
fn write_leftovers(
    settings: &Settings,
    args: &Metrics,
    repository: &Repository,
    page: &mut Page,
) -> Result<(), Failure> {
    let left = left_in(&settings.work_dir(args.work_dir.as_deref()), repository.naming_key()?)?;
    let oldest = left.iter().map(|leftover| leftover.since).min();
    page.gauge("drill_leftovers", "Servers on this machine that killed drills have left.", left.len() as f64);
    page.time("drill_leftover_oldest", "Since when the oldest of them is there.", oldest);
    Ok(())
}

fn write_health(health: &Health, page: &mut Page) {
    let Health { at, snapshots, ledger, drill, good_drill, prune, holds, audit, second } = health;
    page.time("looked_at", "When this was looked at.", Some(*at));
    page.gauge("snapshots", "Snapshots in the first store.", snapshots.count as f64);
    page.time("snapshot_newest", "When the newest snapshot was finished, by the store.", snapshots.newest);
    page.time("snapshot_oldest", "When the oldest snapshot was finished, by the store.", snapshots.oldest);
    page.gauge("ledger_entries", "Entries of the ledger.", ledger.entries as f64);
    page.time("ledger_newest", "When the newest entry was written, by its writer.", ledger.newest);
    page.time("drill_newest", "When the newest drill ended.", drill.as_ref().map(|drill| drill.at));
    if let Some(drill) = drill {
        page.gauge("drill_passed", "Whether it passed.", u8::from(drill.passed));
    }
    page.time(
        "drill_good_newest",
        "When the newest drill that passed ended.",
        good_drill.as_ref().map(|drill| drill.at),
    );
    if let Some(ready) = good_drill.as_ref().and_then(|drill| drill.ready_seconds) {
        page.gauge("drill_ready_seconds", "How long that one took until applications could connect.", ready);
    }
    if let Some(age) = good_drill.as_ref().and_then(|drill| drill.age_seconds) {
        page.gauge("drill_data_age_seconds", "How old its data was.", age as f64);
    }
    page.time("prune_newest", "When the newest prune ended.", prune.as_ref().map(|prune| prune.at));
    if let Some(prune) = prune {
        page.time(
            "oldest_object",
            "The store's date of the oldest object that it left.",
            prune.oldest_object,
        );
        page.gauge(
            "beyond_ceiling",
            "What it found beyond 35 days and could not remove.",
            prune.remains as f64,
        );
    }
    page.gauge("holds", "Snapshots that somebody holds.", *holds as f64);
    if let Some(audit) = audit {
        page.gauge("audit_entries", "Entries of the audit log.", audit.entries as f64);
        page.time("audit_newest", "When the newest entry of it was written, by its writer.", audit.newest);
        page.gauge("audit_unsigned", "Entries of it that no checkpoint covers yet.", audit.unsigned as f64);
        page.time(
            "audit_signed",
            "When the newest checkpoint over it was signed, by the store.",
            audit.signed_at,
        );
    }
    if let Some(second) = second {
        page.gauge("second_store_answers", "Whether the second store answered.", u8::from(second.answers));
        if second.answers {
            page.gauge(
                "second_store_snapshots",
                "Snapshots in the second store.",
                second.snapshots.count as f64,
            );
            page.time(
                "second_store_snapshot_newest",
                "When the newest of them was copied.",
                second.snapshots.newest,
            );
            page.gauge(
                "second_store_ledger_entries",
                "Entries of the ledger's copy.",
                second.ledger_entries as f64,
            );
        }
    }
}
