//! Reading: every entry, every link of the chain, every body. What does not verify stops whatever wanted to read it.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use lethe_format::ids::Digest;
use lethe_format::layout;
use lethe_format::ledger::{Body, BodyId, Head, Header, Keys, Seq, SourceId};
use lethe_format::manifest::Manifest;
use lethe_rules::closure::Tombstones;
use lethe_rules::ledger::{Entry, Standing, StoredSnapshot, expired, needed_by, standing};
use lethe_store::ObjectStore;

use super::listing::Listing;
use super::{LastSeen, follow};
use crate::{Error, Repository, age_file, objects};

/// Entries fetched at a time.
const PARALLEL: usize = 64;

/// The headers of a ledger, verified as a chain.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) headers: Vec<Header>,
    hashes: Vec<Digest>,
}

impl Chain {
    pub(super) fn head(&self) -> Head {
        let last = self.hashes.len().saturating_sub(1);
        Head { seq: last as Seq, hash: self.hashes.get(last).copied().unwrap_or(Digest::from_bytes([0; 32])) }
    }

    pub(super) fn contains(&self, head: &Head) -> bool {
        usize::try_from(head.seq).ok().and_then(|seq| self.hashes.get(seq)) == Some(&head.hash)
    }

    pub(super) fn hash(&self, seq: Seq) -> Option<Digest> {
        self.hashes.get(usize::try_from(seq).ok()?).copied()
    }

    /// The place of the entry with this nonce.
    pub(super) fn find(&self, nonce: &BodyId) -> Option<Head> {
        let seq = self.headers.iter().position(|header| header.nonce == *nonce)?;
        Some(Head { seq: seq as Seq, hash: self.hashes.get(seq).copied()? })
    }

    /// Adds the next header if it continues the chain.
    pub(super) fn push(&mut self, bytes: &Bytes) -> Result<(), Error> {
        let seq = self.headers.len() as Seq;
        let header =
            Header::from_json(bytes).map_err(|cause| Error::ledger(seq, format!("entry {seq}: {cause}")))?;
        if header.seq != seq {
            return Err(Error::ledger(seq, format!("entry {seq} says that it is entry {}", header.seq)));
        }
        if header.prev != self.hashes.last().copied() {
            let before = seq.saturating_sub(1);
            return Err(Error::ledger(
                seq,
                format!("entry {seq} does not follow entry {before}: one of them was changed or replaced"),
            ));
        }
        self.hashes.push(Digest::of(bytes));
        self.headers.push(header);
        Ok(())
    }
}

/// Reads and verifies all headers. `repository` must be the one that genesis names.
pub(super) async fn header_chain(store: &dyn ObjectStore, repository: Option<&str>) -> Result<Chain, Error> {
    Ok(listed_chain(store, repository).await?.0)
}

pub(super) async fn listed_chain(
    store: &dyn ObjectStore,
    repository: Option<&str>,
) -> Result<(Chain, Listing), Error> {
    let listing = Listing::read(store).await?;
    let mut chain = Chain::default();
    let fetch = |seq| {
        let (listing, name) = (&listing, layout::ledger_header(seq));
        async move {
            let bytes = listing.get(store, &name, 1 << 20).await?;
            bytes.ok_or_else(|| Error::ledger(seq, format!("entry {seq} is gone")))
        }
    };
    let mut headers = futures_util::stream::iter(listing.numbers()?).map(fetch).buffered(PARALLEL);
    while let Some(bytes) = headers.next().await {
        chain.push(&bytes?)?;
    }
    drop(headers);
    let named = chain.headers.first().and_then(|genesis| genesis.repository.as_deref());
    if repository.is_some() && named != repository {
        return Err(Error::ledger(0, "it belongs to another repository"));
    }
    Ok((chain, listing))
}

/// The head of the chain of headers; no decryption key is needed.
pub async fn head(repository: &Repository) -> Result<Head, Error> {
    Ok(header_chain(repository.ledger_store().as_ref(), Some(repository.id())).await?.head())
}

