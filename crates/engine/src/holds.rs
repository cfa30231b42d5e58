//! Holds: a person keeps a snapshot beyond its time, with a reason, somebody who answers for it and an end.
//!
//! A hold is one object, written once, and one more report for each step, which stays when the hold is gone. A crash
//! between the two leaves a hold without a report: it is listed all the same.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lethe_format::ids::{EventId, SnapshotId};
use lethe_format::layout;
use lethe_format::lease::{Hold, VERSION};
use lethe_format::report::ReportKind;
use lethe_store::ObjectName;
use serde::Serialize;

use crate::{Error, Repository, objects, reports, restore};

const LIMIT: u64 = 1 << 20;

/// The content of `reports/hold`.
#[derive(Clone, Debug, Serialize)]
struct Step<'a> {
    action: &'static str,
    hold: &'a Hold,
}

/// A hold as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    #[serde(flatten)]
    pub hold: Hold,
    /// False if it has ended: then it holds nothing.
    pub is_active: bool,
}

/// Holds a snapshot until a time.
///
/// # Errors
/// [`Error::NoSnapshot`]; [`Error::Usage`] for a hold without a reason, an approver or an end that is to come.
pub async fn add(
    repository: &Repository,
    snapshot: &SnapshotId,
    until: Timestamp,
    reason: &str,
    approved_by: &str,
    now: Timestamp,
) -> Result<Hold, Error> {
    if !restore::snapshot_ids(repository).await?.contains(snapshot) {
        return Err(Error::NoSnapshot { store: repository.store().url(), wanted: snapshot.to_string() });
    }
    let hold = Hold {
        version: VERSION,
        repository: repository.id().to_owned(),
        id: EventId::new(now, rand::random()),
        snapshot: snapshot.clone(),
        at: now,
        until,
        reason: reason.to_owned(),
        approved_by: approved_by.to_owned(),
    };
    let key = repository.naming_key()?.as_bytes();
    let bytes = hold.to_bytes(key).map_err(|error| Error::Usage(error.to_string()))?;
    let name = ObjectName::new(layout::hold(&hold.id))?;
    objects::put_new(repository.store().as_ref(), &name, Bytes::from(bytes)).await?;
    reports::write(repository, ReportKind::Hold, now, &Step { action: "add", hold: &hold }).await?;
    Ok(hold)
}

/// All holds, oldest first; one that nobody has vouched for holds nothing and is passed over with a warning.
pub async fn list(repository: &Repository, now: Timestamp) -> Result<Vec<Listed>, Error> {
    let infos: Vec<_> = repository.store().list(layout::HOLDS).await?.try_collect().await?;
    let mut holds = Vec::new();
    for id in infos.iter().filter_map(|info| layout::hold_of_name(info.name.as_str())) {
        match read(repository, &id).await {
            Ok(Some(hold)) => holds.push(Listed { is_active: hold.until > now, hold }),
            Ok(None) => {}
            Err(error @ (Error::Format { .. } | Error::Damaged { .. })) => {
                tracing::warn!(%error, "it holds nothing");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(holds)
}

/// Ends a hold before its time: in the second place first, so that a run that fails there can be repeated.
pub async fn remove(repository: &Repository, id: &EventId, now: Timestamp) -> Result<Hold, Error> {
    let hold = read(repository, id).await?;
    let hold = hold.ok_or_else(|| Error::Usage(format!("there is no hold {id}: lethe hold list")))?;
    reports::write(repository, ReportKind::Hold, now, &Step { action: "remove", hold: &hold }).await?;
    let name = ObjectName::new(layout::hold(id))?;
    if let Some(copy) = repository.copy() {
        objects::delete_for_good(copy.store().as_ref(), &name).await?;
    }
    objects::delete_for_good(repository.store().as_ref(), &name).await?;
    Ok(hold)
}

async fn read(repository: &Repository, id: &EventId) -> Result<Option<Hold>, Error> {
    let name = layout::hold(id);
    let Some(bytes) = objects::get_if_there(repository.store().as_ref(), &name, LIMIT).await? else {
        return Ok(None);
    };
    let key = repository.naming_key()?.as_bytes();
    let hold = Hold::from_bytes(&bytes, key).map_err(Error::format(&name))?;
    if hold.id != *id || hold.repository != repository.id() {
        return Err(Error::damaged(name, "it is another hold than its name says"));
    }
    Ok(Some(hold))
}
