//! Numbers and times as each language writes them. Times are UTC, and say so.

use jiff::{SignedDuration, Timestamp};

use super::words::Language;

#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers(pub(super) Language);

impl Numbers {
    fn marks(self) -> (char, char) {
        match self.0 {
            Language::En => (',', '.'),
            Language::Da => ('.', ','),
        }
    }

    /// `1,234,567`.
    pub(super) fn count(self, number: u64) -> String {
        let (thousands, _) = self.marks();
        crate::output::count(number).replace(',', &thousands.to_string())
    }

    pub(super) fn size(self, number: usize) -> String {
        self.count(u64::try_from(number).unwrap_or(u64::MAX))
    }

    /// With one digit after the mark.
    fn tenths(self, number: f64) -> String {
        let (_, mark) = self.marks();
        let tenths = (number.max(0.0) * 10.0).round() as u64;
        format!("{}{mark}{}", self.count(tenths / 10), tenths % 10)
    }

    pub(super) fn bytes(self, bytes: u64) -> String {
        const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let (mut value, mut unit) = (bytes as f64, 0);
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        if unit == 0 {
            format!("{} B", self.count(bytes))
        } else {
            format!("{} {}", self.tenths(value), UNITS[unit])
        }
    }

    /// In a second; none if the time is too short to say.
    pub(super) fn rate(self, bytes: u64, seconds: f64) -> Option<String> {
        (seconds >= 0.001).then(|| format!("{}/s", self.bytes((bytes as f64 / seconds) as u64)))
    }

    pub(super) fn rows_rate(self, rows: u64, seconds: f64) -> Option<String> {
        (seconds >= 0.001).then(|| format!("{}/s", self.count((rows as f64 / seconds) as u64)))
    }

    /// `12.3 s`, `3 min 05 s`, `2 h 05 min`.
    pub(super) fn seconds(self, seconds: f64) -> String {
        let hours = match self.0 {
            Language::En => "h",
            Language::Da => "t",
        };
        if seconds < 59.95 {
            return format!("{} s", self.tenths(seconds));
        }
        let whole = seconds.round() as u64;
        if whole < 3600 {
            return format!("{} min {:02} s", whole / 60, whole % 60);
        }
        format!("{} {hours} {:02} min", self.count(whole / 3600), whole / 60 % 60)
    }

    /// How old something is: in hours, or in days with one digit.
    pub(super) fn age(self, age: SignedDuration) -> String {
        let hours = age.as_secs_f64() / 3600.0;
        match self.0 {
            _ if hours < 2.0 => self.seconds(age.as_secs_f64()),
            Language::En if hours < 48.0 => format!("{} h", self.tenths(hours)),
            Language::Da if hours < 48.0 => format!("{} t", self.tenths(hours)),
            Language::En => format!("{} days", self.tenths(hours / 24.0)),
            Language::Da => format!("{} dage", self.tenths(hours / 24.0)),
        }
    }

    pub(super) fn days(self, days: i64) -> String {
        let days = self.count(days.unsigned_abs());
        match self.0 {
            Language::En => format!("{days} days"),
            Language::Da => format!("{days} dage"),
        }
    }

    pub(super) fn time(self, at: Timestamp) -> String {
        match self.0 {
            Language::En => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            Language::Da => at.strftime("%d.%m.%Y kl. %H.%M.%S UTC").to_string(),
        }
    }

    pub(super) fn day(self, at: Timestamp) -> String {
        match self.0 {
            Language::En => at.strftime("%Y-%m-%d").to_string(),
            Language::Da => at.strftime("%d.%m.%Y").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_writes_numbers_and_times_its_own_way() {
        let (en, da) = (Numbers(Language::En), Numbers(Language::Da));
        assert_eq!((en.count(1_234_567), da.count(1_234_567)), ("1,234,567".into(), "1.234.567".into()));
        assert_eq!((en.bytes(1536), da.bytes(1536)), ("1.5 KiB".into(), "1,5 KiB".into()));
        assert_eq!(en.bytes(1023), "1,023 B");
        assert_eq!((en.seconds(12.34), da.seconds(12.36)), ("12.3 s".into(), "12,4 s".into()));
        assert_eq!((en.seconds(59.96), en.seconds(3599.4)), ("1 min 00 s".into(), "59 min 59 s".into()));
        assert_eq!((en.seconds(7500.0), da.seconds(7500.0)), ("2 h 05 min".into(), "2 t 05 min".into()));
        let age = SignedDuration::from_hours(34 * 24 + 12);
        assert_eq!((en.age(age), da.age(age)), ("34.5 days".into(), "34,5 dage".into()));
        let at = "2026-11-23T11:49:05Z".parse().expect("a time");
        assert_eq!(en.time(at), "2026-11-23 11:49:05 UTC");
        assert_eq!(da.time(at), "23.11.2026 kl. 11.49.05 UTC");
        assert_eq!(en.rate(1, 0.0), None);
    }
}