/// All headers, verified as a chain; no decryption key is needed.
pub async fn headers(repository: &Repository) -> Result<Vec<Header>, Error> {
    Ok(header_chain(repository.ledger_store().as_ref(), Some(repository.id())).await?.headers)
}

/// The same, and refuses a ledger that lacks what this host has seen of it.
///
/// # Errors
/// [`Error::Ledger`].
pub async fn headers_trusted(repository: &Repository, last_seen: &LastSeen) -> Result<Vec<Header>, Error> {
    let known = last_seen.known()?;
    let chain = header_chain(repository.ledger_store().as_ref(), Some(repository.id())).await?;
    known.check(|head| chain.contains(head))?;
    last_seen.advance(&chain.head())?;
    Ok(chain.headers)
}

/// A ledger of which everything was read and verified. There is no other way to get tombstones.
#[derive(Clone, Debug)]
pub struct VerifiedLedger {
    entries: Vec<Entry>,
    hashes: Vec<Digest>,
    incidents: Vec<String>,
}

/// Reads and verifies everything.
///
/// # Errors
/// [`Error::Ledger`] with the entry and what is wrong with it, [`Error::LedgerUnreadable`] if the store does not answer.
pub async fn read_verified(repository: &Repository) -> Result<VerifiedLedger, Error> {
    read_all(repository).await.map_err(|error| match error {
        Error::Store(cause) => Error::LedgerUnreadable { cause },
        other => other,
    })
}

async fn read_all(repository: &Repository) -> Result<VerifiedLedger, Error> {
    let store = repository.ledger_store().as_ref();
    let (chain, listing) = listed_chain(store, Some(repository.id())).await?;
    let (expired, listed) = (&expired(&chain.headers), &listing);
    let entries: Vec<Entry> = futures_util::stream::iter(chain.headers)
        .map(|header| async move {
            let keys = match &header.body {
                Some(_) => body(repository, listed, &header, expired.contains(&header.seq)).await?,
                None => None,
            };
            Ok::<_, Error>(Entry { header, keys })
        })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    Ok(VerifiedLedger { entries, hashes: chain.hashes, incidents: listing.incidents })
}

/// Reads and verifies everything, and refuses a ledger that lacks what this host has seen of it, or what its copy has.
pub async fn read_trusted(repository: &Repository, last_seen: &LastSeen) -> Result<VerifiedLedger, Error> {
    let known = last_seen.known()?;
    let ledger = read_verified(repository).await?;
    known.check(|head| ledger.contains(head))?;
    follow::compare(repository, &ledger).await?;
    last_seen.advance(&ledger.head())?;
    Ok(ledger)
}

