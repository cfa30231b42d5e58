//! The new value of one field.

use std::borrow::Cow;
use std::sync::Arc;

use lethe_format::array::{self, Array, TextArray};
use lethe_format::copy_text;
use lethe_format::ids::Oid;
use lethe_format::manifest::CopyFormat;

use super::fake::Words;
use super::kind::Kind;
use super::permute::permute;
use super::within::Within;
use crate::key::{Domain, Reader, ValueError};
use crate::row_filter::{Row, Seeds};

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Fill {
    Null,
    /// In the table's COPY format, escaped for text.
    Constant(Arc<[u8]>),
    Made(Made),
}

/// A constant may be of the source, and a habit of printing values would not stop there.
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
    pub form: Form,
    /// Keys of other tables that stand within the old value, and stay what they refer to.
    pub within: Option<Arc<Within>>,
}

/// What the kind makes: the value, or each element of an array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Whole,
    /// With the OID of the elements' type.
    Elements(Oid),
}

/// Where the random bits come from.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// From the row's place: nothing that could be computed from the row.
    Row,
    /// From the row's place as well, but an array stays as long as it was.
    Throw,
    /// From the old value and a key that only this restore has: equal values of a group get equal ones. NULL stays NULL.
    Value {
        group: usize,
        /// Reads what the column's equality tells apart; none where only its server knows.
        reader: Option<Reader>,
    },
}

/// What values are made with.
#[derive(Clone, Copy)]
pub(super) struct Making<'a> {
    pub words: &'a Words,
    pub seeds: &'a Seeds,
    /// The keys of [`super::Everybody::keys`].
    pub groups: &'a [[u8; 32]],
    /// The row's place in its chunk.
    pub number: u64,
}

impl Making<'_> {
    /// Random bits of a field of the row, and of a place within it.
    fn place(&self, field: usize, within: Option<usize>) -> [u8; 32] {
        let mut place = [0; 16];
        place[..8].copy_from_slice(&self.number.to_be_bytes());
        place[8..].copy_from_slice(&(field as u64).to_be_bytes());
        let hash = *blake3::keyed_hash(&self.seeds.row, &place).as_bytes();
        within.map_or(hash, |within| *blake3::keyed_hash(&hash, &(within as u64).to_be_bytes()).as_bytes())
    }
}

impl Fill {
    /// None if the field stays as it is.
    pub(super) fn value<'a>(
        &'a self,
        row: &Row<'_>,
        field: usize,
        making: Making<'_>,
    ) -> Result<Option<Filled<'a>>, ValueError> {
        let made = match self {
            Self::Null => return Ok(Some((field, None))),
            Self::Constant(value) => return Ok(Some((field, Some(Cow::Borrowed(value.as_ref()))))),
            Self::Made(made) => made,
        };
        let Some(value) = made.value(row, field, making)? else { return Ok(None) };
        Ok(Some((field, Some(Cow::Owned(stored(row.format, value))))))
    }
}

/// As COPY carries it.
fn stored(format: CopyFormat, value: Vec<u8>) -> Vec<u8> {
    match format {
        CopyFormat::Binary => value,
        CopyFormat::Text => {
            let mut escaped = Vec::with_capacity(value.len());
            copy_text::escape_into(&value, &mut escaped);
            escaped
        }
    }
}

/// For the same reason.
impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Made")
    }
}

impl Made {
    /// Made of a row's place, for a row that loses what it referred to. In the table's COPY format.
    pub(crate) fn by_row(
        &self,
        row: &Row<'_>,
        field: usize,
        words: &Words,
        (seeds, number): (&Seeds, u64),
    ) -> Result<Option<Vec<u8>>, ValueError> {
        let value = self.value(row, field, Making { words, seeds, groups: &[], number })?;
        Ok(value.map(|value| stored(row.format, value)))
    }

