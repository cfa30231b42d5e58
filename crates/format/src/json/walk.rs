//! Following a path through a document: each byte is looked at once, and the stack is as deep as the path, not as the
//! document.
//!
//! Lax mode as in `jsonpath_exec.c`: a member accessor looks into the elements of an array (of one, not of an array in an
//! array), and an array accessor takes what is no array as its own only element. What stands at the end of a path counts by its
//! elements if it is an array, as it does where PostgreSQL compares it. Names that stand in an object twice, which `json` allows, all
//! count.

use std::ops::Range;

use super::path::{Path, Step};

/// Text that is no JSON document. Never content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it is no JSON document from byte {position} on")]
pub struct Error {
    pub position: usize,
}

/// What stands at the end of a path and can name a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar<'a> {
    /// As it is written.
    Number(&'a [u8]),
    /// With its quotes and escapes.
    String(&'a [u8]),
}

impl Scalar<'_> {
    /// The text of a string; none if its escapes stand for no text, as PostgreSQL would say when it is asked for it.
    #[must_use]
    pub fn text(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        match self {
            Self::Number(_) => None,
            Self::String(quoted) => unquoted(quoted),
        }
    }
}

pub(super) fn unquoted(quoted: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if inner.contains(&b'\\') {
        let text: String = serde_json::from_slice(quoted).ok()?;
        return Some(text.into_bytes().into());
    }
    Some(inner.into())
}

/// What is taken out where a value is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// The element or the member that the value is.
    Value,
    /// The innermost object that holds it; the value, where no object does.
    Object,
}

/// Something to be taken out of a document: the whole of it, or a member or an element by its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Item {
    Document,
    Part { start: usize, end: usize },
}

