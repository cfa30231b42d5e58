use std::fmt;
use std::str::FromStr;

use crate::Error;

/// An object's name inside a store: segments joined by `/`, at most 1024 bytes (S3's limit).
///
/// A name can never lead out of a directory: no segment is empty, `.` or `..`, and none holds a NUL, a backslash or a
/// control character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectName(String);

impl ObjectName {
    /// # Errors
    /// [`Error::InvalidName`] with the rule that is broken.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        let problem = if name.is_empty() || name.len() > 1000 {
            Some("it must have 1 to 1000 bytes")
        } else if name.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            Some("none of its parts may be empty, . or ..")
        } else if name.chars().any(|c| c.is_control() || c == '\\') {
            Some("it may not hold control characters or backslashes")
        } else {
            None
        };
        match problem {
            None => Ok(Self(name)),
            Some(problem) => Err(Error::InvalidName { name, problem }),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::new(name)
    }
}
