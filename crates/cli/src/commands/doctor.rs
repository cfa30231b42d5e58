//! `lethe doctor`: everything that can be checked without a database, in one list.

use jiff::Timestamp;
use lethe_engine::ledger::{self, Followed};
use lethe_engine::restore::snapshot_ids;
use lethe_engine::{Error, ExitCode};
use lethe_rules::residency::{Purpose, judge_target};
use lethe_rules::store_fitness::Use;
use lethe_store::StoreEncryption;
use serde_json::json;

use super::schedule;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let residency = settings.residency()?;
    output.say(format!("profile   {}", residency.profile));
    let (stores, warnings) = settings.look_at_stores().await?;
    let mut findings = warnings;
    let mut policy = None;
    let uses = [("store", Use::Data, &stores.data), ("ledger", Use::Ledger, &stores.ledger)];
    for (what, purpose, store) in uses {
        let encryption = settings.store_encryption()?;
        let examined = residency.examine(store.as_ref(), purpose, encryption).await?;
        let place =
            examined.place.map_or_else(|| "on this machine".to_owned(), |place| format!("in {place}"));
        output.say(format!("{what:<9} {}: {place}", store.url()));
        output.item(
            "store",
            &json!({"use": what, "url": store.url(), "place": examined.place.map(|place| place.code)}),
        );
        for finding in examined.findings {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        policy = policy.or(examined.recommended_policy);
    }
    findings.extend(second_store(settings, output).await?);
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
    match (forbidden, policy) {
        (None, None) => match unusual {
            Some((problem, hint)) => Err(Failure::failed(problem).hint(hint)),
            None => Ok(()),
        },
        (None, Some(policy)) => {
            Err(Failure::failed("the store itself does not guard the ledger").hint(format!(
                "add to the bucket's policy, with an exception for whoever may break the glass:\n{policy}"
            )))
        }
        (Some(error), _) => Err(Failure { code: ExitCode::Residency, ..Failure::from(error) }),
    }
}

/// What speaks against the second store, if there is to be one.
async fn second_store(settings: &Settings, output: &Output) -> Result<Vec<String>, Failure> {
    let Some(stores) = settings.second_stores().await? else { return Ok(Vec::new()) };
    let url = stores.data.url();
    let mut findings = Vec::new();
    let residency = settings.residency()?;
    for (purpose, store) in [(Use::Data, &stores.data), (Use::Ledger, &stores.ledger)] {
        let examined = residency.examine(store.as_ref(), purpose, StoreEncryption::ByBucket).await;
        match examined {
            Ok(examined) => {
                let place = examined.place.map_or("on this machine", |place| place.code);
                if purpose == Use::Data {
                    output.say(format!("second    {url}: {place}"));
                    output.item(
                        "store",
                        &json!({"use": "second", "url": url, "place": examined.place.map(|place| place.code)}),
                    );
                }
                findings.extend(
                    examined
                        .findings
                        .into_iter()
                        .filter(|finding| !findings.contains(finding))
                        .collect::<Vec<_>>(),
                );
            }
            Err(error) if error.exit_code() == ExitCode::Residency => return Err(error.into()),
            Err(error) => {
                findings.push(format!("the second store {url} cannot be looked at: {error}"));
                return Ok(findings);
            }
        }
    }
    let repository = settings.open_repository().await?;
    let Some(copy) = repository.copy() else { return Ok(findings) };
    match ledger::followed(&repository).await? {
        Some(Followed { entries, copied }) if copied < entries => findings.push(format!(
            "{} of {entries} ledger entries are not in the second store: lethe copy",
            entries.saturating_sub(copied)
        )),
        _ => {}
    }
    let (here, there) = (snapshot_ids(&repository).await?, snapshot_ids(&copy).await?);
    let single = here.iter().filter(|id| !there.contains(id)).count();
    if single > 0 {
        findings
            .push(format!("{single} of {} snapshots are in the first store alone: lethe copy", here.len()));
    }
    Ok(findings)
}
