//! The text form of composite values, as `record_out` writes it: `(1,"a ""quoted"" one",)`.

use super::binary::{push_framed, push_null};
use super::domain::{Domain, Source};
use super::{ValueError, malformed, text};

pub(super) fn canonical(
    source: &Source,
    domains: &[Domain],
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    let Source::Record(sources) = source else { return malformed("composite value") };
    let fields = split(value)?;
    if fields.len() != domains.len() || sources.len() != domains.len() {
        return malformed("composite value");
    }
    for ((source, domain), field) in sources.iter().zip(domains).zip(fields) {
        match field {
            None => push_null(out),
            Some(field) => push_framed(out, |out| text::canonical(source, domain, &field, out))?,
        }
    }
    Ok(())
}

/// The fields, unquoted; an empty unquoted field is NULL (`record_in`).
fn split(value: &[u8]) -> Result<Vec<Option<Vec<u8>>>, ValueError> {
    let [b'(', inner @ .., b')'] = value else { return malformed("composite value") };
    let mut fields = vec![None];
    let mut quoted = false;
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let literal = match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => bytes.next(),
            b'"' => {
                quoted = !quoted;
                if let Some(last) = fields.last_mut() {
                    last.get_or_insert_with(Vec::new);
                }
                None
            }
            b'\\' => Some(bytes.next().ok_or(ValueError::Malformed { expected: "composite value" })?),
            b',' if !quoted => {
                fields.push(None);
                None
            }
            b'(' | b')' if !quoted => return malformed("composite value"),
            plain => Some(plain),
        };
        if let (Some(byte), Some(last)) = (literal, fields.last_mut()) {
            last.get_or_insert_with(Vec::new).push(byte);
        }
    }
    if quoted { malformed("composite value") } else { Ok(fields) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_split_and_unquoted() {
        let field = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(
            split(b"(1,\"a \"\"b\"\", (c)\\\\\",)"),
            Ok(vec![field("1"), field("a \"b\", (c)\\"), None])
        );
        assert_eq!(split(b"(\"\")"), Ok(vec![field("")]));
        for wrong in ["", "(", ")", "1,2", "(\"a)", "(a))", "(a\\"] {
            assert!(split(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
