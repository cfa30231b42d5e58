//! How long backups stay, and what goes when.
//!
//! [`Retention`] has the limits, [`agreed_now`] the time, [`Inventory`] what is stored, and [`plan`] decides: a
//! [`PrunePlan`] says of each snapshot what becomes of it and why, which objects go, and what stays beyond the ceiling.
//!
//! A snapshot is as old as the earlier of two dates: when it was begun by the record that somebody with the naming key has
//! vouched for, and the store's own date of its first object. Names of objects decide nothing, and nobody's clock alone.

mod frequency;
mod inventory;
mod plan;

use jiff::{SignedDuration, Timestamp};

pub use frequency::{Unusual, judge_frequency};
pub use inventory::{
    ChunkKey, ChunkSet, Copy, Holding, Inventory, Leased, Note, Part, Record, Snapshot, Upload,
};
pub use plan::{Fate, PrunePlan, Remains, Removal, Removals, Verdict, is_needed, plan};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The limits, counted from when a snapshot was begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// From then on a snapshot goes, unless somebody needs it.
    pub keep: SignedDuration,
    /// From then on nobody's needs count but a hold's: what is left is an alarm.
    pub ceiling: SignedDuration,
    /// Nothing that is younger, by the store's date, is taken for abandoned.
    pub grace: SignedDuration,
}

impl Retention {
    /// 35 days is what is promised.
    pub const CEILING: SignedDuration = SignedDuration::from_hours(35 * 24);

    /// A snapshot that takes longer is not published: what it uploaded first may have been taken for abandoned.
    #[must_use]
    pub fn longest_snapshot(&self) -> SignedDuration {
        self.grace.checked_mul(2).and_then(|twice| twice.checked_div(3)).unwrap_or(self.grace)
    }

    /// Whether a new snapshot may name chunks of one that was begun at this time: not if that one might go before the new
    /// one is complete.
    #[must_use]
    pub fn may_be_shared(&self, started_at: Timestamp, now: Timestamp) -> bool {
        now.duration_since(started_at) < self.keep - self.grace
    }
}

/// A day between what is aimed at and what is promised, for a pruner that runs daily; three days for a snapshot.
impl Default for Retention {
    fn default() -> Self {
        Self { keep: Self::CEILING - DAY, ceiling: Self::CEILING, grace: SignedDuration::from_hours(3 * 24) }
    }
}

/// Two clocks that do not agree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Skew {
    pub host: Timestamp,
    pub store: Timestamp,
}

/// The most that a clock may be wrong.
pub const LONGEST_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The earlier of the host's time and the store's, so that nothing goes early.
///
/// # Errors
/// [`Skew`] if they are more than five minutes apart: one of them is wrong, and nobody knows which.
pub fn agreed_now(host: Timestamp, store: Timestamp) -> Result<Timestamp, Skew> {
    let apart = host.duration_since(store).abs();
    if apart > LONGEST_SKEW { Err(Skew { host, store }) } else { Ok(host.min(store)) }
}
