//! Whether snapshots come as often as they should: too few are a schedule that has stopped, too many somebody who fills the store with
//! what looks like backups, in the hope that the real ones are let go for it. (They are not: only age decides what goes.)

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// What is wrong with the times at which snapshots were finished.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unusual {
    None,
    /// The newest one is older than twice the time between two.
    Late {
        newest: Timestamp,
    },
    /// There are none.
    Missing,
    /// In the last day there were more than three times as many as expected, and more than a few.
    TooMany {
        found: usize,
        expected: usize,
    },
}

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// So many are taken by hand on a bad day.
const A_FEW: usize = 10;
/// A week of days says what is usual.
const USUAL_DAYS: usize = 7;

/// Judges by the store's dates. Without a schedule (`every`), lateness cannot be told, and what is usual is the median of the week
/// before; with less than a week of snapshots, nothing is unusual.
#[must_use]
pub fn judge_frequency(finished: &[Timestamp], every: Option<Duration>, now: Timestamp) -> Unusual {
    let newest = finished.iter().max().copied();
    if let Some(every) = every {
        let limit = now.checked_sub(every.saturating_mul(2)).unwrap_or(Timestamp::MIN);
        match newest {
            None => return Unusual::Missing,
            Some(newest) if newest < limit => return Unusual::Late { newest },
            Some(_) => {}
        }
    }
    let days_ago = |at: &Timestamp| now.duration_since(*at).as_secs().max(0) / DAY.as_secs();
    let in_day = |day: i64| finished.iter().filter(|at| days_ago(at) == day).count();
    let expected = match every {
        Some(every) => DAY.unsigned_abs().as_secs().div_ceil(every.as_secs().max(1)) as usize,
        None => {
            let mut counts: Vec<usize> = (1..=USUAL_DAYS as i64).map(in_day).collect();
            if counts.contains(&0) {
                return Unusual::None;
            }
            counts.sort_unstable();
            counts[USUAL_DAYS / 2]
        }
    };
    let found = in_day(0);
    if found > expected.saturating_mul(3) && found > expected.saturating_add(A_FEW) {
        Unusual::TooMany { found, expected }
    } else {
        Unusual::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn now() -> Timestamp {
        "2026-11-27T12:00:00Z".parse().expect("a time")
    }

    /// So many in each of the last days, the newest first, none younger than half an hour.
    fn taken(counts: &[i64]) -> Vec<Timestamp> {
        let day = |(day, count): (usize, &i64)| {
            let (begin, count) = (day as i64 * 86_400 + 1800, *count);
            (0..count)
                .map(move |number| now() - SignedDuration::from_secs(begin + number * 80_000 / count.max(1)))
        };
        counts.iter().enumerate().flat_map(day).collect()
    }

    #[test]
    fn a_schedule_that_stops_and_one_that_runs_wild_are_told_apart_from_a_usual_day() {
        let hourly = Some(HOUR);
        for (counts, every, expected) in [
            (&[][..], hourly, Unusual::Missing),
            (&[], None, Unusual::None),
            (&[24, 24], hourly, Unusual::None),
            (&[0, 24], hourly, Unusual::Late { newest: now() - SignedDuration::from_secs(86_400 + 1800) }),
            (&[0, 24], None, Unusual::None),
            (&[72, 24], hourly, Unusual::None),
            (&[73, 24], hourly, Unusual::TooMany { found: 73, expected: 24 }),
            // A few by hand are no alarm, however rare they usually are.
            (&[11, 1], Some(HOUR * 24), Unusual::None),
            (&[12, 1], Some(HOUR * 24), Unusual::TooMany { found: 12, expected: 1 }),
            // Without a schedule the week before says what is usual, one wild day in it or not.
            (&[100, 24, 24, 90, 24, 24, 24, 24], None, Unusual::TooMany { found: 100, expected: 24 }),
            (&[70, 24, 24, 90, 24, 24, 24, 24], None, Unusual::None),
            (&[100, 24, 24, 24], None, Unusual::None),
        ] {
            assert_eq!(judge_frequency(&taken(counts), every, now()), expected, "{counts:?} {every:?}");
        }
    }
}
