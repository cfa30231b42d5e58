//! What a value is made of.

use lethe_format::manifest::CopyFormat;

use lethe_format::mask::Fake;

use super::fake::{Words, make};
use super::random::RandomKind;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Random(RandomKind),
    /// At most `limit` characters, of which some hold `bits` random bits.
    Fake {
        fake: Fake,
        limit: usize,
        bits: usize,
    },
}

impl Kind {
    pub(super) fn is_integer(&self) -> bool {
        matches!(self, Self::Random(kind) if kind.is_integer())
    }

    /// Whole numbers of any width are one kind.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self == other || (self.is_integer() && other.is_integer())
    }

    /// A value as the format has it, not escaped: a function of the hash alone.
    pub(super) fn value(&self, format: CopyFormat, words: &Words, hash: &[u8; 32]) -> Vec<u8> {
        match (format, self) {
            (CopyFormat::Binary, Self::Random(kind)) => kind.binary(hash),
            _ => self.text(words, hash).into_bytes(),
        }
    }

    /// A whole number as the format has it.
    pub(super) fn number(&self, format: CopyFormat, number: i64) -> Vec<u8> {
        match (format, self) {
            (CopyFormat::Binary, Self::Random(kind)) => kind.integer(number),
            _ => number.to_string().into_bytes(),
        }
    }

    pub(super) fn text(&self, words: &Words, hash: &[u8; 32]) -> String {
        match self {
            Self::Random(kind) => kind.text(hash),
            Self::Fake { fake, limit, bits } => make(*fake, words, hash, *limit, *bits),
        }
    }

    /// Whether an element of this kind can hold a key of the other.
    pub(super) fn holds(&self, key: &Self) -> bool {
        let is_text = |kind: &Self| matches!(kind, Self::Fake { .. } | Self::Random(RandomKind::Text { .. }));
        self.is_like(key) || (is_text(self) && is_text(key))
    }

    /// The most characters of a key.
    pub(super) fn longest(&self) -> usize {
        match self {
            Self::Fake { limit, .. } => *limit,
            Self::Random(kind) => kind.longest(),
        }
    }
}
