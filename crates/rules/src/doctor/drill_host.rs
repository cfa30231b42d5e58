//! Whether a drill could run on this machine, and what killed ones have left.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::words::{bytes, length};
use super::{Finding, age};

/// PostgreSQL's programs on this machine.
#[derive(Clone, Copy, Debug)]
pub struct ProgramsSeen {
    /// Major and minor version of what a drill would take, or the newest if none fits.
    pub found: Option<(u32, u32)>,
    /// The source's major version.
    pub needed: u32,
    /// Whether `amcheck` is there; none if that could not be told.
    pub amcheck: Option<bool>,
}

#[must_use]
pub fn programs(seen: ProgramsSeen) -> Finding {
    const CHECK: &str = "drill programs";
    let ProgramsSeen { found, needed, amcheck } = seen;
    let advice = format!(
        "install postgresql-{needed} or newer here, name its programs with pg_bin in lethe.toml, or drill elsewhere with --into"
    );
    let Some((major, minor)) = found else {
        return Finding::warning(
            CHECK,
            "no PostgreSQL server is installed here, and a drill needs one",
            advice,
        );
    };
    if major < needed {
        let what =
            format!("the newest PostgreSQL here is {major}.{minor}, and the newest snapshot is of {needed}");
        return Finding::wrong(CHECK, what, advice);
    }
    let what = format!("PostgreSQL {major}.{minor} for snapshots of {needed}");
    match amcheck {
        Some(true) => Finding::ok(CHECK, format!("{what}, with amcheck")),
        Some(false) => {
            let what = format!("{what}, without amcheck: a drill checks no index");
            Finding::warning(CHECK, what, "install postgresql-contrib")
        }
        None => Finding::ok(CHECK, format!("{what}; whether amcheck is there cannot be told")),
    }
}

/// Bytes in the work folder against the rows of the newest snapshot. Indexes and the write-ahead log come on top: as much again, by
/// experience.
#[must_use]
pub fn free_space(free: u64, rows: u64) -> Finding {
    const CHECK: &str = "drill space";
    const ADVICE: &str = "make room, or name a larger place with --work-dir or work_dir under [drill]";
    let what =
        format!("{} are free for a drill, and the newest snapshot's rows are {}", bytes(free), bytes(rows));
    if free < rows {
        Finding::wrong(CHECK, what, ADVICE)
    } else if free < rows.saturating_mul(2) {
        Finding::warning(CHECK, format!("{what}; indexes and the write-ahead log come on top"), ADVICE)
    } else {
        Finding::ok(CHECK, what)
    }
}

/// What a killed drill has left: real people's data.
#[derive(Clone, Debug)]
pub struct LeftoverSeen {
    pub name: String,
    pub since: Timestamp,
}

/// `within` is how soon the next drill should have removed it.
#[must_use]
pub fn leftovers(seen: &[LeftoverSeen], within: Duration, now: Timestamp) -> Finding {
    const CHECK: &str = "drill leftovers";
    let Some(oldest) = seen.iter().min_by_key(|leftover| leftover.since) else {
        return Finding::ok(CHECK, "no killed drill has left anything here");
    };
    let limit = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
    let what = format!(
        "killed drills have left {} servers of real people's data, the oldest {} for {}",
        seen.len(),
        oldest.name,
        age(now, oldest.since)
    );
    let advice = "the next lethe drill with the same --work-dir removes them";
    if now.duration_since(oldest.since) > limit {
        let what = format!("{what}, and {} are the most", length(limit.as_secs()));
        Finding::wrong(CHECK, what, advice)
    } else {
        Finding::warning(CHECK, what, advice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Ok, Warning, Wrong};
    use super::*;

    #[test]
    fn programs_are_new_enough_or_not() {
        for (found, amcheck, verdict) in [
            (None, None, Warning),
            (Some((14, 9)), Some(true), Wrong),
            (Some((15, 2)), Some(true), Ok),
            (Some((16, 2)), None, Ok),
            (Some((16, 2)), Some(false), Warning),
        ] {
            let finding = programs(ProgramsSeen { found, needed: 15, amcheck });
            assert_eq!(finding.verdict, verdict, "{finding:?}");
        }
    }

    #[test]
    fn room_for_the_rows_is_not_enough() {
        for (free, verdict) in [(99, Wrong), (100, Warning), (199, Warning), (200, Ok)] {
            assert_eq!(free_space(free, 100).verdict, verdict, "{free}");
        }
        assert_eq!(free_space(u64::MAX, u64::MAX).verdict, Ok);
    }

    #[test]
    fn leftovers_are_a_matter_of_time() {
        let now = Timestamp::constant(1_800_000_000, 0);
        let left =
            |hours| LeftoverSeen { name: "x".to_owned(), since: now - SignedDuration::from_hours(hours) };
        let within = Duration::from_secs(24 * 3_600);
        assert_eq!(leftovers(&[], within, now).verdict, Ok);
        assert_eq!(leftovers(&[left(1)], within, now).verdict, Warning);
        assert_eq!(leftovers(&[left(1), left(25)], within, now).verdict, Wrong);
    }
}
