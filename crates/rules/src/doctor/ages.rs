//! Whether drills and prunes come as often as they should.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Finding, age, words::length};
use crate::retention::Retention;

/// Drills, as their evidence has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct DrillsSeen {
    /// The newest one, and whether it passed.
    pub newest: Option<(Timestamp, bool)>,
    /// The newest one that passed.
    pub good: Option<Timestamp>,
    /// How often one is expected, by the settings.
    pub every: Option<Duration>,
}

/// Without an expectation, a drill that is older than any backup says nothing about one that is kept.
#[must_use]
pub fn drills(seen: DrillsSeen, now: Timestamp) -> Finding {
    const CHECK: &str = "drills";
    const LOOK: &str = "run lethe drill; lethe report drill shows what the last one found (docs/DRILLS.md)";
    if let Some((at, false)) = seen.newest {
        return Finding::wrong(CHECK, format!("the newest drill, {} ago, failed", age(now, at)), LOOK);
    }
    let limit = seen.every.and_then(|every| SignedDuration::try_from(every).ok());
    let Some(good) = seen.good else {
        let what = "no drill has passed yet: nobody knows whether a restore would work";
        return match limit {
            Some(_) => Finding::wrong(CHECK, what, LOOK),
            None => Finding::warning(CHECK, what, LOOK),
        };
    };
    let ago = now.duration_since(good);
    let what = format!("the newest drill that passed was {} ago", age(now, good));
    match limit {
        Some(every) if ago > every.saturating_mul(2) => {
            let what = format!("{what}, and one is expected every {}", length(every.as_secs()));
            Finding::wrong(CHECK, what, format!("is its schedule running? {LOOK}"))
        }
        None if ago > Retention::CEILING => {
            Finding::warning(CHECK, format!("{what}: it was of a backup that is gone"), LOOK)
        }
        _ => Finding::ok(CHECK, what),
    }
}

/// The newest prune, as its receipt has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PruneSeen {
    pub newest: Option<Timestamp>,
    /// What it found beyond the ceiling and could not remove.
    pub remains: u64,
    /// When the oldest snapshot was finished that is stored.
    pub oldest: Option<Timestamp>,
}

/// What a daily schedule may miss.
const PRUNED_WITHIN: SignedDuration = SignedDuration::from_hours(48);

#[must_use]
pub fn prune(seen: PruneSeen, now: Timestamp) -> Finding {
    const CHECK: &str = "prune";
    const ADVICE: &str = "run lethe prune, which says what would go and why; then lethe prune --confirm, daily (docs/OPERATIONS.md)";
    let age_of = |at: Timestamp| now.duration_since(at);
    if let Some(oldest) = seen.oldest.filter(|oldest| age_of(*oldest) > Retention::CEILING) {
        let what = format!("a snapshot is {} old, and 35 days are promised as the most", age(now, oldest));
        return Finding::wrong(CHECK, what, ADVICE);
    }
    if seen.remains > 0 {
        let what = format!("the newest prune left {} that are beyond 35 days", seen.remains);
        return Finding::wrong(CHECK, what, ADVICE);
    }
    match seen.newest {
        Some(at) if age_of(at) <= PRUNED_WITHIN => {
            Finding::ok(CHECK, format!("the newest prune was {} ago", age(now, at)))
        }
        Some(at) => Finding::warning(CHECK, format!("the newest prune was {} ago", age(now, at)), ADVICE),
        None if seen.oldest.is_some_and(|oldest| age_of(oldest) > PRUNED_WITHIN) => {
            Finding::warning(CHECK, "nothing was ever pruned", ADVICE)
        }
        None => Finding::ok(CHECK, "nothing is old enough to be pruned"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Ok, Warning, Wrong};
    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn ago(hours: i64) -> Timestamp {
        NOW - SignedDuration::from_hours(hours)
    }

    #[test]
    fn drills_are_late_failed_or_fine() {
        let day = Some(Duration::from_secs(86_400));
        let cases = [
            (None, None, None, Warning),
            (None, None, day, Wrong),
            (Some((ago(1), true)), Some(ago(1)), None, Ok),
            (Some((ago(1), true)), Some(ago(1)), day, Ok),
            (Some((ago(48), true)), Some(ago(48)), day, Ok),
            (Some((ago(49), true)), Some(ago(49)), day, Wrong),
            (Some((ago(1), false)), Some(ago(2)), day, Wrong),
            (Some((ago(1), false)), None, None, Wrong),
            (Some((ago(34 * 24), true)), Some(ago(34 * 24)), None, Ok),
            (Some((ago(36 * 24), true)), Some(ago(36 * 24)), None, Warning),
        ];
        for (newest, good, every, verdict) in cases {
            let found = drills(DrillsSeen { newest, good, every }, NOW);
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert_eq!(found.advice.is_some(), verdict != Ok, "{found:?}");
        }
    }

    #[test]
    fn the_ceiling_counts_more_than_the_schedule() {
        let cases = [
            (None, 0, None, Ok),
            (None, 0, Some(ago(3)), Ok),
            (None, 0, Some(ago(100)), Warning),
            (Some(ago(47)), 0, Some(ago(800)), Ok),
            (Some(ago(50)), 0, Some(ago(800)), Warning),
            (Some(ago(1)), 2, Some(ago(800)), Wrong),
            (Some(ago(1)), 0, Some(ago(35 * 24 + 1)), Wrong),
        ];
        for (newest, remains, oldest, verdict) in cases {
            let found = prune(PruneSeen { newest, remains, oldest }, NOW);
            assert_eq!(found.verdict, verdict, "{found:?}");
        }
    }
}
