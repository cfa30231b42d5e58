//! The capture of deletions: from the source's outbox to the ledger, and how far that has got.
//!
//! *Run*: mark waiting keys with a batch, append them as one entry whose nonce is the batch, delete them. A crash
//! before the entry leaves a marked batch that is appended by the next run; a crash after it leaves a marked batch that
//! the next run finds on the ledger and only deletes. So every deletion is on the ledger once, and none is lost: a
//! person is in the source, or in the outbox, or on the ledger.

mod install;
mod run;

use lethe_format::ledger::SubjectRef;
use lethe_format::manifest::CaptureState;
use lethe_postgres::capture::outbox;
pub use lethe_postgres::capture::remove_sql as removal_sql;
use lethe_postgres::{ConnectionSettings, Purpose, Server};

use crate::Error;
pub use install::{Installed, install, plan_installation, remove};
pub use run::{Captured, Drained, RunOptions, run};

/// Whose deletions are captured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capturing {
    pub subject: SubjectRef,
    pub customer: Customer,
}

/// Whose people they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Customer {
    /// Customers are not kept apart.
    None,
    /// That of the customer whom these columns of the subject's table name.
    Named(Vec<String>),
    /// They are customers.
    Themselves,
}

/// How the capture stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    pub outbox: CaptureState,
    /// False if what is installed differs from what the settings ask for; none if they name no subjects.
    pub up_to_date: Option<bool>,
}

/// Looks at the source; none if the capture is not installed there.
pub async fn status(source: &ConnectionSettings, subjects: &[Capturing]) -> Result<Option<Status>, Error> {
    let server = Server::connect(source, Purpose::Capture).await?;
    if !outbox::is_installed(&server).await? {
        return Ok(None);
    }
    let up_to_date = if subjects.is_empty() {
        None
    } else {
        let wanted = plan_installation(source, subjects).await?;
        Some(outbox::installed_fingerprint(&server).await? == Some(wanted.fingerprint))
    };
    Ok(Some(Status { outbox: outbox::waiting(&server).await?, up_to_date }))
}
