//! A document of the same shape with other names and values.

use std::borrow::Cow;

use super::walk::{Error, unquoted};

/// Something in a document that may be replaced, and where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token<'a> {
    /// The name of a member, with its quotes and escapes.
    Name(&'a [u8]),
    /// With its quotes and escapes.
    String(&'a [u8]),
    Number(&'a [u8]),
    /// `true` or `false`.
    Flag(&'a [u8]),
}

impl<'a> Token<'a> {
    /// The text of a name; none if its escapes stand for no text.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Name(quoted) => unquoted(quoted),
            _ => None,
        }
    }
}

/// Appends a text as a string of JSON.
pub fn quote_into(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// The document with every name, string, number and truth value replaced; braces, commas, blanks and `null` stay. `with` is given
/// each of them with the byte at which it begins, and what it appends takes its place.
///
/// Looks at each byte once, whatever the document's depth.
///
/// # Errors
/// [`Error`] where something begins that no document has, or where a string does not end.
pub fn remake(
    document: &[u8],
    mut with: impl FnMut(usize, Token<'_>, &mut Vec<u8>),
) -> Result<Vec<u8>, Error> {
    let mut made = Vec::with_capacity(document.len());
    let mut at = 0;
    while let Some(byte) = document.get(at) {
        let rest = document.get(at..).unwrap_or_default();
        let len = match byte {
            b'"' => string(rest).ok_or(Error { position: at })?,
            b'-' | b'0'..=b'9' | b'a'..=b'z' => rest.iter().position(ends).unwrap_or(rest.len()),
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {
                made.push(*byte);
                at += 1;
                continue;
            }
            _ => return Err(Error { position: at }),
        };
        let (token, after) = rest.split_at(len);
        match (byte, token) {
            (b'"', _) if is_name(after) => with(at, Token::Name(token), &mut made),
            (b'"', _) => with(at, Token::String(token), &mut made),
            (_, b"true" | b"false") => with(at, Token::Flag(token), &mut made),
            (_, b"null") => made.extend_from_slice(token),
            (b'a'..=b'z', _) => return Err(Error { position: at }),
            _ => with(at, Token::Number(token), &mut made),
        }
        at += len;
    }
    Ok(made)
}

/// The length of a string with its quotes.
fn string(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let rest = text.get(at..)?;
        let place = memchr::memchr2(b'"', b'\\', rest)?;
        if rest.get(place) == Some(&b'"') {
            return Some(at + place + 1);
        }
        at += place + 2;
    }
}

fn is_name(after: &[u8]) -> bool {
    after.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) == Some(&b':')
}

fn ends(byte: &u8) -> bool {
    !matches!(byte, b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E')
}

#[cfg(test)]
mod tests {
    use super::super::{Path, spans};
    use super::*;

    fn marked(document: &str) -> Result<String, Error> {
        let made = remake(document.as_bytes(), |_, token, out| {
            out.extend_from_slice(match token {
                Token::Name(_) => b"N",
                Token::String(_) => b"S",
                Token::Number(_) => b"1",
                Token::Flag(_) => b"F",
            });
        })?;
        Ok(String::from_utf8(made).expect("UTF-8"))
    }

    #[test]
    fn everything_but_the_shape_is_replaced() {
        for (document, expected) in [
            ("\"x\"", "S"),
            ("-1.5e+7", "1"),
            ("null", "null"),
            (r#"{"a": [true, "b\": 1", {"c\\" : null}], "a":1E4}"#, "{N: [F, S, {N : null}], N:1}"),
            ("[]", "[]"),
            ("[ \"a\" , \"b\" ]", "[ S , S ]"),
        ] {
            assert_eq!(marked(document).as_deref(), Ok(expected), "{document}");
        }
        for wrong in ["\"a", "\"a\\", "nul", "yes", "{'a': 1}", "NaN", "\u{1}"] {
            assert!(marked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_path_finds_is_found_where_it_stands() {
        let document = br#"{"a": [{"id": 5, "x": 5}, {"id": "5"}], "id": 5}"#;
        let found = spans(document, &Path::parse("$.a.id").expect("a path"), |_| true).expect("JSON");
        let found: Vec<&str> =
            found.into_iter().map(|span| std::str::from_utf8(&document[span]).expect("UTF-8")).collect();
        assert_eq!(found, ["5", "\"5\""]);
        let mut text = Vec::new();
        quote_into("a\"\\\n\u{e4}", &mut text);
        assert_eq!(text, "\"a\\\"\\\\\\n\u{e4}\"".as_bytes());
    }
}
