//! What the settings said, when a snapshot was taken, of whose data its columns hold.

use serde::{Deserialize, Serialize};

use crate::catalog::QualifiedName;
use crate::ledger::SubjectRef;

/// Kinds of people, and what is nobody's. References that are no foreign keys stand beside it in the manifest.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    pub subjects: Vec<SubjectRef>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_personal: Vec<NotPersonal>,
}

/// Columns of a table that refer to nobody, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotPersonal {
    pub table: QualifiedName,
    /// None for the whole table: what is in it is nobody's, as far as its columns are not named like somebody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    pub because: String,
}

impl Classification {
    /// With what the other one says besides. What is said twice counts as this one says it.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for subject in &other.subjects {
            if !self
                .subjects
                .iter()
                .any(|known| known.table == subject.table && known.columns == subject.columns)
            {
                self.subjects.push(subject.clone());
            }
        }
        for ruled_out in &other.not_personal {
            if !self.not_personal.contains(ruled_out) {
                self.not_personal.push(ruled_out.clone());
            }
        }
        self
    }
}
