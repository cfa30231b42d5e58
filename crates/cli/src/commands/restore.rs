//! `lethe restore`.

use std::time::Duration;

use indicatif::ProgressBar;
use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::ledger::Freshness;
use lethe_engine::progress::Progress;
use lethe_engine::restore::{
    Kept, LargeObjectCounts, MaskLabels, MayBeStale, OnlySubject, Plan, RestoreOptions, RestoreReport,
    Wanted, keep, prepare,
};
use lethe_format::audit::{Action, Facts};
use lethe_format::ids::EventId;
use lethe_format::ledger::Head;
use lethe_postgres::ConnectionSettings;
use lethe_rules::residency::TargetPlace;
use serde::Serialize;

use super::audited::{audited, with_all, with_some};
use crate::args::{Acknowledged, Restore};
use crate::failure::Failure;
use crate::output::{Output, bytes, count};
use crate::progress_bar;
use crate::settings::{Settings, duration};

pub(crate) async fn run(settings: &Settings, args: Restore, output: &Output) -> Result<(), Failure> {
    let target = Settings::typed_server(&args.into, "--into")?;
    let everyday = Everyday {
        snapshot: wanted(&args.snapshot)?,
        jobs: args.jobs,
        memory: args.memory.as_deref(),
        acknowledged: &args.acknowledge,
        patience: duration("--patience", &args.patience)?,
    };
    let options = everyday.options(settings)?;
    let known_head = args.known_head.as_deref().map(known_head).transpose()?;
    let place = settings.residency()?.check_target(&target)?;
    let options = RestoreOptions {
        label: args.label,
        server_label: place.purpose.clone(),
        no_owner: args.no_owner,
        no_acl: args.no_acl,
        role: args.role,
        only: settings.only(&args.only)?,
        freshness: Freshness { known_head, ..options.freshness },
        request: settings.request(),
        ..options
    };
    let repository = settings.open_repository().await?;
    let tenants = settings.tenants_of(&args.only);
    let action = if args.dry_run { Action::RestorePlan } else { Action::Restore };
    let work = restore(settings, &repository, &target, options, args.dry_run, place, output);
    let intent = match tenants.is_empty() {
        true => with_all(action),
        false => with_some(action, tenants),
    };
    audited(settings, &repository, intent, Box::pin(work)).await
}

async fn restore(
    settings: &Settings,
    repository: &Repository,
    target: &ConnectionSettings,
    options: RestoreOptions,
    dry_run: bool,
    place: TargetPlace,
    output: &Output,
) -> Result<Facts, Failure> {
    let last_seen = settings.last_seen(repository);
    let bar = ProgressBar::new(0);
    let progress = telling_when_it_is_ready(bar.clone(), *output);
    let preparing = prepare(repository, target, options, last_seen, &progress);
    let prepared = progress_bar::show_on(&bar, output, &progress, preparing).await?;
    let plan = prepared.plan();
    show_plan(plan, output);
    let facts = Facts {
        snapshot: Some(plan.snapshot.clone()),
        ledger: Some(plan.ledger_head.seq),
        ..Facts::default()
    };
    if dry_run {
        output.say("\ndry run: nothing was written");
        output.summary("restore", plan);
        return Ok(facts);
    }
    let report = progress_bar::show_on(&bar, output, &progress, prepared.run(&progress)).await?;
    show_report(&report, output);
    match keep(repository, &report, place).await {
        Ok(id) => {
            output.say(format!("report: reports/restore/{id}.json"));
            output.summary("restore", &Restored { report: &report, id: Some(id) });
        }
        // A role that may not write it has restored all the same.
        Err(error) => {
            let why = Failure::from(error).in_one_line();
            settings.warn(format!("the restore left no report: {why}"));
            output.summary("restore", &Restored { report: &report, id: None });
        }
    }
    let rows = &report.rows;
    let counts = [
        ("read", rows.read),
        ("loaded", rows.loaded),
        ("dropped", rows.dropped),
        ("changed", rows.changed),
        ("late_removed", rows.late_removed),
    ];
    Ok(Facts { counts: counts.map(|(name, count)| (name.to_owned(), count)).into(), ..facts })
}

/// What came of it, for programs.
#[derive(Debug, Serialize)]
struct Restored<'a> {
    #[serde(flatten)]
    report: &'a RestoreReport,
    /// The id of the report that was stored, if one could be.
    #[serde(rename = "report")]
    id: Option<EventId>,
}

