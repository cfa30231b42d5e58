//! How the backups are, in numbers that a monitoring keeps: what was done last and when, and what waits. Cheap enough to be asked every
//! few minutes: listings, and the newest reports.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lethe_format::layout::{self, LedgerObject};
use lethe_format::ledger::{Header, Seq};
use lethe_format::report::{Report, ReportKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::drill::DrillEvidence;
use crate::prune::{Receipt, in_use};
use crate::restore::finished_at;
use crate::{Error, Repository, audit, objects, reports};

/// Nothing of it is a verdict: what is too old or too many is the alarm's decision.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Health {
    pub at: Timestamp,
    /// By the store's dates.
    pub snapshots: Snapshots,
    pub ledger: Ledger,
    /// The newest drill, and the newest that passed.
    pub drill: Option<Drill>,
    pub good_drill: Option<Drill>,
    pub prune: Option<Prune>,
    pub holds: u64,
    /// None of a log that has not begun.
    pub audit: Option<Audit>,
    /// None without a second store.
    pub second: Option<Second>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Snapshots {
    pub count: u64,
    pub newest: Option<Timestamp>,
    pub oldest: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Ledger {
    pub entries: u64,
    /// The writer's time of the newest one.
    pub newest: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Drill {
    pub at: Timestamp,
    pub passed: bool,
    pub ready_seconds: Option<f64>,
    /// How old the data was.
    pub age_seconds: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Prune {
    pub at: Timestamp,
    /// The store's date of the oldest object that was left then.
    pub oldest_object: Option<Timestamp>,
    /// Beyond the ceiling.
    pub remains: u64,
}

/// Nothing of it is verified here: `lethe audit verify` does that.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Audit {
    pub entries: u64,
    /// The writer's time of the newest one.
    pub newest: Option<Timestamp>,
    /// Entries that no checkpoint covers yet.
    pub unsigned: u64,
    /// The store's date of the newest checkpoint.
    pub signed_at: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Second {
    /// False if it did not answer: then nothing else of it is known.
    pub answers: bool,
    pub snapshots: Snapshots,
    pub ledger_entries: u64,
}

/// Drills that are looked at to find one that passed.
const DRILLS: usize = 50;

/// # Errors
/// The first store's, and without the naming key, since reports that nobody has vouched for say nothing.
pub async fn look(repository: &Repository, now: Timestamp) -> Result<Health, Error> {
    let drills = drills(repository).await?;
    let prune = vouched::<Receipt>(repository, ReportKind::Prune, 1).await?.pop();
    Ok(Health {
        at: now,
        snapshots: snapshots(repository).await?,
        ledger: ledger(repository).await?,
        good_drill: drills.iter().find(|drill| drill.passed).cloned(),
        drill: drills.into_iter().next(),
        prune: prune.map(|Report { at, content, .. }| Prune {
            at,
            oldest_object: content.oldest_object,
            remains: content.remains.len() as u64,
        }),
        holds: in_use(repository, now).await?.held.len() as u64,
        audit: audit_log(repository).await?,
        second: second(repository).await,
    })
}

async fn audit_log(repository: &Repository) -> Result<Option<Audit>, Error> {
    let extent = audit::extent(repository).await?;
    Ok((extent.entries > 0).then(|| Audit {
        entries: extent.entries,
        newest: extent.newest,
        unsigned: extent.entries.saturating_sub(extent.signed),
        signed_at: extent.signed_at,
    }))
}

async fn snapshots(repository: &Repository) -> Result<Snapshots, Error> {
    let finished = finished_at(repository.store().as_ref()).await?;
    Ok(Snapshots {
        count: finished.len() as u64,
        newest: finished.iter().max().copied(),
        oldest: finished.iter().min().copied(),
    })
}

/// Nothing is verified here: whoever relies on the ledger reads all of it.
async fn ledger(repository: &Repository) -> Result<Ledger, Error> {
    let (mut entries, mut last) = (0, None::<Seq>);
    let mut listed = repository.ledger_store().list(layout::LEDGER).await?;
    while let Some(info) = listed.try_next().await? {
        if let LedgerObject::Header(seq) = layout::ledger_object(info.name.as_str()) {
            entries += 1;
            last = last.max(Some(seq));
        }
    }
    let newest = match last {
        None => None,
        Some(seq) => {
            let name = layout::ledger_header(seq);
            let bytes = objects::get_if_there(repository.ledger_store().as_ref(), &name, 1 << 20).await?;
            bytes.and_then(|bytes| Header::from_json(&bytes).ok()).map(|header| header.at)
        }
    };
    Ok(Ledger { entries, newest })
}

/// The newest first.
async fn drills(repository: &Repository) -> Result<Vec<Drill>, Error> {
    let found = vouched::<DrillEvidence>(repository, ReportKind::Drill, DRILLS).await?;
    let drill = |Report { at, content, .. }: Report<DrillEvidence>| Drill {
        at,
        passed: content.verdict.passed,
        ready_seconds: content.ready_seconds,
        age_seconds: content.age_seconds,
    };
    Ok(found.into_iter().map(drill).collect())
}

/// Those that somebody has vouched for; of the others there is a warning.
async fn vouched<T: DeserializeOwned>(
    repository: &Repository,
    kind: ReportKind,
    most: usize,
) -> Result<Vec<Report<T>>, Error> {
    let newest = reports::newest::<T>(repository, kind, most).await?;
    newest
        .unreadable
        .iter()
        .for_each(|id| tracing::warn!(%kind, %id, "a report says nothing: nobody has vouched for it"));
    Ok(newest.reports)
}

async fn second(repository: &Repository) -> Option<Second> {
    let copy = repository.copy()?;
    let asked = async { Ok::<_, Error>((snapshots(&copy).await?, ledger(&copy).await?)) };
    Some(match asked.await {
        Ok((snapshots, ledger)) => Second { answers: true, snapshots, ledger_entries: ledger.entries },
        Err(error) => {
            tracing::warn!(%error, "the second store does not answer");
            Second { answers: false, snapshots: Snapshots::default(), ledger_entries: 0 }
        }
    })
}
