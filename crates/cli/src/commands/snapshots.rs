//! `lethe snapshots`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lethe_engine::prune::in_use;
use lethe_engine::restore::{SnapshotInfo, list, snapshot_ids};
use lethe_engine::{Error, Repository, reports};
use lethe_format::ids::{EventId, SnapshotId};
use lethe_format::report::ReportKind;
use serde::Serialize;
use serde_json::{Value, json};

use super::schedule;
use crate::failure::Failure;
use crate::output::{Output, age, bytes, count};
use crate::settings::Settings;

/// The newest drills that are looked at.
const DRILLS: usize = 100;

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    info: SnapshotInfo,
    held: bool,
    leased: bool,
    /// Whether the second store has it as well; none if there is no second store, or it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    copied: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_drill: Option<Drill>,
}

/// The newest drill of a snapshot.
#[derive(Clone, Debug, Serialize)]
struct Drill {
    report: EventId,
    at: Timestamp,
    /// None if its report does not say so.
    passed: Option<bool>,
}

pub(crate) async fn run(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let (keep, now) = (settings.retention()?.keep, Timestamp::now());
    let used = in_use(&repository, now).await?;
    let mut drills = drills(&repository).await?;
    let snapshots = list(&repository).await?;
    let copied = copied(&repository).await;
    output.say(format!(
        "{:<24} {:>9} {:>11} {:>14} {:>11} {:>11} {:>7} {:>12}  database",
        "snapshot", "age", "expires in", "rows", "size", "new", "ledger", "last drill"
    ));
    let found = snapshots.len();
    for mut info in snapshots {
        info.expires_at = info.started_at.checked_add(keep).unwrap_or(Timestamp::MAX);
        let line = Line {
            held: used.held.contains(&info.snapshot),
            leased: used.leased.contains(&info.snapshot),
            copied: copied.as_ref().map(|copied| copied.contains(&info.snapshot)),
            last_drill: drills.remove(&info.snapshot),
            info,
        };
        say(&line, now, output);
        output.item("snapshot", &line);
    }
    if found == 0 {
        output.say("none yet");
    }
    match schedule::check(settings, &repository).await {
        Ok(()) => {
            output.summary("snapshots", &json!({"count": found}));
            Ok(())
        }
        Err(failure) => Err(failure.with_summary("snapshots", &json!({"count": found}))),
    }
}

fn say(line: &Line, now: Timestamp, output: &Output) {
    let Line { info, held, leased, copied, last_drill } = line;
    let drill = last_drill.as_ref().map_or_else(String::new, |drill| {
        let outcome = if drill.passed == Some(false) { "FAILED " } else { "" };
        format!("{outcome}{}", age(now, drill.at))
    });
    let kept_by = match (held, leased) {
        (true, true) => "  held, leased",
        (true, false) => "  held",
        (false, true) => "  leased",
        (false, false) => "",
    };
    let copies = if *copied == Some(false) { "  in the first store alone" } else { "" };
    output.say(format!(
        "{:<24} {:>9} {:>11} {:>14} {:>11} {:>11} {:>7} {drill:>12}  {}{kept_by}{copies}",
        info.snapshot,
        age(now, info.started_at),
        age(info.expires_at, now),
        count(info.rows),
        bytes(info.stored_bytes),
        bytes(info.new_bytes),
        info.ledger_seq,
        info.database
    ));
}

/// The snapshots of the second store; none if there is none, or it does not answer.
async fn copied(repository: &Repository) -> Option<BTreeSet<SnapshotId>> {
    match snapshot_ids(&repository.copy()?).await {
        Ok(ids) => Some(ids.into_iter().collect()),
        Err(error) => {
            tracing::warn!(%error, "which snapshots the second store has cannot be told");
            None
        }
    }
}

/// The newest drill of each snapshot, among the newest ones.
async fn drills(repository: &Repository) -> Result<BTreeMap<SnapshotId, Drill>, Error> {
    let mut found = BTreeMap::new();
    for report in reports::newest::<Value>(repository, ReportKind::Drill, DRILLS).await?.reports {
        let snapshot = report.content.get("snapshot").and_then(Value::as_str).and_then(|id| id.parse().ok());
        if let Some(snapshot) = snapshot {
            let passed = report.content.pointer("/verdict/passed").and_then(Value::as_bool);
            found.entry(snapshot).or_insert(Drill { report: report.id, at: report.at, passed });
        }
    }
    Ok(found)
}