/// Applications need not wait for the verification, so the person who lets them in is told at once, on a terminal or not.
fn telling_when_it_is_ready(bar: ProgressBar, output: Output) -> Progress {
    Progress::observed(Box::new(move |stage| {
        if stage == "ready" {
            bar.suspend(|| {
                output.say("ready: applications can connect; the rest is verified while they work");
                output.item("ready", &serde_json::json!({}));
            });
        }
    }))
}

/// What is typed for every restore, a drill's too. All else that decides what comes back is in the settings, so that a drill
/// tries what a restore would do.
pub(super) struct Everyday<'a> {
    pub(super) snapshot: Wanted,
    pub(super) jobs: Option<usize>,
    pub(super) memory: Option<&'a str>,
    pub(super) acknowledged: &'a [Acknowledged],
    pub(super) patience: Duration,
}

impl Everyday<'_> {
    pub(super) fn options(self, settings: &Settings) -> Result<RestoreOptions, Failure> {
        Ok(RestoreOptions {
            snapshot: self.snapshot,
            label: None,
            server_label: None,
            jobs: settings.jobs(self.jobs)?,
            memory: settings.memory(self.memory)?,
            no_owner: false,
            no_acl: false,
            role: None,
            only: Vec::new(),
            references: settings.references()?,
            large_object_columns: settings.large_object_columns()?,
            unreferenced_large_objects: settings.keeps_unreferenced_large_objects(),
            classification: settings.classification()?,
            not_personal: settings.not_personal()?,
            anonymise: settings.anonymise(Timestamp::now())?,
            freshness: Freshness { max_age: settings.max_ledger_age()?, known_head: None },
            max_capture_lag: settings.max_capture_lag()?,
            subjects: settings.subjects()?,
            patience: self.patience,
            request: None,
            acknowledged: self.acknowledged.iter().map(|answered| answered.code()).collect(),
            read_back_all: false,
        })
    }
}

pub(super) fn wanted(text: &str) -> Result<Wanted, Failure> {
    if text == "latest" {
        return Ok(Wanted::Latest);
    }
    if let Some(time) = text.strip_prefix('@') {
        let at = time.parse().map_err(|_| {
            Failure::usage(format!("{time:?} is not a time")).hint("write @2026-11-23T11:49:05Z")
        })?;
        return Ok(Wanted::At(at));
    }
    let id = text.parse().map_err(|_| {
        Failure::usage(format!("{text:?} names no snapshot"))
            .hint("latest, an id from lethe snapshots, or @TIME")
    })?;
    Ok(Wanted::Id(id))
}

fn known_head(text: &str) -> Result<Head, Failure> {
    let parsed = text
        .split_once(':')
        .and_then(|(seq, hash)| Some(Head { seq: seq.parse().ok()?, hash: hash.parse().ok()? }));
    parsed.ok_or_else(|| {
        Failure::usage(format!("{text:?} names no ledger entry"))
            .hint("write its number and hash as lethe tombstone verify prints them: 17:9f86d0…")
    })
}

fn show_plan(plan: &Plan, output: &Output) {
    output.say(format!(
        "snapshot {}, ledger entry {}: {} people erased",
        plan.snapshot,
        plan.ledger_head.seq,
        count(plan.tombstones)
    ));
    output.say(format!("  for {}", plan.label));
    if !plan.label.holds_real_people() {
        output.say(format!(
            "  everybody is masked: {} columns, {} rows of their tables; large objects stay away",
            count(plan.masked.columns),
            count(plan.masked.rows)
        ));
        show_labels(&plan.mask_labels, output);
    }
    let rows: u64 = plan.tables.iter().map(|table| table.rows).sum();
    let size: u64 = plan.tables.iter().map(|table| table.plain_bytes).sum();
    output.say(format!("  {} rows of {} tables, {}", count(rows), plan.tables.len(), bytes(size)));
    show_only(&plan.only, output);
    let filtered: Vec<&str> =
        plan.tables.iter().filter(|table| table.filtered).map(|table| table.table.as_str()).collect();
    // Masks touch rows of people who are not erased, and so does a restore of a few alone.
    let of_erased = plan.only.is_empty() && (plan.label.holds_real_people() || plan.tombstones > 0);
    if !filtered.is_empty() && of_erased {
        output.say(format!("  rows of erased people may be in: {}", filtered.join(", ")));
    }
    if !plan.erased_columns.is_empty() {
        output.say(format!(
            "  erased as a whole, so what they held does not come back: {}",
            plan.erased_columns.join(", ")
        ));
    }
    for Kept { reference, because } in &plan.kept {
        output.say(format!("  {reference}: rows of erased people stay, because {because}"));
    }
    for incident in &plan.incidents {
        output.say(format!("  INCIDENT in the ledger: {incident}"));
    }
    if plan.written_ahead > 0 {
        output.say(format!(
            "  note: {} of them were put on the ledger before this snapshot was taken, ahead of their deletion; whatever has their ids in it is dropped",
            count(plan.written_ahead)
        ));
    }
    if plan.anonymised > 0 {
        output.say(format!(
            "  {} people are anonymised: their rows come back overwritten",
            count(plan.anonymised)
        ));
    }
    if plan.inactive > 0 {
        output.say(format!(
            "  {} people were not seen for so long that they are anonymised as well, and put on the ledger",
            count(plan.inactive)
        ));
    }
    show_large_objects(&plan.large_objects, output);
    if let Some(at) = plan.goes_at {
        output.say(format!(
            "  WARNING: this snapshot goes at {at}, before the restore is likely to be done: take a newer one, or keep this one with lethe hold add"
        ));
    }
    for table in &plan.tables {
        output.item("planned_table", table);
    }
}

