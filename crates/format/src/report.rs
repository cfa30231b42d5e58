//! Reports: what a prune, a drill or a restore did, kept as evidence.
//!
//! A report is vouched for with the naming key, and says itself which repository, kind and id it is: nobody without
//! the key can write one, and none can be passed off as another. It is not encrypted, since it holds no personal data:
//! counts, times, names of snapshots and tables, never a row's value and never a subject's id.

use std::fmt;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::ids::EventId;
use crate::vouched;

const DOCUMENT: &str = "the report";
const CONTEXT: &str = "lethe 2026 report";
pub const VERSION: u32 = 1;

/// What a report is about; also the folder that it lies in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    Prune,
    Hold,
    Drill,
    Restore,
    /// Where the stores are, as the doctor saw it.
    Residency,
}

impl ReportKind {
    pub const ALL: [Self; 5] = [Self::Prune, Self::Hold, Self::Drill, Self::Restore, Self::Residency];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prune => "prune",
            Self::Hold => "hold",
            Self::Drill => "drill",
            Self::Restore => "restore",
            Self::Residency => "residency",
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One report; `T` is what this kind of report says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report<T> {
    pub version: u32,
    pub repository: String,
    pub kind: ReportKind,
    pub id: EventId,
    /// The writer's clock.
    pub at: Timestamp,
    pub content: T,
}

impl<T: Serialize> Report<T> {
    /// The stored bytes, vouched for with the naming key.
    pub fn to_bytes(&self, naming_key: &[u8; 32]) -> Result<Vec<u8>, Error> {
        vouched::write_json(DOCUMENT, self, CONTEXT, naming_key)
    }
}

impl<T: DeserializeOwned> Report<T> {
    /// # Errors
    /// [`Error::Malformed`] if it was not written by somebody with this naming key.
    pub fn from_bytes(bytes: &[u8], naming_key: &[u8; 32]) -> Result<Self, Error> {
        vouched::read_json(DOCUMENT, bytes, VERSION, CONTEXT, naming_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_that_somebody_else_wrote_is_not_trusted() {
        let report = Report {
            version: VERSION,
            repository: "00".to_owned(),
            kind: ReportKind::Drill,
            id: "20261123T114905Z-6f3a1c".parse().expect("an id"),
            at: Timestamp::UNIX_EPOCH,
            content: vec![1_u64, 2],
        };
        let bytes = report.to_bytes(&[7; 32]).expect("writes");
        let read = |bytes: &[u8], key| Report::<Vec<u64>>::from_bytes(bytes, key);
        assert_eq!(read(&bytes, &[7; 32]).expect("reads"), report);
        assert!(read(&bytes, &[8; 32]).is_err());
        let text = String::from_utf8(bytes.clone()).expect("text");
        assert!(read(text.replace("drill", "prune").as_bytes(), &[7; 32]).is_err());
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len], &[7; 32]).is_err());
        }
    }
}
