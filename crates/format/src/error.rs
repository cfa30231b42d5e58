/// Why stored bytes could not be understood.
///
/// Messages name the kind of document, never its content: a manifest or a ledger body holds personal data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{document} is not valid: {reason}")]
    Malformed { document: &'static str, reason: String },
    #[error("{document} has format version {found}, this program reads up to version {known}")]
    UnknownVersion { document: &'static str, found: u32, known: u32 },
    #[error("{text:?} is not {expected}")]
    InvalidId { expected: &'static str, text: String },
}

impl Error {
    pub(crate) fn malformed(document: &'static str, reason: impl ToString) -> Self {
        Self::Malformed { document, reason: reason.to_string() }
    }

    /// A JSON error, reduced to its category and place: serde's own text may quote the offending value.
    pub(crate) fn json(document: &'static str, error: &serde_json::Error) -> Self {
        let kind = match error.classify() {
            serde_json::error::Category::Io => "cannot be read",
            serde_json::error::Category::Syntax => "is not JSON",
            serde_json::error::Category::Data => "lacks a field or has one of the wrong type",
            serde_json::error::Category::Eof => "ends too early",
        };
        Self::malformed(document, format!("{kind} (line {}, column {})", error.line(), error.column()))
    }

    /// What the person in front of the screen can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownVersion { .. } => Some("use a newer version of lethe".to_owned()),
            Self::Malformed { .. } | Self::InvalidId { .. } => None,
        }
    }
}
