use jiff::{SignedDuration, Timestamp};

use super::{Finding, age};

/// An audit log that verifies and has what this host has seen of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditSeen {
    pub entries: u64,
    pub newest: Option<Timestamp>,
    /// Entries that the newest checkpoint covers, and the store's date of it.
    pub signed: u64,
    pub signed_at: Option<Timestamp>,
    /// Whether the signatures were checked: that needs the public key.
    pub checked: bool,
}

/// Hosts without the signing key write entries that the next host with it signs: that may take a day.
const SIGNED_WITHIN: SignedDuration = SignedDuration::from_hours(48);

#[must_use]
pub fn audit(seen: AuditSeen, now: Timestamp) -> Finding {
    const CHECK: &str = "audit log";
    const ADVICE: &str = "some host that acts daily must have the signing key: [audit] key_file (lethe audit new-key makes one)";
    let Some(newest) = seen.newest.filter(|_| seen.entries > 0) else {
        return Finding::ok(CHECK, "nothing has been done yet");
    };
    let unsigned = seen.entries.saturating_sub(seen.signed);
    let what = format!(
        "{} entries verify, the newest is of {} ago; {unsigned} are not signed yet",
        seen.entries,
        age(now, newest)
    );
    let Some(signed_at) = seen.signed_at else {
        return Finding::warning(CHECK, format!("{what}, and none ever was"), ADVICE);
    };
    if unsigned > 0 && now.duration_since(signed_at) > SIGNED_WITHIN {
        let what = format!("{what}, and the newest signature is of {} ago", age(now, signed_at));
        return Finding::warning(CHECK, what, ADVICE);
    }
    let how = if seen.checked { "" } else { "; signatures were not looked at: no public key here" };
    Finding::ok(CHECK, format!("{what}{how}"))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Ok, Warning};
    use super::*;

    #[test]
    fn entries_without_a_signature_are_said_when_nobody_signs() {
        let now = Timestamp::constant(1_800_000_000, 0);
        let ago = |hours| Some(now - SignedDuration::from_hours(hours));
        for (entries, signed, signed_at, verdict) in [
            (0, 0, None, Ok),
            (4, 0, None, Warning),
            (4, 4, ago(1), Ok),
            (4, 4, ago(400), Ok),
            (4, 2, ago(1), Ok),
            (4, 2, ago(49), Warning),
        ] {
            let newest = ago(1).filter(|_| entries > 0);
            let seen = AuditSeen { entries, newest, signed, signed_at, checked: true };
            assert_eq!(audit(seen, now).verdict, verdict, "{entries} {signed} {signed_at:?}");
        }
    }
}
