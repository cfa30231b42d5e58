//! `lethe report`: gathers the facts, has a page made of them and hands it over.

use std::path::Path;

use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::drill::DrillEvidence;
use lethe_engine::holds;
use lethe_engine::prune::{self, PruneOptions, Receipt};
use lethe_engine::reports::{self, Newest};
use lethe_engine::restore::RestoreEvidence;
use lethe_format::ids::EventId;
use lethe_format::report::ReportKind;
use lethe_rules::residency::WayOut;
use serde_json::json;

use super::doctor::{look, second_store};
use crate::args::{Report, ReportFormat, ReportLanguage, ReportOf, ReportPage};
use crate::failure::Failure;
use crate::output::Output;
use crate::report::{
    self, Drilled, Facts, Finding, Language, PastDrill, PastPrune, Placed, Restored, Retained,
};
use crate::settings::Settings;

/// The newest reports that a history shows.
const HISTORY: usize = 30;

pub(crate) async fn run(settings: &Settings, command: Report, output: &Output) -> Result<(), Failure> {
    let (page, facts) = match command {
        Report::Restore(ReportOf { id, page }) => (page, About::Restore(id)),
        Report::Drill(ReportOf { id, page }) => (page, About::Drill(id)),
        Report::Retention(page) => (page, About::Retention),
        Report::Residency(page) => (page, About::Residency),
    };
    if page.out.is_none() && output.is_for_programs() {
        return Err(Failure::usage("the report and the lines of --output json would be mixed up")
            .hint("--format json gives the report itself as JSON; --out FILE keeps the two apart"));
    }
    write_report(&facts.gather(settings).await?, &page, output)
}

/// As a page or as JSON.
pub(super) fn write_report(
    report: &report::Report,
    page: &ReportPage,
    output: &Output,
) -> Result<(), Failure> {
    let text = match page.format {
        ReportFormat::Html => report.page(page.lang.into()),
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(report).map_err(Failure::failed)?;
            json + "\n"
        }
    };
    write(output, page.out.as_deref(), text.as_bytes())?;
    if let Some(path) = &page.out {
        output.say(format!("report: {}", path.display()));
        output.summary("report", &json!({"file": path, "bytes": text.len()}));
    }
    Ok(())
}

/// To a file, or to standard output.
pub(super) fn write(output: &Output, file: Option<&Path>, text: &[u8]) -> Result<(), Failure> {
    match file {
        None => output.document(text).map_err(|cause| not_written(Path::new("standard output"), &cause)),
        Some(path) => std::fs::write(path, text).map_err(|cause| not_written(path, &cause)),
    }
}

impl From<ReportLanguage> for Language {
    fn from(language: ReportLanguage) -> Self {
        match language {
            ReportLanguage::En => Self::En,
            ReportLanguage::Da => Self::Da,
        }
    }
}

fn not_written(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::failed(format!("write {}: {cause}", path.display())).hint("nothing in the store was changed")
}

enum About {
    Restore(Option<EventId>),
    Drill(Option<EventId>),
    Retention,
    Residency,
}

impl About {
    async fn gather(self, settings: &Settings) -> Result<report::Report, Failure> {
        let made_at = Timestamp::now();
        let (store, repository, facts) = match self {
            Self::Residency => {
                let (placed, store) = residency(settings).await?;
                (store, None, Facts::Residency(placed))
            }
            other => {
                let repository = settings.open_repository().await?;
                let facts = match other {
                    Self::Restore(id) => restore(&repository, id).await?,
                    Self::Drill(id) => drill(&repository, id).await?,
                    _ => retention(settings, &repository, made_at).await?,
                };
                (repository.store().url(), Some(repository.id().to_owned()), facts)
            }
        };
        Ok(report::Report { made_at, program: env!("CARGO_PKG_VERSION"), store, repository, facts })
    }
}

