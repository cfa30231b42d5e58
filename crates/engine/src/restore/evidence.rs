//! What a restore leaves when it has verified: the content of `reports/restore/<id>.json`.
//!
//! A restore that a drill runs is part of the drill's own report and leaves no other.

use std::time::Duration;

use jiff::Timestamp;
use lethe_format::ids::EventId;
use lethe_format::report::ReportKind;
use lethe_rules::residency::TargetPlace;
use lethe_rules::target_label::TargetLabel;
use serde::{Deserialize, Serialize};

use super::RestoreReport;
use crate::{Error, Repository, reports};

/// The database is there already: whoever waits for it does not wait longer for its report.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names and counts, never a row's value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RestoreEvidence {
    /// Of this program.
    pub version: String,
    /// When the verification had come to its end.
    pub finished_at: Timestamp,
    pub target: RestoredTo,
    #[serde(flatten)]
    pub report: RestoreReport,
}

/// What the settings say of the server, without its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RestoredTo {
    /// The code of a place; none if it is on this machine and nothing more is said of it.
    pub place: Option<String>,
    /// None if nothing is said of it.
    pub purpose: Option<TargetLabel>,
}

impl From<TargetPlace> for RestoredTo {
    fn from(target: TargetPlace) -> Self {
        Self { place: target.place.map(|place| place.code.to_owned()), purpose: target.purpose }
    }
}

/// Stores what came of a restore that has verified, and returns the report's id.
///
/// # Errors
/// The store's, or [`Error::NotInTime`]; the restore itself is none the worse.
pub async fn keep(
    repository: &Repository,
    report: &RestoreReport,
    target: TargetPlace,
) -> Result<EventId, Error> {
    let finished_at = Timestamp::now();
    let evidence = RestoreEvidence {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        finished_at,
        target: target.into(),
        report: report.clone(),
    };
    let written = reports::write(repository, ReportKind::Restore, finished_at, &evidence);
    match tokio::time::timeout(PATIENCE, written).await {
        Ok(written) => written,
        Err(_) => Err(Error::NotInTime { what: "the report", seconds: PATIENCE.as_secs() }),
    }
}
