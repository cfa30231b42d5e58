//! A quick first answer of a set of keys. Nearly every row that is looked at refers to somebody who is there, and learns it from
//! one word of bits; only the others ask the exact set, which alone decides.

/// Words of bits. Each key has two of them set, in one word.
#[derive(Clone, Default)]
pub(super) struct Sieve {
    /// A power of two of bits; empty as long as there is no key.
    bits: Vec<u64>,
    keys: u64,
}

/// At this many bits for each key, fewer than one in forty of the others asks the exact set in vain.
const BITS_FOR_A_KEY: u64 = 16;
const FEWEST: u64 = 1 << 10;
/// 8 MiB, which large caches hold.
const MOST: u64 = 1 << 26;

impl Sieve {
    /// Room for at least this many keys.
    pub(super) fn for_keys(keys: u64) -> Self {
        let bits = keys.saturating_mul(BITS_FOR_A_KEY).clamp(FEWEST, MOST).next_power_of_two();
        Self { bits: vec![0; usize::try_from(bits / 64).unwrap_or(1)], keys: 0 }
    }

    /// True if another key needs a larger one.
    pub(super) fn is_full(&self) -> bool {
        let bits = self.bits.len() as u64 * 64;
        bits < MOST && self.keys.saturating_mul(BITS_FOR_A_KEY) >= bits
    }

    pub(super) fn note(&mut self, hash: u64) {
        let (word, bits) = self.place(hash);
        if let Some(word) = self.bits.get_mut(word) {
            *word |= bits;
            self.keys += 1;
        }
    }

    /// False if no key with this hash was noted.
    #[inline]
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        let (word, bits) = self.place(hash);
        self.bits.get(word).is_some_and(|word| word & bits == bits)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// The upper bits of a hash name the word, since a multiplication mixes those best; the lower ones its two bits.
    #[inline]
    fn place(&self, hash: u64) -> (usize, u64) {
        let words = self.bits.len() as u64;
        let word = (u128::from(hash) * u128::from(words)) >> 64;
        (usize::try_from(word).unwrap_or(usize::MAX), 1 << (hash & 63) | 1 << ((hash >> 6) & 63))
    }
}

const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both the upper and the lower bits of the result hang on all bits of the number.
#[inline]
pub(super) fn hash_integer(number: u64) -> u64 {
    let mixed = number.wrapping_mul(SPREAD);
    let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(SPREAD);
    mixed ^ (mixed >> 32)
}

#[inline]
pub(super) fn hash_bytes(key: &[u8]) -> u64 {
    let (words, rest) = key.as_chunks::<8>();
    let mut hash = key.len() as u64;
    for word in words {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(SPREAD);
    }
    let last = rest.iter().fold(0_u64, |last, byte| (last << 8) | u64::from(*byte));
    hash_integer(hash.rotate_left(23) ^ last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_missed_and_few_others_are_let_through() {
        let texts: Vec<String> = (0..20_000).map(|number| format!("{number}@example.org")).collect();
        let hashes: [Vec<u64>; 3] = [
            (0..20_000).map(hash_integer).collect(),
            (0..20_000).map(|number| hash_integer(number << 40)).collect(),
            texts.iter().map(|text| hash_bytes(text.as_bytes())).collect(),
        ];
        for hashes in hashes {
            let (inside, outside) = hashes.split_at(2_000);
            let mut sieve = Sieve::for_keys(2_000);
            assert!(!inside.iter().any(|hash| sieve.may_hold(*hash)));
            inside.iter().for_each(|hash| sieve.note(*hash));
            assert!(inside.iter().all(|hash| sieve.may_hold(*hash)));
            let let_through = outside.iter().filter(|hash| sieve.may_hold(**hash)).count();
            assert!(let_through < outside.len() / 32, "{let_through}");
        }
        assert!(!Sieve::default().may_hold(7));
    }
}
