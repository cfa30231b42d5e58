//! Letting go of ledger entries whose people no stored snapshot can hold.
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
use lethe_format::ledger::{Expiry, Header, Kind, Seq};
use lethe_format::manifest::{ChunkIndex, LedgerWindow, Manifest};
use lethe_rules::anonymise::Anonymise;
use lethe_rules::closure::{Closure, Tombstones};
use lethe_rules::ledger::{
    Evidence, ExpiryPlan, Standing, StoredSnapshot, expired, needed_by, plan_expiry, unrevoked,
};
use lethe_rules::objection::Code;
use lethe_rules::scan::Scan as _;
use lethe_store::ObjectName;

use crate::ledger::{self, LastSeen, NewEntry};
use crate::restore::{load_manifest, rows, snapshot_ids};
use crate::{Error, Repository, objects};

/// Decides which entries can go once these snapshots are all that there are, beside those of the other place; writes nothing.
pub async fn plan(repository: &Repository, snapshots: &[StoredSnapshot]) -> Result<ExpiryPlan, Error> {
    let headers = ledger::headers(repository).await?;
    let mut snapshots = snapshots.to_vec();
    snapshots.extend(in_other_place(repository).await?);
    let snapshots = snapshots.as_slice();
    if repository.is_copy() {
        // Only the first place decides what expires; this one follows.
        let expiry = plan_expiry(&headers, snapshots, |_, _| Evidence::Unknown);
        let left = ledger::left_bodies(repository, &headers).await?;
        let remove = expiry.remove.into_iter().filter(|seq| left.contains(seq)).collect();
        return Ok(ExpiryPlan { remove, kept: expiry.kept, ..ExpiryPlan::default() });
    }
    let mut asked = Vec::new();
    let checked = plan_expiry(&headers, snapshots, |seq, _| {
        asked.push(seq);
        Evidence::Unknown
    })
    .checked;
    let held = held_by(repository, &checked, &asked).await?;
    let mut expiry = plan_expiry(&headers, snapshots, |seq, _| match &held {
        None => Evidence::Unknown,
        Some(held) if held.contains(&seq) => Evidence::Holds,
        Some(_) => Evidence::HoldsNone,
    });
    if !expiry.remove.is_empty() {
        let there = ledger::bodies(repository).await?;
        expiry.remove.retain(|seq| body(&headers, *seq).is_some_and(|name| there.contains(&name)));
    }
    Ok(expiry)
}

