//! JSON numbers as keys: `5`, `5.0` and `50e-1` are one number ("JSON Types": `jsonb` keeps them as `numeric`).

use std::borrow::Cow;

/// More digits than `numeric` has on either side of the point.
const MOST_DIGITS: u32 = 131_072;

/// The number without an exponent, and without a point if nothing but zeros stands behind it. None for one that `numeric` cannot
/// hold.
pub(super) fn decimal(number: &[u8]) -> Option<Cow<'_, [u8]>> {
    if number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
        return Some(Cow::Borrowed(number));
    }
    let (mantissa, exponent) = match number.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(place) => {
            (&number[..place], std::str::from_utf8(&number[place + 1..]).ok()?.parse::<i32>().ok()?)
        }
        None => (number, 0),
    };
    if exponent.unsigned_abs() > MOST_DIGITS {
        return None;
    }
    let (sign, mantissa) = match mantissa.strip_prefix(b"-") {
        Some(mantissa) => (&b"-"[..], mantissa),
        None => (&b""[..], mantissa),
    };
    let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
    let mut digits: Vec<u8> = mantissa.iter().copied().filter(|byte| *byte != b'.').collect();
    // Where the point stands among the digits, once it is moved.
    let mut point = i64::try_from(point).ok()?.checked_add(i64::from(exponent))?;
    if point < 0 {
        let zeros = usize::try_from(point.unsigned_abs()).ok()?;
        digits.splice(0..0, std::iter::repeat_n(b'0', zeros));
        point = 0;
    }
    let point = usize::try_from(point).ok()?;
    if digits.len() < point {
        digits.resize(point, b'0');
    }
    let (whole, fraction) = digits.split_at(point);
    let whole = if whole.is_empty() { b"0" } else { whole };
    Some(Cow::Owned(if fraction.iter().all(|digit| *digit == b'0') {
        [sign, whole].concat()
    } else {
        [sign, whole, b".", fraction].concat()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_one_way() {
        for (number, written) in [
            ("5", "5"),
            ("-17", "-17"),
            ("5.0", "5"),
            ("5.10", "5.10"),
            ("5e0", "5"),
            ("5E+2", "500"),
            ("0.05e2", "005"),
            ("50e-1", "5"),
            ("-5e-3", "-0.005"),
            ("12.5e-1", "1.25"),
            ("0.0", "0"),
            ("123456789012345678901234567890.0", "123456789012345678901234567890"),
        ] {
            let found = decimal(number.as_bytes()).expect(number);
            assert_eq!(String::from_utf8_lossy(&found), written, "{number}");
        }
        for too_much in ["1e999999", "1e-999999", "1e99999999999", "1e"] {
            assert_eq!(decimal(too_much.as_bytes()), None, "{too_much}");
        }
    }
}
