//! The ledger, the audit log, and when things were last done.

use jiff::Timestamp;
use lethe_engine::health::{self, Health};
use lethe_engine::{Repository, doctor};
use lethe_rules::doctor::{
    DrillsSeen, Finding, PruneSeen, audit as judge_audit, drills, ledger as judge_ledger, prune,
};

use super::list::List;
use crate::failure::Failure;
use crate::settings::Settings;

const NO_NAMING_KEY: &str = "no naming key here";
const NAMING_KEY: &str = "set naming_key_file in lethe.toml";

pub(super) async fn ledger(settings: &Settings, repository: &Repository) -> Result<Finding, Failure> {
    let last_seen = settings.last_seen(repository);
    let seen = doctor::ledger(repository, &last_seen, settings.max_ledger_age()?).await?;
    Ok(judge_ledger(seen, Timestamp::now()))
}

pub(super) async fn audit(settings: &Settings, repository: &Repository) -> Result<Finding, Failure> {
    if !repository.has_naming_key() {
        return Ok(Finding::unknown("audit log", NO_NAMING_KEY, NAMING_KEY));
    }
    let key = settings.audit_public_key(None, Some(repository))?;
    let seen = doctor::audit(repository, &settings.audit_last_seen(repository), key.as_ref()).await?;
    Ok(judge_audit(seen, Timestamp::now()))
}

/// By the reports that drills and prunes have left.
pub(super) async fn ages(settings: &Settings, repository: &Repository, list: &mut List<'_>) {
    if !repository.has_naming_key() {
        for check in ["drills", "prune"] {
            list.add(Finding::unknown(check, NO_NAMING_KEY, NAMING_KEY));
        }
        return;
    }
    let now = Timestamp::now();
    match (health::look(repository, now).await, settings.drill_every()) {
        (Ok(health), Ok(every)) => {
            let Health { snapshots, drill, good_drill, prune: newest, .. } = health;
            let newest_drill = drill.map(|drill| (drill.at, drill.passed));
            let good = good_drill.map(|drill| drill.at);
            list.add(drills(DrillsSeen { newest: newest_drill, good, every }, now));
            let remains = newest.as_ref().map_or(0, |newest| newest.remains);
            let newest = newest.map(|newest| newest.at);
            list.add(prune(PruneSeen { newest, remains, oldest: snapshots.oldest }, now));
        }
        (Err(error), _) => list.failed("drills", error.into()),
        (_, Err(failure)) => list.failed("drills", failure),
    }
}