/// The report that was asked for, or the newest.
async fn choose(repository: &Repository, kind: ReportKind, id: Option<EventId>) -> Result<EventId, Failure> {
    let ids = reports::list(repository, kind).await?;
    match id {
        Some(id) if ids.contains(&id) => Ok(id),
        Some(id) => Err(Failure::usage(format!("there is no report {id} of a {kind}")).hint(format!(
            "without an id the newest one is shown; they lie below reports/{kind}/ in the store"
        ))),
        None => ids.into_iter().next_back().ok_or_else(|| {
            Failure::failed(format!("no {kind} has left a report yet"))
                .hint(format!("lethe {kind} writes one when it has come to its end"))
        }),
    }
}

async fn restore(repository: &Repository, id: Option<EventId>) -> Result<Facts, Failure> {
    let id = choose(repository, ReportKind::Restore, id).await?;
    let report = reports::read::<RestoreEvidence>(repository, ReportKind::Restore, &id).await?;
    Ok(Facts::Restore(Restored { id, evidence: report.content }))
}

async fn drill(repository: &Repository, id: Option<EventId>) -> Result<Facts, Failure> {
    let id = choose(repository, ReportKind::Drill, id).await?;
    let report = reports::read::<DrillEvidence>(repository, ReportKind::Drill, &id).await?;
    let Newest { reports: past, unreadable } =
        reports::newest::<DrillEvidence>(repository, ReportKind::Drill, HISTORY).await?;
    let history = past.into_iter().rev().map(|past| PastDrill::new(past.id, &past.content)).collect();
    Ok(Facts::Drill(Box::new(Drilled { id, evidence: report.content, history, unreadable })))
}

async fn retention(settings: &Settings, repository: &Repository, now: Timestamp) -> Result<Facts, Failure> {
    let options = PruneOptions { retention: settings.retention()?, ..PruneOptions::default() };
    let plan = prune::plan(repository, &options, now).await?;
    let Newest { reports: past, unreadable } =
        reports::newest::<Receipt>(repository, ReportKind::Prune, HISTORY).await?;
    let prunes = past
        .into_iter()
        .map(|past| PastPrune { report: past.id, at: past.at, receipt: past.content })
        .collect();
    let mut snapshots = plan.stored.snapshots.clone();
    snapshots.sort_by_key(|verdict| verdict.taken_at);
    Ok(Facts::Retention(Retained {
        at: plan.stored.at,
        keep: options.retention.keep.as_hours() / 24,
        ceiling: options.retention.ceiling.as_hours() / 24,
        snapshots,
        next: plan.summary(),
        holds: holds::list(repository, plan.stored.at).await?,
        prunes,
        unreadable,
    }))
}

/// The facts, and the store that they are about.
async fn residency(settings: &Settings) -> Result<(Placed, String), Failure> {
    let residency = settings.residency()?;
    let (stores, warnings) = settings.look_at_stores().await?;
    let mut looked = look::first(settings, &stores, warnings).await?;
    if let Some(second) = settings.second_stores().await? {
        looked.join(second_store::look(settings, &second).await?);
    }
    let targets = look::targets(&residency);
    let of_ways_out = looked.ways_out.iter().map(|way| match way {
        WayOut::Elsewhere(text) => Finding::Elsewhere(text.clone()),
        WayOut::Unknown(text) => Finding::Unknown(text.clone()),
    });
    let is_way_out = |text: &String| looked.ways_out.iter().any(|way| way.text() == text);
    let others = looked.findings.iter().filter(|text| !is_way_out(text)).cloned().map(Finding::Other);
    let refused =
        targets.iter().filter_map(|(_, refusal)| Some(Finding::Elsewhere(refusal.as_ref()?.to_string())));
    let mut findings: Vec<Finding> = Vec::new();
    for finding in of_ways_out.chain(refused).chain(others) {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    let placed = Placed {
        profile: residency.profile.to_string(),
        allowed: residency.profile.allowed().collect(),
        stores: looked.stores,
        targets: targets.into_iter().map(|(target, _)| target).collect(),
        findings,
    };
    Ok((placed, stores.data.url()))
}
