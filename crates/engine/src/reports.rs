//! Evidence: what a prune, a drill or a restore did, as documents in the data's store that are written once.
//!
//! A crash before one is written leaves none: what ran without leaving a report has not shown anything.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lethe_format::ids::EventId;
use lethe_format::layout;
use lethe_format::report::{Report, ReportKind, VERSION};
use lethe_store::ObjectName;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Repository, objects};

const LIMIT: u64 = 64 << 20;

/// Writes a report and returns its id. `content` must hold no personal data: it is stored as it is.
pub async fn write(
    repository: &Repository,
    kind: ReportKind,
    at: Timestamp,
    content: &impl Serialize,
) -> Result<EventId, Error> {
    let id = EventId::new(at, rand::random());
    let report = Report {
        version: VERSION,
        repository: repository.id().to_owned(),
        kind,
        id: id.clone(),
        at,
        content,
    };
    let name = layout::report(kind, &id);
    let bytes = report.to_bytes(repository.naming_key()?.as_bytes()).map_err(Error::format(&name))?;
    objects::put_new(repository.store().as_ref(), &ObjectName::new(name)?, Bytes::from(bytes)).await?;
    Ok(id)
}

/// The ids of all reports of one kind, oldest first.
pub async fn list(repository: &Repository, kind: ReportKind) -> Result<Vec<EventId>, Error> {
    let infos: Vec<_> = repository.store().list(&layout::reports(kind)).await?.try_collect().await?;
    let known = infos.iter().filter_map(|info| layout::report_of_name(info.name.as_str()));
    Ok(known.map(|(_, id)| id).collect())
}

/// Reads a report.
///
/// # Errors
/// [`Error::Damaged`] or [`Error::Format`] if nobody with the naming key wrote it as this report of this repository.
pub async fn read<T: DeserializeOwned>(
    repository: &Repository,
    kind: ReportKind,
    id: &EventId,
) -> Result<Report<T>, Error> {
    let name = layout::report(kind, id);
    let bytes = objects::get(repository.store().as_ref(), &name, LIMIT).await?;
    let key = repository.naming_key()?;
    let report = Report::from_bytes(&bytes, key.as_bytes()).map_err(Error::format(&name))?;
    if report.repository != repository.id() || report.kind != kind || report.id != *id {
        return Err(Error::damaged(name, "it is another report than its name says"));
    }
    Ok(report)
}

/// Reports of one kind, the newest first.
#[derive(Debug)]
pub struct Newest<T> {
    pub reports: Vec<Report<T>>,
    /// Those among them that nobody with the naming key wrote: they say nothing.
    pub unreadable: Vec<EventId>,
}

/// Reads the newest reports of a kind.
pub async fn newest<T: DeserializeOwned>(
    repository: &Repository,
    kind: ReportKind,
    most: usize,
) -> Result<Newest<T>, Error> {
    let mut newest = Newest { reports: Vec::new(), unreadable: Vec::new() };
    for id in list(repository, kind).await?.into_iter().rev().take(most) {
        match read(repository, kind, &id).await {
            Ok(report) => newest.reports.push(report),
            Err(error @ (Error::Format { .. } | Error::Damaged { .. })) => {
                tracing::debug!(%error, "it says nothing");
                newest.unreadable.push(id);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(newest)
}
