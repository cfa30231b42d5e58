//! Values that look like a person's and are nobody's.

use lethe_format::mask::Fake;

/// What made-up values are put together from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words {
    pub first_names: &'static [&'static str],
    pub last_names: &'static [&'static str],
    pub streets: &'static [&'static str],
    /// Endings of the names of towns.
    pub towns: &'static [&'static str],
    /// What companies end in.
    pub companies: &'static [&'static str],
    pub text: &'static [&'static str],
}

/// No made-up value has more characters.
pub(super) const LONGEST: usize = 80;
pub(super) const DOMAIN: &str = "@example.com";
pub(super) const PHONE: &str = "+999";
/// Five bits each; none that is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The characters that a value of this kind needs at least, with this many random bits that make it the only one.
pub(super) fn shortest(fake: Fake, bits: usize) -> usize {
    let letters = bits.div_ceil(5).max(1);
    match fake {
        Fake::Email => letters + DOMAIN.len(),
        Fake::Phone => digits(bits).max(4) + PHONE.len(),
        _ => letters,
    }
}

fn digits(bits: usize) -> usize {
    // A digit holds 3.32 bits.
    (bits * 10).div_ceil(33)
}

/// A value of at most `limit` characters; `bits` of the hash make it the only one if they are more than 0.
pub(super) fn make(fake: Fake, words: &Words, hash: &[u8; 32], limit: usize, bits: usize) -> String {
    let mut dice = Dice { hash, at: 0 };
    let limit = limit.min(LONGEST);
    let own = letters(hash, bits.div_ceil(5));
    let text = match fake {
        Fake::Email => return email(words, &mut dice, limit, &letters(hash, bits.div_ceil(5).max(8))),
        Fake::Phone => return phone(hash, limit, digits(bits).max(10)),
        Fake::FirstName => dice.pick(words.first_names).to_owned(),
        Fake::LastName => dice.pick(words.last_names).to_owned(),
        Fake::Name => format!("{} {}", dice.pick(words.first_names), dice.pick(words.last_names)),
        Fake::Street => {
            format!("{} {} {}", dice.pick(words.last_names), dice.pick(words.streets), dice.below(199) + 1)
        }
        Fake::City => format!("{}{}", dice.pick(words.last_names), dice.pick(words.towns)),
        Fake::Company => format!("{} {}", dice.pick(words.last_names), dice.pick(words.companies)),
        Fake::Sentence => {
            let sentence: Vec<&str> = (0..6).map(|_| dice.pick(words.text)).collect();
            format!("{}.", sentence.join(" "))
        }
    };
    if own.is_empty() {
        return cut(text, limit);
    }
    match limit.checked_sub(own.len() + 1) {
        Some(room) if room > 0 => format!("{} {own}", cut(text, room)),
        _ => cut(own, limit),
    }
}

fn email(words: &Words, dice: &mut Dice<'_>, limit: usize, own: &str) -> String {
    let plain = |word: &str| -> String {
        word.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let names = format!("{}.{}.", plain(dice.pick(words.first_names)), plain(dice.pick(words.last_names)));
    if names.len() + own.len() + DOMAIN.len() <= limit {
        return format!("{names}{own}{DOMAIN}");
    }
    format!("{}{DOMAIN}", cut(own.to_owned(), limit.saturating_sub(DOMAIN.len())))
}

fn phone(hash: &[u8; 32], limit: usize, digits: usize) -> String {
    let mut number = hash.last_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    let mut text = PHONE.to_owned();
    for _ in 0..digits.min(limit.saturating_sub(PHONE.len())) {
        text.push(char::from(b'0' + (number % 10) as u8));
        number /= 10;
    }
    text
}

/// Letters from the half of the hash that the words are not picked by.
pub(super) fn letters(hash: &[u8; 32], count: usize) -> String {
    let mut number = hash.last_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    let letter = |_| {
        let letter = LETTERS[(number & 31) as usize];
        number >>= 5;
        char::from(letter)
    };
    (0..count.min(25)).map(letter).collect()
}

fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.truncate(text.trim_end().len());
    }
    text
}

/// Throws of the first half of a hash, two bytes each.
struct Dice<'a> {
    hash: &'a [u8; 32],
    at: usize,
}

impl Dice<'_> {
    fn below(&mut self, sides: usize) -> usize {
        let pair = [self.hash[self.at % 16], self.hash[(self.at + 1) % 16]];
        self.at += 2;
        (usize::from(u16::from_be_bytes(pair)) * sides) >> 16
    }

    fn pick(&mut self, words: &'static [&'static str]) -> &'static str {
        let chosen = self.below(words.len());
        words.get(chosen).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const WORDS: Words = Words {
        first_names: &["Ada", "Bo"],
        last_names: &["O'Hara", "Møller"],
        streets: &["Street"],
        towns: &["ville"],
        companies: &["Group"],
        text: &["lorem", "ipsum"],
    };

    #[test]
    fn values_hold_their_limits_and_are_the_only_ones_where_they_must_be() {
        for fake in Fake::ALL {
            for bits in [0, 40, 60] {
                for limit in shortest(fake, bits)..100 {
                    let made: BTreeSet<String> = (0..200_u8)
                        .map(|n| make(fake, &WORDS, blake3::hash(&[n]).as_bytes(), limit, bits))
                        .collect();
                    assert!(made.iter().all(|text| !text.is_empty() && text.chars().count() <= limit));
                    assert!(bits == 0 || made.len() == 200, "{fake:?} {bits} {limit}");
                    assert!(fake != Fake::Email || made.iter().all(|text| text.ends_with(DOMAIN)));
                }
            }
        }
        let hash = *blake3::hash(b"x").as_bytes();
        let email = make(Fake::Email, &WORDS, &hash, 80, 0);
        assert!(email.starts_with("ada.") || email.starts_with("bo."), "{email}");
        assert!(email.is_ascii());
    }
}
