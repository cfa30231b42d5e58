//! Medians and ratios, for people and for the record.

use std::fmt;

use lethe_testkit::pg::PgServer;
use serde_json::{Map, Value, json};

use crate::Restore;
use crate::measure::{SecondSnapshot, Times};

pub(crate) struct Result {
    record: Value,
    text: String,
}

type Numbers = Vec<(String, f64)>;

impl Result {
    pub(crate) fn of_restore(
        server: &PgServer,
        args: &Restore,
        size: u64,
        rounds: &[Times],
        snapshots: SecondSnapshot,
    ) -> Self {
        let of = |pick: fn(&Times) -> f64| median(rounds.iter().map(pick).collect());
        let named = |(name, value): (&str, f64)| (name.to_owned(), value);
        let medians = [
            ("pg_dump", of(|t| t.pg_dump)),
            ("pg_restore", of(|t| t.pg_restore)),
            ("pg_restore, delete and vacuum", of(|t| t.pg_restore + t.delete_and_vacuum)),
            ("bare limit: binary COPY, CREATE INDEX", of(|t| t.bare)),
            ("lethe snapshot", of(|t| t.snapshot)),
            ("lethe restore, plan", of(|t| t.plan)),
            ("lethe restore, ready", of(|t| t.ready)),
            ("lethe restore, verified", of(|t| t.verified)),
            ("lethe restore, nobody erased, verified", of(|t| t.none)),
            ("lethe restore, a million erased, verified", of(|t| t.million)),
            ("lethe restore, peak MiB", of(|t| t.peak_rss)),
            ("first snapshot, MB stored", snapshots.first as f64 / 1e6),
            ("second snapshot, MB added", snapshots.second as f64 / 1e6),
        ];
        let ratios = [
            ("snapshot / pg_dump", of(|t| t.snapshot / t.pg_dump)),
            ("bare limit / pg_restore", of(|t| t.bare / t.pg_restore)),
            ("ready / bare limit", of(|t| t.ready / t.bare)),
            ("ready / pg_restore", of(|t| t.ready / t.pg_restore)),
            ("verified / pg_restore", of(|t| t.verified / t.pg_restore)),
            (
                "ready / (pg_restore, delete and vacuum)",
                of(|t| t.ready / (t.pg_restore + t.delete_and_vacuum)),
            ),
            ("plan / verified", of(|t| t.plan / t.verified)),
            ("a million erased / nobody erased", of(|t| t.million / t.none)),
            (
                "second snapshot / first, bytes after 1 % changed",
                snapshots.second as f64 / snapshots.first as f64,
            ),
        ];
        let facts = json!({
            "postgres": server.sql("postgres", "SHOW server_version"),
            "shape": format!("{:?}", args.shape),
            "users": args.users,
            "database_bytes": size,
            "jobs": args.jobs,
            "rounds": rounds.len(),
        });
        Self::new(facts, &medians.map(named), &ratios.map(named))
    }

    /// `measured` and `ratios` with their names, `facts` about what was measured.
    pub(crate) fn new(facts: Value, measured: &[(String, f64)], ratios: &[(String, f64)]) -> Self {
        let mut text = String::from("medians\n");
        for (name, value) in measured {
            text.push_str(&format!("  {name:<50} {value:>8.2}\n"));
        }
        if !ratios.is_empty() {
            text.push_str("ratios (median of the rounds)\n");
        }
        for (name, value) in ratios {
            text.push_str(&format!("  {name:<50} {value:>8.3}\n"));
        }
        let mut record = json!({ "at": jiff::Timestamp::now().to_string(), "machine": machine() });
        if let (Value::Object(record), Value::Object(facts)) = (&mut record, facts) {
            record.extend(facts);
            record.insert("medians".to_owned(), object(measured.to_vec()));
            record.insert("ratios".to_owned(), object(ratios.to_vec()));
        }
        Self { record, text }
    }

    pub(crate) fn to_json(&self) -> String {
        format!("{:#}\n", self.record)
    }
}

impl fmt::Display for Result {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

fn object(numbers: Numbers) -> Value {
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    numbers.into_iter().map(|(name, value)| (name, json!(rounded(value)))).collect::<Map<_, _>>().into()
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

fn machine() -> Value {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    json!({
        "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "model": after(&text("/proc/cpuinfo"), "model name"),
        "memory": after(&text("/proc/meminfo"), "MemTotal"),
    })
}
