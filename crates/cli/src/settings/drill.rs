//! `[drill]`: what a drill checks besides what it always does.

use std::path::PathBuf;
use std::time::Duration;

use lethe_engine::drill::{Assertion, Canaries};
use lethe_postgres::ConnectionSettings;
use serde::Deserialize;

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
    pub(crate) fn drill_work_dir(&self) -> Option<PathBuf> {
        self.file.drill.work_dir.as_ref().map(|folder| self.folder.join(folder))
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
