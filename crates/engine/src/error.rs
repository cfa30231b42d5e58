//! What a flow may fail with, and what the process then exits with.

use std::time::Duration;

use lethe_format::audit::Action;
use lethe_format::ids::SnapshotId;
use lethe_format::ledger::Seq;
use lethe_rules::objection::Objection;
use lethe_rules::retention::Remains;

/// The exit codes of the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ExitCode {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Refused = 3,
    Ledger = 4,
    Residency = 5,
    Damaged = 6,
    Verification = 7,
    Ceiling = 8,
    Interrupted = 9,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Store(#[from] lethe_store::Error),
    #[error(transparent)]
    Postgres(#[from] lethe_postgres::Error),
    #[error("{object} cannot be read")]
    Format {
        object: String,
        #[source]
        cause: lethe_format::Error,
    },
    #[error("{store} holds no repository")]
    NoRepository { store: String },
    #[error("{store} is not empty: it holds {found}")]
    NotEmpty { store: String, found: String },
    #[error("{what}: {problem}")]
    Keys { what: String, problem: String, hint: Option<String> },
    #[error("{object} cannot be decrypted: {problem}")]
    Decrypt { object: String, problem: String },
    #[error("the ledger cannot be trusted: {problem}")]
    Ledger {
        /// The entry that is wrong, if it is one.
        seq: Option<Seq>,
        problem: String,
    },
    #[error(
        "the two copies of the ledger contradict each other: {store} has an entry {there} that does not belong to the other one, which ends with entry {here}"
    )]
    Contradiction {
        /// The last entry of the one that was read.
        here: Seq,
        there: Seq,
        /// The other one.
        store: String,
    },
    #[error("snapshot {snapshot} is complete, and in the first store alone")]
    SingleCopy {
        snapshot: SnapshotId,
        #[source]
        cause: Box<Error>,
    },
    #[error("{store} holds another repository")]
    OtherRepository { store: String },
    #[error("there is no key ring in {store}")]
    NoKeyRing { store: String },
    #[error("the ledger cannot be read in full")]
    LedgerUnreadable {
        #[source]
        cause: lethe_store::Error,
    },
    #[error("the audit log cannot be trusted: {problem}")]
    AuditLog { problem: String },
    #[error("{action} was not begun, since the audit log cannot say so")]
    NotLogged {
        action: Action,
        #[source]
        cause: Box<Error>,
    },
    #[error("{action} has ended, and the audit log does not say so")]
    EndNotLogged {
        action: Action,
        #[source]
        cause: Box<Error>,
    },
    #[error("the ledger is stale: its newest entry, {seq}, is {} old and at most {} is allowed", minutes(*.age), minutes(*.max_age))]
    StaleLedger { seq: Seq, age: Duration, max_age: Duration },
    #[error("{object} is damaged: {problem}")]
    Damaged { object: String, problem: String },
    #[error("snapshot {snapshot} cannot be restored: {} of its chunks are missing or damaged", .objects.len())]
    Incomplete { snapshot: SnapshotId, objects: Vec<Objection> },
    #[error("there is no snapshot {wanted} in {store}")]
    NoSnapshot { store: String, wanted: String },
    /// What was done is on record, and the target is still closed; `cause` is why it went no further.
    #[error("the restore was interrupted")]
    Interrupted {
        #[source]
        cause: Box<Error>,
    },
    #[error("database {database}: {sessions} sessions of a restore that was interrupted do not end")]
    Leftovers { database: String, sessions: i64 },
    #[error("the restore is refused: {}", count(.0.len()))]
    Refused(Vec<Objection>),
    #[error("filter rows of snapshot {snapshot}")]
    Filter {
        snapshot: SnapshotId,
        #[source]
        cause: lethe_rules::row_filter::Error,
    },
    #[error("{table}: {expected} rows were due and {found} are there")]
    Counts { table: String, expected: u64, found: u64 },
    #[error("verify {object}: {problem}")]
    Verification { object: String, problem: String, hint: &'static str },
    #[error("the source is the target of a restore that is not finished")]
    SourceNotReady,
    #[error("ledger entry {seq} expired while the snapshot was being taken, which may still hold its people")]
    ForgottenMeanwhile { seq: Seq },
    #[error("this machine's clock says {host}, the store's {store}: one of them is wrong")]
    Clocks { host: jiff::Timestamp, store: jiff::Timestamp },
    #[error("{store} keeps versions of its objects and does not list them")]
    HistoryUntold { store: String },
    #[error("something older than 35 days remains: {}", .remains.iter().map(|remains| remains.what.as_str()).collect::<Vec<_>>().join(", "))]
    Ceiling { remains: Vec<Remains> },
    #[error("the store did not remove {count} objects that were to go, {first} among them")]
    NotRemoved { count: usize, first: String },
    #[error("the snapshot took {} h, and what it uploaded first may have been taken for abandoned", .took.as_hours())]
    TookTooLong { took: jiff::SignedDuration },
    #[error("{count} chunks that the snapshot names vanished while it was being taken, {first} among them")]
    Vanished { count: usize, first: String },
    #[error("{problem}")]
    Residency { problem: String, hint: String },
    #[error("{0}")]
    Usage(String),
    #[error("write {path}: {cause}")]
    LocalFile { path: String, cause: std::io::Error },
    #[error("a worker ended without a result: {0}")]
    Worker(String),
    #[error("it took longer than {}, which is what [drill] at_most allows", minutes(*.at_most))]
    Overran { at_most: Duration },
    #[error("{what} was not written within {seconds} s")]
    NotInTime { what: &'static str, seconds: u64 },
}

fn minutes(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match minutes {
        0..120 => format!("{minutes} min"),
        _ => format!("{} h", minutes / 60),
    }
}

/// An error and its causes, in one line.
pub(crate) fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

fn count(objections: usize) -> String {
    if objections == 1 { "1 objection".to_owned() } else { format!("{objections} objections") }
}

impl Error {
    pub(crate) fn format(object: impl ToString) -> impl FnOnce(lethe_format::Error) -> Self {
        let object = object.to_string();
        move |cause| Self::Format { object, cause }
    }

    pub(crate) fn ledger(seq: impl Into<Option<Seq>>, problem: impl ToString) -> Self {
        Self::Ledger { seq: seq.into(), problem: problem.to_string() }
    }

    pub(crate) fn audit(problem: impl ToString) -> Self {
        Self::AuditLog { problem: problem.to_string() }
    }

    pub(crate) fn damaged(object: impl ToString, problem: impl ToString) -> Self {
        Self::Damaged { object: object.to_string(), problem: problem.to_string() }
    }

    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::Usage,
            Self::Interrupted { .. } => ExitCode::Interrupted,
            Self::Residency { .. }
            | Self::Store(lethe_store::Error::Residency { .. })
            | Self::LedgerUnreadable { cause: lethe_store::Error::Residency { .. } } => ExitCode::Residency,
            Self::Store(lethe_store::Error::Unfit { .. } | lethe_store::Error::NoPutIfAbsent { .. }) => {
                ExitCode::Refused
            }
            Self::Refused(_) => ExitCode::Refused,
            Self::Ledger { .. }
            | Self::Contradiction { .. }
            | Self::NoKeyRing { .. }
            | Self::StaleLedger { .. }
            | Self::LedgerUnreadable { .. } => ExitCode::Ledger,
            Self::Damaged { .. } | Self::Incomplete { .. } | Self::Format { .. } | Self::Filter { .. } => {
                ExitCode::Damaged
            }
            Self::Store(lethe_store::Error::NotFound { .. } | lethe_store::Error::WrongLength { .. }) => {
                ExitCode::Damaged
            }
            Self::SingleCopy { cause, .. } => match cause.exit_code() {
                code @ (ExitCode::Ledger | ExitCode::Residency) => code,
                _ => ExitCode::Failed,
            },
            Self::NotLogged { cause, .. } => cause.exit_code(),
            Self::Ceiling { .. } => ExitCode::Ceiling,
            Self::Clocks { .. } | Self::HistoryUntold { .. } => ExitCode::Refused,
            Self::Verification { .. } | Self::Counts { .. } | Self::AuditLog { .. } => ExitCode::Verification,
            Self::Store(lethe_store::Error::InvalidUrl { .. } | lethe_store::Error::NoCredentials { .. }) => {
                ExitCode::Usage
            }
            Self::Postgres(lethe_postgres::Error::Settings(_)) => ExitCode::Usage,
            _ => ExitCode::Failed,
        }
    }

    /// What the person in front of the screen can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Store(error) => return error.hint(),
            Self::Postgres(error) => return error.hint(),
            Self::Format { cause, .. } => return cause.hint(),
            Self::Interrupted { cause } => {
                let first = cause.hint().map(|hint| hint + ". Then run").unwrap_or_else(|| "run".to_owned());
                return Some(format!("{first} the same command again: it goes on from what is there"));
            }
            Self::Keys { hint, .. } => return hint.clone(),
            Self::Residency { hint, .. } => return Some(hint.clone()),
            Self::NoRepository { .. } => "create one with lethe init, or check --store",
            Self::NoKeyRing { .. } => {
                "it is where the ledger is: if that has a store of its own, ledger_url in lethe.toml must name it"
            }
            Self::NotEmpty { .. } => "choose an empty bucket, prefix or directory; nothing was written",
            Self::Decrypt { .. } => "the identity must belong to one of the repository's recipients",
            Self::Ledger { .. } => {
                "nothing was written. Do not create a new ledger: it would forget who was erased. Find out who changed the store"
            }
            Self::Contradiction { .. } => {
                "nothing was written. If a restore or a deletion was carried out in the second store while the first one was away, lethe copy --back brings its entries to the first. If not, somebody has taken one of them back to an older state: find out who"
            }
            Self::SingleCopy { cause, .. } => {
                let first = cause.hint().map(|hint| format!("{hint}; ")).unwrap_or_default();
                return Some(format!("{first}lethe copy brings it to the second store"));
            }
            Self::OtherRepository { .. } => {
                "nothing was written there; give the copy an empty bucket, prefix or directory"
            }
            Self::LedgerUnreadable { cause } => return cause.hint(),
            Self::StaleLedger { .. } => {
                "is the store a stale copy, or does nobody write heartbeats? If their writer is down and you know the newest entry from elsewhere, state it: --known-head SEQ:HASH"
            }
            Self::AuditLog { .. } => {
                "nothing was done. Find out who changed the store; lethe audit verify says what is left that was signed"
            }
            Self::NotLogged { cause, .. } => {
                return Some(cause.hint().unwrap_or_else(|| {
                    "nothing was done. Whoever does this needs the rights to read and write audit/* where the ledger is, and the naming key".to_owned()
                }));
            }
            Self::EndNotLogged { .. } => {
                "it was done as it was printed. The log shows it as one that began and was interrupted; keep this message with it"
            }
            Self::Leftovers { .. } => {
                "the server has been asked to end them; pg_stat_activity (application_name = 'lethe restore') says what they wait for"
            }
            Self::Damaged { .. } => {
                "nothing of it was loaded; take another snapshot with --snapshot, and check the store"
            }
            Self::Incomplete { .. } => {
                "nothing was written; look for them in a copy of the store, or restore another snapshot with --snapshot. lethe verify says which ones are whole"
            }
            Self::NoSnapshot { .. } => "list them with lethe snapshots",
            Self::ForgottenMeanwhile { .. } => "take it again; nothing of this one is used",
            Self::Clocks { .. } => "nothing was done. Set this machine's clock, best by NTP",
            Self::HistoryUntold { .. } => {
                "nothing was removed: what a delete marker hides would stay. Allow s3:ListBucketVersions"
            }
            Self::Ceiling { remains } => {
                return Some(
                    remains.iter().map(|remains| remains.hint.as_str()).collect::<Vec<_>>().join("; "),
                );
            }
            Self::NotRemoved { .. } => {
                "is there an Object Lock, or a policy that forbids it? Run this again when it is cleared"
            }
            Self::TookTooLong { .. } | Self::Vanished { .. } => {
                "it does not exist. Take it again; if it cannot be done within two days, give it more --jobs"
            }
            Self::SourceNotReady => "finish the restore first: it may still hold people who were erased",
            Self::Counts { .. } => {
                "the target was not opened; drop and create the database, then run the restore again"
            }
            Self::Verification { hint, .. } => hint,
            _ => return None,
        };
        Some(text.to_owned())
    }
}
