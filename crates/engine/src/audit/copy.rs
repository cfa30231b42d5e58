//! The log in the second store, which follows the first as the ledger does.

use bytes::Bytes;
use lethe_format::layout::{self, AuditObject};
use lethe_format::ledger::Seq;
use lethe_store::ObjectName;

use super::log::LIMIT;
use crate::{Error, Repository, error, objects};

/// Puts an entry that was just written into the second place as well. What does not reach it now is brought by the next `lethe copy`.
pub(super) async fn follow(repository: &Repository, seq: Seq, bytes: &Bytes) {
    let Some(copy) = repository.copy() else { return };
    if let Err(cause) = try_follow(repository, &copy, seq, bytes).await {
        let cause = error::with_causes(&cause);
        tracing::warn!(%cause, "the entry is in the audit log, and not yet in its copy in the second store: lethe copy brings it");
    }
}

async fn try_follow(
    repository: &Repository,
    copy: &Repository,
    seq: Seq,
    bytes: &Bytes,
) -> Result<(), Error> {
    let store = copy.ledger_store().as_ref();
    // A gap would look like a loss.
    if let Some(before) = seq.checked_sub(1)
        && store.head(&ObjectName::new(layout::audit_entry(before))?).await?.is_none()
    {
        return bring(repository, copy).await.map(|_| ());
    }
    if objects::is_first(store, &layout::audit_entry(seq), bytes, LIMIT).await? {
        Ok(())
    } else {
        Err(contradiction(seq, copy))
    }
}

/// Refuses a log of which the second place has the entry that would be written next: two would then go on from here. A second place that
/// does not answer is no reason to wait.
pub(super) async fn check_ahead(repository: &Repository, next: Seq) -> Result<(), Error> {
    let Some(copy) = repository.copy() else { return Ok(()) };
    let name = ObjectName::new(layout::audit_entry(next))?;
    if !matches!(copy.ledger_store().head(&name).await, Ok(Some(_))) {
        return Ok(());
    }
    // Another writer may have put it into both since this one was looked at.
    match repository.ledger_store().head(&name).await? {
        Some(_) => Ok(()),
        None => Err(contradiction(next, &copy)),
    }
}

/// Gives `to` the entries and checkpoints that it lacks of `from`, in their order, and returns the number of entries.
///
/// # Errors
/// [`Error::AuditLog`] if `to` has what `from` lacks: nothing is written then.
pub(crate) async fn bring(from: &Repository, to: &Repository) -> Result<u64, Error> {
    // In this order: what is written meanwhile reaches `from` before `to`.
    let there = objects::names(to.ledger_store().as_ref(), layout::AUDIT).await?;
    let here = objects::names(from.ledger_store().as_ref(), layout::AUDIT).await?;
    let entry = |name: &String| match layout::audit_object(name) {
        AuditObject::Entry(seq) => Some(seq),
        AuditObject::Checkpoint(_) | AuditObject::Foreign => None,
    };
    if let Some(seq) = there.difference(&here).find_map(entry) {
        return Err(contradiction(seq, to));
    }
    if let Some(last) = there.iter().filter_map(entry).max() {
        let name = layout::audit_entry(last);
        let (ours, theirs) = (
            objects::get(from.ledger_store().as_ref(), &name, LIMIT).await?,
            objects::get(to.ledger_store().as_ref(), &name, LIMIT).await?,
        );
        if ours != theirs {
            return Err(contradiction(last, to));
        }
    }
    let mut brought = 0;
    // Entries come before checkpoints, by their names.
    for name in here.difference(&there) {
        let object = layout::audit_object(name);
        if object == AuditObject::Foreign {
            continue;
        }
        let bytes = objects::get(from.ledger_store().as_ref(), name, LIMIT).await?;
        if !objects::is_first(to.ledger_store().as_ref(), name, &bytes, LIMIT).await? {
            return Err(Error::audit(format!("{name} in {} is another one", to.ledger_store().url())));
        }
        brought += u64::from(matches!(object, AuditObject::Entry(_)));
    }
    Ok(brought)
}

fn contradiction(seq: Seq, copy: &Repository) -> Error {
    let store = copy.ledger_store().url();
    Error::audit(format!(
        "its copy in {store} has another entry {seq}, or one that this one lacks. If something was done in the second store while the first one was away, lethe copy --back brings what was written down"
    ))
}
