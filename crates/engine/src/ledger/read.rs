//! Reading: every entry, every link of the chain, every body. What does not verify stops whatever wanted to read it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use lethe_format::ids::Digest;
use lethe_format::layout::{self, LedgerObject};
use lethe_format::ledger::{Body, Head, Header, Keys, Kind, Seq, SubjectRef};
use lethe_rules::closure::Tombstones;
use lethe_store::ObjectStore;

use crate::{Error, Repository, age_file, objects};

/// Entries fetched at a time.
const PARALLEL: usize = 16;

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
    let seqs = header_numbers(store).await?;
    let mut chain = Chain::default();
    let mut headers = futures_util::stream::iter(seqs)
        .map(|seq| async move { objects::get(store, &layout::ledger_header(seq), 1 << 20).await })
        .buffered(PARALLEL);
    while let Some(bytes) = headers.next().await {
        chain.push(&bytes?)?;
    }
    let named = chain.headers.first().and_then(|genesis| genesis.repository.as_deref());
    if repository.is_some() && named != repository {
        return Err(Error::ledger(0, "it belongs to another repository"));
    }
    Ok(chain)
}

/// The numbers of the headers that are there: 0 to n without a gap, at least genesis.
async fn header_numbers(store: &dyn ObjectStore) -> Result<Vec<Seq>, Error> {
    let mut seqs = BTreeSet::new();
    let mut bodies = BTreeSet::new();
    let mut objects = store.list(layout::LEDGER).await?;
    while let Some(info) = objects.try_next().await? {
        match layout::ledger_object(info.name.as_str()) {
            LedgerObject::Header(seq) => {
                seqs.insert(seq);
            }
            LedgerObject::Body(seq) => {
                bodies.insert(seq);
            }
            LedgerObject::Foreign => {
                tracing::warn!(object = %info.name, "an object beside the ledger is none of it")
            }
        }
    }
    if seqs.is_empty() {
        return Err(Error::ledger(None, "it is not there"));
    }
    for (expected, seq) in seqs.iter().enumerate() {
        if *seq != expected as Seq {
            return Err(Error::ledger(
                expected as Seq,
                format!("entry {expected} is missing, though entry {seq} is there"),
            ));
        }
    }
    Ok(seqs.into_iter().collect())
}

/// The head of the chain of headers; no decryption key is needed.
pub async fn head(repository: &Repository) -> Result<Head, Error> {
    Ok(header_chain(repository.store().as_ref(), Some(repository.id())).await?.head())
}

/// All headers, verified as a chain; no decryption key is needed.
pub async fn headers(repository: &Repository) -> Result<Vec<Header>, Error> {
    Ok(header_chain(repository.store().as_ref(), Some(repository.id())).await?.headers)
}

/// One entry, its keys decrypted.
#[derive(Clone, Debug)]
pub struct Entry {
    pub header: Header,
    pub keys: Option<Keys>,
}

/// A ledger of which everything was read and verified. There is no other way to get tombstones.
#[derive(Clone, Debug)]
pub struct VerifiedLedger {
    entries: Vec<Entry>,
    hashes: Vec<Digest>,
}

/// Reads and verifies everything.
///
/// # Errors
/// [`Error::Ledger`] with the entry and what is wrong with it.
pub async fn read_verified(repository: &Repository) -> Result<VerifiedLedger, Error> {
    let store = repository.store().as_ref();
    let chain = header_chain(store, Some(repository.id())).await?;
    let entries: Vec<Entry> = futures_util::stream::iter(chain.headers)
        .map(|header| async move {
            let keys = match &header.body {
                Some(_) => Some(body(repository, &header).await?),
                None => None,
            };
            Ok::<_, Error>(Entry { header, keys })
        })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    Ok(VerifiedLedger { entries, hashes: chain.hashes })
}

