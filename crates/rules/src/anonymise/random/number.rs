//! Numbers with a scale.

use super::RandomKind;

/// `numeric(p, s)` has p and s in the halves of its typmod (`make_numeric_typmod`); none for a negative scale.
pub(super) fn numeric(typmod: i32) -> Option<RandomKind> {
    let Some(packed) = typmod.checked_sub(4).filter(|packed| *packed >= 0) else {
        return Some(RandomKind::Numeric { digits: 9, scale: 2 });
    };
    let (precision, scale) = ((packed >> 16) & 0xffff, packed & 0x7ff);
    let digits = u32::try_from(precision).ok()?.min(18);
    // Bit 10 is the sign of the scale.
    (scale < 0x400 && digits > 0).then_some(RandomKind::Numeric { digits, scale: scale as u16 })
}

pub(super) fn decimal(number: u64, scale: u16) -> String {
    if scale == 0 {
        return number.to_string();
    }
    let width = usize::from(scale) + 1;
    let digits = format!("{number:0width$}");
    let (whole, part) = digits.split_at(digits.len() - usize::from(scale));
    format!("{whole}.{part}")
}

/// `numeric_send`: count, weight, sign and display scale, then digits of base 10000.
pub(super) fn numeric_binary(number: u64, scale: u16) -> Vec<u8> {
    // The part behind the point fills whole digits of base 10000.
    let behind = usize::from(scale.div_ceil(4));
    let padding = behind * 4 - usize::from(scale);
    let mut text = number.to_string() + &"0".repeat(padding);
    text.insert_str(0, &"0".repeat((4 - text.len() % 4) % 4));
    let digits: Vec<u16> = text.as_bytes().chunks(4).map(base_10000).collect();
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    let kept = digits.get(leading..).unwrap_or_default();
    let weight = digits.len() as i64 - leading as i64 - behind as i64 - 1;
    let weight = if kept.is_empty() { 0 } else { weight as i16 };
    let mut bytes = Vec::new();
    for word in [kept.len() as u16, weight.cast_unsigned(), 0, scale] {
        bytes.extend(word.to_be_bytes());
    }
    kept.iter().for_each(|digit| bytes.extend(digit.to_be_bytes()));
    bytes
}

fn base_10000(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_scale_have_both_forms() {
        assert_eq!(decimal(12_345, 2), "123.45");
        assert_eq!((decimal(5, 3), decimal(7, 0)), ("0.005".to_owned(), "7".to_owned()));
        let words = |number, scale| {
            let bytes = numeric_binary(number, scale);
            bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<_>>()
        };
        assert_eq!(words(12_345, 2), [2, 0, 0, 2, 123, 4500]);
        assert_eq!(words(0, 2), [0, 0, 0, 2]);
        assert_eq!(words(5, 3), [1, 0xffff, 0, 3, 50]);
        assert_eq!(words(123_456_789, 0), [3, 2, 0, 0, 1, 2345, 6789]);
        assert_eq!(numeric(((6 << 16) | 2) + 4), Some(RandomKind::Numeric { digits: 6, scale: 2 }));
        assert_eq!(numeric(((6 << 16) | 0x7fe) + 4), None, "a negative scale");
    }
}
