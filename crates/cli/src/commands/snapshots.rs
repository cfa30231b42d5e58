//! `lethe snapshots`.

use jiff::Timestamp;
use lethe_engine::restore::list;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{Output, age, bytes, count};
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
        let taken = age(now, info.started_at);
        let left = age(info.expires_at, now);
        output.say(format!(
            "{:<24} {taken:>9} {left:>11} {:>14} {:>11} {:>11}  {}",
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
