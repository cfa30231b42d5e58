//! `lethe snapshots`.

use jiff::Timestamp;
use lethe_engine::restore::list;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, bytes, count};
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let snapshots = list(&repository).await?;
    let now = Timestamp::now();
    output.say(format!(
        "{:<24} {:>9} {:>11} {:>14} {:>11} {:>11}  database",
        "snapshot", "age", "expires in", "rows", "size", "new"
    ));
    for info in &snapshots {
        let age = span(now.as_second() - info.started_at.as_second());
        let left = span(info.expires_at.as_second() - now.as_second());
        output.say(format!(
            "{:<24} {age:>9} {left:>11} {:>14} {:>11} {:>11}  {}",
            info.snapshot,
            count(info.rows),
            bytes(info.stored_bytes),
            bytes(info.new_bytes),
            info.database
        ));
        output.item("snapshot", info);
    }
    if snapshots.is_empty() {
        output.say("none yet");
    }
    output.summary("snapshots", &json!({"count": snapshots.len()}));
    Ok(())
}

/// Seconds for people: the largest unit that fits.
fn span(seconds: i64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let fitting = units.iter().find(|(length, _)| seconds.abs() >= *length).copied().unwrap_or((1, "s"));
    format!("{} {}", seconds / fitting.0, fitting.1)
}
