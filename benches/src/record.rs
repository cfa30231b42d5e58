//! Medians and ratios, for people and for the record.

use std::fmt;

use lethe_testkit::pg::PgServer;
use serde_json::{Value, json};

use crate::measure::Times;

pub(crate) struct Result {
    record: Value,
    text: String,
}

impl Result {
    pub(crate) fn new(server: &PgServer, users: u32, size: u64, jobs: usize, rounds: &[Times]) -> Self {
        let of = |pick: fn(&Times) -> f64| median(rounds.iter().map(pick).collect());
        let medians = [
            ("pg_dump", of(|t| t.pg_dump)),
            ("pg_restore", of(|t| t.pg_restore)),
            ("pg_restore, delete and vacuum", of(|t| t.pg_restore + t.delete_and_vacuum)),
            ("lethe snapshot", of(|t| t.snapshot)),
            ("lethe restore, plan", of(|t| t.plan)),
            ("lethe restore, ready", of(|t| t.ready)),
            ("lethe restore, verified", of(|t| t.verified)),
            ("lethe restore, peak MiB", of(|t| t.peak_rss)),
        ];
        let ratios = [
            ("snapshot / pg_dump", of(|t| t.snapshot / t.pg_dump)),
            ("ready / pg_restore", of(|t| t.ready / t.pg_restore)),
            ("verified / pg_restore", of(|t| t.verified / t.pg_restore)),
            (
                "ready / (pg_restore, delete and vacuum)",
                of(|t| t.ready / (t.pg_restore + t.delete_and_vacuum)),
            ),
            ("plan / verified", of(|t| t.plan / t.verified)),
        ];
        let mut text = String::from("medians (seconds)\n");
        for (name, value) in &medians {
            text.push_str(&format!("  {name:<42} {value:>8.2}\n"));
        }
        text.push_str("ratios (median of the rounds)\n");
        for (name, value) in &ratios {
            text.push_str(&format!("  {name:<42} {value:>8.2}\n"));
        }
        let object = |pairs: &[(&str, f64)]| -> Value {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let record = json!({
            "at": jiff::Timestamp::now().to_string(),
            "machine": machine(),
            "postgres": server.sql("postgres", "SHOW server_version"),
            "users": users,
            "database_bytes": size,
            "jobs": jobs,
            "rounds": rounds.len(),
            "medians": object(&medians),
            "ratios": object(&ratios),
        });
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

fn median(mut values: Vec<f64>) -> f64 {
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
