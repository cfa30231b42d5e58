//! The stores: where they are, what leaves them, whether they can keep a ledger, and the second one.

use jiff::Timestamp;
use lethe_engine::Stores;
use lethe_rules::doctor::Finding;
use lethe_rules::residency::{WayOut, place};

use super::list::List;
use super::look::{self, Looked};
use super::second_store;
use crate::commands::schedule;
use crate::failure::Failure;
use crate::report::StoreUse;
use crate::settings::Settings;

const CHECK: &str = "stores";

/// None if the stores may not be touched.
pub(super) async fn look(settings: &Settings, list: &mut List<'_>) -> Option<(Stores, Looked)> {
    let (stores, warnings) = match settings.look_at_stores().await {
        Ok(found) => found,
        Err(failure) => {
            list.failed(CHECK, failure);
            return None;
        }
    };
    let mut looked = match look::first(settings, &stores, warnings).await {
        Ok(looked) => looked,
        Err(failure) => {
            list.failed(CHECK, failure);
            return None;
        }
    };
    say(list, &looked);
    match settings.second_stores().await {
        Ok(None) => {}
        Ok(Some(second)) => match self::second(settings, &stores, &second, list).await {
            Ok(found) => looked.join(found),
            Err(failure) => list.failed("second store", failure),
        },
        Err(failure) => list.failed("second store", failure),
    }
    Some((stores, looked))
}

async fn second(
    settings: &Settings,
    first: &Stores,
    second: &Stores,
    list: &mut List<'_>,
) -> Result<Looked, Failure> {
    let mut found = second_store::look(settings, second).await?;
    if found.stores.iter().all(|store| store.answered) {
        found.findings.extend(second_store::lacks(first, second).await?);
    }
    say(list, &found);
    Ok(found)
}

fn say(list: &mut List<'_>, looked: &Looked) {
    for store in looked.stores.iter().filter(|store| store.answered) {
        let known = store.place.and_then(place);
        let place = known.map_or_else(|| "on this machine".to_owned(), |place| format!("in {place}"));
        let what = match store.purpose {
            StoreUse::Store => "store",
            StoreUse::Ledger => "ledger",
            StoreUse::Second => "second store",
            StoreUse::SecondLedger => "second ledger",
        };
        list.add(Finding::ok(CHECK, format!("{what} {}: {place}", store.url)));
    }
    for finding in &looked.findings {
        match looked.ways_out.iter().find(|way| way.text() == finding) {
            None => list.add(Finding::warning(CHECK, finding, "docs/RESIDENCY.md says what it means")),
            Some(WayOut::Elsewhere(_)) => {
                list.forbid(
                    "ways out",
                    finding.clone(),
                    "end it, or choose another place or somebody of yours".to_owned(),
                );
            }
            Some(_) => {
                let advice =
                    "what is not known is not taken for fine: docs/RESIDENCY.md, other ways out of a bucket";
                list.add(Finding::wrong("ways out", finding, advice));
            }
        }
    }
    if let Some(policy) = &looked.policy {
        let advice = format!(
            "add to the bucket's policy, with an exception for whoever may break the glass:\n{policy}"
        );
        list.add(Finding::wrong("ledger's guard", "the store itself does not guard the ledger", advice));
    }
}

/// Twenty writers race for one object, twice.
pub(super) async fn race(stores: &Stores) -> Result<Finding, Failure> {
    let unique = format!("doctor-{}", Timestamp::now().as_microsecond());
    lethe_store::probe(stores.ledger.as_ref(), &unique).await?;
    Ok(Finding::ok("ledger's store", "of 20 racing writers one wins, twice; what is written is listed"))
}

pub(super) async fn clock(stores: &Stores) -> Result<Finding, Failure> {
    let store = lethe_engine::doctor::store_clock(&stores.data).await?;
    Ok(lethe_rules::doctor::clock(Timestamp::now(), store))
}

/// Whether snapshots come as often as they should.
pub(super) async fn schedule(settings: &Settings, stores: &Stores) -> Result<Finding, Failure> {
    const CHECK: &str = "snapshots";
    Ok(match schedule::unusual(settings, stores.data.as_ref()).await? {
        Some((problem, hint)) => Finding::wrong(CHECK, problem, hint),
        None if settings.snapshot_every()?.is_none() => {
            Finding::ok(CHECK, "as many as usual; [schedule] snapshot_every would say when one is late")
        }
        None => Finding::ok(CHECK, "they come as often as the schedule says"),
    })
}

/// The labels of servers in the settings.
pub(super) fn targets(settings: &Settings, list: &mut List<'_>) -> Result<(), Failure> {
    const CHECK: &str = "targets";
    for (target, refusal) in look::targets(&settings.residency()?) {
        match refusal {
            None => list.add(Finding::ok(
                CHECK,
                format!("{}: in {}, for {}", target.host, target.place, target.purpose),
            )),
            Some(refusal) => list.forbid(CHECK, refusal.problem.clone(), refusal.hint),
        }
    }
    Ok(())
}
