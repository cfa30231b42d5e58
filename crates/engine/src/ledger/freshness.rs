//! A ledger that was frozen verifies: only its age tells. Heartbeats keep a living one young.

use std::time::Duration;

use jiff::Timestamp;
use lethe_format::ledger::Head;

use super::VerifiedLedger;
use crate::Error;

/// How old the ledger's newest entry may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Freshness {
    /// None: any age.
    pub max_age: Option<Duration>,
    /// What somebody states to be the newest entry, from another source than the store: a ledger that contains it may
    /// be of any age. For a disaster in which whoever writes heartbeats is down.
    pub known_head: Option<Head>,
}

impl Freshness {
    /// # Errors
    /// [`Error::Ledger`] if the ledger is older than allowed, or lacks the entry that it is stated to have.
    pub fn check(&self, ledger: &VerifiedLedger, now: Timestamp) -> Result<(), Error> {
        if let Some(known) = self.known_head {
            if ledger.contains(&known) {
                return Ok(());
            }
            let problem = format!("it lacks entry {}, which was stated to be on it", known.seq);
            return Err(Error::ledger(known.seq, problem));
        }
        let Some(max_age) = self.max_age else { return Ok(()) };
        let newest = ledger.newest_at().unwrap_or(Timestamp::UNIX_EPOCH);
        let age = Duration::try_from(now.duration_since(newest)).unwrap_or_default();
        if age <= max_age {
            return Ok(());
        }
        let seq = ledger.head().seq;
        Err(Error::StaleLedger { seq, age, max_age })
    }
}
