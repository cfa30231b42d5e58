//! Columns that give equal values for equal ones, and what is common to them.

use lethe_format::catalog::{Catalog, Column};

use super::Replacement;
use super::fill::Form;
use super::kind::Kind;
use super::lengths::{element_of, text_limit};
use super::random::RandomKind;

/// Characters from which on a column is long enough for what is made for it.
const LONG_FAKE: usize = 40;
const LONG_RANDOM: usize = 20;

/// What is common to a group's columns.
#[derive(Clone, Default)]
pub(super) struct Shape {
    pub limit: Option<usize>,
    rows: u64,
    pub unique: bool,
    kind: Option<Kind>,
    pub mixed: bool,
}

impl Shape {
    /// Adds a column with values of a kind.
    pub(super) fn add(&mut self, kind: &Kind, rows: u64, unique: bool) {
        let limit = match kind {
            Kind::Random(RandomKind::Text { len }) => Some(*len),
            Kind::Fake { limit, .. } => Some(*limit),
            Kind::Random(_) => None,
        };
        self.limit = self.limit.into_iter().chain(limit).min();
        self.rows = self.rows.saturating_add(rows);
        self.unique |= unique;
        self.mixed |= self.kind.as_ref().is_some_and(|known| family_of(known) != family_of(kind));
        self.kind = Some(kind.clone());
    }

    /// Random bits that a value must hold to be the only one.
    pub(super) fn bits(&self) -> usize {
        if self.unique { unique_bits(self.rows) } else { 0 }
    }
}

/// With so many random bits, two of so many values are the same once in a million restores.
pub(super) fn unique_bits(rows: u64) -> usize {
    let bits = u64::BITS - rows.leading_zeros();
    2 * bits as usize + 20
}

/// The group of a column without `as`. Short columns are joined with others of their length at most: one of them must not make all
/// others as short.
pub(super) fn usual_group(kind: &Kind) -> String {
    let family = family_of(kind);
    match kind {
        Kind::Random(RandomKind::Text { len }) if *len < LONG_RANDOM => format!("{family} {len}"),
        Kind::Fake { limit, .. } if *limit < LONG_FAKE => format!("{family} {limit}"),
        _ => family,
    }
}

fn family_of(kind: &Kind) -> String {
    match kind {
        Kind::Random(kind) => format!("random {}", kind.family()),
        Kind::Fake { fake, .. } => format!("fake {}", fake.word()),
    }
}

/// What values of this column, or the elements of its arrays, would be made of; none for NULL and constants.
pub(super) fn kind_of(
    catalog: &Catalog,
    column: &Column,
    replacement: &Replacement,
) -> Result<Option<(Kind, Form)>, String> {
    let element = element_of(catalog, column);
    let form = element.as_ref().map_or(Form::Whole, |element| Form::Elements(element.type_oid));
    let kind = of_one(catalog, element.as_ref().unwrap_or(column), replacement)?;
    Ok(kind.map(|kind| (kind, form)))
}

fn of_one(catalog: &Catalog, column: &Column, replacement: &Replacement) -> Result<Option<Kind>, String> {
    match replacement {
        Replacement::Null | Replacement::Constant(_) => Ok(None),
        Replacement::Random => {
            let kind = RandomKind::of(catalog, column).ok_or("no random value of its type is known")?;
            Ok(Some(Kind::Random(kind)))
        }
        Replacement::Fake(fake) => {
            let limit = text_limit(catalog, column).ok_or(
                "a made-up value is text, and its type is not, or only its domain knows how long it may be",
            )?;
            Ok(Some(Kind::Fake { fake: *fake, limit, bits: 0 }))
        }
    }
}
