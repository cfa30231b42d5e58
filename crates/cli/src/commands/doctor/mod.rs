//! `lethe doctor`: everything that can be checked without a database, in one list.

pub(super) mod look;
pub(super) mod second_store;

use jiff::Timestamp;
use lethe_engine::{Error, ExitCode, reports};
use lethe_format::report::ReportKind;
use lethe_rules::residency::{WayOut, place};
use serde::Serialize;
use serde_json::json;

use self::look::Looked;
use super::schedule;
use crate::args::Doctor;
use crate::failure::Failure;
use crate::output::Output;
use crate::report::{StoreSeen, StoreUse, TargetSeen};
use crate::settings::Settings;

/// The content of `reports/residency`.
#[derive(Debug, Serialize)]
struct Residency<'a> {
    profile: String,
    stores: &'a [StoreSeen],
    targets: Vec<Target<'a>>,
    findings: &'a [String],
    /// Whether nothing speaks against where the data is.
    allowed: bool,
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
    let mut looked = look::first(settings, &stores, warnings).await?;
    for store in &looked.stores {
        let known = store.place.and_then(place);
        let place = known.map_or_else(|| "on this machine".to_owned(), |place| format!("in {place}"));
        let what = if store.purpose == StoreUse::Ledger { "ledger" } else { "store" };
        output.say(format!("{what:<9} {}: {place}", store.url));
        output.item("store", &json!({"use": what, "url": store.url, "place": store.place}));
    }
    let second_stores = settings.second_stores().await?;
    if let Some(second) = &second_stores {
        let found = second_store::look(settings, second).await?;
        let answered = found.stores.iter().all(|store| store.answered);
        let data = found.stores.iter().find(|store| store.purpose == StoreUse::Second && store.answered);
        if let Some(store) = data {
            let (url, place) = (&store.url, store.place.unwrap_or("on this machine"));
            output.say(format!("second    {url}: {place}"));
            output.item("store", &json!({"use": "second", "url": url, "place": store.place}));
        }
        looked.join(found);
        if answered {
            looked.findings.extend(second_store::lacks(&stores, second).await?);
        }
    }
    let Looked { stores: seen, mut findings, ways_out, policy } = looked;
    let unusual = schedule::unusual(settings, stores.data.as_ref()).await?;
    findings.extend(unusual.iter().map(|(problem, _)| problem.clone()));
    let unique = format!("doctor-{}", Timestamp::now().as_microsecond());
    lethe_store::probe(stores.ledger.as_ref(), &unique).await?;
    output.say("          of 20 racing writers one wins, twice; what is written is listed");
    let mut forbidden = None;
    for (target, refusal) in look::targets(&residency) {
        let TargetSeen { host, place, purpose, .. } = target;
        match refusal {
            None => output.say(format!("target    {host}: in {place}, for {purpose}")),
            Some(refusal) => {
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
