//! Leases and holds: why a snapshot stays although it has expired.
//!
//! A lease is written by a restore for as long as it runs, a hold by a person who has a reason. Both are vouched for with
//! the naming key and end by themselves; neither holds personal data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::{EventId, SnapshotId};
use crate::vouched;

pub const VERSION: u32 = 1;
/// Bytes of a hold's texts.
pub const LONGEST_TEXT: usize = 1000;

/// A restore is reading a snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    pub version: u32,
    pub repository: String,
    pub snapshot: SnapshotId,
    pub id: EventId,
    /// By the store's clock; a lease is never extended, another one is written instead.
    pub until: Timestamp,
}

impl Lease {
    const DOCUMENT: &str = "the lease";
    const CONTEXT: &str = "lethe 2026 lease";

    pub fn to_bytes(&self, naming_key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        vouched::write_json(Self::DOCUMENT, self, Self::CONTEXT, naming_key)
    }

    /// # Errors
    /// [`Error::Malformed`] if it was not written by somebody with this naming key.
    pub fn from_bytes(bytes: &[u8], naming_key: &[u8; 32]) -> Result<Self, Error> {
        vouched::read_json(Self::DOCUMENT, bytes, VERSION, Self::CONTEXT, naming_key)
    }
}

/// Somebody wants a snapshot to stay until a day, whatever its age.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    pub version: u32,
    pub repository: String,
    pub id: EventId,
    pub snapshot: SnapshotId,
    pub at: Timestamp,
    pub until: Timestamp,
    pub reason: String,
    /// Who answers for it.
    pub approved_by: String,
}

impl Hold {
    const DOCUMENT: &str = "the hold";
    const CONTEXT: &str = "lethe 2026 hold";

    /// # Errors
    /// [`Error::Malformed`] without a reason, somebody who answers for it, or an end after its beginning.
    pub fn to_bytes(&self, naming_key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        self.check()?;
        vouched::write_json(Self::DOCUMENT, self, Self::CONTEXT, naming_key)
    }

    /// # Errors
    /// [`Error::Malformed`] if it was not written by somebody with this naming key.
    pub fn from_bytes(bytes: &[u8], naming_key: &[u8; 32]) -> Result<Self, Error> {
        let hold: Self = vouched::read_json(Self::DOCUMENT, bytes, VERSION, Self::CONTEXT, naming_key)?;
        hold.check()?;
        Ok(hold)
    }

    fn check(&self) -> Result<(), Error> {
        for (what, text) in [("a reason", &self.reason), ("somebody who approved it", &self.approved_by)] {
            if text.trim().is_empty() {
                return Err(Error::malformed(Self::DOCUMENT, format!("it needs {what}")));
            }
            if text.len() > LONGEST_TEXT || text.chars().any(char::is_control) {
                let problem = format!("{what} is one line of at most {LONGEST_TEXT} bytes");
                return Err(Error::malformed(Self::DOCUMENT, problem));
            }
        }
        if self.until <= self.at {
            return Err(Error::malformed(Self::DOCUMENT, "it must end after it begins"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        Hold {
            version: VERSION,
            repository: "00".to_owned(),
            id: "20261123T114905Z-6f3a1c".parse().expect("an id"),
            snapshot: "20261123T114905Z-6f3a1c".parse().expect("an id"),
            at: Timestamp::UNIX_EPOCH,
            until: Timestamp::from_second(1).expect("a time"),
            reason: "court order 12".to_owned(),
            approved_by: "the board".to_owned(),
        }
    }

    #[test]
    fn nobody_without_the_naming_key_holds_or_leases_anything() {
        let hold = hold();
        let bytes = hold.to_bytes(&[7; 32]).expect("writes");
        assert_eq!(Hold::from_bytes(&bytes, &[7; 32]).expect("reads"), hold);
        assert!(Hold::from_bytes(&bytes, &[8; 32]).is_err());
        let lease = Lease {
            version: VERSION,
            repository: "00".to_owned(),
            snapshot: hold.snapshot.clone(),
            id: hold.id.clone(),
            until: hold.until,
        };
        let bytes = lease.to_bytes(&[7; 32]).expect("writes");
        assert_eq!(Lease::from_bytes(&bytes, &[7; 32]).expect("reads"), lease);
        assert!(Lease::from_bytes(&bytes, &[8; 32]).is_err());
        assert!(Hold::from_bytes(&bytes, &[7; 32]).is_err(), "a lease is no hold");
    }

    #[test]
    fn a_hold_has_a_reason_an_approver_and_an_end() {
        for wrong in [
            Hold { reason: " ".to_owned(), ..hold() },
            Hold { approved_by: String::new(), ..hold() },
            Hold { until: Timestamp::UNIX_EPOCH, ..hold() },
            Hold { reason: "a\nb".to_owned(), ..hold() },
            Hold { reason: "a".repeat(1001), ..hold() },
        ] {
            assert!(wrong.to_bytes(&[7; 32]).is_err(), "{wrong:?}");
        }
    }
}
