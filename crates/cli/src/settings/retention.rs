//! How long backups stay and how often one is expected: `[retention]` and `[schedule]`.

use std::time::Duration;

use jiff::SignedDuration;
use lethe_rules::retention::Retention;
use serde::Deserialize;

use super::{Settings, duration};
use crate::failure::Failure;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionSection {
    /// From which age on a snapshot goes; at most the 35 days that are promised.
    keep: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleSection {
    /// How often a snapshot is taken: one that is missing for twice that time is an alarm.
    snapshot_every: Option<String>,
    /// How often a drill is run: one that passed and is older than twice that is an alarm.
    drill_every: Option<String>,
}

impl Settings {
    pub(crate) fn retention(&self) -> Result<Retention, Failure> {
        let retention = Retention::default();
        let Some(text) = self.file.retention.keep.as_deref() else { return Ok(retention) };
        let keep = days(text).map_or_else(|| duration("keep", text), Ok)?;
        let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
        // A snapshot that was shared with the one before must outlive whatever may still be under way.
        if keep <= retention.grace || keep > retention.ceiling {
            return Err(Failure::usage(format!(
                "keep = {text:?} under [retention] is not between 4 and 35 days"
            ))
            .hint("35 days are promised as the most; the default of 34 leaves a daily pruner the last one"));
        }
        Ok(Retention { keep, ..retention })
    }

    pub(crate) fn snapshot_every(&self) -> Result<Option<Duration>, Failure> {
        self.file.schedule.snapshot_every.as_deref().map(|text| days_or("snapshot_every", text)).transpose()
    }

    pub(crate) fn drill_every(&self) -> Result<Option<Duration>, Failure> {
        self.file.schedule.drill_every.as_deref().map(|text| days_or("drill_every", text)).transpose()
    }
}

/// Days, or a shorter length of time.
pub(crate) fn days_or(setting: &str, text: &str) -> Result<Duration, Failure> {
    days(text).map_or_else(|| duration(setting, text), Ok)
}

/// `34 days` or `1 day`; the days that clocks are set forward have 24 hours as well.
pub(crate) fn days(text: &str) -> Option<Duration> {
    let number = text.trim().strip_suffix("days").or_else(|| text.trim().strip_suffix("day"))?;
    let seconds = number.trim().parse::<u64>().ok()?.checked_mul(86_400)?;
    Some(Duration::from_secs(seconds))
}