    /// Not escaped; none if the field stays as it is.
    fn value(&self, row: &Row<'_>, field: usize, making: Making<'_>) -> Result<Option<Vec<u8>>, ValueError> {
        let format = row.format;
        match (&self.by, self.form) {
            (By::Row, Form::Elements(element)) => {
                return self.row_array(format, element, field, making).map(Some);
            }
            (By::Row | By::Throw, Form::Whole) => {
                return Ok(Some(self.kind.value(format, making.words, &making.place(field, None))));
            }
            _ => {}
        }
        let Some(old) = row.value(field)? else { return Ok(None) };
        if let Some(within) = &self.within {
            return within.value(self, row, &old, field, making).map(Some);
        }
        match self.form {
            Form::Whole => self.by_value(format, &old, field, 0, making).map(Some),
            Form::Elements(_) => {
                map_elements(format, &old, |place, old| self.by_value(format, old, field, place, making))
                    .map(Some)
            }
        }
    }

    /// A few elements: how many there were would say something of the row.
    fn row_array(
        &self,
        format: CopyFormat,
        element: Oid,
        field: usize,
        making: Making<'_>,
    ) -> Result<Vec<u8>, ValueError> {
        let count = usize::from(making.place(field, None)[0] % 4);
        let value = |place| self.kind.value(format, making.words, &making.place(field, Some(place)));
        let elements: Vec<Vec<u8>> = (0..count).map(value).collect();
        match format {
            CopyFormat::Binary => Array::in_line(element, &elements).map_err(no_array),
            CopyFormat::Text => Ok(TextArray::in_line(&elements)),
        }
    }

    /// What stands for an old value, or for an element of an array at a place.
    pub(super) fn by_value(
        &self,
        format: CopyFormat,
        old: &[u8],
        field: usize,
        place: usize,
        making: Making<'_>,
    ) -> Result<Vec<u8>, ValueError> {
        let By::Value { reader, .. } = &self.by else {
            return Ok(self.kind.value(format, making.words, &making.place(field, Some(place))));
        };
        let mut canonical = Vec::new();
        match (reader, format) {
            (Some(reader), CopyFormat::Binary) => reader.binary(old, &mut canonical)?,
            (Some(reader), CopyFormat::Text) => reader.text(old, &mut canonical)?,
            (None, _) => canonical.extend_from_slice(old),
        }
        Ok(match self.masked_key(&canonical, making) {
            Masked::Number(number) => self.kind.number(format, number),
            Masked::Hash(hash) => self.kind.value(format, making.words, &hash),
        })
    }

    /// What stands for a value in its canonical form.
    pub(super) fn masked_key(&self, canonical: &[u8], making: Making<'_>) -> Masked {
        let By::Value { group, reader } = &self.by else { return Masked::Hash([0; 32]) };
        let Some(key) = making.groups.get(*group) else { return Masked::Hash([0; 32]) };
        let is_number = reader.as_ref().is_some_and(|reader| reader.domain == Domain::Integer);
        match <[u8; 8]>::try_from(canonical) {
            Ok(bytes) if is_number && self.kind.is_integer() => {
                Masked::Number(permute(key, i64::from_be_bytes(bytes)))
            }
            _ => Masked::Hash(*blake3::keyed_hash(key, canonical).as_bytes()),
        }
    }

    /// A value such as it makes, as text; every other one holds a key if its values may.
    pub(super) fn sample(&self, words: &Words, hash: &[u8; 32]) -> String {
        if let Some(within) = self.within.as_ref().filter(|_| hash[0] & 1 == 1)
            && let Some(sample) = within.sample(words, hash)
        {
            return sample;
        }
        match self.form {
            Form::Whole => self.kind.text(words, hash),
            Form::Elements(_) => {
                let element = |place: u8| {
                    let hash = blake3::keyed_hash(hash, &[place]);
                    self.kind.text(words, hash.as_bytes()).into_bytes()
                };
                let elements: Vec<Vec<u8>> = (0..hash[1] % 4).map(element).collect();
                String::from_utf8(TextArray::in_line(&elements)).unwrap_or_default()
            }
        }
    }

    /// Whether equal values of both columns get equal ones.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let (By::Value { group, reader }, By::Value { group: others, reader: other_reader }) =
            (&self.by, &other.by)
        else {
            return false;
        };
        let domain = |reader: &Option<Reader>| reader.as_ref().map(|reader| reader.domain.clone());
        self.kind.is_like(&other.kind)
            && (self.form, &self.within) == (other.form, &other.within)
            && group == others
            && reader.is_some()
            && domain(reader) == domain(other_reader)
    }
}

