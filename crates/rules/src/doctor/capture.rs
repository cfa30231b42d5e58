use std::time::Duration;

use super::{Finding, words::length};

/// What reports deletions in the source.
#[derive(Clone, Copy, Debug)]
pub struct CaptureSeen {
    pub installed: bool,
    /// Whether it is what the settings ask for; none if they name no subjects.
    pub up_to_date: Option<bool>,
    pub waiting: u64,
    /// How long the oldest one has waited.
    pub lag: Duration,
    /// `[capture] max_lag`.
    pub max_lag: Duration,
}

#[must_use]
pub fn capture(seen: CaptureSeen) -> Finding {
    const CHECK: &str = "capture";
    if !seen.installed {
        let what =
            "the source does not report deletions itself: whoever deletes must run lethe tombstone add";
        let advice = "lethe tombstone capture install (docs/ERASURE.md)";
        return Finding::warning(CHECK, what, advice);
    }
    if seen.up_to_date == Some(false) {
        let what = "what is installed in the source is not what the settings ask for";
        return Finding::wrong(CHECK, what, "lethe tombstone capture install --confirm");
    }
    let lag = i64::try_from(seen.lag.as_secs()).unwrap_or(i64::MAX);
    if seen.lag > seen.max_lag {
        let what = format!("{} deletions wait, the oldest for {}", seen.waiting, length(lag));
        return Finding::wrong(CHECK, what, "is lethe tombstone capture run --follow at work?");
    }
    Finding::ok(CHECK, format!("installed; {} deletions wait", seen.waiting))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Ok, Warning, Wrong};
    use super::*;

    #[test]
    fn missing_out_of_date_or_behind() {
        let max_lag = Duration::from_secs(900);
        for (installed, up_to_date, lag, verdict) in [
            (false, None, 0, Warning),
            (true, None, 0, Ok),
            (true, Some(true), 899, Ok),
            (true, Some(true), 901, Wrong),
            (true, Some(false), 0, Wrong),
        ] {
            let lag = Duration::from_secs(lag);
            let found = capture(CaptureSeen { installed, up_to_date, waiting: 1, lag, max_lag });
            assert_eq!(found.verdict, verdict, "{found:?}");
        }
    }
}
