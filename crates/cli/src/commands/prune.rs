//! `lethe prune`.

use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::progress::Progress;
use lethe_engine::prune::{self, PruneOptions, PrunePlan, Receipt};
use lethe_format::audit::{Action, Facts};
use lethe_rules::retention::Fate;
use serde::Serialize;
use serde_json::{Value, json};

use super::audited::{audited, with_all};
use crate::args::Prune;
use crate::failure::Failure;
use crate::output::{Output, age, bytes, count};
use crate::progress_bar;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, args: Prune, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let options =
        PruneOptions { retention: settings.retention()?, discard: args.discard.into_iter().collect() };
    let mut places = Vec::new();
    for place in std::iter::once(repository.clone()).chain(repository.copy()) {
        let plan = prune::plan(&place, &options, Timestamp::now()).await;
        places.push((place, plan.map_err(Failure::from)));
    }
    let plans = || places.iter().filter_map(|(_, plan)| plan.as_ref().ok());
    let needless = options.discard.iter().find(|id| plans().all(|plan| plan.not_discarded.contains(*id)));
    if let Some(id) = needless.filter(|_| plans().next().is_some()) {
        return Err(Failure::usage(format!(
            "snapshot {id} is not one that stays only because it is the last, or because its index cannot be read"
        )));
    }
    let confirm = args.confirm;
    let work = all_places(settings, places, &options, confirm, output);
    if confirm {
        audited(settings, &repository, with_all(Action::Prune), Box::pin(work)).await
    } else {
        work.await.map(|_| ())
    }
}

async fn all_places(
    settings: &Settings,
    places: Vec<(Repository, Result<PrunePlan, Failure>)>,
    options: &PruneOptions,
    confirm: bool,
    output: &Output,
) -> Result<Facts, Failure> {
    let several = places.len() > 1;
    let mut outcomes = Vec::new();
    let mut snapshots = 0;
    for (place, plan) in places {
        let url = place.store().url();
        if several {
            output.say(format!("{url}:"));
        }
        let outcome = match plan {
            Ok(plan) => {
                let going = plan.stored.snapshots.iter().filter(|verdict| verdict.fate == Fate::Expired);
                snapshots += going.count() as u64;
                self::place(settings, &place, &plan, options, confirm, output).await
            }
            Err(failure) => Err(failure),
        };
        outcomes.push(outcome.map_err(|failure| if several { failure.about(&url) } else { failure }));
    }
    conclude(outcomes, output)?;
    Ok(Facts { counts: [("snapshots".to_owned(), snapshots)].into(), ..Facts::default() })
}

