//! A quick first answer: most documents that hold nothing at a path do not hold its last name either.

use std::fmt;

use memchr::memmem::Finder;

use super::Path;

/// The last name of a path, to be looked for in documents as they are stored.
#[derive(Clone)]
pub struct Needle {
    finder: Finder<'static>,
    /// Whether a document may spell the name with escapes, as `json` allows; `jsonb` is printed without.
    may_be_escaped: bool,
}

impl Needle {
    /// None if the path has no name that every document writes in one way.
    #[must_use]
    pub fn new(path: &Path, is_jsonb: bool) -> Option<Self> {
        let name = path.last_name()?;
        // What JSON or COPY would escape looks different where it is stored.
        let is_plain = name.chars().all(|letter| !letter.is_control() && letter != '"' && letter != '\\');
        is_plain.then(|| Self {
            finder: Finder::new(format!("\"{name}\"").as_bytes()).into_owned(),
            may_be_escaped: !is_jsonb,
        })
    }

    /// False if there is certainly nothing at the path.
    #[must_use]
    pub fn may_be_in(&self, stored: &[u8]) -> bool {
        self.finder.find(stored).is_some() || (self.may_be_escaped && memchr::memchr(b'\\', stored).is_some())
    }
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Needle({})", String::from_utf8_lossy(self.finder.needle()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_missed_only_where_it_is_not() {
        let needle = |path: &str, is_jsonb| Needle::new(&Path::parse(path).expect("a path"), is_jsonb);
        let plain = needle("$.a.id[0]", true).expect("a name");
        assert!(
            plain.may_be_in(br#"{"a": {"id": 5}}"#) && !plain.may_be_in(br#"{"a": {"uid": 5}, "b": "id x"}"#)
        );
        let json = needle("$.id", false).expect("a name");
        assert!(json.may_be_in(br#"{"i\u0064": 5}"#) && !json.may_be_in(br#"{"a": "b"}"#));
        assert!(needle("$[*]", true).is_none() && needle("$.\"a\\\"b\"", true).is_none());
    }
}
