//! Where in a column's value a key stands, when it is not the value itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json::Path;

/// The place of a key within a value. The value itself, if nothing is said.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inside {
    /// Each element of an array.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub element: bool,
    /// What stands at this path of a JSON document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
    /// A piece of the text that was found so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<KeyPattern>,
}

impl Inside {
    /// Whether the value as a whole is the key.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }
}

/// For messages, after a column.
impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.element {
            f.write_str(" element")?;
        }
        if let Some(path) = &self.path {
            write!(f, " {path}")?;
        }
        match &self.text {
            Some(pattern) => write!(f, " {:?}", pattern.to_string()),
            None => Ok(()),
        }
    }
}

/// A key within a text: `user:{}`, where the braces stand for the key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPattern {
    before: String,
    after: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the key's place must be written as {{}}, once: \"user:{{}}\"")]
pub struct PatternError;

const PLACE: &str = "{}";

impl KeyPattern {
    /// Reads a pattern; all but the one place is taken literally.
    ///
    /// # Errors
    /// If there is no place, or more than one.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (before, after) = text.split_once(PLACE).ok_or(PatternError)?;
        if after.contains(PLACE) {
            return Err(PatternError);
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    /// The text with this key in its place.
    #[must_use]
    pub fn with(&self, key: &str) -> String {
        [self.before.as_str(), key, &self.after].concat()
    }

    /// What stands at the key's place; none if the text is another one.
    #[must_use]
    #[inline]
    pub fn key<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        text.strip_prefix(self.before.as_bytes())?.strip_suffix(self.after.as_bytes())
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{PLACE}{}", self.before, self.after)
    }
}

impl TryFrom<String> for KeyPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::parse(&text)
    }
}

impl From<KeyPattern> for String {
    fn from(pattern: KeyPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_between_what_is_literal() {
        for (pattern, text, key) in [
            ("user:{}", "user:5", Some("5")),
            ("user:{}", "user:", Some("")),
            ("user:{}", "User:5", None),
            ("user:{}", "xuser:5", None),
            ("gid://app/User/{}?x", "gid://app/User/5?x", Some("5")),
            ("a{}a", "a", None),
            ("a{}a", "aa", Some("")),
            ("{}", "anything", Some("anything")),
            ("{{}}", "{5}", Some("5")),
        ] {
            let parsed = KeyPattern::parse(pattern).expect(pattern);
            assert_eq!(parsed.key(text.as_bytes()), key.map(str::as_bytes), "{pattern} {text}");
            assert!(key.is_none_or(|key| parsed.with(key) == text), "{pattern} {text}");
            assert_eq!(parsed.to_string(), pattern);
        }
        for wrong in ["", "user:", "{} and {}", "}{"] {
            assert_eq!(KeyPattern::parse(wrong), Err(PatternError), "{wrong}");
        }
    }
}
