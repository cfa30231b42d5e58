//! The same ledger in two places. Everything is appended to the first, and the second one follows: so it has what the first
//! has, or less. Whatever it has besides shows that somebody has taken the first one back to an older state, or that two have been
//! written to as the first.

use std::collections::BTreeSet;

use bytes::Bytes;
use lethe_format::ids::Digest;
use lethe_format::layout::{self, LedgerObject};
use lethe_format::ledger::{BodyRef, Head, Header, Seq};
use lethe_rules::ledger::expired;
use lethe_store::ObjectName;

use super::append::commit;
use super::read::{Chain, VerifiedLedger, header_chain, listed_chain};
use crate::{Error, Repository, objects};

/// Compares what was read with the ledger of the second place. One that cannot be read, or is behind, is a warning: the first
/// is whole by itself.
///
/// # Errors
/// [`Error::Contradiction`] if the second place has entries that this one lacks.
pub(super) async fn compare(repository: &Repository, ledger: &VerifiedLedger) -> Result<(), Error> {
    let Some(copy) = repository.copy() else { return Ok(()) };
    let chain = match chain_of(&copy).await {
        Ok(chain) => chain,
        Err(Error::Store(cause)) => {
            tracing::warn!(%cause, "the ledger's copy in the second store cannot be read, and was not compared");
            return Ok(());
        }
        Err(Error::Ledger { seq, problem }) => {
            let url = copy.ledger_store().url();
            return Err(Error::Ledger { seq, problem: format!("its copy in {url}: {problem}") });
        }
        Err(error) => return Err(error),
    };
    let Some(chain) = chain else {
        tracing::warn!("the second store has no copy of the ledger yet: lethe copy");
        return Ok(());
    };
    let (here, there) = (ledger.head(), chain.head());
    // Entries may have come to both since the first one was read.
    if !ledger.contains(&there) && !chain_of(repository).await?.is_some_and(|now| now.contains(&there)) {
        return Err(contradiction(&here, &there, &copy));
    }
    if there.seq < here.seq {
        tracing::info!(behind = here.seq - there.seq, "the ledger's copy in the second store is behind");
    }
    Ok(())
}

/// Gives `to` the entries that it lacks of `from`, and returns their number. Each entry's body goes before its header, as when it
/// was appended: a crash in between leaves a body that the next run writes again, or finds.
///
/// # Errors
/// [`Error::Contradiction`] if `to` has entries that `from` lacks: nothing is written then.
pub(crate) async fn bring(from: &Repository, to: &Repository) -> Result<u64, Error> {
    // In this order: what is appended meanwhile reaches `from` before `to`.
    let there = chain_of(to).await?;
    let (chain, listing) = listed_chain(from.ledger_store().as_ref(), Some(from.id())).await?;
    if let Some(there) = &there
        && !chain.contains(&there.head())
    {
        return Err(contradiction(&chain.head(), &there.head(), to));
    }
    let begin = there.map_or(0, |there| there.headers.len());
    let expired = expired(&chain.headers);
    let (source, store) = (from.ledger_store().as_ref(), to.ledger_store().as_ref());
    let mut brought = 0;
    for header in chain.headers.iter().skip(begin) {
        let seq = header.seq;
        if let Some(body) = &header.body {
            let name = layout::ledger_body(seq, &body.id);
            match listing.get(source, &name, objects::DOCUMENT_LIMIT).await? {
                Some(bytes) => objects::create(store, &name, bytes).await?,
                None if expired.contains(&seq) => {}
                None => return Err(Error::ledger(seq, format!("entry {seq}: its body is missing"))),
            }
        }
        let bytes = listing.get(source, &layout::ledger_header(seq), 1 << 20).await?;
        let bytes = bytes.ok_or_else(|| Error::ledger(seq, format!("entry {seq} is gone")))?;
        if chain.hash(seq) != Some(Digest::of(&bytes)) {
            return Err(Error::ledger(seq, format!("entry {seq} was changed while it was being copied")));
        }
        if commit(store, seq, &bytes).await?.is_none() {
            return Err(contradiction(&chain.head(), &Head { seq, hash: Digest::of(&bytes) }, to));
        }
        brought += 1;
    }
    Ok(brought)
}

