//! `numeric`: base-10000 digits with a weight, as in `utils/adt/numeric.c`.

use super::{ValueError, malformed};

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// A number without its display scale: sign, weight of the first digit in powers of 10000, digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Numeric {
    sign: u16,
    weight: i32,
    digits: Vec<u16>,
}

impl Numeric {
    pub(super) fn from_integer(value: i64) -> Self {
        let mut digits = Vec::new();
        let mut rest = value.unsigned_abs();
        while rest > 0 {
            // The remainder is below 10000, so it fits.
            digits.push((rest % 10_000) as u16);
            rest /= 10_000;
        }
        digits.reverse();
        let weight = digits.len() as i32 - 1;
        Self { sign: if value < 0 { NEGATIVE } else { POSITIVE }, weight, digits }.normal()
    }

    /// Drops outer zeros, so that equal numbers have one form.
    fn normal(mut self) -> Self {
        let leading = self.digits.iter().take_while(|digit| **digit == 0).count();
        self.digits.drain(..leading);
        self.weight = self.weight.saturating_sub(leading as i32);
        let trailing = self.digits.iter().rev().take_while(|digit| **digit == 0).count();
        self.digits.truncate(self.digits.len() - trailing);
        if self.digits.is_empty() {
            self.weight = 0;
            if self.sign == NEGATIVE {
                self.sign = POSITIVE;
            }
        }
        self
    }

    pub(super) fn push_canonical(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sign.to_be_bytes());
        out.extend_from_slice(&self.weight.to_be_bytes());
        for digit in &self.digits {
            out.extend_from_slice(&digit.to_be_bytes());
        }
    }
}

/// `numeric_send`: four 16-bit words (digit count, weight, sign, display scale), then the digits.
pub(super) fn from_binary(value: &[u8]) -> Result<Numeric, ValueError> {
    let words: Vec<u16> = value.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]])).collect();
    let [count, weight, sign, _scale, digits @ ..] = words.as_slice() else { return malformed("numeric") };
    let known_sign = [POSITIVE, NEGATIVE, NAN, INFINITY, NEGATIVE_INFINITY].contains(sign);
    if !known_sign
        || digits.len() != usize::from(*count)
        || !value.len().is_multiple_of(2)
        || digits.iter().any(|d| *d > 9999)
    {
        return malformed("numeric");
    }
    if ![POSITIVE, NEGATIVE].contains(sign) {
        return Ok(special(*sign));
    }
    Ok(Numeric { sign: *sign, weight: i32::from(weight.cast_signed()), digits: digits.to_vec() }.normal())
}

/// `numeric_out`: an optional sign, digits with at most one point, never an exponent; `NaN`, `Infinity`, `-Infinity`.
pub(super) fn from_text(value: &[u8]) -> Result<Numeric, ValueError> {
    match value {
        b"NaN" => return Ok(special(NAN)),
        b"Infinity" => return Ok(special(INFINITY)),
        b"-Infinity" => return Ok(special(NEGATIVE_INFINITY)),
        _ => {}
    }
    let (sign, unsigned) = match value.split_first() {
        Some((b'-', rest)) => (NEGATIVE, rest),
        Some((b'+', rest)) => (POSITIVE, rest),
        _ => (POSITIVE, value),
    };
    let (whole, fraction) = match unsigned.iter().position(|byte| *byte == b'.') {
        Some(point) => (&unsigned[..point], &unsigned[point + 1..]),
        None => (unsigned, [].as_slice()),
    };
    let all_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    // 131072 digits before the point and 16383 after it are PostgreSQL's limits.
    if !all_digits
        || (whole.is_empty() && fraction.is_empty())
        || whole.len() > 131_072
        || fraction.len() > 16_383
    {
        return malformed("numeric");
    }
    let group = |four: &[u8]| four.iter().fold(0_u16, |number, digit| number * 10 + u16::from(digit - b'0'));
    let mut digits = Vec::new();
    let first = whole.len() % 4;
    if first > 0 {
        digits.push(group(&whole[..first]));
    }
    digits.extend(whole[first..].chunks(4).map(group));
    let weight = digits.len() as i32 - 1;
    for four in fraction.chunks(4) {
        digits.push(group(four) * 10_u16.pow(4 - four.len() as u32));
    }
    Ok(Numeric { sign, weight, digits }.normal())
}

fn special(sign: u16) -> Numeric {
    Numeric { sign, weight: 0, digits: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Numeric {
        from_text(value.as_bytes()).expect("a number")
    }

    #[test]
    fn scale_and_zeros_do_not_count() {
        for equal in [
            ["1.0", "1.00"],
            ["0", "-0.000"],
            ["10000", "010000.0"],
            ["0.0001", "0.00010"],
            ["-12345678.9", "-12345678.90"],
        ] {
            assert_eq!(text(equal[0]), text(equal[1]), "{equal:?}");
        }
        for different in [
            ["1", "10000"],
            ["1", "0.0001"],
            ["1", "-1"],
            ["NaN", "Infinity"],
            ["0.1", "0.01"],
            ["1", "1.0001"],
        ] {
            assert_ne!(text(different[0]), text(different[1]), "{different:?}");
        }
    }

    #[test]
    fn integers_are_numbers() {
        for value in [0, 1, -1, 9999, 10_000, 10_001, 1_000_000_000, i64::MIN, i64::MAX] {
            assert_eq!(Numeric::from_integer(value), text(&value.to_string()));
        }
    }
}
