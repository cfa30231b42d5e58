//! Letting go of what has done its work. So far: ledger entries whose people no stored snapshot can hold.
//!
//! The order: append an `expired` entry that names them, look again at the snapshots, remove the bodies. Until its body
//! is gone an expired entry counts like any other, so a crash in between forgets nobody and the next run goes on.
//!
//! A snapshot that is being taken meanwhile may be older than an entry that expires, and not be listed yet. Whoever
//! takes it looks at the ledger after its manifest is written, and this looks at the manifests after its entry is
//! written: at least one of them sees the other. If all of that fails, a restore of that snapshot refuses.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lethe_format::ids::SnapshotId;
use lethe_format::layout;
use lethe_format::ledger::{Header, Kind, Seq};
use lethe_format::manifest::ChunkIndex;
use lethe_rules::anonymise::Anonymise;
use lethe_rules::closure::{Closure, Tombstones};
use lethe_rules::ledger::{Evidence, ExpiryPlan, Standing, plan_expiry, unrevoked};
use lethe_rules::objection::Code;
use lethe_store::ObjectName;
use serde::Serialize;

use crate::ledger::{self, LastSeen, NewEntry};
use crate::restore::{load_manifest, rows, snapshot_ids};
use crate::{Error, Repository, objects};

/// What a run would do, or has done.
#[derive(Clone, Debug, Serialize)]
pub struct PrunePlan {
    pub snapshots: usize,
    pub ledger: ExpiryPlan,
}

/// Decides; writes nothing.
pub async fn plan(repository: &Repository) -> Result<PrunePlan, Error> {
    let headers = ledger::headers(repository).await?;
    let snapshots = snapshot_ledger_heads(repository).await?;
    let seqs: Vec<Seq> = snapshots.iter().map(|(_, seq)| *seq).collect();
    let mut asked = Vec::new();
    plan_expiry(&headers, &seqs, |seq| {
        asked.push(seq);
        Evidence::Unknown
    });
    let held = held_by_oldest(repository, &snapshots, &asked).await?;
    let evidence = |seq: Seq| match &held {
        None => Evidence::Unknown,
        Some(held) if held.contains(&seq) => Evidence::Holds,
        Some(_) => Evidence::HoldsNone,
    };
    let mut expiry = plan_expiry(&headers, &seqs, evidence);
    expiry.remove.retain(|seq| body(&headers, *seq).is_some());
    let mut still_there = Vec::new();
    for seq in std::mem::take(&mut expiry.remove) {
        if let Some(name) = body(&headers, seq)
            && repository.store().head(&ObjectName::new(name)?).await?.is_some()
        {
            still_there.push(seq);
        }
    }
    expiry.remove = still_there;
    Ok(PrunePlan { snapshots: snapshots.len(), ledger: expiry })
}

/// Carries the plan out.
pub async fn carry_out(
    repository: &Repository,
    plan: &PrunePlan,
    last_seen: &LastSeen,
    now: Timestamp,
) -> Result<(), Error> {
    if !plan.ledger.expire.is_empty() {
        let entry = NewEntry { expires: plan.ledger.expire.clone(), ..NewEntry::of(Kind::Expired) };
        ledger::append(repository, last_seen, entry, None, now).await?;
    }
    let headers = ledger::headers(repository).await?;
    let oldest = snapshot_ledger_heads(repository).await?.iter().map(|(_, seq)| *seq).min();
    // In the order of the ledger: what an entry revokes must be gone before the entry is.
    let mut going: Vec<Seq> = plan.ledger.expire.iter().chain(&plan.ledger.remove).copied().collect();
    going.sort_unstable();
    for seq in going {
        let needed = oldest.is_some_and(|oldest| oldest < seq);
        if let Some(name) = body(&headers, seq).filter(|_| !needed) {
            repository.store().delete(&ObjectName::new(name)?).await?;
        }
    }
    Ok(())
}