/// An entry that was just appended to the first place, after the head `before`.
pub(super) struct Appended<'a> {
    pub(super) head: Head,
    pub(super) before: Head,
    pub(super) header: &'a Bytes,
    pub(super) body: Option<(BodyRef, &'a Bytes)>,
}

/// Puts it into the second place as well. What does not reach that now is brought by the next `lethe copy`.
pub(super) async fn follow(repository: &Repository, appended: Appended<'_>) {
    let Some(copy) = repository.copy() else { return };
    if let Err(error) = try_follow(repository, &copy, appended).await {
        let error = crate::error::with_causes(&error);
        tracing::warn!(%error, "the entry is on the ledger, and not yet on its copy in the second store: lethe copy brings it");
    }
}

/// A copy that ends with the entry before needs no more than this one, and whoever may only append cannot read others.
async fn try_follow(repository: &Repository, copy: &Repository, appended: Appended<'_>) -> Result<(), Error> {
    let Appended { head, before, header, body } = appended;
    let store = copy.ledger_store().as_ref();
    let last = objects::get_if_there(store, &layout::ledger_header(before.seq), 1 << 20).await?;
    if last.is_none_or(|last| Digest::of(&last) != before.hash) {
        return bring(repository, copy).await.map(|_| ());
    }
    if let Some((reference, bytes)) = body {
        let name = ObjectName::new(layout::ledger_body(head.seq, &reference.id))?;
        objects::put_new(store, &name, bytes.clone()).await?;
    }
    match commit(store, head.seq, header).await? {
        Some(_) => Ok(()),
        None => Err(contradiction(&before, &head, copy)),
    }
}

/// The bodies that the copy still has of entries that expired: those that the first place has let go.
pub(crate) async fn left_bodies(copy: &Repository, headers: &[Header]) -> Result<Vec<Seq>, Error> {
    let Some(first) = copy.other_place() else { return Ok(Vec::new()) };
    let (here, there) = (bodies(&first).await?, bodies(copy).await?);
    let name = |seq: &Seq| {
        let header = headers.get(usize::try_from(*seq).ok()?)?;
        Some(layout::ledger_body(*seq, &header.body?.id))
    };
    let is_left = |seq: &Seq| name(seq).is_some_and(|name| there.contains(&name) && !here.contains(&name));
    Ok(expired(headers).into_iter().filter(is_left).collect())
}

/// The names of all bodies of which any version is left.
pub(crate) async fn bodies(repository: &Repository) -> Result<BTreeSet<String>, Error> {
    let store = repository.ledger_store();
    let mut names: BTreeSet<String> = match store.versions(layout::LEDGER).await? {
        Some(versions) => versions.into_iter().map(|version| version.name.to_string()).collect(),
        None => objects::names(store.as_ref(), layout::LEDGER).await?,
    };
    names.retain(|name| matches!(layout::ledger_object(name), LedgerObject::Body(_)));
    Ok(names)
}

/// None if nothing was copied yet.
async fn chain_of(repository: &Repository) -> Result<Option<Chain>, Error> {
    let store = repository.ledger_store().as_ref();
    if store.head(&ObjectName::new(layout::ledger_header(0))?).await?.is_none()
        && store.list_page(layout::LEDGER, None).await?.infos.is_empty()
    {
        return Ok(None);
    }
    header_chain(store, Some(repository.id())).await.map(Some)
}

fn contradiction(here: &Head, there: &Head, copy: &Repository) -> Error {
    Error::Contradiction { here: here.seq, there: there.seq, store: copy.ledger_store().url() }
}
