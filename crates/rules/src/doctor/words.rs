use jiff::Timestamp;

/// How long ago: `5 s`, `7 min`, `3 h`, `12 d`.
#[must_use]
pub fn age(now: Timestamp, then: Timestamp) -> String {
    length(now.duration_since(then).as_secs())
}

/// A length of time, in seconds.
pub(super) fn length(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Bytes in GiB or MiB.
pub(super) fn bytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib >= 1024.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.1} MiB") }
}
