//! Whether what was masked is in the target as it was: the stored values of masked columns, to be looked for in rows that are read back.

use std::collections::{BTreeMap, HashSet};

use lethe_format::array::{Array, TextArray};
use lethe_format::manifest::CopyFormat;

use super::fake::{DOMAIN, PHONE};
use super::fill::{Fill, Form, Made};
use super::kind::Kind;
use super::random::RandomKind;
use crate::row_filter::Row;
use lethe_format::mask::Fake;

/// Stored values of the masked columns of one table, as hashes. Only such values are among them as no mask makes by chance.
#[derive(Default)]
pub struct Originals {
    /// By position in the row.
    fields: BTreeMap<usize, HashSet<[u8; 16]>>,
    /// Values that are made from random bits, and how many of them are what they were.
    pub made: u64,
    pub same: u64,
}

/// Hashes of people's data are people's data.
impl std::fmt::Debug for Originals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Originals({} values)", self.len())
    }
}

/// What was found in rows that were read back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LookedUp {
    pub rows: u64,
    /// Values that were looked for among the originals.
    pub values: u64,
    /// Positions of columns that hold an original.
    pub found: Vec<usize>,
}

/// Shorter values may stand in a column for any reason.
const TELLING_LEN: usize = 8;
/// With fewer random bits a made-up value may be the old one by chance.
const TELLING_BITS: usize = 40;

impl Originals {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.values().map(HashSet::len).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a row as it is stored; `masked` says whether a field becomes something else.
    pub(crate) fn add(&mut self, row: &Row<'_>, fills: &[(usize, Fill)], masked: impl Fn(usize) -> bool) {
        for (field, fill) in fills {
            let Some(old) = row.fields.get(*field).copied().flatten() else { continue };
            if matches!(fill, Fill::Made(_)) {
                self.made += 1;
                self.same += u64::from(!masked(*field));
            }
            if is_telling(fill, row.format, old) {
                self.fields.entry(*field).or_default().insert(hash(old));
            }
        }
    }

    /// Looks for them in a row that was read back.
    pub(crate) fn look(&self, row: &Row<'_>, found: &mut LookedUp) {
        found.rows += 1;
        for (field, originals) in &self.fields {
            let Some(value) = row.fields.get(*field).copied().flatten() else { continue };
            found.values += 1;
            if originals.contains(&hash(value)) && !found.found.contains(field) {
                found.found.push(*field);
            }
        }
    }
}

fn hash(value: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(value);
    let mut short = [0; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
}

/// Whether the value is in the target only if it was not masked.
fn is_telling(fill: &Fill, format: CopyFormat, old: &[u8]) -> bool {
    match fill {
        Fill::Null => old.len() >= TELLING_LEN,
        Fill::Constant(constant) => old.len() >= TELLING_LEN && old != constant.as_ref(),
        Fill::Made(made) if made.form == Form::Whole => made.bits() >= TELLING_BITS || made.never_makes(old),
        Fill::Made(made) => made.bits() >= TELLING_BITS && has_elements(format, old),
    }
}

fn has_elements(format: CopyFormat, old: &[u8]) -> bool {
    match format {
        CopyFormat::Binary => {
            Array::read(old).is_ok_and(|array| array.elements().any(|element| matches!(element, Ok(Some(_)))))
        }
        CopyFormat::Text => TextArray::read(old)
            .is_ok_and(|array| array.elements().any(|element| matches!(element, Ok(Some(_))))),
    }
}

impl Made {
    /// Whether the value is none of those that can be told by how they begin or end.
    fn never_makes(&self, old: &[u8]) -> bool {
        match &self.kind {
            _ if self.within.is_some() => false,
            Kind::Fake { fake: Fake::Email, .. } => !old.ends_with(DOMAIN.as_bytes()),
            Kind::Fake { fake: Fake::Phone, .. } => !old.starts_with(PHONE.as_bytes()),
            _ => false,
        }
    }

    /// Random bits of a value, as far as it can be told from every old one by them.
    fn bits(&self) -> usize {
        // What stays in a document, and a key that stays as it is, may be all that was in it.
        if self.within.is_some() {
            return 0;
        }
        match &self.kind {
            // A whole number gets one of those that others had.
            Kind::Random(kind) if kind.is_integer() => 0,
            Kind::Random(RandomKind::Text { len }) => 5 * len,
            Kind::Random(kind) => kind.bits(),
            // Six of some hundred words, where the column is long enough for them.
            Kind::Fake { bits, fake: Fake::Sentence, limit: 40.. } => (*bits).max(40),
            Kind::Fake { bits, .. } => *bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fill::By;
    use super::*;

    fn made(kind: Kind, form: Form) -> Fill {
        Fill::Made(Made { kind, by: By::Row, form, within: None })
    }

    #[test]
    fn an_original_that_is_still_there_is_found_and_chance_is_not() {
        let fills = [
            (0, Fill::Null),
            (1, Fill::Constant((*b"always me").into())),
            (2, made(Kind::Random(RandomKind::Uuid), Form::Whole)),
            (3, made(Kind::Random(RandomKind::Bool), Form::Whole)),
            (4, made(Kind::Random(RandomKind::Text { len: 25 }), Form::Elements(25))),
            (5, made(Kind::Random(RandomKind::Int8), Form::Whole)),
            (6, made(Kind::Fake { fake: Fake::Phone, limit: 20, bits: 0 }, Form::Whole)),
        ];
        let row = |fields: &[Option<&'static str>]| -> Vec<Option<&'static [u8]>> {
            fields.iter().map(|field| field.map(str::as_bytes)).collect()
        };
        let format = CopyFormat::Text;
        let mut originals = Originals::default();
        for fields in [
            row(&[
                Some("a long text"),
                Some("always me"),
                Some("a uuid"),
                Some("t"),
                Some("{}"),
                Some("7"),
                Some("+49555"),
            ]),
            row(&[
                Some("short"),
                Some("once me, long"),
                None,
                Some("f"),
                Some("{x}"),
                Some("8"),
                Some("+9991"),
            ]),
        ] {
            originals.add(&Row { format, fields: &fields }, &fills, |field| field != 3);
        }
        assert_eq!((originals.len(), originals.made, originals.same), (5, 9, 2));
        let look = |fields: &[Option<&'static str>]| {
            let (fields, mut found) = (row(fields), LookedUp::default());
            originals.look(&Row { format, fields: &fields }, &mut found);
            (found.values, found.found)
        };
        assert_eq!(
            look(&[
                None,
                Some("always me"),
                Some("another"),
                Some("t"),
                Some("{}"),
                Some("7"),
                Some("+9991")
            ]),
            (4, vec![])
        );
        for (field, value) in
            [(0, "a long text"), (1, "once me, long"), (2, "a uuid"), (4, "{x}"), (6, "+49555")]
        {
            let mut fields = [None; 7];
            fields[field] = Some(value);
            assert_eq!(look(&fields), (1, vec![field]), "{value}");
        }
        assert_eq!(look(&[Some("short"), None, None, Some("f"), None, Some("8"), None]), (1, vec![]));
    }
}
