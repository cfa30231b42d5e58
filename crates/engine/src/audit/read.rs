//! Reading: every entry, every link, every body that can be opened, every checkpoint.

use futures_util::{StreamExt as _, TryStreamExt as _};
use lethe_format::audit::checkpoint::{Checkpoint, PublicKey};
use lethe_format::audit::merkle::{Peaks, Tree};
use lethe_format::audit::{Body, Entry, Opened};
use lethe_format::layout::{self, AuditObject};
use lethe_format::ledger::{Head, Seq};

use super::log;
use crate::ledger::LastSeen;
use crate::{Error, Repository, age_file, objects};

/// Entries fetched at a time.
const PARALLEL: usize = 64;

/// A log of which everything was read and verified.
#[derive(Debug)]
pub struct Verified {
    /// With what is in them, where an identity is at hand.
    pub entries: Vec<(Entry, Option<Opened>)>,
    /// Checkpoints, and how many entries the last one covers; none without a key to check them with.
    pub checkpoints: Option<(usize, u64)>,
}

/// Reads and verifies the whole log; it may be empty.
///
/// # Errors
/// [`Error::AuditLog`] with what is wrong.
pub async fn read(
    repository: &Repository,
    last_seen: &LastSeen,
    key: Option<&PublicKey>,
) -> Result<Verified, Error> {
    let known = last_seen.head()?;
    let (numbers, checkpoints) = listed(repository).await?;
    let entries: Vec<(Entry, Option<Opened>)> = futures_util::stream::iter(numbers)
        .map(|seq| async move {
            let entry = log::entry(repository, seq).await?;
            let entry = entry.ok_or_else(|| Error::audit(format!("entry {seq} is gone")))?;
            let opened = open(repository, &entry).await?;
            Ok::<_, Error>((entry, opened))
        })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    check_chain(&entries)?;
    let leaves: Vec<_> = entries.iter().map(|(entry, _)| entry.leaf()).collect();
    if let Some(known) = known {
        let place = usize::try_from(known.seq).ok().and_then(|place| leaves.get(place));
        if place != Some(&known.hash) {
            return Err(log::lost(&known));
        }
    }
    if let Some((last, _)) = entries.last() {
        last_seen.advance(&Head { seq: last.header.seq, hash: last.leaf() })?;
    }
    let checkpoints = match key {
        None => None,
        Some(key) => Some(check_checkpoints(repository, &Tree::new(leaves), &checkpoints, key).await?),
    };
    Ok(Verified { entries, checkpoints })
}

/// Entries 0 to n without a gap, and the sizes that were signed.
async fn listed(repository: &Repository) -> Result<(Vec<Seq>, Vec<u64>), Error> {
    let (mut entries, mut checkpoints) = (Vec::new(), Vec::new());
    for name in objects::names(repository.ledger_store().as_ref(), layout::AUDIT).await? {
        match layout::audit_object(&name) {
            AuditObject::Entry(seq) => entries.push(seq),
            AuditObject::Checkpoint(size) => checkpoints.push(size),
            AuditObject::Foreign => {
                tracing::warn!(object = %name, "an object beside the audit log is none of it");
            }
        }
    }
    match entries.iter().zip(0..).find(|(seq, expected)| **seq != *expected) {
        Some((seq, expected)) => {
            Err(Error::audit(format!("entry {expected} is missing, though entry {seq} is there")))
        }
        None => Ok((entries, checkpoints)),
    }
}

async fn open(repository: &Repository, entry: &Entry) -> Result<Option<Opened>, Error> {
    if !repository.has_identities() {
        return Ok(None);
    }
    let identities = repository.identities()?.clone();
    let (sealed, header) = (entry.sealed.clone(), entry.header.clone());
    objects::off_runtime(move || {
        let wrong = |problem: String| Error::audit(format!("entry {}: {problem}", header.seq));
        let plain =
            age_file::decrypt(&identities.0, &sealed, "it").map_err(|error| wrong(error.to_string()))?;
        Body::open(&plain, &header).map(Some).map_err(|cause| wrong(cause.to_string()))
    })
    .await
}

fn check_chain(entries: &[(Entry, Option<Opened>)]) -> Result<(), Error> {
    let mut peaks = Peaks::default();
    let mut before = None;
    for (entry, _) in entries {
        let seq = entry.header.seq;
        if entry.header.prev != before {
            let last = seq.saturating_sub(1);
            return Err(Error::audit(format!(
                "entry {seq} does not follow entry {last}: one of them was changed or replaced"
            )));
        }
        peaks.push(entry.leaf());
        if peaks != entry.peaks {
            return Err(Error::audit(format!("entry {seq} names another tree than the entries make")));
        }
        before = Some(entry.leaf());
    }
    Ok(())
}

async fn check_checkpoints(
    repository: &Repository,
    tree: &Tree,
    sizes: &[u64],
    key: &PublicKey,
) -> Result<(usize, u64), Error> {
    let check = |size: u64| async move {
        let name = layout::audit_checkpoint(size);
        let note = objects::get(repository.ledger_store().as_ref(), &name, log::LIMIT).await?;
        let wrong = |problem: &str| Error::audit(format!("{name}: {problem}"));
        let note = std::str::from_utf8(&note).map_err(|_| wrong("it is no text"))?;
        let checkpoint = Checkpoint::open(note, key).map_err(|cause| wrong(&cause.to_string()))?;
        if checkpoint.size != size {
            return Err(wrong("it is another one than its name says"));
        }
        let root = usize::try_from(size).ok().and_then(|size| tree.root(size));
        match root {
            Some(root) if root == checkpoint.root => Ok(()),
            Some(_) => Err(wrong("the entries are not those that were signed")),
            None => Err(wrong("entries that were signed are gone")),
        }
    };
    futures_util::stream::iter(sizes).map(|size| check(*size)).buffered(PARALLEL).try_collect::<()>().await?;
    Ok((sizes.len(), sizes.last().copied().unwrap_or(0)))
}
