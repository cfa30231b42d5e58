//! How often one object was tried, and for how long in vain. Pure: the time comes from outside.

use std::time::Duration;

use tokio::time::Instant;

use super::RetryPolicy;

#[derive(Debug)]
pub(super) struct Attempts {
    began: Instant,
    failures: u32,
    /// Since the last byte came.
    failures_in_a_row: u32,
    /// Since when it has been in vain; none while it goes well.
    in_vain_since: Option<Instant>,
    /// What earlier times in vain add up to.
    in_vain: Duration,
}

impl Attempts {
    pub(super) fn begin(now: Instant) -> Self {
        Self { began: now, failures: 0, failures_in_a_row: 0, in_vain_since: None, in_vain: Duration::ZERO }
    }

    /// Notes a failure: how long to wait before the next attempt, or none if it is time to give up. `since` is when
    /// the attempt stopped being of use, `random` is in [0, 1).
    pub(super) fn failed(
        &mut self,
        policy: &RetryPolicy,
        since: Instant,
        now: Instant,
        random: f64,
    ) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let since = *self.in_vain_since.get_or_insert(since);
        let left = policy.deadline.saturating_sub(self.in_vain + now.duration_since(since));
        // The last attempt is made when the time is over, not before.
        (!left.is_zero()).then(|| policy.delay(self.failures_in_a_row, random).min(left))
    }

    /// Bytes came.
    pub(super) fn progressed(&mut self, now: Instant) {
        if let Some(since) = self.in_vain_since.take() {
            self.in_vain += now.duration_since(since);
        }
        self.failures_in_a_row = 0;
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn tried(&self, now: Instant) -> Duration {
        now.duration_since(self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy() -> RetryPolicy {
        RetryPolicy { deadline: 10 * SECOND, ..RetryPolicy::default() }
    }

    #[test]
    fn the_last_attempt_is_at_the_deadline() {
        let (policy, start) = (policy(), Instant::now());
        let mut attempts = Attempts::begin(start);
        let first = start + 100 * SECOND;
        assert_eq!(
            attempts.failed(&policy, first, first, 1.0),
            Some(policy.first_delay),
            "it counts from here"
        );
        let later = first + 10 * SECOND - Duration::from_millis(50);
        assert_eq!(attempts.failed(&policy, later, later, 1.0), Some(Duration::from_millis(50)));
        let end = first + 10 * SECOND;
        assert_eq!(attempts.failed(&policy, end, end, 1.0), None);
        assert_eq!((attempts.failures(), attempts.tried(end)), (3, 110 * SECOND));
    }

    #[test]
    fn time_in_which_bytes_come_is_not_in_vain() {
        let (policy, start) = (policy(), Instant::now());
        let mut attempts = Attempts::begin(start);
        for round in 0..3 {
            let at = start + round * 100 * SECOND;
            let delay = attempts.failed(&policy, at, at + 2 * SECOND, 1.0);
            assert_eq!(delay, Some(policy.first_delay), "the row of failures was broken");
            attempts.progressed(at + 3 * SECOND);
        }
        let at = start + 300 * SECOND;
        assert_eq!(attempts.failed(&policy, at, at + SECOND, 1.0), None, "3 + 3 + 3 + 1 seconds in vain");
    }
}
