//! What a database is for. Two labels stand for real people's data; every other one for masked data alone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::objection::{Code, Objection};

/// `production`, `drill`, `staging` or any other name: a letter, then at most 39 letters, digits, `-` and `_`, all small.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TargetLabel(String);

/// The text is no label.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a label is a small letter and at most 39 small letters, digits, - and _")]
pub struct NoLabel;

impl TargetLabel {
    #[must_use]
    pub fn production() -> Self {
        Self("production".to_owned())
    }

    #[must_use]
    pub fn staging() -> Self {
        Self("staging".to_owned())
    }

    #[must_use]
    pub fn drill() -> Self {
        Self("drill".to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether such a database holds people as they are. All others get masked data alone.
    #[must_use]
    pub fn holds_real_people(&self) -> bool {
        matches!(self.0.as_str(), "production" | "drill")
    }
}

impl FromStr for TargetLabel {
    type Err = NoLabel;

    fn from_str(text: &str) -> Result<Self, NoLabel> {
        let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
        let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if begins && text.len() <= 40 && text.chars().all(rest) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoLabel)
        }
    }
}

impl TryFrom<String> for TargetLabel {
    type Error = NoLabel;

    fn try_from(text: String) -> Result<Self, NoLabel> {
        text.parse()
    }
}

impl From<TargetLabel> for String {
    fn from(label: TargetLabel) -> Self {
        label.0
    }
}

impl fmt::Display for TargetLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was said of one database, and by whom.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// For this restore.
    pub typed: Option<&'a TargetLabel>,
    /// Of its server, in the settings.
    pub server: Option<&'a TargetLabel>,
    /// By the database itself, or by the book of a restore that was begun in it. As it stands there, valid or not.
    pub database: Option<&'a str>,
}

/// The label that counts: what was typed, else what the settings say of the server, else what the database says of itself.
///
/// # Errors
/// An objection if nobody says anything; if the database says something else; or if real people were to go where the settings
/// say that only masked ones may.
pub fn decide(database: &str, said: Said<'_>) -> Result<TargetLabel, Objection> {
    let object = format!("database {database}");
    let own = said.database.and_then(|text| text.parse::<TargetLabel>().ok());
    let contradicts = |problem: String| {
        Err(Objection::new(Code::LabelContradicts, &object, problem).hint(
            "is it the right database? If it is, and its label is wrong: ALTER DATABASE … RESET lethe.label, or correct [[target]] in lethe.toml",
        ))
    };
    let Some(wanted) = said.typed.or(said.server).or(own.as_ref()) else {
        let problem = match said.database {
            Some(_) => "its own label, the setting lethe.label, is none that is known here",
            None => "nothing says what it is for, and people as they are go to production alone",
        };
        return Err(Objection::new(Code::Unlabelled, &object, problem).hint(
            "say it with --label production (or staging, which gets masked data), or label = \"…\" under [[target]] in lethe.toml",
        ));
    };
    match said.database {
        Some(text) if text != wanted.as_str() => {
            let known = own.as_ref().map_or("another one", TargetLabel::as_str);
            return contradicts(format!("its label is {known}, the restore's is {wanted}"));
        }
        _ => {}
    }
    match said.server {
        Some(server) if wanted.holds_real_people() && !server.holds_real_people() => {
            contradicts(format!("its server is for {server} in lethe.toml, the restore's label is {wanted}"))
        }
        _ => Ok(wanted.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Option<TargetLabel> {
        (!text.is_empty()).then(|| text.parse().expect("a label"))
    }

    #[test]
    fn a_label_is_a_short_plain_name() {
        for good in ["production", "staging", "qa-2", "a", "load_test"] {
            assert_eq!(good.parse::<TargetLabel>().map(|label| label.to_string()), Ok(good.to_owned()));
        }
        let long = "a".repeat(41);
        for bad in ["", "Production", "2qa", "a b", "ä", "a'b", long.as_str()] {
            assert!(bad.parse::<TargetLabel>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_said_must_agree_and_something_must_be() {
        let refused = Err;
        for (typed, server, database, expected) in [
            ("", "", "", refused(Code::Unlabelled)),
            ("production", "", "", Ok("production")),
            ("", "staging", "", Ok("staging")),
            ("", "", "staging", Ok("staging")),
            ("staging", "", "staging", Ok("staging")),
            ("production", "", "staging", refused(Code::LabelContradicts)),
            ("staging", "", "production", refused(Code::LabelContradicts)),
            ("", "production", "staging", refused(Code::LabelContradicts)),
            ("", "staging", "production", refused(Code::LabelContradicts)),
            // Masked data may go anywhere, real people may not.
            ("staging", "production", "", Ok("staging")),
            ("drill", "production", "", Ok("drill")),
            ("production", "staging", "", refused(Code::LabelContradicts)),
            ("drill", "qa", "", refused(Code::LabelContradicts)),
            // Somebody has written nonsense into the database.
            ("", "", "What?", refused(Code::Unlabelled)),
            ("production", "", "What?", refused(Code::LabelContradicts)),
        ] {
            let (typed, server) = (label(typed), label(server));
            let said = Said {
                typed: typed.as_ref(),
                server: server.as_ref(),
                database: (!database.is_empty()).then_some(database),
            };
            let found = decide("shop", said);
            let found = found.as_ref().map(TargetLabel::as_str).map_err(|objection| objection.code);
            assert_eq!(found, expected, "{said:?}");
        }
    }
}