fn show_labels(labels: &MaskLabels, output: &Output) {
    if labels.columns > 0 {
        output.say(format!("  {} of the columns are masked by their security labels", count(labels.columns)));
    }
    for column in &labels.overruled {
        output.say(format!("  {column}: masked by [[mask]], not by its security label"));
    }
    for table in &labels.sampled {
        output.say(format!("  {table}: its TABLESAMPLE label is not followed, all rows come"));
    }
}

fn show_only(only: &[OnlySubject], output: &Output) {
    for OnlySubject { subject, keys } in only {
        output.say(format!(
            "  only what belongs to {} of subject {subject}, and what that refers to; all else is left out",
            count(*keys)
        ));
    }
}

fn show_large_objects(objects: &LargeObjectCounts, output: &Output) {
    if objects.stored > 0 {
        output.say(format!(
            "  {} of {} large objects come back; {} belong to rows that are left out, and to {} no row refers",
            count(objects.restored),
            count(objects.stored),
            count(objects.of_dropped_rows),
            count(objects.unreferenced)
        ));
    }
}

fn show_stale(columns: &[MayBeStale], output: &Output) {
    if !columns.is_empty() {
        let named: Vec<String> =
            columns.iter().map(|stale| format!("{}.{}", stale.table, stale.column)).collect();
        output.say(format!(
            "\nmay tell of rows that are gone, so have the application compute it anew: {}",
            named.join(", ")
        ));
    }
}

fn show_report(report: &RestoreReport, output: &Output) {
    output.say(format!(
        "\n{:<40} {:>14} {:>14} {:>12} {:>10}",
        "table", "read", "loaded", "dropped", "changed"
    ));
    let line = |name: &str, rows: &lethe_engine::restore::RowCounts| {
        format!(
            "{name:<40} {:>14} {:>14} {:>12} {:>10}",
            count(rows.read),
            count(rows.loaded),
            count(rows.dropped),
            count(rows.changed)
        )
    };
    for table in &report.tables {
        output.say(line(&table.table, &table.rows));
    }
    output.say(line("all", &report.rows));
    show_only(&report.only, output);
    show_large_objects(&report.large_objects, output);
    show_stale(&report.may_be_stale, output);
    if report.masked.rows > 0 {
        output.say(format!(
            "\n{} rows were masked, in {} columns; what masked them is gone",
            count(report.masked.rows),
            count(report.masked.columns)
        ));
        let check = &report.masked.check;
        output.say(format!(
            "{} rows were read back: none of {} values in masked columns is one of the {} that are stored; of {} made-up values {} are what they were, by chance",
            count(check.rows),
            count(check.values),
            count(check.originals),
            count(check.made),
            count(check.same)
        ));
    }
    if report.rows.late_removed > 0 {
        output.say(format!(
            "\n{} of the dropped rows had been loaded when the erasure arrived: their tables were emptied and loaded again. They are in none of the tables' files, but in the server's write-ahead log until it is recycled",
            count(report.rows.late_removed)
        ));
    }
    output.say(format!(
        "\nready after {:.1} s, verified after {:.1} s (plan {:.1} s, rows loaded after {:.1} s); {} stored, {} plain",
        report.seconds.ready,
        report.seconds.verified,
        report.seconds.plan,
        report.seconds.load,
        bytes(report.bytes.stored),
        bytes(report.bytes.plain)
    ));
}
