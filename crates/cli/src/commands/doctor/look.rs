//! Where the stores and the servers are: what the doctor says of them, and what a report is made of.

use lethe_engine::Stores;
use lethe_engine::residency::{Examined, Residency};
use lethe_rules::residency::{Refusal, WayOut, judge_target};
use lethe_rules::store_fitness::Use;

use crate::failure::Failure;
use crate::report::{StoreSeen, StoreUse, TargetSeen};
use crate::settings::Settings;

/// What was found out about stores.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    pub(crate) stores: Vec<StoreSeen>,
    pub(crate) findings: Vec<String>,
    /// Each of them is among the findings as well.
    pub(crate) ways_out: Vec<WayOut>,
    /// The statements that would guard the ledger, if some are missing.
    pub(crate) policy: Option<String>,
}

impl Looked {
    pub(super) fn add(&mut self, purpose: StoreUse, url: String, examined: Examined) {
        let place = examined.place.map(|place| place.code);
        self.stores.push(StoreSeen { purpose, url, answered: true, place });
        let found = examined.ways_out.iter().map(|way| way.text().to_owned());
        for finding in examined.findings.into_iter().chain(found) {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
        self.ways_out.extend(examined.ways_out);
        self.policy = self.policy.take().or(examined.recommended_policy);
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.stores.extend(other.stores);
        self.findings.extend(other.findings);
        self.ways_out.extend(other.ways_out);
        self.policy = self.policy.take().or(other.policy);
    }
}

/// The stores of the first place. `warnings` are those that opening them has given.
pub(crate) async fn first(
    settings: &Settings,
    stores: &Stores,
    warnings: Vec<String>,
) -> Result<Looked, Failure> {
    let residency = settings.residency()?;
    let mut looked = Looked { findings: warnings, ..Looked::default() };
    let uses = [(StoreUse::Store, Use::Data, &stores.data), (StoreUse::Ledger, Use::Ledger, &stores.ledger)];
    for (named, purpose, store) in uses {
        let encryption = settings.store_encryption()?;
        let examined = residency.examine(store.as_ref(), purpose, encryption).await?;
        looked.add(named, store.url(), examined);
    }
    Ok(looked)
}

/// The servers that have a label, and why one may not be restored to.
pub(crate) fn targets(residency: &Residency) -> Vec<(TargetSeen, Option<Refusal>)> {
    let look = |label: &lethe_rules::residency::Label| {
        let refusal = judge_target(residency.profile, &residency.labels, &label.host, false).err();
        let seen = TargetSeen {
            host: label.host.clone(),
            place: label.residency.clone(),
            purpose: label.purpose.clone(),
            allowed: refusal.is_none(),
        };
        (seen, refusal)
    };
    residency.labels.iter().map(look).collect()
}