/// Whether `asks` says yes to any of the values at the path. Nothing more is looked at then.
///
/// # Errors
/// [`Error`] if what was looked at is no JSON.
pub fn any(document: &[u8], path: &Path, mut asks: impl FnMut(Scalar<'_>) -> bool) -> Result<bool, Error> {
    let mut walk = Walk::new(document, path, None, &mut asks);
    walk.document()?;
    Ok(walk.found)
}

/// Where the values at the path stand that `asks` says yes to, in their order.
///
/// # Errors
/// [`Error`] if it is no JSON, as far as that must be known.
pub fn spans(
    document: &[u8],
    path: &Path,
    mut asks: impl FnMut(Scalar<'_>) -> bool,
) -> Result<Vec<Range<usize>>, Error> {
    let mut walk = Walk::new(document, path, Some(Take::Value), &mut asks);
    walk.document()?;
    Ok(walk.scalars)
}

/// What has to go where `asks` says yes. The document itself stays as it is: see [`super::without`].
///
/// # Errors
/// [`Error`] if it is no JSON, as far as that must be known.
pub fn items(
    document: &[u8],
    path: &Path,
    take: Take,
    mut asks: impl FnMut(Scalar<'_>) -> bool,
) -> Result<Vec<Item>, Error> {
    let mut walk = Walk::new(document, path, Some(take), &mut asks);
    let fate = walk.document()?;
    Ok(match fate {
        Fate::Stays => walk.parts.into_iter().map(|Range { start, end }| Item::Part { start, end }).collect(),
        Fate::Goes | Fate::ObjectGoes => vec![Item::Document],
    })
}

/// What becomes of a value, for whoever holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    /// The innermost object around it goes.
    ObjectGoes,
}

struct Walk<'a, 'f> {
    document: &'a [u8],
    at: usize,
    steps: &'a [Step],
    take: Option<Take>,
    asks: &'f mut dyn FnMut(Scalar<'_>) -> bool,
    parts: Vec<Range<usize>>,
    /// The values themselves, without what goes with them.
    scalars: Vec<Range<usize>>,
    found: bool,
}

impl<'a, 'f> Walk<'a, 'f> {
    fn new(
        document: &'a [u8],
        path: &'a Path,
        take: Option<Take>,
        asks: &'f mut dyn FnMut(Scalar<'_>) -> bool,
    ) -> Self {
        Self {
            document,
            at: 0,
            steps: path.steps(),
            take,
            asks,
            parts: Vec::new(),
            scalars: Vec::new(),
            found: false,
        }
    }

    fn document(&mut self) -> Result<Fate, Error> {
        let fate = self.value(0, false)?;
        if self.is_answered() {
            return Ok(Fate::Stays);
        }
        self.blanks();
        if self.at == self.document.len() { Ok(fate) } else { self.wrong() }
    }

    /// Nobody wants to know more than whether there is one.
    fn is_answered(&self) -> bool {
        self.found && self.take.is_none()
    }

    /// The value that begins here, at a step of the path. Recursion is as deep as the path.
    fn value(&mut self, step: usize, in_object: bool) -> Result<Fate, Error> {
        self.blanks();
        let steps: &'a [Step] = self.steps;
        match (steps.get(step), self.peek()) {
            (Some(Step::Member(name)), Some(b'{')) => self.object(name, step + 1),
            (Some(Step::Member(name)), Some(b'[')) => self.array(in_object, |walk, _| match walk.peek() {
                Some(b'{') => walk.object(name, step + 1),
                _ => walk.skip(),
            }),
            (Some(Step::Member(_)), _) => self.skip(),
            (Some(Step::Each), Some(b'[')) => {
                self.array(in_object, |walk, _| walk.value(step + 1, in_object))
            }
            (Some(Step::Index(wanted)), Some(b'[')) => self.array(in_object, |walk, index| {
                if index == *wanted { walk.value(step + 1, in_object) } else { walk.skip() }
            }),
            (Some(Step::Each | Step::Index(0)), _) => self.value(step + 1, in_object),
            (Some(Step::Index(_)), _) => self.skip(),
            (None, Some(b'[')) if !matches!(steps.last(), Some(Step::Each)) => {
                self.array(in_object, |walk, _| walk.scalar(in_object))
            }
            (None, _) => self.scalar(in_object),
        }
    }

    fn object(&mut self, name: &str, step: usize) -> Result<Fate, Error> {
        self.at += 1;
        let parts = self.parts.len();
        let mut goes = false;
        loop {
            self.blanks();
            match self.peek() {
                Some(b'}') => break,
                Some(b',') => self.at += 1,
                Some(b'"') => {
                    let start = self.at;
                    let is_it = self.is_named(name)?;
                    self.blanks();
                    if self.peek() != Some(b':') {
                        return self.wrong();
                    }
                    self.at += 1;
                    let fate = if is_it { self.value(step, true)? } else { self.skip()? };
                    if self.is_answered() {
                        return Ok(Fate::Stays);
                    }
                    match fate {
                        Fate::Stays => {}
                        Fate::Goes => self.parts.push(start..self.at),
                        Fate::ObjectGoes => goes = true,
                    }
                }
                _ => return self.wrong(),
            }
        }
        self.at += 1;
        if goes {
            self.parts.truncate(parts);
        }
        Ok(if goes { Fate::Goes } else { Fate::Stays })
    }

    /// `element` reads one, with its number, and says what becomes of it.
    fn array(
        &mut self,
        in_object: bool,
        mut element: impl FnMut(&mut Self, u32) -> Result<Fate, Error>,
    ) -> Result<Fate, Error> {
        self.at += 1;
        let parts = self.parts.len();
        let (mut index, mut goes) = (0_u32, false);
        loop {
            self.blanks();
            match self.peek() {
                Some(b']') => break,
                Some(b',') => self.at += 1,
                Some(_) => {
                    let start = self.at;
                    let fate = element(self, index)?;
                    if self.is_answered() {
                        return Ok(Fate::Stays);
                    }
                    index = index.saturating_add(1);
                    match fate {
                        Fate::Stays => {}
                        Fate::ObjectGoes if in_object => goes = true,
                        Fate::Goes | Fate::ObjectGoes => self.parts.push(start..self.at),
                    }
                }
                None => return self.wrong(),
            }
        }
        self.at += 1;
        if goes {
            self.parts.truncate(parts);
        }
        Ok(if goes { Fate::ObjectGoes } else { Fate::Stays })
    }

    /// A value at the end of the path.
    fn scalar(&mut self, in_object: bool) -> Result<Fate, Error> {
        let start = self.at;
        let first = self.peek();
        self.skip()?;
        let bytes = &self.document[start..self.at];
        let scalar = match first {
            Some(b'"') => Scalar::String(bytes),
            Some(b'-' | b'0'..=b'9') => Scalar::Number(bytes),
            _ => return Ok(Fate::Stays),
        };
        if !(self.asks)(scalar) {
            return Ok(Fate::Stays);
        }
        self.found = true;
        self.scalars.push(start..self.at);
        Ok(if self.take == Some(Take::Object) && in_object { Fate::ObjectGoes } else { Fate::Goes })
    }

    /// Takes a member's name.
    fn is_named(&mut self, name: &str) -> Result<bool, Error> {
        let start = self.at;
        self.string()?;
        let quoted = &self.document[start..self.at];
        let inner = &quoted[1..quoted.len() - 1];
        if inner == name.as_bytes() && !inner.contains(&b'\\') {
            return Ok(true);
        }
        Ok(inner.contains(&b'\\') && unquoted(quoted).is_some_and(|written| *written == *name.as_bytes()))
    }

    /// Takes a value of any kind and depth.
    fn skip(&mut self) -> Result<Fate, Error> {
        self.blanks();
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => self.string()?,
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                Some(b'}' | b']') if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                Some(b',' | b':' | b' ' | b'\t' | b'\n' | b'\r') if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(b'-' | b'0'..=b'9' | b'a'..=b'z') => {
                    let rest = &self.document[self.at..];
                    let ends =
                        |byte: &u8| !matches!(byte, b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E');
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                }
                _ => return self.wrong(),
            }
            if depth == 0 {
                return Ok(Fate::Stays);
            }
        }
    }

    /// Takes a string with its quotes.
    fn string(&mut self) -> Result<(), Error> {
        let mut at = self.at + 1;
        loop {
            let rest = self.document.get(at..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', rest) {
                Some(place) if rest[place] == b'"' => {
                    self.at = at + place + 1;
                    return Ok(());
                }
                Some(place) => at += place + 2,
                None => return self.wrong(),
            }
        }
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.document.get(self.at).copied()
    }

    fn wrong<T>(&self) -> Result<T, Error> {
        Err(Error { position: self.at })
    }
}
