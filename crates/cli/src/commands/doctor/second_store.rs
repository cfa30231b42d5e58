//! The second store, as the doctor sees it.

use lethe_engine::copy::{Behind, behind};
use lethe_engine::{ExitCode, Stores};
use lethe_rules::residency::WayOut;
use lethe_rules::store_fitness::Use;
use lethe_store::StoreEncryption;
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

/// What speaks against the second store, if there is to be one.
pub(super) async fn look(
    settings: &Settings,
    first: &Stores,
    output: &Output,
) -> Result<(Vec<String>, Vec<WayOut>), Failure> {
    let (mut findings, mut ways_out) = (Vec::new(), Vec::new());
    let Some(stores) = settings.second_stores().await? else { return Ok((findings, ways_out)) };
    let url = stores.data.url();
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
                let found = examined.ways_out.iter().map(|way| way.text().to_owned());
                for finding in examined.findings.into_iter().chain(found) {
                    if !findings.contains(&finding) {
                        findings.push(finding);
                    }
                }
                ways_out.extend(examined.ways_out);
            }
            Err(error) if error.exit_code() == ExitCode::Residency => return Err(error.into()),
            Err(error) => {
                findings.push(format!("the second store {url} cannot be looked at: {error}"));
                return Ok((findings, ways_out));
            }
        }
    }
    let Behind { entries, missing_entries, snapshots, missing_snapshots } = behind(first, &stores).await?;
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
    Ok((findings, ways_out))
}
