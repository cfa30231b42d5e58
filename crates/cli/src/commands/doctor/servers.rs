//! The source and a target, where they are given.

use std::time::Duration;

use lethe_engine::restore::{RestoreOptions, Wanted};
use lethe_engine::{Repository, capture, doctor, restore};
use lethe_postgres::ConnectionSettings;
use lethe_rules::doctor::{CaptureSeen, Finding, capture as judge_capture, objections, settings_that_leak};
use lethe_rules::target_label::TargetLabel;

use super::list::List;
use crate::commands::restore::Everyday;
use crate::failure::Failure;
use crate::settings::Settings;

/// Whether deletions reach the ledger.
pub(super) async fn source(
    settings: &Settings,
    source: Option<&ConnectionSettings>,
) -> Result<Finding, Failure> {
    let Some(source) = source else {
        let advice = "lethe doctor --from URL looks at the live database";
        return Ok(Finding::unknown("capture", "no --from", advice));
    };
    let subjects = settings.captured_subjects()?;
    let status = capture::status(source, &subjects).await?;
    let (waiting, lag) =
        status.as_ref().map_or((0, Duration::ZERO), |status| (status.outbox.waiting, status.outbox.lag()));
    Ok(judge_capture(CaptureSeen {
        installed: status.is_some(),
        up_to_date: status.and_then(|status| status.up_to_date),
        waiting,
        lag,
        max_lag: settings.max_capture_lag()?,
    }))
}

/// Everything that a restore into it would object to, and what carries rows away from it afterwards.
pub(super) async fn target(
    settings: &Settings,
    into: Option<&ConnectionSettings>,
    label: Option<TargetLabel>,
    repository: Option<&Repository>,
    list: &mut List<'_>,
) {
    const CHECK: &str = "target";
    let Some(into) = into else {
        list.add(Finding::unknown(
            CHECK,
            "no --into",
            "lethe doctor --into URL looks at a server to restore to",
        ));
        return;
    };
    let server_label = match settings.residency().and_then(|residency| Ok(residency.check_target(into)?)) {
        Ok(place) => place.purpose,
        Err(failure) => return list.failed(CHECK, failure),
    };
    match repository.filter(|repository| repository.has_identities()) {
        None => list.add(Finding::unknown(
            CHECK,
            "no identity here, which opens the snapshot that would be restored",
            "run it where the restore is to be run",
        )),
        Some(repository) => {
            let options = options(settings, label).map(|options| RestoreOptions { server_label, ..options });
            let found = async {
                Ok::<_, Failure>(
                    restore::look(repository, into, &options?, &settings.last_seen(repository)).await?,
                )
            };
            match found.await {
                Ok(found) => list.extend(objections(&found, &into.to_string())),
                Err(failure) => list.failed(CHECK, failure),
            }
        }
    }
    match doctor::outflow(into).await {
        Ok(found) => list.extend(settings_that_leak(&found)),
        Err(error) => list.failed("target settings", error.into()),
    }
}

fn options(settings: &Settings, label: Option<TargetLabel>) -> Result<RestoreOptions, Failure> {
    let everyday = Everyday {
        snapshot: Wanted::Latest,
        jobs: None,
        memory: None,
        acknowledged: &[],
        patience: Duration::from_secs(60),
    };
    Ok(RestoreOptions { label, ..everyday.options(settings)? })
}