/// What a masked value is made of.
pub(super) enum Masked {
    Number(i64),
    Hash([u8; 32]),
}

/// Each element of an array, NULLs left out, with its place.
pub(super) fn map_elements(
    format: CopyFormat,
    old: &[u8],
    with: impl FnMut(usize, &[u8]) -> Result<Vec<u8>, ValueError>,
) -> Result<Vec<u8>, ValueError> {
    match format {
        CopyFormat::Binary => Array::read(old)?.map(with),
        CopyFormat::Text => TextArray::read(old)?.map(with),
    }
}

impl From<array::Error> for ValueError {
    fn from(_: array::Error) -> Self {
        Self::Malformed { expected: "array" }
    }
}

fn no_array(error: array::Error) -> ValueError {
    error.into()
}

#[cfg(test)]
mod tests {
    use super::super::random::RandomKind;
    use super::*;

    fn made(kind: RandomKind, by: By, form: Form) -> Made {
        Made { kind: Kind::Random(kind), by, form, within: None }
    }

    fn row_fill(seed: u8, number: u64, field: usize) -> Vec<u8> {
        let fill = Fill::Made(made(RandomKind::Text { len: 12 }, By::Row, Form::Whole));
        let row = Row { format: CopyFormat::Text, fields: &[Some(b"x".as_slice()); 4] };
        let seeds = Seeds { row: [seed; 32], value: [0; 32] };
        let making = Making { words: &Words::default(), seeds: &seeds, groups: &[], number };
        let filled = fill.value(&row, field, making).expect("a value");
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

    fn by_value(kind: RandomKind, form: Form, format: CopyFormat, key: u8, old: &[u8]) -> Vec<u8> {
        let reader = Some(Reader { source: source(&kind), domain: Domain::Integer });
        let made = made(kind, By::Value { group: 0, reader }, form);
        let row = Row { format, fields: &[Some(old)] };
        let (words, seeds) = (Words::default(), Seeds::default());
        let making = Making { words: &words, seeds: &seeds, groups: &[[key; 32]], number: 0 };
        made.value(&row, 0, making).expect("a value").expect("another one")
    }

    #[test]
    fn values_by_value_hang_on_key_and_value_in_every_form_of_it() {
        let by = |kind, format, key: u8, old: &[u8]| by_value(kind, Form::Whole, format, key, old);
        let short = by(RandomKind::Int2, CopyFormat::Binary, 1, &7_i16.to_be_bytes());
        let long = by(RandomKind::Int8, CopyFormat::Binary, 1, &7_i64.to_be_bytes());
        let text = by(RandomKind::Int4, CopyFormat::Text, 1, b"7");
        assert_eq!([&[0; 6][..], &short].concat(), long);
        let number = i64::from_be_bytes(long.clone().try_into().expect("eight bytes"));
        assert_eq!(text, number.to_string().into_bytes());
        assert_ne!(long, by(RandomKind::Int8, CopyFormat::Binary, 2, &7_i64.to_be_bytes()));
        // An element of an array becomes what the value becomes.
        let array = by_value(RandomKind::Int8, Form::Elements(20), CopyFormat::Text, 1, b"{7,NULL,7}");
        assert_eq!(String::from_utf8_lossy(&array), format!("{{{number},NULL,{number}}}"));
        let old = Array::in_line(20, &[7_i64.to_be_bytes().to_vec()]).expect("an array");
        let array = by_value(RandomKind::Int8, Form::Elements(20), CopyFormat::Binary, 1, &old);
        assert_eq!(array, Array::in_line(20, &[long]).expect("an array"));
    }

    fn source(kind: &RandomKind) -> crate::key::Source {
        match kind {
            RandomKind::Int2 => crate::key::Source::Int2,
            RandomKind::Int4 => crate::key::Source::Int4,
            _ => crate::key::Source::Int8,
        }
    }
}
