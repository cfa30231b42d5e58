//! Keys that are written out, in texts and in documents.

use lethe_format::json::Scalar;
use lethe_format::reference::KeyPattern;

use super::number::decimal;
use crate::key::{Domain, KeyBuffer, KeyReader, Reader, Source};

/// Reads a key from a text, or from what stands in a document.
#[derive(Debug)]
pub(crate) struct WrittenKey {
    pattern: Option<KeyPattern>,
    reader: KeyReader,
    /// Whether a JSON number can be one.
    takes_numbers: bool,
    is_whole_number: bool,
}

/// Whether the values of a domain are written in one way by whoever writes them: times, for instance, are not.
pub(crate) fn is_written(domain: &Domain) -> bool {
    matches!(
        domain,
        Domain::Integer
            | Domain::Numeric
            | Domain::Text
            | Domain::BlankPadded
            | Domain::Exact(Source::Uuid | Source::Enum)
    )
}

impl WrittenKey {
    /// `reader` reads the referenced column.
    pub(crate) fn new(pattern: Option<KeyPattern>, reader: Reader) -> Self {
        let is_whole_number = reader.domain == Domain::Integer;
        let takes_numbers = pattern.is_none() && (is_whole_number || reader.domain == Domain::Numeric);
        // A key beyond the range of the column may still be on the ledger.
        let source = if is_whole_number { Source::Int8 } else { reader.source };
        let reader = KeyReader::new(vec![Reader { source, domain: reader.domain }]);
        Self { pattern, reader, takes_numbers, is_whole_number }
    }

    /// The text of a key as it stands there.
    pub(crate) fn write(&self, key: &str) -> String {
        self.pattern.as_ref().map_or_else(|| key.to_owned(), |pattern| pattern.with(key))
    }

    /// False if the text is no key.
    pub(super) fn read_text(&self, text: &[u8], key: &mut KeyBuffer) -> bool {
        let text = match &self.pattern {
            Some(pattern) => pattern.key(text),
            None => Some(text),
        };
        text.is_some_and(|text| self.reader.text(std::iter::once(text), key).is_ok())
    }

    /// False if it is no key.
    pub(super) fn read_scalar(&self, scalar: Scalar<'_>, key: &mut KeyBuffer) -> bool {
        match scalar {
            Scalar::String(_) => scalar.text().is_some_and(|text| self.read_text(&text, key)),
            Scalar::Number(_) if !self.takes_numbers => false,
            Scalar::Number(number) => decimal(number).is_some_and(|number| {
                (!self.is_whole_number || !number.contains(&b'.'))
                    && self.reader.text(std::iter::once(number.as_ref()), key).is_ok()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(domain: Domain, source: Source, pattern: Option<&str>) -> WrittenKey {
        let pattern = pattern.map(|pattern| KeyPattern::parse(pattern).expect("a pattern"));
        WrittenKey::new(pattern, Reader { source, domain })
    }

    fn reads(written: &WrittenKey, scalar: &str) -> Option<Box<[u8]>> {
        let scalar = match scalar.as_bytes() {
            quoted @ [b'"', ..] => Scalar::String(quoted),
            number => Scalar::Number(number),
        };
        let mut buffer = KeyBuffer::default();
        written.read_scalar(scalar, &mut buffer).then(|| buffer.to_bytes())
    }

    #[test]
    fn numbers_and_texts_name_numbers() {
        let integer = key(Domain::Integer, Source::Int4, None);
        let five = reads(&integer, "5");
        assert!(five.is_some());
        for same in ["\"5\"", "5.0", "50e-1", "\"\\u0035\"", "\"+5\""] {
            assert_eq!(reads(&integer, same), five, "{same}");
        }
        assert!(reads(&integer, "3000000000").is_some_and(|key| Some(key) != five));
        for other in ["5.5", "\"5.0\"", "\"five\"", "\"\"", "99999999999999999999", "\"\\ud800\""] {
            assert_eq!(reads(&integer, other), None, "{other}");
        }
        let numeric = key(Domain::Numeric, Source::Numeric, None);
        assert_eq!(reads(&numeric, "5.10"), reads(&numeric, "\"5.1\""));
        assert!(reads(&numeric, "5.10").is_some_and(|key| Some(key) != reads(&numeric, "5")));
    }

    #[test]
    fn only_texts_name_texts() {
        let text = key(Domain::Text, Source::Text, None);
        assert!(reads(&text, "5").is_none() && reads(&text, "\"5\"").is_some());
        let user = key(Domain::Integer, Source::Int8, Some("user:{}"));
        assert_eq!(reads(&user, "\"user:5\""), reads(&key(Domain::Integer, Source::Int8, None), "5"));
        for other in ["5", "\"5\"", "\"user:\"", "\"user:x\"", "\"team:5\""] {
            assert_eq!(reads(&user, other), None, "{other}");
        }
        let uuid = key(Domain::Exact(Source::Uuid), Source::Uuid, None);
        let found = reads(&uuid, "\"00000000-0000-4000-8000-0000000000AB\"");
        assert!(found.is_some() && found == reads(&uuid, "\"{000000000000400080000000000000ab}\""));
    }
}
