use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Finding, age, words::length};

/// A ledger that verifies and has what this host has seen of it.
#[derive(Clone, Copy, Debug)]
pub struct LedgerSeen {
    pub entries: u64,
    /// The writer's time of the newest one.
    pub newest: Timestamp,
    /// False where there is no identity: then the chain alone was verified.
    pub bodies: bool,
    /// `[ledger] max_age`.
    pub max_age: Option<Duration>,
    /// Entries that somebody has written over, or other things a store should not have.
    pub incidents: u64,
}

#[must_use]
pub fn ledger(seen: LedgerSeen, now: Timestamp) -> Finding {
    const CHECK: &str = "ledger";
    let old = age(now, seen.newest);
    let what = format!("{} entries verify, the newest is of {old} ago", seen.entries);
    let limit = seen.max_age.and_then(|limit| SignedDuration::try_from(limit).ok());
    if let Some(limit) = limit.filter(|limit| now.duration_since(seen.newest) > *limit) {
        let what = format!("{what}, and a restore refuses one of more than {}", length(limit.as_secs()));
        let advice =
            "is lethe tombstone capture run at work? Without it, a scheduler runs lethe tombstone heartbeat";
        return Finding::wrong(CHECK, what, advice);
    }
    if seen.incidents > 0 {
        let what = format!("{what}; {} incidents are on record", seen.incidents);
        return Finding::warning(CHECK, what, "lethe tombstone verify names them (docs/SECURITY.md)");
    }
    let how = if seen.bodies { "" } else { "; what is in them was not looked at: no identity here" };
    Finding::ok(CHECK, format!("{what}{how}"))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Ok, Warning, Wrong};
    use super::*;

    #[test]
    fn a_ledger_is_fine_too_old_or_tampered_with() {
        let now = Timestamp::constant(1_800_000_000, 0);
        let hour = Some(Duration::from_secs(3_600));
        for (minutes, max_age, incidents, verdict) in [
            (5, None, 0, Ok),
            (500, None, 0, Ok),
            (59, hour, 0, Ok),
            (61, hour, 0, Wrong),
            (5, hour, 1, Warning),
            (61, hour, 1, Wrong),
        ] {
            let newest = now - SignedDuration::from_mins(minutes);
            let seen = LedgerSeen { entries: 3, newest, bodies: true, max_age, incidents };
            assert_eq!(ledger(seen, now).verdict, verdict, "{minutes} {max_age:?} {incidents}");
        }
    }
}
