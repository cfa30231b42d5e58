//! What a server may say, and what of it is passed on.
//!
//! PostgreSQL quotes row values in messages, details and contexts of data errors: "invalid input syntax for type
//! integer: …", "Key (email)=(…) already exists". So of errors of SQLSTATE class 22 (data exception) and 23 (integrity
//! constraint violation) only the code and the names of objects are kept. The same goes for what a function in the
//! database raises, since its text can hold anything: classes P0, 38 and 39, every class that PostgreSQL does not
//! define, and every error whose context names a function. Of all other errors the primary message is kept too.
//! Detail, hint, context and query text are never kept. The original error is dropped at once, so that no `Debug`
//! output can show it.

use std::fmt;

use tokio_postgres::error::{DbError, SqlState};

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("connect to {server}")]
    Connect {
        server: String,
        #[source]
        cause: Box<ServerError>,
    },
    #[error("connect to {server}: {problem}")]
    Tls { server: String, problem: String },
    #[error("{stage} {object}")]
    Server {
        /// What was being done: `read the catalog`, `copy rows into` …
        stage: &'static str,
        object: String,
        #[source]
        cause: Box<ServerError>,
    },
    /// The transaction that exported the snapshot has ended, and its locks with it.
    #[error("the connection to {server} that held the exported snapshot is lost")]
    LostSnapshot { server: String },
    #[error("{table} was truncated or rewritten while the snapshot began")]
    Rewritten { table: String },
    #[error("run pg_dump: {problem}")]
    PgDump { problem: String, hint: Option<String> },
    #[error("a server of its own: {problem}")]
    PrivateServer { problem: String, hint: Option<String> },
    #[error("{stage} {object}: {problem}")]
    Unexpected { stage: &'static str, object: String, problem: String },
    #[error(transparent)]
    Settings(#[from] crate::SettingsError),
}

impl Error {
    /// Why there is no connection: a TLS problem has another remedy than all others.
    pub(crate) fn connect(server: &impl fmt::Display, cause: tokio_postgres::Error) -> Self {
        let server = server.to_string();
        let cause = ServerError::from(cause);
        match cause.message.strip_prefix("error performing TLS handshake").filter(|_| !cause.lost) {
            Some(problem) => {
                Self::Tls { server, problem: format!("no TLS{}", problem.trim_end_matches(['\r', '\n'])) }
            }
            None => Self::Connect { server, cause: Box::new(cause) },
        }
    }

    pub(crate) fn server(
        stage: &'static str,
        object: impl ToString,
    ) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let object = object.to_string();
        move |cause| Self::Server { stage, object, cause: Box::new(cause.into()) }
    }

    /// The SQLSTATE, if a server answered.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Connect { cause, .. } | Self::Server { cause, .. } => cause.code.as_deref(),
            _ => None,
        }
    }

    /// Whether doing the same again can help.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Connect { cause, .. } | Self::Server { cause, .. } => cause.recovery(),
            _ => Recovery::None,
        }
    }

    /// What the person in front of the screen can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PgDump { hint, .. } | Self::PrivateServer { hint, .. } => return hint.clone(),
            Self::Settings(error) => return error.hint(),
            Self::Tls { .. } => "the server's certificate is always checked; name its CA with sslrootcert=… or PGSSLROOTCERT".to_owned(),
            Self::Connect { .. } | Self::Server { .. } => match self.code() {
                Some("28P01" | "28000") => "check user and password (PGPASSWORD or ~/.pgpass)".to_owned(),
                Some("3D000") => "create the database first: createdb".to_owned(),
                Some("42501") => "the role lacks a privilege; a snapshot needs pg_read_all_data and BYPASSRLS, a restore needs to own the target database".to_owned(),
                Some("53300") => "the server has no free connection; use fewer --jobs".to_owned(),
                Some("55P03") => "somebody waits for an exclusive lock on it (ALTER TABLE, DROP TABLE …); run this again when that is done".to_owned(),
                Some("53100") => "the server's disk is full: make space, on the tablespace that the message names".to_owned(),
                Some("53200") => "the server has no memory left: end what else needs it, or use fewer --jobs".to_owned(),
                Some("57014") => "somebody has cancelled it".to_owned(),
                Some("57P03") => "the server is starting up or shutting down; wait for it".to_owned(),
                Some("40001") => "this is a standby, and its recovery needed what was being read: take it again, from the primary or with a larger max_standby_streaming_delay".to_owned(),
                _ => return None,
            },
            Self::LostSnapshot { .. } | Self::Rewritten { .. } => {
                "take the snapshot again; nothing of this one is used".to_owned()
            }
            Self::Unexpected { .. } => return None,
        })
    }
}

