//! What went wrong, as the command line tells it.

use lethe_engine::{Error, ExitCode};
use lethe_rules::objection::Objection;

/// An error with its causes, a hint and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hint: Option<String>,
    pub(crate) objections: Vec<Objection>,
    pub(crate) code: ExitCode,
    /// What the last line for programs holds besides.
    pub(crate) summary: Option<Box<serde_json::Value>>,
}

impl Failure {
    pub(crate) fn usage(message: impl ToString) -> Self {
        Self {
            message: message.to_string(),
            causes: Vec::new(),
            hint: None,
            objections: Vec::new(),
            code: ExitCode::Usage,
            summary: None,
        }
    }

    pub(crate) fn failed(message: impl ToString) -> Self {
        Self { code: ExitCode::Failed, ..Self::usage(message) }
    }

    pub(crate) fn ledger(message: impl ToString) -> Self {
        Self { code: ExitCode::Ledger, ..Self::usage(message) }
    }

    pub(crate) fn interrupted() -> Self {
        let failure = Self { code: ExitCode::Interrupted, ..Self::usage("interrupted") };
        failure.hint(
            "a restore is continued by running it again; a snapshot that was not finished does not exist",
        )
    }

    /// A command that came to its end and found something wrong.
    pub(crate) fn with_summary(mut self, command: &str, summary: &impl serde::Serialize) -> Self {
        self.summary = Some(Box::new(crate::output::tagged("summary", Some(command), summary)));
        self
    }

    /// Of two that went wrong, the more serious decides the exit code; the other one is among the causes.
    pub(crate) fn joined(self, other: Self) -> Self {
        let ceiling = |failure: &Self| failure.code == ExitCode::Ceiling;
        let (mut main, other) =
            if ceiling(&other) && !ceiling(&self) { (other, self) } else { (self, other) };
        main.causes.push(other.message);
        main.causes.extend(other.causes);
        main
    }

    /// Says which of several places it is about.
    pub(crate) fn about(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// The message and its causes.
    pub(crate) fn in_one_line(&self) -> String {
        std::iter::once(&self.message).chain(&self.causes).map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    pub(crate) fn hint(mut self, hint: impl ToString) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(&error);
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        let objections = match &error {
            Error::Refused(objections) | Error::Incomplete { objects: objections, .. } => objections.clone(),
            _ => Vec::new(),
        };
        Self {
            message: error.to_string(),
            causes,
            hint: error.hint(),
            objections,
            code: error.exit_code(),
            summary: None,
        }
    }
}

impl From<lethe_postgres::SettingsError> for Failure {
    fn from(error: lethe_postgres::SettingsError) -> Self {
        Self::from(Error::from(lethe_postgres::Error::from(error)))
    }
}

impl From<lethe_store::Error> for Failure {
    fn from(error: lethe_store::Error) -> Self {
        Self::from(Error::from(error))
    }
}
