use std::time::Duration;

/// How long and how hard a store is tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// How long one object (or one page of a listing) is tried in vain before it is given up: from the first failure
    /// on, without the time in which bytes of it came. Default 5 minutes.
    pub deadline: Duration,
    /// The longest wait before the first retry; it doubles with each failure in a row. Waits are random, from zero to
    /// this ("full jitter"), so that many clients do not come back together. Default 100 ms.
    pub first_delay: Duration,
    /// What the doubling stops at. Default 20 s.
    pub max_delay: Duration,
    /// How long a store may be silent: before its answer, or in the middle of a body. Default 30 s.
    pub idle_timeout: Duration,
    /// An upload may take `idle_timeout` and its length at this pace, in bytes per second. Default 64 KiB/s.
    pub slowest_upload: u64,
    /// Requests at once, over all users of the store, while it does not throttle; at least 1. Default 64.
    pub max_concurrency: usize,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(300),
            first_delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(30),
            slowest_upload: 64 << 10,
            max_concurrency: 64,
        }
    }
}

impl RetryPolicy {
    /// How long an upload of `len` bytes may take.
    pub(super) fn upload_timeout(&self, len: usize) -> Duration {
        self.idle_timeout + Duration::from_secs(len as u64 / self.slowest_upload.max(1))
    }

    /// The longest wait after this many failures in a row.
    fn ceiling(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_delay.saturating_mul(doubled).min(self.max_delay)
    }

    /// The wait after this many failures in a row; `random` is in [0, 1).
    pub(super) fn delay(&self, failures: u32, random: f64) -> Duration {
        self.ceiling(failures).mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let ceilings: Vec<u128> = (1..=10).map(|failures| policy.ceiling(failures).as_millis()).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000]);
        for failures in [0, 31, 32, 33, 64, u32::MAX] {
            assert!(policy.ceiling(failures) <= policy.max_delay);
        }
    }

    #[test]
    fn jitter_is_full() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.delay(3, 0.0), Duration::ZERO);
        assert_eq!(policy.delay(3, 0.5), Duration::from_millis(200));
        assert!(policy.delay(3, 0.999_999) <= Duration::from_millis(400));
    }

    #[test]
    fn long_uploads_may_take_long() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.upload_timeout(0), Duration::from_secs(30));
        assert_eq!(policy.upload_timeout(64 << 20), Duration::from_secs(30 + 1024));
    }
}
