//! Keys of other tables within the values of a masked column: they become what the keys that they refer to become, so that joins
//! survive, and everything else in the value becomes what the column's own mask makes of it.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::json::{Scalar, Step, Token, quote_into, remake, spans};
use lethe_format::manifest::CopyFormat;

use super::fake::{Words, letters};
use super::fill::{Form, Made, Making, Masked, map_elements};
use crate::closure::Guard;
use crate::embedded::{Embedded, KeyForm, Place, document};
use crate::key::{KeyBuffer, ValueError};
use crate::row_filter::Row;

/// The keys that the rules find in one column.
#[derive(Debug)]
pub(crate) struct Within {
    keys: Vec<KeyWithin>,
    /// Names that lead to keys in documents: they come from the rules and are nobody's.
    names: BTreeSet<Vec<u8>>,
}

/// What one rule finds.
#[derive(Debug)]
pub(crate) struct KeyWithin {
    pub embedded: Embedded,
    /// Only rows with this value hold it.
    pub guard: Option<Guard>,
    /// How the column is masked that it refers to; none if that stays as it is.
    pub becomes: Option<Made>,
}

/// Each is bound to a column of its own.
impl PartialEq for Within {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Within {}

/// Letters of a made-up name or text in a document.
const LETTERS: usize = 16;
const BILLION: u32 = 1_000_000_000;

impl Within {
    pub(super) fn new(keys: Vec<KeyWithin>) -> Self {
        let paths = keys.iter().filter_map(|key| match &key.embedded.place {
            Place::Document { path, .. } => Some(path),
            Place::Value | Place::Element => None,
        });
        let names = paths.flat_map(|path| path.steps()).filter_map(|step| match step {
            Step::Member(name) => Some(name.clone().into_bytes()),
            Step::Each | Step::Index(_) => None,
        });
        Self { names: names.collect(), keys }
    }

    /// What stands for the value of a field, not escaped.
    pub(super) fn value(
        &self,
        own: &Made,
        row: &Row<'_>,
        old: &[u8],
        field: usize,
        making: Making<'_>,
    ) -> Result<Vec<u8>, ValueError> {
        let mut buffer = KeyBuffer::default();
        let mut keys: Vec<&KeyWithin> = Vec::new();
        for key in &self.keys {
            if key.is_asked(row, &mut buffer)? {
                keys.push(key);
            }
        }
        if let Some(Place::Document { is_jsonb, .. }) = self.keys.first().map(|key| &key.embedded.place) {
            let (version, text) = document(old, *is_jsonb, row.format)?;
            return Ok([version, &self.document(own, &keys, text, making, &mut buffer)?].concat());
        }
        let mut one = |place, old: &[u8]| {
            for key in &keys {
                if key.embedded.key.read(row.format, old, &mut buffer)? {
                    return Ok(key.stored(own, row.format, old, &buffer, making));
                }
            }
            own.by_value(row.format, old, field, place, making)
        };
        match own.form {
            Form::Whole => one(0, old),
            Form::Elements(_) => map_elements(row.format, old, one),
        }
    }

    /// A text with a key in it; none if the keys are no pieces of texts, or stay as they are.
    pub(super) fn sample(&self, words: &Words, hash: &[u8; 32]) -> Option<String> {
        self.keys.iter().find_map(|key| match (&key.embedded.place, &key.embedded.key, &key.becomes) {
            (Place::Value, KeyForm::Written(written), Some(becomes)) => {
                Some(written.write(&becomes.kind.text(words, hash)))
            }
            _ => None,
        })
    }

    fn document(
        &self,
        own: &Made,
        keys: &[&KeyWithin],
        text: &[u8],
        making: Making<'_>,
        buffer: &mut KeyBuffer,
    ) -> Result<Vec<u8>, ValueError> {
        let no_document = |_| ValueError::Malformed { expected: "JSON document" };
        let mut found: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for key in keys {
            let Place::Document { path, .. } = &key.embedded.place else { continue };
            let places =
                spans(text, path, |scalar| key.embedded.reads(scalar, buffer)).map_err(no_document)?;
            for place in places {
                let start = place.start;
                let written = text.get(place).unwrap_or_default();
                found.entry(start).or_insert_with(|| key.written(written, making, buffer));
            }
        }
        let hash = |token: &[u8]| match own.masked_key(token, making) {
            Masked::Hash(hash) => hash,
            Masked::Number(number) => *blake3::hash(&number.to_be_bytes()).as_bytes(),
        };
        let whole = hash(text);
        let remade = remake(text, |at, token, out| match token {
            Token::Name(written) if token.name().is_some_and(|name| self.names.contains(name.as_ref())) => {
                out.extend_from_slice(written);
            }
            Token::Name(written) => quote_into(&letters(&hash(written), LETTERS), out),
            _ if found.contains_key(&at) => out.extend(found.remove(&at).unwrap_or_default()),
            Token::String(written) => quote_into(&letters(&hash(written), LETTERS), out),
            Token::Number(written) => {
                let number = hash(written).first_chunk::<4>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
                out.extend_from_slice((number % BILLION).to_string().as_bytes());
            }
            // One for each place: a new value for each old one would only rename the two.
            Token::Flag(_) => {
                let hash = blake3::keyed_hash(&whole, &(at as u64).to_be_bytes());
                out.extend_from_slice(if hash.as_bytes()[0] & 1 == 1 { b"true" } else { b"false" });
            }
        });
        remade.map_err(no_document)
    }
}

impl KeyWithin {
    fn is_asked(&self, row: &Row<'_>, buffer: &mut KeyBuffer) -> Result<bool, ValueError> {
        let Some(guard) = &self.guard else { return Ok(true) };
        Ok(row.read_key(&guard.fields, &guard.reader, buffer)? && guard.value.contains(buffer))
    }

    /// What stands for a key that is a value or an element by itself.
    fn stored(
        &self,
        own: &Made,
        format: CopyFormat,
        old: &[u8],
        key: &KeyBuffer,
        making: Making<'_>,
    ) -> Vec<u8> {
        let Some(becomes) = &self.becomes else { return old.to_vec() };
        match &self.embedded.key {
            KeyForm::Written(written) => written.write(&becomes.key_text(&key.only(), making)).into_bytes(),
            KeyForm::Stored(_) => match becomes.masked_key(&key.only(), making) {
                Masked::Number(number) => own.kind.number(format, number),
                Masked::Hash(hash) => becomes.kind.value(format, making.words, &hash),
            },
        }
    }

    /// What stands for a key that is written in a document.
    fn written(&self, old: &[u8], making: Making<'_>, buffer: &mut KeyBuffer) -> Vec<u8> {
        let (Some(becomes), KeyForm::Written(written)) = (&self.becomes, &self.embedded.key) else {
            return old.to_vec();
        };
        let is_text = old.first() == Some(&b'"');
        let scalar = if is_text { Scalar::String(old) } else { Scalar::Number(old) };
        if !self.embedded.reads(scalar, buffer) {
            return old.to_vec();
        }
        let text = written.write(&becomes.key_text(&buffer.only(), making));
        if !is_text {
            return text.into_bytes();
        }
        let mut quoted = Vec::new();
        quote_into(&text, &mut quoted);
        quoted
    }
}

impl Made {
    /// What stands for a key, as text.
    fn key_text(&self, canonical: &[u8], making: Making<'_>) -> String {
        match self.masked_key(canonical, making) {
            Masked::Number(number) => number.to_string(),
            Masked::Hash(hash) => self.kind.text(making.words, &hash),
        }
    }
}