/// The keys of an entry; none if it has expired and its body is gone. An expired entry whose body is still there counts
/// like any other: whoever let it expire may have found a snapshot that needs it.
async fn body(
    repository: &Repository,
    listing: &Listing,
    header: &Header,
    expired: bool,
) -> Result<Option<Keys>, Error> {
    let seq = header.seq;
    let problem = |text: &str| Error::ledger(seq, format!("entry {seq}: {text}"));
    let reference = header.body.ok_or_else(|| problem("it has no body"))?;
    let name = layout::ledger_body(seq, &reference.id);
    let sealed = listing.get(repository.ledger_store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?;
    let sealed = match sealed {
        Some(sealed) => sealed,
        None if expired => return Ok(None),
        None => return Err(problem("its body is missing")),
    };
    let identities = repository.identities()?.clone();
    objects::off_runtime(move || {
        let plain = age_file::decrypt(&identities.0, &sealed, &name)
            .map_err(|_| Error::ledger(seq, format!("entry {seq}: its body cannot be decrypted")))?;
        if Digest::of(&plain) != reference.hash {
            return Err(Error::ledger(seq, format!("entry {seq}: its body is not the one that was written")));
        }
        let body =
            Body::from_bytes(&plain).map_err(|cause| Error::ledger(seq, format!("entry {seq}: {cause}")))?;
        if body.keys.len() != reference.count {
            return Err(Error::ledger(
                seq,
                format!("entry {seq}: its body holds another number of keys than it says"),
            ));
        }
        Ok(Some(body.keys))
    })
    .await
}

impl VerifiedLedger {
    #[must_use]
    pub fn head(&self) -> Head {
        let last = self.hashes.len().saturating_sub(1);
        Head { seq: last as Seq, hash: self.hashes[last] }
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What somebody has done to the ledger and could be undone: for the person who has to find out who it was.
    #[must_use]
    pub fn incidents(&self) -> &[String] {
        &self.incidents
    }

    /// True if the ledger still has, at its place, an entry that somebody has seen.
    #[must_use]
    pub fn contains(&self, head: &Head) -> bool {
        usize::try_from(head.seq).ok().and_then(|seq| self.hashes.get(seq)) == Some(&head.hash)
    }

    /// The ledger as it was when entry `seq` was its head.
    #[must_use]
    pub fn until(&self, seq: Seq) -> Self {
        let len = usize::try_from(seq).unwrap_or(usize::MAX).saturating_add(1);
        let mut earlier = self.clone();
        earlier.entries.truncate(len);
        earlier.hashes.truncate(len);
        earlier
    }

    /// What is to be done with each key when a snapshot is restored that was begun at entry `snapshot`.
    #[must_use]
    pub fn standing(&self, snapshot: Seq) -> Standing {
        standing(&self.entries, snapshot)
    }

    /// The keys that are erased and were not revoked, whenever that was.
    #[must_use]
    pub fn erased(&self) -> Vec<Tombstones> {
        self.standing(0).erased
    }

    /// True if entries after `seq` say anything about anybody, or about a column.
    #[must_use]
    pub fn speaks_of_people_after(&self, seq: Seq) -> bool {
        self.entries.iter().any(|entry| entry.header.seq > seq && entry.header.kind.is_about_rows())
    }

    /// Refuses a ledger that is older than a snapshot, or that has forgotten people whom the snapshot may hold.
    pub fn check_for(&self, manifest: &Manifest) -> Result<(), Error> {
        let stored = StoredSnapshot { id: manifest.snapshot.clone(), ledger: manifest.ledger_window() };
        self.check_for_stored(&stored, &manifest.ledger_head)
    }

    /// The same for a snapshot of which only this is known; `head` is the one before its view was opened.
    pub fn check_for_stored(&self, snapshot: &StoredSnapshot, head: &Head) -> Result<(), Error> {
        let (id, seq) = (&snapshot.id, head.seq);
        if !self.contains(head) {
            let problem = format!(
                "it lacks entry {seq}, which snapshot {id} was taken after: it was rolled back or replaced"
            );
            return Err(Error::ledger(seq, problem));
        }
        let headers: Vec<Header> = self.entries.iter().map(|entry| entry.header.clone()).collect();
        let forgotten =
            self.entries.iter().filter(|entry| entry.header.body.is_some() && entry.keys.is_none());
        let mut forgotten = forgotten.map(|entry| entry.header.seq);
        match forgotten.find(|entry| needed_by(&headers, snapshot, *entry)) {
            None => Ok(()),
            Some(expired) => {
                let problem =
                    format!("entry {expired} has expired, and snapshot {id} may still hold its people");
                Err(Error::ledger(expired, problem))
            }
        }
    }

    /// The writer's time of the newest entry: as fresh as that is the ledger.
    #[must_use]
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.entries.iter().map(|entry| entry.header.at).max()
    }

    /// Whether the outbox of this database was seen empty at or after this time, by that server's clock.
    #[must_use]
    pub fn drained_since(&self, source: &SourceId, at: Timestamp) -> bool {
        let marks = self.entries.iter().filter_map(|entry| entry.header.drained.as_ref());
        marks.into_iter().any(|mark| mark.source == *source && mark.at >= at)
    }
}
