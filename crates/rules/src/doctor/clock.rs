use jiff::{SignedDuration, Timestamp};

use super::{Finding, words::length};
use crate::retention::{LONGEST_SKEW, Skew, agreed_now};

/// From then on somebody should look why, long before it is too much.
const NOTABLE: SignedDuration = SignedDuration::from_secs(30);

/// This machine's clock against the store's, which dates what is stored.
#[must_use]
pub fn clock(host: Timestamp, store: Timestamp) -> Finding {
    const CHECK: &str = "clock";
    const ADVICE: &str = "set this machine's clock by NTP; whoever prunes does nothing while they are more than 5 minutes apart";
    let apart = host.duration_since(store).abs();
    let what = format!("this machine's clock and the store's are {} apart", length(apart.as_secs()));
    match agreed_now(host, store) {
        Err(Skew { .. }) => Finding::wrong(
            CHECK,
            format!("{what}, and {} are the most", length(LONGEST_SKEW.as_secs())),
            ADVICE,
        ),
        Ok(_) if apart > NOTABLE => Finding::warning(CHECK, what, ADVICE),
        Ok(_) => Finding::ok(CHECK, what),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Ok, Warning, Wrong};
    use super::*;

    #[test]
    fn either_clock_may_be_ahead() {
        let now = Timestamp::constant(1_800_000_000, 0);
        for (apart, verdict) in
            [(0, Ok), (29, Ok), (31, Warning), (299, Warning), (301, Wrong), (90_000, Wrong)]
        {
            let other = now + SignedDuration::from_secs(apart);
            assert_eq!(clock(now, other).verdict, verdict, "{apart}");
            assert_eq!(clock(other, now).verdict, verdict, "{apart}");
        }
    }
}
