//! The second store, as the doctor sees it.

use lethe_engine::copy::{Behind, behind};
use lethe_engine::{ExitCode, Stores};
use lethe_rules::store_fitness::Use;
use lethe_store::StoreEncryption;

use super::look::Looked;
use crate::failure::Failure;
use crate::report::{StoreSeen, StoreUse};
use crate::settings::Settings;

/// Where it is and what speaks against that.
pub(crate) async fn look(settings: &Settings, stores: &Stores) -> Result<Looked, Failure> {
    let mut looked = Looked::default();
    let residency = settings.residency()?;
    let uses =
        [(StoreUse::Second, Use::Data, &stores.data), (StoreUse::SecondLedger, Use::Ledger, &stores.ledger)];
    for (named, purpose, store) in uses {
        let url = store.url();
        match residency.examine(store.as_ref(), purpose, StoreEncryption::ByBucket).await {
            Ok(examined) => looked.add(named, url, examined),
            Err(error) if error.exit_code() == ExitCode::Residency => return Err(error.into()),
            Err(error) => {
                let data = stores.data.url();
                looked.findings.push(format!("the second store {data} cannot be looked at: {error}"));
                looked.stores.push(StoreSeen { purpose: named, url, answered: false, place: None });
                return Ok(looked);
            }
        }
    }
    // What would guard the first store's ledger is another policy.
    looked.policy = None;
    Ok(looked)
}

/// What it lacks of the first one.
pub(super) async fn lacks(first: &Stores, second: &Stores) -> Result<Vec<String>, Failure> {
    let mut findings = Vec::new();
    let Behind { entries, missing_entries, snapshots, missing_snapshots } = behind(first, second).await?;
    if missing_entries > 0 {
        findings.push(format!(
            "{missing_entries} of {entries} ledger entries are not in the second store: lethe copy"
        ));
    }
    if missing_snapshots > 0 {
        findings.push(format!(
            "{missing_snapshots} of {snapshots} snapshots are in the first store alone: lethe copy"
        ));
    }
    Ok(findings)
}
