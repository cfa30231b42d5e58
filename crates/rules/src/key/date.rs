//! Dates, timestamps and intervals, as in `utils/adt/date.c` and `timestamp.c`. The epoch is 2000-01-01.

use super::{ValueError, malformed};

const MICROSECONDS_PER_DAY: i64 = 86_400_000_000;

/// `date_cmp_timestamp`: infinities stay infinite, and a date beyond the range of timestamps is beyond all of them.
pub(super) fn days_to_timestamp(days: i32) -> i64 {
    match days {
        i32::MAX => i64::MAX,
        i32::MIN => i64::MIN,
        days => i64::from(days).saturating_mul(MICROSECONDS_PER_DAY),
    }
}

/// `interval_cmp_value`: one month is 30 days, one day is 24 hours.
pub(super) fn interval_span(months: i32, days: i32, microseconds: i64) -> i128 {
    let days = i128::from(months) * 30 + i128::from(days);
    days * i128::from(MICROSECONDS_PER_DAY) + i128::from(microseconds)
}

/// `YYYY-MM-DD`, with ` BC` for years before 1; `infinity`, `-infinity`.
pub(super) fn date_from_text(value: &[u8]) -> Result<i32, ValueError> {
    match value {
        b"infinity" => return Ok(i32::MAX),
        b"-infinity" => return Ok(i32::MIN),
        _ => {}
    }
    let (value, before_christ) = split_era(value);
    let (days, rest) = civil_date(value, before_christ)?;
    if !rest.is_empty() {
        return malformed("date");
    }
    i32::try_from(days).or_else(|_| malformed("date"))
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]`, then ` BC`; with `zone`, `+00` stands before the era.
pub(super) fn timestamp_from_text(value: &[u8], zone: bool) -> Result<i64, ValueError> {
    match value {
        b"infinity" => return Ok(i64::MAX),
        b"-infinity" => return Ok(i64::MIN),
        _ => {}
    }
    let (mut value, before_christ) = split_era(value);
    if zone {
        value = match value.strip_suffix(b"+00") {
            Some(value) => value,
            None => return malformed("timestamp in UTC"),
        };
    }
    let (days, rest) = civil_date(value, before_christ)?;
    let [b' ', h1, h2, b':', m1, m2, b':', s1, s2, fraction @ ..] = rest else {
        return malformed("timestamp");
    };
    let two = |tens: &u8, ones: &u8| number(&[*tens, *ones]);
    let (hours, minutes, seconds) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    let microseconds = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => {
            number(digits)? * 10_i64.pow(6 - digits.len() as u32)
        }
        _ => return malformed("timestamp"),
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return malformed("timestamp");
    }
    let of_day = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + microseconds;
    days.checked_mul(MICROSECONDS_PER_DAY)
        .and_then(|whole| whole.checked_add(of_day))
        .ok_or(ValueError::Malformed { expected: "timestamp" })
}

fn split_era(value: &[u8]) -> (&[u8], bool) {
    match value.strip_suffix(b" BC") {
        Some(value) => (value, true),
        None => (value, false),
    }
}

/// Days since 2000-01-01 of a leading `YYYY-MM-DD`, and what follows it.
fn civil_date(value: &[u8], before_christ: bool) -> Result<(i64, &[u8]), ValueError> {
    let year_len = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (year, rest) = value.split_at(year_len);
    let [b'-', m1, m2, b'-', d1, d2, rest @ ..] = rest else { return malformed("date") };
    if !(4..=7).contains(&year_len) {
        return malformed("date");
    }
    let (year, month, day) = (number(year)?, number(&[*m1, *m2])?, number(&[*d1, *d2])?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year == 0 {
        return malformed("date");
    }
    let year = if before_christ { 1 - year } else { year };
    Ok((days_from_civil(year, month, day), rest))
}

/// The proleptic Gregorian calendar, counted in years that begin in March and in eras of 400 years.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_FROM_0000_03_01_TO_2000_01_01: i64 = 730_425;
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - DAYS_FROM_0000_03_01_TO_2000_01_01
}

fn number(digits: &[u8]) -> Result<i64, ValueError> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return malformed("number");
    }
    Ok(digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_from_2000() {
        for (text, days) in [
            ("2000-01-01", 0),
            ("1999-12-31", -1),
            ("2000-03-01", 60),
            ("2024-02-29", 8825),
            ("0001-01-01", -730_119),
            ("0001-12-31 BC", -730_120),
            ("4713-01-01 BC", -2_451_507),
            ("5874897-12-31", 2_145_031_948),
            ("infinity", i32::MAX),
        ] {
            assert_eq!(date_from_text(text.as_bytes()), Ok(days), "{text}");
        }
        for wrong in ["", "2000-1-1", "2000-13-01", "2000-01-01 ", "tomorrow", "2000-01-01T00:00:00"] {
            assert!(date_from_text(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn timestamps_count_microseconds() {
        assert_eq!(timestamp_from_text(b"2000-01-02 00:00:00.5", false), Ok(MICROSECONDS_PER_DAY + 500_000));
        assert_eq!(timestamp_from_text(b"1999-12-31 23:59:59.999999+00", true), Ok(-1));
        assert!(timestamp_from_text(b"1999-12-31 23:59:59+02", true).is_err());
    }
}
