//! Reasons not to begin. All of them are collected and shown at once; none of them holds a row value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One reason why a restore must not begin, for the person who has to clear it away.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Objection {
    pub code: Code,
    /// What it is about: a table, a foreign key, a subject, a role …
    pub object: String,
    /// What is wrong, as the end of a sentence that begins with the object.
    pub problem: String,
    /// What can be done about it.
    pub hint: Option<String>,
}

impl Objection {
    #[must_use]
    pub fn new(code: Code, object: impl ToString, problem: impl ToString) -> Self {
        Self { code, object: object.to_string(), problem: problem.to_string(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl ToString) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.problem)
    }
}

/// The kinds of objections: stable names for `--output json`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// A tombstone's subject is no table, or its key no columns, of this snapshot.
    UnknownSubject,
    /// A tombstone's key is no value of the key's type.
    WrongKeyType,
    /// An equality that cannot be decided without the server.
    UndecidableEquality,
    /// A foreign key of a kind that the closure does not follow.
    UnsupportedReference,
    /// A reference of the settings names a table or a column that is not in this snapshot.
    UnknownReference,
    /// Columns may refer to people, and nothing says what becomes of them.
    Unclassified,
    /// The schema itself names somebody who is erased.
    SchemaText,
    /// Large objects are stored, and nothing says whose they are.
    LargeObjects,
    /// The erasure is one that the server itself would refuse.
    ErasureRefused,
    /// The outcome would hang on the order in which triggers fire.
    OrderDependent,
    /// A row has an id that was erased before the row was there.
    IdReuse,
    /// Somebody who is to be restored alone has no row that may be restored.
    NobodyToRestore,
    /// People are anonymised, and nothing says which of their columns to overwrite.
    MissingMask,
    /// A column cannot be overwritten as the settings say.
    MaskRefused,
    /// Nothing says what the target is for.
    Unlabelled,
    /// What is said of the target contradicts itself.
    LabelContradicts,
    /// Columns hold people's data, the target is for masked data alone, and nothing masks them.
    Unmasked,
    /// Deletions were not on the ledger yet when the snapshot was taken, and may still not be.
    CaptureLag,
    /// Another role could connect to the target although it is closed.
    TargetNotClosed,
    TargetNotEmpty,
    TargetTooOld,
    TargetInUse,
    MissingExtension,
    ExtensionTooOld,
    MissingRole,
    MissingTablespace,
    MissingPrivilege,
    EncodingDiffers,
    CollationDiffers,
    MissingObject,
    UnfinishedRestore,
}