/// For whoever has just written the manifest of a snapshot that was begun at entry `head`: a pruner that did not see the
/// manifest may have let entries expire that it needs.
///
/// # Errors
/// [`Error::ForgottenMeanwhile`]: the snapshot must go again.
pub async fn check_nothing_expired_after(repository: &Repository, head: Seq) -> Result<(), Error> {
    let headers = ledger::headers(repository).await?;
    match headers.iter().flat_map(|header| &header.expires).find(|seq| **seq > head) {
        None => Ok(()),
        Some(seq) => Err(Error::ForgottenMeanwhile { seq: *seq }),
    }
}

fn body(headers: &[Header], seq: Seq) -> Option<String> {
    let header = headers.get(usize::try_from(seq).ok()?)?;
    Some(layout::ledger_body(seq, &header.body?.id))
}

/// The ledger entry that was the head when each snapshot was begun; 0 where that cannot be read.
pub async fn snapshot_ledger_heads(repository: &Repository) -> Result<Vec<(SnapshotId, Seq)>, Error> {
    let ids = snapshot_ids(repository).await?;
    let heads = futures_util::stream::iter(ids.into_iter().map(|id| ledger_head_of(repository, id)));
    futures_util::StreamExt::buffered(heads, 8).try_collect().await
}

async fn ledger_head_of(repository: &Repository, id: SnapshotId) -> Result<(SnapshotId, Seq), Error> {
    let name = layout::chunk_index(&id);
    let bytes = objects::get_if_there(repository.store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?;
    let key = repository.naming_key()?;
    let index = bytes.and_then(|bytes| ChunkIndex::from_bytes(&bytes, key.as_bytes()).ok());
    let seq = index.filter(|index| index.snapshot == id).map_or(0, |index| index.ledger_seq);
    if seq == 0 {
        tracing::debug!(snapshot = %id, "its ledger head is taken to be the oldest");
    }
    Ok((id, seq))
}

/// Those of the entries of which the oldest snapshot holds a row; none if that cannot be told here.
async fn held_by_oldest(
    repository: &Repository,
    snapshots: &[(SnapshotId, Seq)],
    entries: &[Seq],
) -> Result<Option<Vec<Seq>>, Error> {
    let oldest = snapshots.iter().min_by_key(|(_, seq)| *seq);
    let (Some((oldest, _)), true) = (oldest, repository.has_identities()) else { return Ok(None) };
    if entries.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let ledger = ledger::read_verified(repository).await?;
    let asked: Vec<(Seq, Vec<Tombstones>)> =
        entries.iter().map(|seq| (*seq, unrevoked(ledger.entries(), *seq))).collect();
    let all = asked.iter().flat_map(|(_, tombstones)| tombstones.iter().cloned()).collect();
    match held(repository, oldest, all).await? {
        Some(false) => return Ok(Some(Vec::new())),
        None => return Ok(None),
        Some(true) => {}
    }
    let mut found = Vec::new();
    for (seq, tombstones) in asked {
        match held(repository, oldest, tombstones).await? {
            Some(true) => found.push(seq),
            Some(false) => {}
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// Whether a snapshot holds a row of any of these people; none if that cannot be told.
async fn held(
    repository: &Repository,
    id: &SnapshotId,
    gone: Vec<Tombstones>,
) -> Result<Option<bool>, Error> {
    if gone.is_empty() {
        return Ok(Some(false));
    }
    let manifest = load_manifest(repository, id).await?;
    // A row with a key that ought to be gone is what the closure objects to.
    let standing = Standing { gone, ..Standing::default() };
    let mut closure = Closure::new(&manifest.catalog, &manifest.tables, &standing, &Anonymise::default());
    while let Some(tables) = closure.next_scan() {
        for data in manifest.tables.iter().filter(|data| tables.contains(&data.table)) {
            for chunk in &data.chunks {
                let rows = rows(repository, chunk).await?;
                let filter = |cause| Error::Filter { snapshot: id.clone(), cause };
                closure.observe(data.table, &rows).map_err(filter)?;
            }
        }
    }
    Ok(match closure.finish() {
        Ok(_) => Some(false),
        Err(objections) if objections.iter().all(|objection| objection.code == Code::IdReuse) => Some(true),
        Err(_) => None,
    })
}
