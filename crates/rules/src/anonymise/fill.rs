//! The new value of one field.

use std::borrow::Cow;
use std::sync::Arc;

use lethe_format::copy_text;
use lethe_format::manifest::CopyFormat;

use super::fake::{Words, make};
use super::permute::permute;
use super::random::RandomKind;
use crate::key::{Domain, Reader, ValueError};
use crate::row_filter::{Row, Seeds};
use lethe_format::mask::Fake;

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Fill {
    Null,
    /// In the table's COPY format, escaped for text.
    Constant(Arc<[u8]>),
    Made(Made),
}

impl std::fmt::Debug for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fill")
    }
}

/// A field and its new value, in the table's COPY format.
pub(crate) type Filled<'a> = (usize, Option<Cow<'a, [u8]>>);

/// A value that is made of random bits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub kind: Kind,
    pub by: By,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Random(RandomKind),
    /// At most `limit` characters, of which some hold `bits` random bits.
    Fake {
        fake: Fake,
        limit: usize,
        bits: usize,
    },
}

/// Where the random bits come from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// From the row's place: nothing that could be computed from the row.
    Row,
    /// From the old value and a key that only this restore has: equal values of a group get equal ones. NULL stays NULL.
    Value {
        group: usize,
        /// Reads what the column's equality tells apart; none where only its server knows.
        reader: Option<Reader>,
    },
}

impl Fill {
    /// None if the field stays as it is.
    pub(super) fn value<'a>(
        &'a self,
        words: &Words,
        row: &Row<'_>,
        field: usize,
        seeds: &Seeds,
        groups: &[[u8; 32]],
        number: u64,
    ) -> Result<Option<Filled<'a>>, ValueError> {
        let made = match self {
            Self::Null => return Ok(Some((field, None))),
            Self::Constant(value) => return Ok(Some((field, Some(Cow::Borrowed(value.as_ref()))))),
            Self::Made(made) => made,
        };
        let value = match &made.by {
            By::Row => made.by_row(row.format, words, field, seeds, number),
            By::Value { group, reader } => {
                let Some(old) = row.value(field)? else { return Ok(None) };
                let Some(key) = groups.get(*group) else { return Ok(None) };
                made.by_value(row.format, words, reader.as_ref(), key, &old)?
            }
        };
        Ok(Some((field, Some(Cow::Owned(value)))))
    }
}

impl Made {
    /// Made of the row's place alone.
    pub(crate) fn by_row(
        &self,
        format: CopyFormat,
        words: &Words,
        field: usize,
        seeds: &Seeds,
        number: u64,
    ) -> Vec<u8> {
        let mut place = [0; 16];
        place[..8].copy_from_slice(&number.to_be_bytes());
        place[8..].copy_from_slice(&(field as u64).to_be_bytes());
        self.kind.value(format, words, blake3::keyed_hash(&seeds.row, &place).as_bytes())
    }

    fn by_value(
        &self,
        format: CopyFormat,
        words: &Words,
        reader: Option<&Reader>,
        key: &[u8; 32],
        old: &[u8],
    ) -> Result<Vec<u8>, ValueError> {
        let mut canonical = Vec::new();
        match (reader, format) {
            (Some(reader), CopyFormat::Binary) => reader.binary(old, &mut canonical)?,
            (Some(reader), CopyFormat::Text) => reader.text(old, &mut canonical)?,
            (None, _) => canonical.extend_from_slice(old),
        }
        if let (Kind::Random(kind), Ok(bytes)) = (self.kind, <[u8; 8]>::try_from(canonical.as_slice()))
            && kind.is_integer()
            && reader.is_some_and(|reader| reader.domain == Domain::Integer)
        {
            let number = permute(key, i64::from_be_bytes(bytes));
            return Ok(match format {
                CopyFormat::Binary => kind.integer(number),
                CopyFormat::Text => number.to_string().into_bytes(),
            });
        }
        Ok(self.kind.value(format, words, blake3::keyed_hash(key, &canonical).as_bytes()))
    }

