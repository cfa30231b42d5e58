//! What can be wrong and be found out before a restore is needed: one finding for each check, with advice.
//!
//! Here are the verdicts, each a pure function of what was seen. Whoever looks is `lethe doctor`.

mod ages;
mod audit;
mod capture;
mod clock;
mod drill_host;
mod ledger;
mod named;
mod target;
mod words;

use serde::Serialize;

pub use ages::{DrillsSeen, PruneSeen, drills, prune};
pub use audit::{AuditSeen, audit};
pub use capture::{CaptureSeen, capture};
pub use clock::clock;
pub use drill_host::{LeftoverSeen, ProgramsSeen, free_space, leftovers, programs};
pub use ledger::{LedgerSeen, ledger};
pub use named::{Named, coverage, named};
pub use target::{ServerSetting, objections, settings_that_leak};
pub use words::age;

/// What one check came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// Worth knowing; nothing that is promised depends on it today.
    Warning,
    /// Somebody must act.
    Wrong,
    /// Not looked at, since something for it is not at hand here.
    Unknown,
}

/// One line of the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What was looked at: one word or two, the same from run to run.
    pub check: &'static str,
    pub verdict: Verdict,
    /// What was found, without a row's value or a secret.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    #[must_use]
    pub fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, what: what.into(), advice: None }
    }

    #[must_use]
    pub fn warning(check: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, what: what.into(), advice: Some(advice.into()) }
    }

    #[must_use]
    pub fn wrong(check: &'static str, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Wrong, what: what.into(), advice: Some(advice.into()) }
    }

    /// `lacking` is what would be needed here.
    #[must_use]
    pub fn unknown(check: &'static str, lacking: impl Into<String>, advice: impl Into<String>) -> Self {
        let what = format!("not looked at: {}", lacking.into());
        Self { check, verdict: Verdict::Unknown, what, advice: Some(advice.into()) }
    }
}
