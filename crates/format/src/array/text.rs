//! The text form of arrays, as `array_out` writes it: `{1,NULL,"a \"b\""}`, `{{1,2},{3,4}}`, `[0:1]={1,2}` ("Array Input and
//! Output Syntax"). The elements of no type that is compared here are separated by anything but a comma.

use std::borrow::Cow;
use std::ops::Range;

use super::{Error, MOST_DIMENSIONS};

/// An array in text form, not escaped as COPY does.
#[derive(Clone, Copy)]
pub struct TextArray<'a> {
    text: &'a [u8],
    /// Where the first brace stands; before it are the bounds, if they are not the usual ones.
    body: usize,
}

/// Elements are people's data: only their size is shown.
impl std::fmt::Debug for TextArray<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TextArray({} bytes)", self.text.len())
    }
}

/// An element as it stands there.
struct Element {
    at: Range<usize>,
    depth: usize,
}

impl<'a> TextArray<'a> {
    /// Finds where the elements begin.
    ///
    /// # Errors
    /// [`Error::Text`] if there is no brace.
    pub fn read(text: &'a [u8]) -> Result<Self, Error> {
        let body = match text.first() {
            Some(b'{') => 0,
            Some(b'[') => text.iter().position(|byte| *byte == b'=').map_or(text.len(), |equals| equals + 1),
            _ => text.len(),
        };
        if text.get(body) == Some(&b'{') {
            Ok(Self { text, body })
        } else {
            Err(Error::Text { position: body })
        }
    }

    /// The elements in their order, without quotes, none for NULL.
    ///
    /// Ends after the first error.
    pub fn elements(&self) -> impl Iterator<Item = Result<Option<Cow<'a, [u8]>>, Error>> {
        self.places().map(|element| element.map(|element| self.value(&element)))
    }

    /// The array without the elements that are to go.
    ///
    /// # Errors
    /// [`Error::Text`] if it is no array.
    pub fn without(&self, mut goes: impl FnMut(&[u8]) -> bool) -> Result<Vec<u8>, Error> {
        let (mut kept, mut gone, mut in_line) = (Vec::new(), Vec::new(), true);
        for element in self.places() {
            let element = element?;
            in_line &= element.depth == 1;
            let goes = self.value(&element).is_some_and(|value| goes(&value));
            if goes { &mut gone } else { &mut kept }.push(element.at);
        }
        let mut array = Vec::with_capacity(self.text.len() + 4);
        if !in_line {
            let mut at = 0;
            for gone in gone {
                array.extend_from_slice(&self.text[at..gone.start]);
                array.extend_from_slice(b"NULL");
                at = gone.end;
            }
            array.extend_from_slice(&self.text[at..]);
            return Ok(array);
        }
        if self.body > 0 && !kept.is_empty() {
            array.extend_from_slice(&self.bounds(kept.len())?);
        }
        array.push(b'{');
        for (index, kept) in kept.into_iter().enumerate() {
            if index > 0 {
                array.push(b',');
            }
            array.extend_from_slice(&self.text[kept]);
        }
        array.push(b'}');
        Ok(array)
    }

    /// The array with other elements in the places of its own. NULLs, shape and bounds stay.
    ///
    /// # Errors
    /// [`Error::Text`] if it is no array, and those of `with`, which is given each element and its place.
    pub fn map<E: From<Error>>(
        &self,
        mut with: impl FnMut(usize, &[u8]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let (mut array, mut at) = (Vec::with_capacity(self.text.len()), 0);
        for (place, element) in self.places().enumerate() {
            let element = element?;
            if let Some(value) = self.value(&element) {
                array.extend_from_slice(&self.text[at..element.at.start]);
                put(&with(place, &value)?, &mut array);
                at = element.at.end;
            }
        }
        array.extend_from_slice(&self.text[at..]);
        Ok(array)
    }

    /// An array of one dimension, or an empty one.
    #[must_use]
    pub fn in_line(elements: &[Vec<u8>]) -> Vec<u8> {
        let mut array = vec![b'{'];
        for (place, element) in elements.iter().enumerate() {
            if place > 0 {
                array.push(b',');
            }
            put(element, &mut array);
        }
        array.push(b'}');
        array
    }

    /// The bounds of so many elements, from the lower one on.
    fn bounds(&self, count: usize) -> Result<Vec<u8>, Error> {
        let wrong = Error::Text { position: 1 };
        let written = std::str::from_utf8(&self.text[1..self.body]).map_err(|_| wrong)?;
        let (lower, _) = written.split_once(':').ok_or(wrong)?;
        let lower: i64 = lower.parse().map_err(|_| wrong)?;
        let upper = i64::try_from(count).ok().and_then(|count| lower.checked_add(count - 1)).ok_or(wrong)?;
        Ok(format!("[{lower}:{upper}]=").into_bytes())
    }

    fn value(&self, element: &Element) -> Option<Cow<'a, [u8]>> {
        let written = &self.text[element.at.clone()];
        match written {
            [b'"', inner @ .., b'"'] if inner.contains(&b'\\') => Some(unescape(inner).into()),
            [b'"', inner @ .., b'"'] => Some(inner.into()),
            plain if plain.eq_ignore_ascii_case(b"NULL") => None,
            plain => Some(plain.into()),
        }
    }

    fn places(&self) -> impl Iterator<Item = Result<Element, Error>> {
        let mut places = Places { text: self.text, at: self.body, depth: 0, expects: Expects::Value };
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let next = places.next();
            ended = !matches!(next, Ok(Some(_)));
            next.transpose()
        })
    }
}

