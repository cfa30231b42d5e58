//! How many requests at once a store bears: halved when it throttles, grown by one for each round that it does not
//! ("additive increase, multiplicative decrease"). Pure.

#[derive(Debug)]
pub(super) struct Aimd {
    limit: f64,
    most: f64,
    cuts: u64,
}

impl Aimd {
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1) as f64;
        Self { limit: most, most, cuts: 0 }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// How often it was halved. A request remembers this from when it was sent.
    pub(super) fn cuts(&self) -> u64 {
        self.cuts
    }

    pub(super) fn succeeded(&mut self) {
        self.limit = (self.limit + 1.0 / self.limit).min(self.most);
    }

    /// A request was throttled that was sent after `cuts` cuts. Requests that were on their way together are one sign,
    /// not as many as they are.
    pub(super) fn throttled(&mut self, cuts: u64) {
        if cuts == self.cuts {
            self.limit = (self.limit / 2.0).max(1.0);
            self.cuts += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Aimd;

    #[test]
    fn a_wave_of_refusals_halves_once() {
        let mut aimd = Aimd::new(32);
        let sent = aimd.cuts();
        for _ in 0..32 {
            aimd.throttled(sent);
        }
        assert_eq!(aimd.limit(), 16);
        aimd.throttled(aimd.cuts());
        assert_eq!(aimd.limit(), 8);
        aimd.throttled(sent);
        assert_eq!(aimd.limit(), 8, "old news");
    }

    #[test]
    fn it_never_ends_below_one_and_comes_back_slowly() {
        let mut aimd = Aimd::new(8);
        for _ in 0..20 {
            aimd.throttled(aimd.cuts());
        }
        assert_eq!(aimd.limit(), 1);
        let mut successes = 0;
        while aimd.limit() < 8 {
            aimd.succeeded();
            successes += 1;
        }
        assert!((20..=40).contains(&successes), "about 1 + 2 + … + 7 of them: {successes}");
        for _ in 0..1000 {
            aimd.succeeded();
        }
        assert_eq!(aimd.limit(), 8, "never above the most");
        assert_eq!(Aimd::new(0).limit(), 1);
    }
}
