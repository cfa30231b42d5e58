//! `lethe doctor`: everything that can be checked without a database, in one list.

mod second_store;

use jiff::Timestamp;
use lethe_engine::{Error, ExitCode, reports};
use lethe_format::report::ReportKind;
use lethe_rules::residency::{Purpose, WayOut, judge_target};
use lethe_rules::store_fitness::Use;
use serde::Serialize;
use serde_json::json;

use super::schedule;
use crate::args::Doctor;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

/// The content of `reports/residency`.
#[derive(Debug, Serialize)]
struct Residency<'a> {
    profile: String,
    stores: &'a [Store],
    targets: Vec<Target<'a>>,
    findings: &'a [String],
    /// Whether nothing speaks against where the data is.
    allowed: bool,
}

#[derive(Debug, Serialize)]
struct Store {
    #[serde(rename = "use")]
    purpose: &'static str,
    url: String,
    /// None if it is on this machine.
    place: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Target<'a> {
    host: &'a str,
    place: &'a str,
}

pub(crate) async fn run(settings: &Settings, args: Doctor, output: &Output) -> Result<(), Failure> {
    let residency = settings.residency()?;
    output.say(format!("profile   {}", residency.profile));
    let (stores, warnings) = settings.look_at_stores().await?;
    let mut findings = warnings;
    let mut policy = None;
    let mut ways_out = Vec::new();
    let mut seen = Vec::new();
    let uses = [("store", Use::Data, &stores.data), ("ledger", Use::Ledger, &stores.ledger)];
    for (what, purpose, store) in uses {
        let encryption = settings.store_encryption()?;
        let examined = residency.examine(store.as_ref(), purpose, encryption).await?;
        let place =
            examined.place.map_or_else(|| "on this machine".to_owned(), |place| format!("in {place}"));
        output.say(format!("{what:<9} {}: {place}", store.url()));
        let found = Store { purpose: what, url: store.url(), place: examined.place.map(|place| place.code) };
        output.item("store", &found);
        seen.push(found);
        let found = examined.ways_out.iter().map(|way| way.text().to_owned());
        for finding in examined.findings.into_iter().chain(found) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        ways_out.extend(examined.ways_out);
        policy = policy.or(examined.recommended_policy);
    }
    let (more, second_ways_out) = second_store::look(settings, &stores, output).await?;
    findings.extend(more);
    ways_out.extend(second_ways_out);
    let unusual = schedule::unusual(settings, stores.data.as_ref()).await?;
    findings.extend(unusual.iter().map(|(problem, _)| problem.clone()));
    let unique = format!("doctor-{}", Timestamp::now().as_microsecond());
    lethe_store::probe(stores.ledger.as_ref(), &unique).await?;
    output.say("          of 20 racing writers one wins, twice; what is written is listed");
    let mut forbidden = None;
    for label in &residency.labels {
        let purpose = match label.purpose {
            Purpose::Production => "production",
            Purpose::Staging => "staging",
            Purpose::Drill => "drill",
        };
        match judge_target(residency.profile, &residency.labels, &label.host, false) {
            Ok(_) => output.say(format!("target    {}: in {}, for {purpose}", label.host, label.residency)),
            Err(refusal) => {
                findings.push(refusal.to_string());
                forbidden = Some(Error::Residency { problem: refusal.problem, hint: refusal.hint });
            }
        }
    }
    for finding in &findings {
        output.say(format!("  - {finding}"));
        output.item("finding", &json!({"finding": finding}));
    }
    output.summary("doctor", &json!({"profile": residency.profile.to_string(), "findings": findings}));
    let elsewhere = ways_out.iter().find(|way| matches!(way, WayOut::Elsewhere(_)));
    if let Some(way) = elsewhere {
        let hint = "end it, or choose another place or somebody of yours; what else was found is in the list";
        forbidden =
            forbidden.or(Some(Error::Residency { problem: way.text().to_owned(), hint: hint.to_owned() }));
    }
    if args.record {
        let hosts = residency.labels.iter();
        let report = Residency {
            profile: residency.profile.to_string(),
            stores: &seen,
            targets: hosts.map(|label| Target { host: &label.host, place: &label.residency }).collect(),
            findings: &findings,
            allowed: forbidden.is_none(),
        };
        let repository = settings.open_repository().await?;
        let id = reports::write(&repository, ReportKind::Residency, Timestamp::now(), &report).await?;
        output.say(format!("report: reports/residency/{id}.json"));
    }
    if let Some(error) = forbidden {
        return Err(Failure { code: ExitCode::Residency, ..Failure::from(error) });
    }
    if let Some(policy) = policy {
        return Err(Failure::failed("the store itself does not guard the ledger").hint(format!(
            "add to the bucket's policy, with an exception for whoever may break the glass:\n{policy}"
        )));
    }
    if let Some(way) = ways_out.first() {
        return Err(Failure::failed(way.text())
            .hint("what is not known is not taken for fine; what else was found is in the list"));
    }
    match unusual {
        Some((problem, hint)) => Err(Failure::failed(problem).hint(hint)),
        None => Ok(()),
    }
}
