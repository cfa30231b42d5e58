//! The name of what a drill makes: its folder or database, and nothing else's.
//!
//! A later run removes what a crashed one has left, so it must never take somebody else's for its own. The second half
//! of a name is a keyed hash of the first with the repository's naming key: nobody without the key can have made one,
//! and one repository's drills do not know another's. There is so no moment at which something lies there unmarked.

use std::fmt;

/// `lethe_drill_<8 hex>_<16 hex>`: a valid name for a folder and, unquoted, for a database.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DrillName(String);

const PREFIX: &str = "lethe_drill_";
const CONTEXT: &str = "lethe 2026 drill name";

impl DrillName {
    #[must_use]
    pub fn new(random: u32, naming_key: &[u8; 32]) -> Self {
        let first = format!("{random:08x}");
        let hash = blake3::keyed_hash(&blake3::derive_key(CONTEXT, naming_key), first.as_bytes());
        Self(format!("{PREFIX}{first}_{}", &hash.to_hex()[..16]))
    }

    /// None for every name that was not made with this key.
    #[must_use]
    pub fn recognise(text: &str, naming_key: &[u8; 32]) -> Option<Self> {
        let random = text.strip_prefix(PREFIX)?.get(..8)?;
        let name = Self::new(u32::from_str_radix(random, 16).ok()?, naming_key);
        (name.0 == text).then_some(name)
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DrillName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_names_are_recognised() {
        let name = DrillName::new(0xabcd, &[7; 32]);
        assert_eq!(DrillName::recognise(name.as_str(), &[7; 32]), Some(name.clone()));
        assert_eq!(DrillName::recognise(name.as_str(), &[8; 32]), None);
        assert!(name.as_str().len() <= 63, "a database's name");
        for end in 0..name.as_str().len() {
            assert_eq!(DrillName::recognise(&name.as_str()[..end], &[7; 32]), None);
        }
        for other in [
            "lethe_drill_+000abcd_",
            "lethe_drill_é_",
            "x",
            &format!("{name}x"),
            &name.as_str().to_uppercase(),
        ] {
            assert_eq!(DrillName::recognise(other, &[7; 32]), None, "{other}");
        }
    }
}
