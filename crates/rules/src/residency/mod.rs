//! Where data may be: an exact list of places, and what a bucket or a server must show to count as being in one.
//!
//! Nothing here guesses. A place that is not on the list is refused, whatever its name begins with: `eu-west-2` is
//! London and `eu-central-2` is Zurich. What a store does not tell, though it must, is refused as well.
//!
//! - [`places`]: the list.
//! - [`endpoint`]: which host is asked, before anything is sent there.
//! - [`bucket`]: what the bucket says of itself, before a byte of data moves.
//! - [`key`]: where a key of KMS is, and its copies.
//! - [`ways_out`]: where else the bucket's store sends lists, logs and messages.
//! - [`outsiders`]: whom the bucket's policy lets in.
//! - [`target`]: which server a restore may write to.

pub mod bucket;
pub mod endpoint;
pub mod key;
pub mod outsiders;
pub mod places;
pub mod target;
pub mod ways_out;

use std::fmt;
use std::str::FromStr;

pub use bucket::{Destination, Evidence, Told, Verdict, judge};
pub use endpoint::{Address, Endpoint, judge_endpoint};
pub use key::{KeyArn, StoreKey, judge_copies, judge_key, judge_key_service, judge_store_key};
pub use places::{PLACES, Place, Provider, place};
pub use target::{Label, TargetPlace, judge_target};
pub use ways_out::{EventTargets, WayOut, WaysOut, judge_ways_out};

/// Which places are allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Profile {
    /// Frankfurt, Falkenstein, Nuremberg.
    #[default]
    De,
    /// Every place of the list that is in the European Union.
    Eu,
}

impl Profile {
    /// # Errors
    /// [`Refusal`] if the place is not on the list, or not allowed by this profile.
    pub fn admit(self, code: &str) -> Result<&'static Place, Refusal> {
        let Some(place) = place(code) else {
            let problem = format!("{code:?} is on no list of places in the European Union");
            return Err(Refusal::new(problem, self.hint()));
        };
        if place.is_allowed(self) {
            return Ok(place);
        }
        let problem = if place.is_allowed(Self::Eu) {
            format!("{place} is not allowed by the residency profile {self}")
        } else {
            format!("{place} is outside the European Union")
        };
        Err(Refusal::new(problem, self.hint()))
    }

    /// The codes of the places that are allowed.
    pub fn allowed(self) -> impl Iterator<Item = &'static str> {
        PLACES.iter().filter(move |place| place.is_allowed(self)).map(|place| place.code)
    }

    fn hint(self) -> String {
        let allowed: Vec<&str> = self.allowed().collect();
        let mut hint = format!("nothing was read or written; profile {self} allows {}", allowed.join(", "));
        if self == Self::De {
            hint.push_str("; the other places in the EU need profile = \"eu\" under [residency]");
        }
        hint
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::De => "de",
            Self::Eu => "eu",
        })
    }
}

impl FromStr for Profile {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "de" => Ok(Self::De),
            "eu" => Ok(Self::Eu),
            _ => Err(()),
        }
    }
}

/// Why data may not be there, and what can be done about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problem}")]
pub struct Refusal {
    pub problem: String,
    pub hint: String,
}

impl Refusal {
    #[must_use]
    pub fn new(problem: impl ToString, hint: impl ToString) -> Self {
        Self { problem: problem.to_string(), hint: hint.to_string() }
    }
}
