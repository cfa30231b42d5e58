//! A target that goes away in the middle of a restore: it crashes, restarts, is full, or an administrator ends the sessions.
//!
//! Whatever a restore does in its target is on record in the transaction that does it. So a run that loses a connection
//! does what the next run would do: it leaves all connections, opens new ones, ends what is left of the old ones, reads
//! the book and goes on. Also where it is unknown whether a `COMMIT` was carried out: the book says so.
//!
//! Two things end this. A server that cannot be reached is waited for, but no longer than [`RestoreOptions::patience`];
//! and a restore that fails five times in a row without anything new on the record would fail for ever.

use std::time::{Duration, Instant};

use lethe_postgres::Recovery;
use lethe_rules::objection::Code;

use crate::{Error, error};

/// Failures in a row, between which nothing new came on the record.
const IN_VAIN: u32 = 5;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Outage {
    patience: Duration,
    /// When the connections were lost, until there are new ones.
    since: Option<Instant>,
    in_vain: u32,
    recorded: usize,
}

impl Outage {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, since: None, in_vain: 0, recorded: 0 }
    }

    /// There is a connection again, and this many statements and chunks are on record.
    pub(super) fn is_over(&mut self, recorded: usize) {
        self.since = None;
        if recorded > self.recorded {
            self.recorded = recorded;
            self.in_vain = 0;
        }
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The error itself, if another attempt would fail like this one; [`Error::Interrupted`], if another run may not.
    pub(super) async fn wait(&mut self, error: Error) -> Result<(), Error> {
        let began_before = self.since.is_some() || self.in_vain > 0;
        match recovery(&error, began_before) {
            Recovery::None => return Err(error),
            Recovery::Person => return Err(Error::Interrupted { cause: Box::new(error) }),
            Recovery::Time => {}
        }
        if self.since.is_none() {
            self.in_vain += 1;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.in_vain >= IN_VAIN || since.elapsed() >= self.patience {
            return Err(Error::Interrupted { cause: Box::new(error) });
        }
        let patience = self.patience.as_secs();
        tracing::warn!(error = error::with_causes(&error), "connecting again, for up to {patience} s");
        tokio::time::sleep(delay(since.elapsed()).min(self.patience)).await;
        Ok(())
    }
}

/// Longer and longer: as long as it has taken already, within limits.
fn delay(elapsed: Duration) -> Duration {
    elapsed.clamp(FIRST_DELAY, LONGEST_DELAY)
}

/// A store that has been tried for its own deadline is not tried again.
fn recovery(error: &Error, again: bool) -> Recovery {
    match error {
        Error::Postgres(error) => error.recovery(),
        // A server that is busy with its disk notices late that it was asked to end them.
        Error::Leftovers { .. } => Recovery::Time,
        Error::Store(lethe_store::Error::GaveUp { .. }) => Recovery::Person,
        // Most likely by our own sessions, which the server has not ended yet.
        Error::Refused(objections)
            if again && objections.iter().all(|objection| objection.code == Code::TargetInUse) =>
        {
            Recovery::Time
        }
        _ => Recovery::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_limits() {
        assert_eq!(delay(Duration::ZERO), FIRST_DELAY);
        assert_eq!(delay(Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(delay(Duration::from_secs(600)), LONGEST_DELAY);
    }
}
