//! `lethe drill`.

use std::time::Duration;

use lethe_engine::drill::{self, DrillEvidence, DrillOptions, Pick, Where};
use lethe_engine::progress::Progress;
use lethe_engine::restore::{RestoreOptions, Wanted};
use lethe_engine::{ExitCode, Repository};
use lethe_format::audit::{Action, Facts};

use lethe_rules::target_label::TargetLabel;

use super::audited::{audited, with_all};
use super::restore::{Everyday, wanted};
use crate::args::Drill;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::progress_bar;
use crate::settings::Settings;

/// How long a server that the drill does not start itself is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(settings: &Settings, args: Drill, output: &Output) -> Result<(), Failure> {
    let mut server_label = None;
    let place = match &args.into {
        Some(text) => {
            let target = Settings::typed_server(text, "--into")?;
            let place = settings.residency()?.check_target(&target).map_err(Failure::from);
            server_label = place.map_err(could_not_run)?.purpose;
            Where::Into(Box::new(target))
        }
        None => Where::Own {
            work_dir: settings.work_dir(args.work_dir.as_deref()),
            pg_bin: args.pg_bin.clone().or_else(|| settings.pg_bin()),
            path: std::env::var("PATH").ok(),
        },
    };
    let options = DrillOptions {
        pick: if args.pick.is_some() { Pick::Random } else { Pick::Wanted },
        place,
        restore: RestoreOptions { server_label, ..restore_options(settings, &args)? },
        assertions: settings.drill_checks()?,
        canaries: settings.drill_canaries(),
        source: settings.drill_source(args.source.as_deref())?,
        tolerance_percent: settings.drill_tolerance(),
        at_most: settings.drill_at_most()?,
    };
    let repository = settings.open_repository().await.map_err(could_not_run)?;
    let work = drill(settings, &repository, &options, output);
    // A drill that is not on record has not begun, and has failed like any that could not run.
    audited(settings, &repository, with_all(Action::Drill), Box::pin(work)).await.map_err(|failure| {
        if failure.code == ExitCode::Verification { failure } else { could_not_run(failure) }
    })
}

async fn drill(
    settings: &Settings,
    repository: &Repository,
    options: &DrillOptions,
    output: &Output,
) -> Result<Facts, Failure> {
    let last_seen = settings.last_seen(repository);
    let progress = Progress::default();
    let drilling = drill::run(repository, options, last_seen, &progress);
    let drilled = progress_bar::show(output, &progress, drilling).await;
    let evidence = drilled.evidence;
    show(&evidence, output);
    let (report, unstored) = match drilled.stored {
        Ok(id) => (Some(id.to_string()), None),
        Err(error) => (None, Some(error)),
    };
    if let Some(id) = &report {
        output.say(format!("evidence: reports/drill/{id}.json"));
    }
    let mut summary = serde_json::to_value(&evidence).unwrap_or_default();
    if let Some(fields) = summary.as_object_mut() {
        fields.insert("report".to_owned(), report.into());
    }
    let failed = |message: &str| {
        let failure = Failure { code: ExitCode::Verification, ..Failure::usage(message) };
        failure.with_summary("drill", &summary)
    };
    match unstored {
        // What left no evidence has shown nothing.
        Some(error) => {
            let mut failure = failed("the drill left no evidence");
            let cause = Failure::from(error);
            failure.causes = [vec![cause.message], cause.causes].concat();
            Err(Failure { hint: cause.hint, ..failure })
        }
        None if evidence.verdict.passed => {
            output.summary("drill", &summary);
            Ok(Facts { snapshot: evidence.snapshot.clone(), ..Facts::default() })
        }
        None => {
            let mut failure = failed("the drill failed");
            failure.causes.clone_from(&evidence.verdict.reasons);
            Err(failure.hint("until a drill passes, do not count on this snapshot; lethe verify --read-data says whether what is stored is whole"))
        }
    }
}

/// A drill that could not run has failed, whatever was in its way, unless somebody only typed it wrong. Without a store there is no
/// place for evidence.
fn could_not_run(failure: Failure) -> Failure {
    if failure.code == ExitCode::Usage {
        return failure;
    }
    let mut causes = vec![failure.message];
    causes.extend(failure.causes);
    Failure {
        message: "the drill could not run, and left no evidence".to_owned(),
        causes,
        code: ExitCode::Verification,
        ..failure
    }
}

fn restore_options(settings: &Settings, args: &Drill) -> Result<RestoreOptions, Failure> {
    let everyday = Everyday {
        snapshot: if args.pick.is_some() { Wanted::Latest } else { wanted(&args.snapshot)? },
        jobs: args.jobs,
        memory: args.memory.as_deref(),
        acknowledged: &args.acknowledge,
        patience: PATIENCE,
    };
    let label = Some(TargetLabel::drill());
    Ok(RestoreOptions { read_back_all: true, label, ..everyday.options(settings)? })
}

fn show(evidence: &DrillEvidence, output: &Output) {
    let snapshot =
        evidence.snapshot.as_ref().map_or_else(|| "no snapshot".to_owned(), |id| format!("snapshot {id}"));
    let age = evidence.age_seconds.map(|age| format!(", {} min old", age / 60)).unwrap_or_default();
    let place = evidence.place.as_deref().unwrap_or("nowhere");
    output.say(format!("{snapshot}{age}, restored into {place}"));
    for name in &evidence.removed_leftovers {
        output.say(format!("  removed what a drill that was killed had left: {name}"));
    }
    for stage in &evidence.stages {
        output.say(format!("  {:<24} {:>8.1} s", stage.stage, (stage.to - stage.from).max(0.0)));
    }
    let facts = &evidence.facts;
    if !facts.tables.is_empty() {
        let sum =
            |value: fn(&lethe_rules::drill::TableFacts) -> u64| count(facts.tables.iter().map(value).sum());
        output.say(format!(
            "  {} tables: {} rows read, {} loaded, {} dropped, {} changed, {} found by the server",
            facts.tables.len(),
            sum(|table| table.read),
            sum(|table| table.loaded),
            sum(|table| table.dropped),
            sum(|table| table.changed),
            sum(|table| table.found)
        ));
    }
    if let (Some(constraints), Some(indexes)) = (&facts.constraints, &facts.indexes) {
        output.say(format!(
            "  {} constraints hold, {} indexes agree with their tables",
            constraints.valid, indexes.checked
        ));
    }
    if !facts.checks.is_empty() {
        let met = facts
            .checks
            .iter()
            .filter(|check| check.outcome == lethe_rules::drill::CheckOutcome::Met)
            .count();
        output.say(format!("  {met} of {} checks of yours are met", facts.checks.len()));
    }
    if let Some(canaries) = &facts.canaries {
        output.say(format!(
            "  {} canaries of erased test people in {} files: found in {}; of {} living ones {} found",
            canaries.erased,
            canaries.files,
            canaries.erased_found_in.len(),
            canaries.living,
            canaries.living_found
        ));
    }
    for note in &evidence.verdict.notes {
        output.say(format!("  note: {note}"));
    }
    if let (Some(ready), Some(verified)) = (evidence.ready_seconds, evidence.verified_seconds) {
        output.say(format!("ready after {ready:.1} s, verified after {verified:.1} s"));
    }
    output.say(format!("the drill {}", evidence.verdict));
}
