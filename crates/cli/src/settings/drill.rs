//! `[drill]`: what a drill checks besides what it always does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lethe_engine::drill::{Assertion, Canaries};
use lethe_postgres::ConnectionSettings;
use serde::Deserialize;

use super::retention::days_or;
use super::{Settings, duration, variable};
use crate::failure::Failure;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DrillSection {
    /// Where the throw-away server's folder is made.
    work_dir: Option<PathBuf>,
    /// The live database, to compare counts with.
    source: Option<String>,
    /// How many percent a count may be away from the live one before it is shown.
    tolerance: Option<u8>,
    /// A drill that takes longer is ended, and has failed.
    at_most: Option<String>,
    /// How soon what a killed drill has left must be gone.
    leftovers_within: Option<String>,
    /// `[[drill.check]]`.
    #[serde(default)]
    check: Vec<CheckSection>,
    canaries: Option<CanarySection>,
}

/// An assertion: one question, one answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckSection {
    name: String,
    sql: String,
    expect: Expected,
    timeout: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Expected {
    Truth(bool),
    Number(i64),
    Text(String),
}

impl Expected {
    /// As a server writes it.
    fn text(&self) -> String {
        match self {
            Self::Truth(value) => if *value { "t" } else { "f" }.to_owned(),
            Self::Number(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CanarySection {
    erased: Vec<String>,
    living: Vec<String>,
}

impl Settings {
    /// Where drills make their servers: as typed, as the settings say, or the system's temporary folder.
    pub(crate) fn work_dir(&self, typed: Option<&Path>) -> PathBuf {
        let configured = self.file.drill.work_dir.as_ref().map(|folder| self.folder.join(folder));
        typed.map(Path::to_owned).or(configured).unwrap_or_else(std::env::temp_dir)
    }

    pub(crate) fn drill_at_most(&self) -> Result<Option<Duration>, Failure> {
        self.file.drill.at_most.as_deref().map(|text| days_or("at_most", text)).transpose()
    }

    /// A day, unless the settings say otherwise: by then the next drill of a daily schedule has removed it.
    pub(crate) fn leftovers_within(&self) -> Result<Duration, Failure> {
        days_or("leftovers_within", self.file.drill.leftovers_within.as_deref().unwrap_or("1 day"))
    }

    pub(crate) fn drill_checks(&self) -> Result<Vec<Assertion>, Failure> {
        let assertion = |check: &CheckSection| {
            Ok(Assertion {
                name: check.name.clone(),
                sql: check.sql.clone(),
                expect: check.expect.text(),
                timeout: check
                    .timeout
                    .as_deref()
                    .map_or(Ok(Duration::from_secs(60)), |text| duration("timeout", text))?,
            })
        };
        self.file.drill.check.iter().map(assertion).collect()
    }

    pub(crate) fn drill_canaries(&self) -> Option<Canaries> {
        let section = self.file.drill.canaries.as_ref()?;
        Some(Canaries { erased: section.erased.clone(), living: section.living.clone() })
    }

    pub(crate) fn drill_source(&self, typed: Option<&str>) -> Result<Option<ConnectionSettings>, Failure> {
        match (typed, &self.file.drill.source) {
            (Some(text), _) => Ok(Some(Self::typed_server(text, "--source")?)),
            (None, Some(text)) => Ok(Some(ConnectionSettings::parse(text, &variable)?)),
            (None, None) => Ok(None),
        }
    }

    /// Percent.
    pub(crate) fn drill_tolerance(&self) -> u64 {
        u64::from(self.file.drill.tolerance.unwrap_or(5))
    }
}