async fn body(repository: &Repository, header: &Header) -> Result<Keys, Error> {
    let seq = header.seq;
    let problem = |text: &str| Error::ledger(seq, format!("entry {seq}: {text}"));
    let reference = header.body.ok_or_else(|| problem("it has no body"))?;
    let name = layout::ledger_body(seq, &reference.id);
    let sealed = objects::get_if_there(repository.store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?;
    let sealed = sealed.ok_or_else(|| problem("its body is missing"))?;
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
        Ok(body.keys)
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

    /// True if the ledger still has, at its place, an entry that somebody has seen.
    #[must_use]
    pub fn contains(&self, head: &Head) -> bool {
        usize::try_from(head.seq).ok().and_then(|seq| self.hashes.get(seq)) == Some(&head.hash)
    }

    /// The keys that are erased: those of `erased` entries, without those revoked later.
    #[must_use]
    pub fn erased(&self) -> Vec<Tombstones> {
        self.effective(Kind::Erased)
    }

    /// The keys that are anonymised and not erased since.
    #[must_use]
    pub fn anonymised(&self) -> Vec<Tombstones> {
        self.effective(Kind::Anonymised)
    }

    /// How many keys entries after `seq` erase or anonymise.
    #[must_use]
    pub fn keys_after(&self, seq: Seq) -> u64 {
        let later =
            self.entries.iter().filter(|entry| entry.header.seq > seq && entry.header.kind.has_keys());
        later.filter_map(|entry| entry.keys.as_ref()).map(Keys::len).sum()
    }

    fn effective(&self, kind: Kind) -> Vec<Tombstones> {
        // Subjects are told apart by what they are bound to, whatever name they were given.
        let mut by_subject: BTreeMap<SubjectRef, KeyUnion> = BTreeMap::new();
        for entry in &self.entries {
            let (Some(subject), Some(keys)) = (&entry.header.subject, &entry.keys) else { continue };
            let unnamed = SubjectRef { name: None, ..subject.clone() };
            let union = by_subject.entry(unnamed).or_default();
            if entry.header.kind == kind {
                union.add(keys);
            } else if entry.header.kind == Kind::Revoked {
                union.remove(keys);
            }
        }
        by_subject.into_iter().flat_map(|(subject, union)| union.tombstones(&subject)).collect()
    }
}

/// Keys of one subject; integers and tuples may both occur if the column's type changed.
#[derive(Default)]
struct KeyUnion {
    integers: roaring::RoaringTreemap,
    tuples: BTreeSet<Vec<String>>,
}

impl KeyUnion {
    fn add(&mut self, keys: &Keys) {
        match keys {
            Keys::Integers(set) => self.integers |= set,
            Keys::Tuples(tuples) => self.tuples.extend(tuples.iter().cloned()),
        }
    }

    /// The same key may have been written as a number and as a text.
    fn remove(&mut self, keys: &Keys) {
        match keys {
            Keys::Integers(set) => {
                self.integers -= set;
                let number = |tuple: &Vec<String>| match tuple.as_slice() {
                    [only] => only.parse::<i64>().ok().map(i64::cast_unsigned),
                    _ => None,
                };
                self.tuples.retain(|tuple| !number(tuple).is_some_and(|number| set.contains(number)));
            }
            Keys::Tuples(tuples) => {
                for tuple in tuples {
                    self.tuples.remove(tuple);
                    if let [only] = tuple.as_slice()
                        && let Ok(number) = only.parse::<i64>()
                    {
                        self.integers.remove(number.cast_unsigned());
                    }
                }
            }
        }
    }

    fn tombstones(self, subject: &SubjectRef) -> Vec<Tombstones> {
        let sets = [Keys::Integers(self.integers), Keys::Tuples(self.tuples.into_iter().collect())];
        let not_empty = sets.into_iter().filter(|keys| !keys.is_empty());
        not_empty.map(|keys| Tombstones { subject: subject.clone(), keys }).collect()
    }
}
