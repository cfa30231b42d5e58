//! Days and times of day.

/// Days from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
const POSTGRES_EPOCH_DAYS: i32 = 10_957;
/// Random dates lie in the fifty years from 1970.
const DATE_RANGE_DAYS: u32 = 18_262;
pub(super) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Second of a day.
pub(super) fn second(number: u64) -> i64 {
    (number % 86_400).cast_signed()
}

/// `HH:MM:SS`.
pub(super) fn clock(second: i64) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

/// Days since PostgreSQL's epoch.
pub(super) fn day(number: u64) -> i32 {
    (number % u64::from(DATE_RANGE_DAYS)) as i32 - POSTGRES_EPOCH_DAYS
}

/// A day since PostgreSQL's epoch as `YYYY-MM-DD`.
pub(super) fn date(day: i32) -> String {
    let (year, month, day) = civil(i64::from(day) + i64::from(POSTGRES_EPOCH_DAYS));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a day since 1970-01-01, in the years from 1970 on.
fn civil(days: i64) -> (i64, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut rest) = (1970, days);
    loop {
        let len = if leap(year) { 366 } else { 365 };
        if rest < len {
            break;
        }
        rest -= len;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    for (index, len) in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
        if rest < len {
            return (year, index as i64 + 1, rest + 1);
        }
        rest -= len;
    }
    (year, 12, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(i64::from(POSTGRES_EPOCH_DAYS)), (2000, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(18_261), (2019, 12, 31));
        assert_eq!((date(-1), clock(86_399)), ("1999-12-31".to_owned(), "23:59:59".to_owned()));
    }
}
