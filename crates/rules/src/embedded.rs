//! Keys within values: in the elements of an array, at a path of a document, in a piece of a text.
//!
//! A value may hold many keys, or none; what is no key there refers to nothing. All that the rules about one column have
//! to take out is found in the value as it was stored, and taken out at once, so that no order of the rules matters.

mod number;
mod written;

use lethe_format::array::{self, Array, TextArray};
use lethe_format::json::{self, Needle, Path, Take};
use lethe_format::manifest::CopyFormat;

use crate::closure::{Probe, Sets};
use crate::key::{KeyBuffer, KeyReader, ValueError};
use crate::row_filter::Row;
pub(crate) use written::{WrittenKey, is_written};

/// Where in a column's value keys are, and how they are read.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub place: Place,
    pub key: KeyForm,
    /// Why the column would not take a NULL, if taking a key out may leave nothing of the value.
    pub null_refused: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Place {
    /// The value itself, of which the key is a piece.
    Value,
    Element,
    Document {
        path: Path,
        is_jsonb: bool,
        needle: Option<Box<Needle>>,
        take: Take,
    },
}

#[derive(Debug)]
pub(crate) enum KeyForm {
    /// As the type of the elements stores it.
    Stored(KeyReader),
    Written(WrittenKey),
}

impl KeyForm {
    /// Reads an element of an array; false if it is no key.
    #[inline]
    pub(crate) fn read(
        &self,
        format: CopyFormat,
        element: &[u8],
        key: &mut KeyBuffer,
    ) -> Result<bool, ValueError> {
        let element = std::iter::once(element);
        match (self, format) {
            (Self::Stored(reader), CopyFormat::Binary) => reader.binary(element, key)?,
            (Self::Stored(reader), CopyFormat::Text) => reader.text(element, key)?,
            (Self::Written(written), _) => {
                return Ok(element.into_iter().any(|text| written.read_text(text, key)));
            }
        }
        Ok(true)
    }
}

impl Embedded {
    /// Whether `asks` says yes to any key in the row's value; none after that is read.
    #[inline]
    pub(crate) fn any(
        &self,
        row: &Row<'_>,
        field: usize,
        key: &mut KeyBuffer,
        mut asks: impl FnMut(&KeyBuffer) -> bool,
    ) -> Result<bool, ValueError> {
        let Some(stored) = row.fields.get(field).copied().flatten() else { return Ok(false) };
        if let Place::Document { needle: Some(needle), .. } = &self.place
            && !needle.may_be_in(stored)
        {
            return Ok(false);
        }
        let Some(value) = row.value(field)? else { return Ok(false) };
        match (&self.place, row.format) {
            (Place::Value, format) => Ok(self.key.read(format, &value, key)? && asks(key)),
            (Place::Element, CopyFormat::Binary) => {
                for element in Array::read(&value).map_err(no_array)?.elements() {
                    if let Some(element) = element.map_err(no_array)?
                        && self.key.read(CopyFormat::Binary, element, key)?
                        && asks(key)
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Place::Element, CopyFormat::Text) => {
                for element in TextArray::read(&value).map_err(no_array)?.elements() {
                    if let Some(element) = element.map_err(no_array)?
                        && self.key.read(CopyFormat::Text, &element, key)?
                        && asks(key)
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Place::Document { path, is_jsonb, .. }, format) => {
                let (_, document) = document(&value, *is_jsonb, format)?;
                json::any(document, path, |scalar| self.reads(scalar, key) && asks(key)).map_err(no_document)
            }
        }
    }

    pub(crate) fn reads(&self, scalar: json::Scalar<'_>, key: &mut KeyBuffer) -> bool {
        matches!(&self.key, KeyForm::Written(written) if written.read_scalar(scalar, key))
    }
}

/// The row's value without what these probes, all about this field, find to be gone; none if nothing is left of it.
pub(crate) fn without<'a>(
    row: &Row<'_>,
    field: usize,
    probes: impl Iterator<Item = &'a Probe> + Clone,
    sets: &Sets,
    key: &mut KeyBuffer,
) -> Result<Option<Vec<u8>>, ValueError> {
    let Some(value) = row.value(field)? else { return Ok(None) };
    let probes = || probes.clone().filter_map(|probe| Some((probe, probe.embedded.as_ref()?)));
    if probes().all(|(_, embedded)| matches!(embedded.place, Place::Element)) {
        let mut unreadable = None;
        let mut goes = |element: &[u8]| {
            probes().any(|(probe, embedded)| match embedded.key.read(row.format, element, key) {
                Ok(is_key) => is_key && probe.is_gone(sets, key),
                Err(error) => {
                    unreadable.get_or_insert(error);
                    false
                }
            })
        };
        let left = match row.format {
            CopyFormat::Binary => Array::read(&value).and_then(|array| array.without(&mut goes)),
            CopyFormat::Text => TextArray::read(&value).and_then(|array| array.without(&mut goes)),
        };
        let left = left.map_err(no_array)?;
        return unreadable.map_or(Ok(Some(left)), Err);
    }
    let (mut version, mut items) = (&[][..], Vec::new());
    let mut text = value.as_ref();
    for (probe, embedded) in probes() {
        let Place::Document { path, is_jsonb, take, .. } = &embedded.place else { continue };
        (version, text) = document(&value, *is_jsonb, row.format)?;
        let gone = |scalar: json::Scalar<'_>| embedded.reads(scalar, key) && probe.is_gone(sets, key);
        items.extend(json::items(text, path, *take, gone).map_err(no_document)?);
    }
    Ok(json::without(text, items).map(|left| [version, &left].concat()))
}

/// What stands before the text, and the text.
pub(crate) fn document(
    value: &[u8],
    is_jsonb: bool,
    format: CopyFormat,
) -> Result<(&[u8], &[u8]), ValueError> {
    if !is_jsonb || format == CopyFormat::Text {
        return Ok((&[], value));
    }
    match value.split_at_checked(1) {
        Some((version @ [json::JSONB_VERSION], text)) => Ok((version, text)),
        _ => Err(ValueError::Malformed { expected: "jsonb document" }),
    }
}

fn no_array(error: array::Error) -> ValueError {
    error.into()
}

fn no_document(_: json::Error) -> ValueError {
    ValueError::Malformed { expected: "JSON document" }
}
