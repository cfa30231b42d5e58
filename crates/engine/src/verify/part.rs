use std::str::FromStr;

use lethe_format::ids::Digest;

/// `n/t`: the n-th of t parts of all chunks. Which part a chunk belongs to hangs on its name alone, so that the t parts
/// together are everything, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    number: u64,
    of: u64,
}

impl Part {
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    #[must_use]
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// Names are keyed hashes, and so spread evenly.
    #[must_use]
    pub fn includes(self, name: &Digest) -> bool {
        let first = name.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
        u64::from_be_bytes(first) % self.of == self.number - 1
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(n, t)| Some((n.parse().ok()?, t.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(format!("{text:?} is no part: write 1/7 for the first of seven")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_together_are_everything_once() {
        let names: Vec<Digest> = (0..1000_u32).map(|n| Digest::of(&n.to_be_bytes())).collect();
        for of in [1, 2, 7, 30] {
            for name in &names {
                let hits = (1..=of).filter(|number| Part { number: *number, of }.includes(name)).count();
                assert_eq!(hits, 1);
            }
        }
        assert_eq!("3/7".parse(), Ok(Part { number: 3, of: 7 }));
        assert_eq!("1/1".parse(), Ok(Part::WHOLE));
        for wrong in ["", "0/7", "8/7", "1/0", "1", "/", "-1/7", "1/99999999999999999999999"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