/// Appends an element, in quotes unless it is plainly none of what needs them.
fn put(element: &[u8], array: &mut Vec<u8>) {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.:@+".contains(byte);
    if !element.is_empty() && element.iter().all(is_plain) && !element.eq_ignore_ascii_case(b"NULL") {
        array.extend_from_slice(element);
        return;
    }
    array.push(b'"');
    for byte in element {
        if matches!(byte, b'"' | b'\\') {
            array.push(b'\\');
        }
        array.push(*byte);
    }
    array.push(b'"');
}

fn unescape(inner: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        value.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    value
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// An element, or a brace that opens.
    Value,
    /// What separates two values, or a brace that closes.
    Separator,
    End,
}

struct Places<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    expects: Expects,
}

impl Places<'_> {
    fn next(&mut self) -> Result<Option<Element>, Error> {
        loop {
            match (self.expects, self.text.get(self.at)) {
                (Expects::End, None) => return Ok(None),
                (Expects::Value, Some(b'{')) if self.depth < MOST_DIMENSIONS => {
                    self.depth += 1;
                    self.at += 1;
                    // An array without elements is the only one with empty braces.
                    if self.depth == 1 && self.text.get(self.at) == Some(&b'}') {
                        self.expects = Expects::Separator;
                    }
                }
                (Expects::Separator, Some(b'}')) => {
                    self.depth -= 1;
                    self.at += 1;
                    self.expects = if self.depth == 0 { Expects::End } else { Expects::Separator };
                }
                (Expects::Separator, Some(b',')) => {
                    self.at += 1;
                    self.expects = Expects::Value;
                }
                (Expects::Value, Some(_)) if self.depth > 0 => {
                    self.expects = Expects::Separator;
                    return self.element().map(Some);
                }
                _ => return self.wrong(),
            }
        }
    }

    fn element(&mut self) -> Result<Element, Error> {
        let start = self.at;
        if self.text.get(start) == Some(&b'"') {
            self.at += 1;
            loop {
                match self.text.get(self.at) {
                    Some(b'"') => break,
                    Some(b'\\') => self.at += 2,
                    Some(_) => self.at += 1,
                    None => return self.wrong(),
                }
            }
            self.at += 1;
        } else {
            // Whatever else would need quotes has them.
            let is_plain = |byte: &&u8| !matches!(byte, b',' | b'{' | b'}' | b'"' | b'\\');
            self.at += self.text[start..].iter().take_while(is_plain).count();
        }
        if self.at == start { self.wrong() } else { Ok(Element { at: start..self.at, depth: self.depth }) }
    }

    fn wrong<T>(&self) -> Result<T, Error> {
        Err(Error::Text { position: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> Result<Vec<Option<String>>, Error> {
        let array = TextArray::read(text.as_bytes())?;
        array
            .elements()
            .map(|element| Ok(element?.map(|value| String::from_utf8(value.into_owned()).expect("UTF-8"))))
            .collect()
    }

    #[test]
    fn elements_are_read() {
        for (text, values) in [
            ("{}", vec![]),
            ("{1,NULL,null,\"NULL\"}", vec![Some("1"), None, None, Some("NULL")]),
            (r#"{"a \"b\" \\","{c},d",""}"#, vec![Some(r#"a "b" \"#), Some("{c},d"), Some("")]),
            ("[-1:0][2:2]={{1},{2}}", vec![Some("1"), Some("2")]),
            ("{ä,☃}", vec![Some("ä"), Some("☃")]),
        ] {
            let values: Vec<_> = values.into_iter().map(|value| value.map(str::to_owned)).collect();
            assert_eq!(elements(text), Ok(values), "{text}");
        }
        for wrong in [
            "",
            "1",
            "{",
            "}",
            "{1",
            "{1,",
            "{1,}",
            "{,1}",
            "{1}}",
            "{1}x",
            "{{}}",
            "{\"a}",
            "{\"a\\",
            "[1:2]",
            "[1:2]=",
            "{a\"b\"}",
            "{{{{{{{1}}}}}}}",
            "{1 {",
        ] {
            assert!(elements(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn elements_are_taken_out_as_array_remove_does() {
        for (text, left) in [
            ("{5,1,5,NULL}", "{1,NULL}"),
            ("{5}", "{}"),
            ("{}", "{}"),
            ("[3:5]={1,5,2}", "[3:4]={1,2}"),
            ("[0:0]={5}", "{}"),
            ("[-2147483648:-2147483647]={5,\"a b\"}", "[-2147483648:-2147483648]={\"a b\"}"),
            ("[0:1][1:2]={{5,1},{2,\"5\"}}", "[0:1][1:2]={{NULL,1},{2,NULL}}"),
        ] {
            let array = TextArray::read(text.as_bytes()).expect(text);
            let found = array.without(|element| element == b"5").expect(text);
            assert_eq!(String::from_utf8_lossy(&found), left, "{text}");
        }
        let array = TextArray::read(b"[x:1]={5,6}").expect("a brace");
        assert!(array.without(|element| element == b"5").is_err());
    }

    #[test]
    fn elements_are_replaced_in_their_places() {
        for (text, mapped) in [
            ("{}", "{}"),
            ("{a,NULL,\"NULL\"}", "{a0,NULL,NULL2}"),
            ("[0:1][1:1]={{\"x y\"},{\"\\\"\"}}", "[0:1][1:1]={{\"x y0\"},{\"\\\"1\"}}"),
        ] {
            let array = TextArray::read(text.as_bytes()).expect(text);
            let found =
                array.map(|place, element| Ok::<_, Error>([element, place.to_string().as_bytes()].concat()));
            assert_eq!(String::from_utf8_lossy(&found.expect(text)), mapped, "{text}");
        }
        for hard in ["", "null", "a b", "{", "a,b", "\\", "\"", "ä", "2001-01-01 00:00:00"] {
            let array = TextArray::in_line(&[hard.as_bytes().to_vec(), b"x".to_vec()]);
            let array = String::from_utf8(array).expect("UTF-8");
            assert_eq!(elements(&array), Ok(vec![Some(hard.to_owned()), Some("x".to_owned())]), "{array}");
        }
        assert_eq!(TextArray::in_line(&[]), b"{}");
    }
}
