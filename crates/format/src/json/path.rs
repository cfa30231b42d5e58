//! The paths that can be followed: SQL/JSON paths of members, elements and indexes, in lax mode.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A path such as `$.actor.id`, `$.items[*]."user id"` or `$[0].id`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Path {
    steps: Vec<Step>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// `.name`: the member of an object, or of each object in an array.
    Member(String),
    /// `[*]`: each element; what is no array counts as its own only element.
    Each,
    /// `[n]`: one element, counted from 0.
    Index(u32),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the path is not understood at character {position}: a path is $, then any of .name, .\"quoted name\", [*] and [0]"
)]
pub struct PathError {
    /// Counted from 1.
    pub position: usize,
}

/// More than any document of a person's is deep.
const MOST_STEPS: usize = 64;

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`PathError`] with the first character that belongs to no such path, as `strict`, `.*`, `.**`, `last` and filters do not.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let mut rest = text.trim();
        let whole = rest;
        let mut steps = Vec::new();
        let wrong = |rest: &str| PathError {
            position: whole.chars().count().saturating_sub(rest.chars().count()) + 1,
        };
        rest = rest.strip_prefix('$').ok_or_else(|| wrong(whole))?;
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(|| wrong(rest))?;
            if steps.len() == MOST_STEPS {
                return Err(wrong(rest));
            }
            steps.push(step);
            rest = after;
        }
        Ok(Self { steps })
    }

    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The last name in it: a document that does not hold it has nothing at this path.
    pub(super) fn last_name(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Member(name) => Some(name.as_str()),
            Step::Each | Step::Index(_) => None,
        })
    }
}

fn step(text: &str) -> Option<(Step, &str)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, rest) = inner.split_once(']')?;
        let step = match inner.trim() {
            "*" => Step::Each,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Step::Index(digits.parse().ok()?),
            _ => return None,
        };
        return Some((step, rest));
    }
    let text = text.strip_prefix('.')?;
    if text.starts_with('"') {
        // A name in quotes is written as a JSON string.
        let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let name = strings.next()?.ok()?;
        return Some((Step::Member(name), text.get(strings.byte_offset()..)?));
    }
    let end = text.find(|letter: char| !is_plain(letter)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let begins = name.chars().next().is_some_and(|letter| !letter.is_numeric());
    begins.then(|| (Step::Member(name.to_owned()), rest))
}

fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for step in &self.steps {
            match step {
                Step::Each => f.write_str("[*]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Member(name) => {
                    let begins = name.chars().next().is_some_and(|letter| !letter.is_numeric());
                    if begins && name.chars().all(is_plain) {
                        write!(f, ".{name}")?;
                    } else {
                        write!(f, ".{}", serde_json::Value::from(name.as_str()))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        let member = |name: &str| Step::Member(name.to_owned());
        for (text, steps) in [
            ("$", vec![]),
            ("$.actor.id", vec![member("actor"), member("id")]),
            (" $.a[*].b ", vec![member("a"), Step::Each, member("b")]),
            ("$[*][17]", vec![Step::Each, Step::Index(17)]),
            ("$.\"user id\".\"\\\"\\u00e4\"", vec![member("user id"), member("\"ä")]),
            ("$.größe_2", vec![member("größe_2")]),
            ("$.\"2x\".\"\"", vec![member("2x"), member("")]),
        ] {
            let path = Path::parse(text).expect(text);
            assert_eq!(path.steps(), steps, "{text}");
            assert_eq!(Path::parse(&path.to_string()), Ok(path), "{text}");
        }
    }

    #[test]
    fn other_paths_are_refused_where_they_begin_to_be_others() {
        for (text, position) in [
            ("", 1),
            ("actor.id", 1),
            ("strict $.a", 1),
            ("$.a.*", 4),
            ("$.**.id", 2),
            ("$.a[last]", 4),
            ("$.a[0 to 2]", 4),
            ("$.a[-1]", 4),
            ("$.a[99999999999]", 4),
            ("$.a[]", 4),
            ("$.a ? (@ > 1)", 4),
            ("$.a.size()", 9),
            ("$.2a", 2),
            ("$.\"a", 2),
            ("$..a", 2),
            ("$a", 2),
        ] {
            assert_eq!(Path::parse(text), Err(PathError { position }), "{text}");
        }
        assert!(Path::parse(&format!("${}", ".a".repeat(65))).is_err());
    }
}