/// Each store keeps the promise for itself: what goes wrong in one does not keep the other from being pruned.
fn conclude(outcomes: Vec<Result<Value, Failure>>, output: &Output) -> Result<(), Failure> {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(summary) => done.push(summary),
            Err(failure) => failures.push(failure),
        }
    }
    if let Some(failure) = failures.into_iter().reduce(Failure::joined) {
        return Err(failure);
    }
    let mut done = done.into_iter();
    match (done.next(), done.next()) {
        (Some(first), Some(second)) => output.summary("prune", &Both { first, second }),
        (first, _) => output.summary("prune", &first.unwrap_or_default()),
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct Both {
    #[serde(flatten)]
    first: Value,
    second: Value,
}

/// Prunes one store; the summary for programs.
async fn place(
    settings: &Settings,
    repository: &Repository,
    plan: &PrunePlan,
    options: &PruneOptions,
    confirm: bool,
    output: &Output,
) -> Result<Value, Failure> {
    show(plan, output);
    let summary = plan.summary();
    if confirm {
        let last_seen = settings.last_seen(repository);
        let progress = Progress::default();
        progress.stage("prune", 0);
        let work = prune::carry_out(repository, plan, options, &last_seen, Timestamp::now());
        let done = progress_bar::show(output, &progress, work).await;
        let (id, receipt) = done.map_err(|error| {
            let summary = json!({"plan": summary, "carried_out": true});
            Failure::from(error).with_summary("prune", &summary)
        })?;
        show_receipt(&receipt, output);
        output.say(format!("receipt: reports/prune/{id}.json"));
        return Ok(json!({"plan": summary, "carried_out": true, "receipt": receipt, "report": id}));
    }
    if !plan.is_empty() {
        output.say("nothing was removed: --confirm carries it out");
    }
    if !plan.stored.remains.is_empty() {
        let error = lethe_engine::Error::Ceiling { remains: plan.stored.remains.clone() };
        return Err(
            Failure::from(error).with_summary("prune", &json!({"plan": summary, "carried_out": false}))
        );
    }
    Ok(json!({"plan": summary, "carried_out": false}))
}

fn show(plan: &PrunePlan, output: &Output) {
    let stored = &plan.stored;
    for verdict in &stored.snapshots {
        let id = &verdict.snapshot;
        let old = age(stored.at, verdict.taken_at);
        let line = match &verdict.fate {
            Fate::Expired => format!("goes   {id}: it is {old} old"),
            Fate::Abandoned => {
                format!("goes   {id}: what is left of one that was not finished, or removed in part")
            }
            Fate::Held { until } => format!("stays  {id}: it is {old} old, and held until {until}"),
            Fate::Leased { until } => {
                format!("stays  {id}: it is {old} old, and a restore reads it (lease until {until})")
            }
            Fate::Last => format!("stays  {id}: it is {old} old, and the last that can be restored"),
            Fate::Kept | Fate::Unfinished => continue,
        };
        output.say(line);
    }
    let removals = &stored.removals;
    let snapshots = stored.snapshots.iter().filter(|verdict| verdict.fate == Fate::Expired).count();
    output.say(format!(
        "{} snapshots go and {} stay; {} chunks that none of those names go",
        count(snapshots as u64),
        count(stored.staying().filter(|verdict| verdict.fate != Fate::Unfinished).count() as u64),
        count(removals.chunks.len() as u64),
    ));
    output.say(format!(
        "  {} objects and versions, {} unfinished uploads, {}",
        count(removals.objects() as u64),
        count(removals.uploads.len() as u64),
        bytes(removals.bytes())
    ));
    if stored.unclear_chunks > 0 {
        output.say(format!(
            "  note: {} more chunks stay, since a snapshot's index cannot be read and they may be its",
            count(stored.unclear_chunks as u64)
        ));
    }
    show_ledger(plan, output);
    for remains in &stored.remains {
        output.say(format!("BEYOND 35 DAYS: {}: {}", remains.what, remains.why));
    }
}

fn show_ledger(plan: &PrunePlan, output: &Output) {
    let list = |seqs: &[u64]| seqs.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let expiry = &plan.ledger;
    let going: Vec<u64> = expiry.expire.iter().chain(&expiry.remove).copied().collect();
    if going.is_empty() {
        output.say(format!("no ledger entry can go; {} are still needed", count(expiry.kept)));
    } else {
        output.say(format!("ledger entries that no stored snapshot needs any more: {}", list(&going)));
        output.say(format!("  {} entries are still needed", count(expiry.kept)));
    }
    if !expiry.unknown.is_empty() {
        output.say(format!(
            "  note: entries {} were written ahead of the deletion; whether it was carried out can only be told where the identity is, and for anonymised people not at all",
            list(&expiry.unknown)
        ));
    }
}

fn show_receipt(receipt: &Receipt, output: &Output) {
    output.say(format!(
        "done: {} objects and versions removed ({}), {} ledger bodies; listed again, and none of them is there",
        count(receipt.removed_objects as u64),
        bytes(receipt.removed_bytes),
        count(receipt.removed_ledger_bodies as u64)
    ));
    if !receipt.tells_history {
        output.say("  the store keeps no versions, or has no call that lists them");
    }
    for id in &receipt.spared_snapshots {
        output.say(format!("  {id} stayed: somebody came to need it meanwhile"));
    }
}
