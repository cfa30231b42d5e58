//! `lethe metrics`: the repository's health in the text format of Prometheus ("Exposition formats" of its documentation).

use std::fmt::Write as _;

use jiff::Timestamp;
use lethe_engine::health::{self, Health};
use lethe_engine::{capture, replace_file};
use serde_json::json;

use crate::args::Metrics;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, args: Metrics, output: &Output) -> Result<(), Failure> {
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
    if args.capture {
        let source = settings.source(args.from.as_deref())?;
        let status = capture::status(&source, &settings.captured_subjects()?).await?;
        let (waiting, lag) = status
            .as_ref()
            .map_or((0, 0.0), |status| (status.outbox.waiting, status.outbox.lag().as_secs_f64()));
        page.gauge(
            "capture_installed",
            "Whether the source reports deletions itself.",
            u8::from(status.is_some()),
        );
        page.gauge("capture_waiting", "Deletions that are not on the ledger yet.", waiting as f64);
        page.gauge("capture_lag_seconds", "How long the oldest of them has waited.", lag);
    }
    match &args.textfile {
        None => output.say(page.text.trim_end()),
        Some(path) => {
            // In one step, so that nobody reads a half of it: node_exporter asks for that.
            replace_file(path, page.text.as_bytes())?;
        }
    }
    output.summary("metrics", &json!({"health": health}));
    Ok(())
}

fn write_health(health: &Health, page: &mut Page) {
    let Health { at, snapshots, ledger, drill, good_drill, prune, holds, second } = health;
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

/// Gauges without labels, so that nothing needs to be escaped.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: impl Into<f64>) {
        let value: f64 = value.into();
        let _ = write!(
            self.text,
            "# HELP lethe_{name} {help}\n# TYPE lethe_{name} gauge\nlethe_{name} {value}\n"
        );
    }

    /// Nothing for what never was: an alarm asks for `absent()`.
    fn time(&mut self, name: &str, help: &str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.gauge(&format!("{name}_timestamp_seconds"), help, at.as_millisecond() as f64 / 1000.0);
        }
    }
}