/// Carries the plan out, and gives the number of bodies that it removed.
pub async fn carry_out(
    repository: &Repository,
    plan: &ExpiryPlan,
    last_seen: &LastSeen,
    now: Timestamp,
) -> Result<usize, Error> {
    let ExpiryPlan { expire, remove, gone_since, checked, .. } = plan;
    if !expire.is_empty() {
        let expiry = Expiry { entries: expire.clone(), gone_since: *gone_since, checked: checked.clone() };
        let entry = NewEntry { expiry: Some(expiry), ..NewEntry::of(Kind::Expired) };
        ledger::append(repository, last_seen, entry, None, now).await?;
    }
    let headers = ledger::headers(repository).await?;
    let mut snapshots = stored_snapshots(repository).await?;
    snapshots.extend(in_other_place(repository).await?);
    // In the order of the ledger: what an entry revokes must be gone before the entry is.
    let mut going: Vec<Seq> = expire.iter().chain(remove).copied().collect();
    going.sort_unstable();
    let mut removed = 0;
    for seq in going {
        let needed = snapshots.iter().any(|snapshot| needed_by(&headers, snapshot, seq));
        if let Some(name) = body(&headers, seq).filter(|_| !needed) {
            objects::delete_for_good(repository.ledger_store().as_ref(), &ObjectName::new(name)?).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// For whoever has just written the manifest of a snapshot: a pruner that did not see the manifest may have let entries
/// expire that it needs.
///
/// # Errors
/// [`Error::ForgottenMeanwhile`]: the snapshot must go again.
pub async fn check_still_needed_is_kept(
    repository: &Repository,
    snapshot: &StoredSnapshot,
) -> Result<(), Error> {
    let headers = ledger::headers(repository).await?;
    match expired(&headers).into_iter().find(|seq| needed_by(&headers, snapshot, *seq)) {
        None => Ok(()),
        Some(seq) => Err(Error::ForgottenMeanwhile { seq }),
    }
}

fn body(headers: &[Header], seq: Seq) -> Option<String> {
    let header = headers.get(usize::try_from(seq).ok()?)?;
    Some(layout::ledger_body(seq, &header.body?.id))
}

/// The other place's snapshots, which need entries as well. If it cannot be asked, one that may hold anybody: then nothing expires.
async fn in_other_place(repository: &Repository) -> Result<Vec<StoredSnapshot>, Error> {
    let Some(other) = repository.other_place() else { return Ok(Vec::new()) };
    let asked = async {
        // An empty folder where a disk should be mounted, or another bucket, is not a place without snapshots.
        match Repository::id_in(other.store().as_ref()).await? {
            id if id == repository.id() => stored_snapshots(&other).await,
            _ => Err(Error::OtherRepository { store: other.store().url() }),
        }
    };
    match asked.await {
        Ok(snapshots) => Ok(snapshots),
        Err(cause @ (Error::Store(_) | Error::NoRepository { .. } | Error::OtherRepository { .. })) => {
            tracing::warn!(store = other.store().url(), %cause, "no ledger entry expires: which snapshots are there cannot be told");
            let ledger = LedgerWindow { before: 0, after: Seq::MAX };
            Ok(vec![StoredSnapshot { id: SnapshotId::new(Timestamp::UNIX_EPOCH, 0), ledger }])
        }
        Err(error) => Err(error),
    }
}

/// Every snapshot that has a manifest.
pub async fn stored_snapshots(repository: &Repository) -> Result<Vec<StoredSnapshot>, Error> {
    let ids = snapshot_ids(repository).await?;
    let stored = futures_util::stream::iter(ids.into_iter().map(|id| stored_snapshot(repository, id)));
    futures_util::StreamExt::buffered(stored, 8).try_collect().await
}

async fn stored_snapshot(repository: &Repository, id: SnapshotId) -> Result<StoredSnapshot, Error> {
    let name = layout::chunk_index(&id);
    let bytes = objects::get_if_there(repository.store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?;
    let key = repository.naming_key()?;
    let index = bytes.and_then(|bytes| ChunkIndex::from_bytes(&bytes, key.as_bytes()).ok());
    let ledger = index.filter(|index| index.snapshot == id).map(|index| index.ledger);
    // One that cannot be read may hold anybody.
    let ledger = ledger.unwrap_or(LedgerWindow { before: 0, after: Seq::MAX });
    Ok(StoredSnapshot { id, ledger })
}

/// The most snapshots that are looked into for entries that were written ahead of the deletion.
const LOOK_INTO: usize = 50;

/// Those of the entries of which one of the snapshots holds a row; none if that cannot be told here.
async fn held_by(
    repository: &Repository,
    snapshots: &[SnapshotId],
    entries: &[Seq],
) -> Result<Option<Vec<Seq>>, Error> {
    if entries.is_empty() {
        return Ok(Some(Vec::new()));
    }
    if !repository.has_identities() || snapshots.len() > LOOK_INTO {
        return Ok(None);
    }
    let ledger = ledger::read_verified(repository).await?;
    let mut found = Vec::new();
    for id in snapshots {
        let manifest = load_manifest(repository, id).await?;
        let asked: Vec<(Seq, Vec<Tombstones>)> = entries
            .iter()
            .filter(|seq| !found.contains(*seq))
            .map(|seq| (*seq, unrevoked(ledger.entries(), *seq)))
            .collect();
        let all = asked.iter().flat_map(|(_, tombstones)| tombstones.iter().cloned()).collect();
        match held(repository, &manifest, all).await? {
            Some(false) => continue,
            None => return Ok(None),
            Some(true) => {}
        }
        for (seq, tombstones) in asked {
            match held(repository, &manifest, tombstones).await? {
                Some(true) => found.push(seq),
                Some(false) => {}
                None => return Ok(None),
            }
        }
    }
    Ok(Some(found))
}

/// Whether a snapshot holds a row of any of these people; none if that cannot be told.
async fn held(
    repository: &Repository,
    manifest: &Manifest,
    gone: Vec<Tombstones>,
) -> Result<Option<bool>, Error> {
    if gone.is_empty() {
        return Ok(Some(false));
    }
    // A row with a key that ought to be gone is what the closure objects to.
    let standing = Standing { gone, ..Standing::default() };
    let mut closure = Closure::new(
        &manifest.catalog,
        &manifest.references,
        &manifest.tables,
        &standing,
        (&Anonymise::default(), &Default::default()),
    );
    while let Some(tables) = closure.next_scan() {
        for data in manifest.tables.iter().filter(|data| tables.contains(&data.table)) {
            for chunk in &data.chunks {
                let rows = rows(repository, chunk).await?;
                let filter = |cause| Error::Filter { snapshot: manifest.snapshot.clone(), cause };
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