/// What helps after an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recovery {
    /// Time: the same may succeed a little later, on another connection.
    Time,
    /// A person, who does what the hint says; then the same can succeed.
    Person,
    /// Nothing: the same would happen again.
    None,
}

/// What is kept of a server's or the driver's error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerError {
    /// The connection ended, or there was none, before the server answered: what it has done is unknown.
    pub lost: bool,
    /// SQLSTATE.
    pub code: Option<String>,
    /// The primary message, or for data errors what the code means; never a row value.
    pub message: String,
    pub table: Option<String>,
    pub column: Option<String>,
    pub constraint: Option<String>,
}

impl std::error::Error for ServerError {}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (kind, name) in
            [("table", &self.table), ("column", &self.column), ("constraint", &self.constraint)]
        {
            if let Some(name) = name {
                write!(f, ", {kind} {name}")?;
            }
        }
        match &self.code {
            Some(code) => write!(f, " (SQLSTATE {code})"),
            None => Ok(()),
        }
    }
}

impl From<tokio_postgres::Error> for ServerError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => Self::from_server(error),
            None => {
                // The driver's own errors name a stage and an I/O cause.
                let cause =
                    std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                let message = format!("{error}");
                let message = if message.ends_with(&cause) { message } else { message + &cause };
                Self {
                    lost: is_lost(&error),
                    code: None,
                    message,
                    table: None,
                    column: None,
                    constraint: None,
                }
            }
        }
    }
}

impl ServerError {
    /// By SQLSTATE ("PostgreSQL Error Codes").
    fn recovery(&self) -> Recovery {
        match self.code.as_deref() {
            None if self.lost => Recovery::Time,
            None => Recovery::None,
            // The server crashes, shuts down or starts up, an administrator or a timeout ended the session, there are too
            // many of them; a deadlock, or a standby's recovery.
            Some(
                "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" | "53300" | "40P01" | "40001"
                | "55P03",
            ) => Recovery::Time,
            // Disk or memory is full; somebody has cancelled the statement.
            Some("57014") => Recovery::Person,
            Some(code) if code.starts_with("53") => Recovery::Person,
            Some(code) if code.starts_with("08") => Recovery::Time,
            Some(_) => Recovery::None,
        }
    }

    fn from_server(error: &DbError) -> Self {
        let code = error.code().code();
        let message =
            if may_quote_rows(code, error.where_()) { about(error.code()) } else { error.message() };
        let name = |schema: Option<&str>, name: Option<&str>| {
            name.map(|name| schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}")))
        };
        Self {
            lost: false,
            code: Some(code.to_owned()),
            message: message.to_owned(),
            table: name(error.schema(), error.table()),
            column: error.column().map(str::to_owned),
            constraint: error.constraint().map(str::to_owned),
        }
    }
}

/// The driver has no word of its own for most of the ways in which a connection can end.
fn is_lost(error: &tokio_postgres::Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        // TLS reports certificates that do not hold as I/O errors too.
        if let Some(cause) = cause.downcast_ref::<std::io::Error>() {
            return cause.kind() != std::io::ErrorKind::InvalidData;
        }
        next = cause.source();
    }
    error.is_closed()
}

/// SQLSTATE classes whose messages PostgreSQL itself makes without row values ("PostgreSQL Error Codes").
const CLASSES_ABOUT_OBJECTS: [&str; 34] = [
    "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "20", "21", "24", "25", "26", "27",
    "28", "2B", "2D", "2F", "34", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "72", "XX",
];

fn may_quote_rows(code: &str, context: Option<&str>) -> bool {
    let about_object = code.get(..2).is_some_and(|class| CLASSES_ABOUT_OBJECTS.contains(&class));
    // `PL/pgSQL function f() line 3 at RAISE`, `SQL function "f" statement 1`, `PL/Python anonymous code block` …
    !about_object || context.is_some_and(|text| text.contains("function") || text.contains("code block"))
}

fn about(code: &SqlState) -> &'static str {
    match *code {
        SqlState::NOT_NULL_VIOLATION => "a NULL where none is allowed",
        SqlState::FOREIGN_KEY_VIOLATION => "a reference to a row that is not there",
        SqlState::UNIQUE_VIOLATION => "two rows with the same key",
        SqlState::CHECK_VIOLATION => "a row that breaks a check constraint",
        SqlState::EXCLUSION_VIOLATION => "rows that exclude each other",
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE => "a number that is out of range",
        SqlState::INVALID_TEXT_REPRESENTATION => "a value that its type does not accept",
        SqlState::STRING_DATA_RIGHT_TRUNCATION => "a text that is too long for its column",
        _ if code.code().starts_with("22") || code.code().starts_with("23") => {
            "a value that the server does not accept"
        }
        _ => "an error whose text may hold row values",
    }
}
