//! Which snapshot is meant, and its manifest.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lethe_format::catalog::Catalog;
use lethe_format::ids::SnapshotId;
use lethe_format::layout;
use lethe_format::manifest::{Manifest, Sequence};
use lethe_rules::retention::Retention;
use lethe_store::ObjectStore;
use serde::Serialize;

use crate::{Error, Repository, clock, objects};

/// A snapshot as a person names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    Latest,
    Id(SnapshotId),
    /// The newest one that was begun at or before this time.
    At(Timestamp),
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Latest => f.write_str("at all"),
            Self::Id(id) => write!(f, "{id}"),
            Self::At(at) => write!(f, "of {at} or before"),
        }
    }
}

/// Snapshots that have a manifest, oldest first.
pub async fn ids(repository: &Repository) -> Result<Vec<SnapshotId>, Error> {
    let objects = repository.store().list(layout::SNAPSHOTS).await?;
    let infos: Vec<_> = objects.try_collect().await?;
    let mut ids: Vec<SnapshotId> =
        infos.iter().filter_map(|info| layout::snapshot_of_manifest(info.name.as_str())).collect();
    ids.sort();
    Ok(ids)
}

pub(crate) async fn choose(repository: &Repository, wanted: &Wanted) -> Result<SnapshotId, Error> {
    let ids = ids(repository).await?;
    let found = match wanted {
        Wanted::Latest => ids.last().cloned(),
        Wanted::Id(id) => ids.into_iter().find(|known| known == id),
        Wanted::At(at) => {
            // Ids sort as their times do; `~` is above every character of an id.
            let limit = format!("{}~", at.strftime("%Y%m%dT%H%M%SZ"));
            ids.into_iter().rfind(|id| id.as_str() < limit.as_str())
        }
    };
    found.ok_or_else(|| Error::NoSnapshot { store: repository.store().url(), wanted: wanted.to_string() })
}

pub(crate) async fn load_manifest(repository: &Repository, id: &SnapshotId) -> Result<Manifest, Error> {
    let object = layout::manifest(id);
    let sealed = objects::get(repository.store().as_ref(), &object, objects::DOCUMENT_LIMIT).await?;
    let (identities, key) = (repository.identities()?.clone(), repository.naming_key()?.clone());
    let name = object.clone();
    let manifest = objects::off_runtime(move || {
        let bytes = objects::unseal_document(&identities, &sealed, &name)?;
        Manifest::from_bytes(&bytes, key.as_bytes()).map_err(Error::format(&name))
    })
    .await?;
    if manifest.repository != repository.id() || manifest.snapshot != *id {
        return Err(Error::damaged(object, "it is the manifest of another snapshot"));
    }
    Ok(manifest)
}

/// The sequences of the newest readable snapshot after this one: since sequences only ever grow, it has seen the most.
pub(super) async fn later_sequences(
    repository: &Repository,
    chosen: &SnapshotId,
) -> Result<Vec<Sequence>, Error> {
    for id in ids(repository).await?.iter().rev().take_while(|id| *id > chosen) {
        match load_manifest(repository, id).await {
            Ok(manifest) => return Ok(manifest.sequences),
            Err(error @ (Error::Damaged { .. } | Error::Format { .. } | Error::Decrypt { .. })) => {
                tracing::warn!(%error, "a newer snapshot cannot be read; ids that it has seen may be given out again");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Vec::new())
}

/// The catalog of the newest snapshot; none if there is no snapshot yet.
pub async fn newest_catalog(repository: &Repository) -> Result<Option<Catalog>, Error> {
    match ids(repository).await?.last() {
        None => Ok(None),
        Some(id) => Ok(Some(load_manifest(repository, id).await?.catalog)),
    }
}

/// A line of `lethe snapshots`.
#[derive(Clone, Debug, Serialize)]
pub struct SnapshotInfo {
    pub snapshot: SnapshotId,
    pub started_at: Timestamp,
    /// When it goes by the default retention, unless somebody needs it.
    pub expires_at: Timestamp,
    pub database: String,
    pub rows: u64,
    /// Stored bytes of all chunks, shared ones included.
    pub stored_bytes: u64,
    /// Stored bytes of the chunks that the snapshot before does not name.
    pub new_bytes: u64,
    pub ledger_seq: u64,
}

/// When each snapshot was finished, by the store's date; needs no key.
pub async fn finished_at(store: &dyn ObjectStore) -> Result<Vec<Timestamp>, Error> {
    let mut finished = Vec::new();
    let mut stored = store.list(layout::SNAPSHOTS).await?;
    while let Some(info) = stored.try_next().await? {
        if layout::snapshot_of_manifest(info.name.as_str()).is_some() {
            finished.push(clock::time(info.modified));
        }
    }
    Ok(finished)
}

/// All snapshots, oldest first. Reads every manifest.
pub async fn list(repository: &Repository) -> Result<Vec<SnapshotInfo>, Error> {
    let keep = Retention::default().keep;
    let mut before = std::collections::HashSet::new();
    let mut infos = Vec::new();
    for id in ids(repository).await? {
        let manifest = load_manifest(repository, &id).await?;
        let chunks: std::collections::HashMap<_, _> =
            manifest.all_chunks().map(|chunk| ((chunk.name, chunk.upload), chunk.stored.len)).collect();
        infos.push(SnapshotInfo {
            started_at: manifest.started_at,
            expires_at: manifest.started_at.checked_add(keep).unwrap_or(Timestamp::MAX),
            database: manifest.source.database.clone(),
            rows: manifest.tables.iter().map(|data| data.rows()).sum(),
            stored_bytes: chunks.values().sum(),
            new_bytes: chunks.iter().filter(|(name, _)| !before.contains(*name)).map(|(_, len)| len).sum(),
            ledger_seq: manifest.ledger_head.seq,
            snapshot: id,
        });
        before = chunks.into_keys().collect();
    }
    Ok(infos)
}
