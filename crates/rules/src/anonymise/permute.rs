//! A keyed permutation of the whole numbers: another number for each one, none given twice, and none that could be computed
//! without the key.
//!
//! Numbers below 2^15, 2^31 and 2^63 stay below it, so that a `smallint`, an `integer` and a `bigint` column that refer to each
//! other are masked alike. Within each of these ranges it is a Feistel network with BLAKE3 as its round function, and walks on
//! until it is in the range again (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).

/// More than the four rounds that are needed with a round function that nobody can tell from a random one.
const ROUNDS: u8 = 8;

/// The number that stands for this one.
pub(super) fn permute(key: &[u8; 32], value: i64) -> i64 {
    if value < 0 {
        return !permute(key, !value);
    }
    let (bits, from) = match value {
        0..0x8000 => (16, 0),
        0x8000..0x8000_0000 => (32, 0x8000),
        _ => (64, 0x8000_0000),
    };
    let end = i64::MAX.cast_unsigned() >> (64 - bits);
    let mut number = value.cast_unsigned();
    loop {
        number = network(key, bits, number);
        if (from..=end).contains(&number) {
            return number.cast_signed();
        }
    }
}

fn network(key: &[u8; 32], bits: u32, number: u64) -> u64 {
    let half = bits / 2;
    let mask = (1_u64 << half) - 1;
    let (mut left, mut right) = (number >> half, number & mask);
    for round in 0..ROUNDS {
        let mut input = [round; 10];
        input[1] = half as u8;
        input[2..].copy_from_slice(&right.to_be_bytes());
        let hash = blake3::keyed_hash(key, &input);
        let word = hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        (left, right) = (right, left ^ word & mask);
    }
    left << half | right
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_gets_another_one_of_the_same_width() {
        let key = [7; 32];
        let small: BTreeSet<i64> = (-0x8000..0x8000).map(|value| permute(&key, value)).collect();
        assert_eq!(small.len(), 0x1_0000, "none is given twice");
        assert!(small.iter().all(|value| i16::try_from(*value).is_ok()));
        let middle: BTreeSet<i64> = (0x8000..0x2_8000).map(|value| permute(&key, value)).collect();
        assert_eq!(middle.len(), 0x2_0000);
        assert!(middle.iter().all(|value| i32::try_from(*value).is_ok() && *value >= 0x8000));
        for value in [i64::MAX, i64::MIN, 0x8000_0000, -0x8000_0001, 1 << 40] {
            let masked = permute(&key, value);
            assert_eq!(masked < 0, value < 0);
            assert!(i32::try_from(masked).is_err(), "{value}");
        }
    }

    #[test]
    fn another_key_gives_other_numbers() {
        let of = |key: u8| (0..1000).map(|value| permute(&[key; 32], value)).collect::<Vec<_>>();
        let same = of(1).iter().zip(of(2)).filter(|(one, other)| **one == *other).count();
        assert!(same < 5, "{same}");
    }
}
