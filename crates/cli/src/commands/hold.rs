//! `lethe hold add`, `list` and `remove`.

use jiff::Timestamp;
use jiff::civil::Date;
use lethe_engine::audit::Intent;
use lethe_engine::{Repository, holds};
use lethe_format::audit::{Action, Facts};
use lethe_rules::retention::Retention;
use serde_json::json;

use super::audited::{audited, with_all};
use crate::args::{Hold, HoldAdd};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::{Settings, time_or_day};

pub(crate) async fn run(settings: &Settings, command: Hold, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let now = Timestamp::now();
    match command {
        Hold::Add(args) => {
            let intent = Intent {
                facts: Facts {
                    snapshot: Some(args.snapshot.clone()),
                    reason: Some(args.reason.clone()),
                    ..Facts::default()
                },
                ..with_all(Action::HoldAdd)
            };
            let work = add(settings, &repository, args, now, output);
            return audited(settings, &repository, intent, Box::pin(work)).await;
        }
        Hold::List => {
            let holds = holds::list(&repository, now).await?;
            for holds::Listed { hold, is_active } in &holds {
                let state = if *is_active { "until" } else { "ended" };
                output.say(format!(
                    "{}  snapshot {}  {state} {}  {} ({})",
                    hold.id, hold.snapshot, hold.until, hold.reason, hold.approved_by
                ));
            }
            holds.iter().for_each(|hold| output.item("hold", hold));
            if holds.is_empty() {
                output.say("none");
            }
            output.summary("hold", &json!({"count": holds.len()}));
        }
        Hold::Remove(args) => {
            let work = async {
                let hold = holds::remove(&repository, &args.id, now).await?;
                output.say(format!("removed: nothing but its age keeps snapshot {} now", hold.snapshot));
                output.summary("hold", &hold);
                Ok(facts(&hold))
            };
            return audited(settings, &repository, with_all(Action::HoldRemove), Box::pin(work)).await;
        }
    }
    Ok(())
}

async fn add(
    settings: &Settings,
    repository: &Repository,
    args: HoldAdd,
    now: Timestamp,
    output: &Output,
) -> Result<Facts, Failure> {
    let HoldAdd { snapshot, until, reason, approved_by } = args;
    // A day counts to its end.
    let until = time_or_day(&until, Date::tomorrow)?;
    let hold = holds::add(repository, &snapshot, until, &reason, &approved_by, now).await?;
    output.say(format!("hold {}: snapshot {snapshot} stays until {until}", hold.id));
    if until > now.checked_add(Retention::CEILING).unwrap_or(Timestamp::MAX) {
        settings.warn("this is longer than the 35 days that are promised: people who ask to be erased stay in this snapshot for as long");
    }
    output.summary("hold", &hold);
    Ok(facts(&hold))
}

fn facts(hold: &lethe_format::lease::Hold) -> Facts {
    Facts { snapshot: Some(hold.snapshot.clone()), reason: Some(hold.reason.clone()), ..Facts::default() }
}