    /// Whether equal values of both columns get equal ones.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let (By::Value { group, reader }, By::Value { group: others, reader: other_reader }) =
            (&self.by, &other.by)
        else {
            return false;
        };
        let same = match (self.kind, other.kind) {
            (Kind::Random(one), Kind::Random(two)) => one == two || (one.is_integer() && two.is_integer()),
            (one, two) => one == two,
        };
        let domain = |reader: &Option<Reader>| reader.as_ref().map(|reader| reader.domain.clone());
        same && group == others && reader.is_some() && domain(reader) == domain(other_reader)
    }
}

impl Kind {
    /// A value in the COPY format: a function of the hash alone.
    fn value(self, format: CopyFormat, words: &Words, hash: &[u8; 32]) -> Vec<u8> {
        match (format, self) {
            (CopyFormat::Binary, Self::Random(kind)) => kind.binary(hash),
            (CopyFormat::Binary, Self::Fake { .. }) => self.text(words, hash).into_bytes(),
            (CopyFormat::Text, _) => {
                let mut escaped = Vec::new();
                copy_text::escape_into(self.text(words, hash).as_bytes(), &mut escaped);
                escaped
            }
        }
    }

    pub(super) fn text(self, words: &Words, hash: &[u8; 32]) -> String {
        match self {
            Self::Random(kind) => kind.text(hash),
            Self::Fake { fake, limit, bits } => make(fake, words, hash, limit, bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_fill(seed: u8, number: u64, field: usize) -> Vec<u8> {
        let fill = Fill::Made(Made { kind: Kind::Random(RandomKind::Text { len: 12 }), by: By::Row });
        let row = Row { format: CopyFormat::Text, fields: &[Some(b"x".as_slice()); 4] };
        let seeds = Seeds { row: [seed; 32], value: [0; 32] };
        let filled = fill.value(&Words::default(), &row, field, &seeds, &[], number).expect("a value");
        filled.and_then(|(_, value)| value).expect("no NULL").into_owned()
    }

    #[test]
    fn values_by_row_hang_on_seed_row_and_field_alone() {
        assert_eq!(row_fill(1, 2, 3), row_fill(1, 2, 3));
        assert_eq!(row_fill(1, 2, 3).len(), 12);
        for other in [row_fill(2, 2, 3), row_fill(1, 3, 3), row_fill(1, 2, 2)] {
            assert_ne!(row_fill(1, 2, 3), other);
        }
    }

    #[test]
    fn values_by_value_hang_on_key_and_value_in_every_form_of_it() {
        let made = |width| Made {
            kind: Kind::Random(width),
            by: By::Value {
                group: 0,
                reader: Some(Reader { source: source(width), domain: Domain::Integer }),
            },
        };
        let by = |width, format, key: u8, old: &[u8]| {
            let made: Made = made(width);
            let By::Value { reader, .. } = &made.by else { unreachable!() };
            made.by_value(format, &Words::default(), reader.as_ref(), &[key; 32], old).expect("a value")
        };
        let short = by(RandomKind::Int2, CopyFormat::Binary, 1, &7_i16.to_be_bytes());
        let long = by(RandomKind::Int8, CopyFormat::Binary, 1, &7_i64.to_be_bytes());
        let text = by(RandomKind::Int4, CopyFormat::Text, 1, b"7");
        assert_eq!([&[0; 6][..], &short].concat(), long);
        let number = i64::from_be_bytes(long.clone().try_into().expect("eight bytes"));
        assert_eq!(text, number.to_string().into_bytes());
        assert_ne!(long, by(RandomKind::Int8, CopyFormat::Binary, 2, &7_i64.to_be_bytes()));
    }

    fn source(kind: RandomKind) -> crate::key::Source {
        match kind {
            RandomKind::Int2 => crate::key::Source::Int2,
            RandomKind::Int4 => crate::key::Source::Int4,
            _ => crate::key::Source::Int8,
        }
    }
}
