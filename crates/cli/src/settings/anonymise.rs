//! `[[anonymise]]` and `[inactive]`: what becomes of people whose rows stay.

use std::collections::BTreeMap;

use jiff::{Span, Timestamp, tz::TimeZone};
use lethe_rules::anonymise::{Anonymise, InactiveRule, MaskRule, Replacement};
use serde::Deserialize;

use super::Settings;
use super::mask::{self, KINDS, Value, table};
use crate::failure::Failure;

/// One table of one subject.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnonymiseSection {
    subject: String,
    /// `schema.table`; the subject's own if it is left out.
    table: Option<String>,
    /// The columns that hold the subject's key; found by the foreign key if there is exactly one.
    via: Option<Vec<String>>,
    set: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InactiveSection {
    subject: String,
    column: String,
    after: String,
}

/// 2000-01-01, from which PostgreSQL counts, in microseconds since 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl Settings {
    pub(crate) fn anonymise(&self, now: Timestamp) -> Result<Anonymise, Failure> {
        let masks = self.file.anonymise.iter().map(|section| self.mask(section)).collect::<Result<_, _>>()?;
        let inactive = self.file.inactive.as_ref().map(|section| self.inactive(section, now)).transpose()?;
        Ok(Anonymise { masks, inactive, everybody: self.table_masks()?, ..Anonymise::default() })
    }

    fn mask(&self, section: &AnonymiseSection) -> Result<MaskRule, Failure> {
        let subject = self.subject_ref(&section.subject)?;
        let table = match &section.table {
            None => subject.table.clone(),
            Some(text) => table(text)?,
        };
        if section.set.is_empty() {
            return Err(Failure::usage(format!("[[anonymise]] of {table} names no column under set")));
        }
        let column = |(name, value): (&String, &Value)| {
            let replacement = replacement(value).map_err(|problem| {
                Failure::usage(format!("[[anonymise]] of {table}, column {name}: {problem}")).hint(KINDS)
            })?;
            Ok((name.clone(), replacement))
        };
        let columns = section.set.iter().map(column).collect::<Result<_, Failure>>()?;
        Ok(MaskRule { subject, via: section.via.clone(), columns, table })
    }

    fn inactive(&self, section: &InactiveSection, now: Timestamp) -> Result<InactiveRule, Failure> {
        let invalid = || {
            Failure::usage(format!("[inactive] after = {:?} is no length of time", section.after))
                .hint("write \"2 years\" or \"18 months\"")
        };
        let span: Span = section.after.parse().map_err(|_| invalid())?;
        if !span.is_positive() {
            return Err(invalid());
        }
        let before =
            now.to_zoned_datetime(TimeZone::UTC).checked_sub(span).map_err(|_| invalid())?.timestamp();
        Ok(InactiveRule {
            subject: self.subject_ref(&section.subject)?,
            column: section.column.clone(),
            before: before.as_microsecond() - POSTGRES_EPOCH,
        })
    }
}

/// A value that is made from the person's id, or from the value itself, links the row to the person for whoever has
/// either: that is a pseudonym, and the person is not anonymous.
pub(super) fn replacement(value: &Value) -> Result<Replacement, String> {
    const PSEUDONYM: &str =
        "a value that is made from the id or from the old value is a pseudonym, and does not anonymise";
    let pseudonym = |problem: String| format!("{problem}; {PSEUDONYM}");
    let (replacement, group) = mask::replacement(value).map_err(pseudonym)?;
    match &replacement {
        _ if group.is_some() => Err(pseudonym("as is for [[mask]] alone".to_owned())),
        Replacement::Constant(constant) if has_placeholder(&constant.text) => {
            Err(pseudonym("the constant has a placeholder".to_owned()))
        }
        _ => Ok(replacement),
    }
}

/// `deleted-{id}`, `deleted-<id>`, `deleted-$1`, `deleted-%s`.
fn has_placeholder(text: &str) -> bool {
    let wraps = |open: char, close: char| {
        text.split_once(open).and_then(|(_, rest)| rest.split_once(close)).is_some_and(|(name, _)| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':'))
        })
    };
    let follows = |mark: char, what: fn(char) -> bool| {
        text.char_indices().any(|(at, c)| c == mark && text[at + 1..].starts_with(what))
    };
    wraps('{', '}')
        || wraps('<', '>')
        || follows('$', |c| c.is_ascii_digit() || c == '{')
        || follows('%', |c| matches!(c, 's' | 'd' | '('))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Replacement, String> {
        let table: BTreeMap<String, Value> = toml::from_str(&format!("x = {text}")).expect("TOML");
        replacement(&table["x"])
    }

    #[test]
    fn pseudonyms_are_refused() {
        assert_eq!(read("\"null\""), Ok(Replacement::Null));
        assert_eq!(read("\"random\""), Ok(Replacement::Random));
        assert!(matches!(read("{ fake = \"name\" }"), Ok(Replacement::Fake(_))));
        for constant in ["\"Former user\"", "0", "true", "\"100 % gone\"", "\"a < b > c\"", "\"5 $\""] {
            assert!(
                matches!(read(&format!("{{ constant = {constant} }}")), Ok(Replacement::Constant(_))),
                "{constant}"
            );
        }
        for refused in [
            "\"hash\"",
            "\"md5\"",
            "\"sha256(email)\"",
            "{ expression = \"md5(id::text)\" }",
            "{ hash = \"email\" }",
            "{ constant = \"deleted-{id}\" }",
            "{ constant = \"deleted-<id>\" }",
            "{ constant = \"deleted-${id}\" }",
            "{ constant = \"deleted-$1\" }",
            "{ constant = \"user %d\" }",
            "{ fake = \"name\", as = \"x\" }",
            "{ constant = \"x\", salt = \"y\" }",
        ] {
            assert!(read(refused).expect_err(refused).contains("pseudonym"), "{refused}");
        }
    }
}
