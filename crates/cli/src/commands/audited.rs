//! Every action on personal data is on record before it begins, and when it has ended.

use std::pin::Pin;

use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::audit::{AuditLog, Intent};
use lethe_format::audit::{Action, Facts};

use crate::failure::Failure;
use crate::settings::Settings;

/// What is going to be done with everybody's data.
pub(super) fn with_all(action: Action) -> Intent {
    Intent::of(action, true)
}

/// What is going to be done, and concerns the data of these customers, or of nobody that is known.
pub(super) fn with_some(action: Action, tenants: Vec<String>) -> Intent {
    Intent { tenants, ..Intent::of(action, false) }
}

/// Does some work that the audit log knows of. The work returns what there is to be said of it besides. It is boxed, since a restore's
/// state is too large to be moved about on the stack.
///
/// # Errors
/// The work's own; the log's, if it could not say that the work begins, which then does not, or that it has ended.
pub(super) async fn audited(
    settings: &Settings,
    repository: &Repository,
    intent: Intent,
    work: Pin<Box<dyn Future<Output = Result<Facts, Failure>> + '_>>,
) -> Result<(), Failure> {
    if is_done_by_people(intent.action) {
        settings.require_request()?;
    }
    let log = settings.audit_log(repository).await?;
    let intent = Intent { request: settings.request(), ..intent };
    let began = log.begin(intent, Timestamp::now()).await?;
    match work.await {
        Ok(facts) => Ok(began.done(facts, Timestamp::now()).await?),
        Err(failure) => {
            let problem = problem(&failure);
            if let Err(error) = began.failed(failure.code as u8, problem, Timestamp::now()).await {
                settings.warn(Failure::from(error).in_one_line());
            }
            Err(failure)
        }
    }
}

/// Writes down what has been done already, and must not wait for the log.
pub(super) async fn note(settings: &Settings, log: &AuditLog, intent: Intent) {
    let intent = Intent { request: settings.request(), ..intent };
    if let Err(error) = log.done(&intent, Timestamp::now()).await {
        settings.warn(Failure::from(error).in_one_line());
    }
}

/// The rest is done on a schedule, whose instruction is the contract.
fn is_done_by_people(action: Action) -> bool {
    match action {
        Action::TombstoneAdd
        | Action::TombstoneRevoke
        | Action::CaptureInstall
        | Action::CaptureRemove
        | Action::Restore
        | Action::HoldAdd
        | Action::HoldRemove
        | Action::KeysChange
        | Action::KeysSeal
        | Action::AuditExport => true,
        Action::TombstoneCapture
        | Action::Snapshot
        | Action::RestorePlan
        | Action::Drill
        | Action::Prune
        | Action::Copy
        | Action::Verify
        | Action::SettingsLoosened => false,
    }
}

fn problem(failure: &Failure) -> String {
    let objections = failure.objections.iter().map(ToString::to_string);
    std::iter::once(failure.in_one_line()).chain(objections).collect::<Vec<_>>().join(": ")
}
