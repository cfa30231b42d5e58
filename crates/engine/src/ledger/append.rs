//! Appending: the body first, under a name of its own, then the header with put-if-absent, which is the commit.
//!
//! A crash between the two leaves a body that no header names: it is never read, and stands in nobody's way. A writer
//! whose answer was lost reads the header back and knows its own by the nonce. No decryption key is needed.

use bytes::Bytes;
use jiff::Timestamp;
use lethe_format::catalog::QualifiedName;
use lethe_format::ids::{Digest, SnapshotId};
use lethe_format::layout;
use lethe_format::ledger::{
    Body, BodyId, BodyRef, Drained, Expiry, Head, Header, Keys, Kind, Seq, SubjectRef, VERSION,
};
use lethe_store::{ObjectName, ObjectStore};

use super::LastSeen;
use super::follow::{self, Appended};
use super::read::{Chain, header_chain};
use crate::{Error, Repository, age_file, objects};

/// What is to be appended.
#[derive(Clone, Debug)]
pub struct NewEntry {
    pub kind: Kind,
    pub subject: Option<SubjectRef>,
    pub keys: Option<Keys>,
    /// The reference of the instruction; only its keyed hash is stored.
    pub request: Option<String>,
    pub snapshot: Option<SnapshotId>,
    /// See [`Header::settled`].
    pub settled: bool,
    pub expiry: Option<Expiry>,
    pub drained: Option<Drained>,
    /// Given where a crashed attempt may be repeated: an entry with this nonce is not written twice.
    pub nonce: Option<BodyId>,
}

impl NewEntry {
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            subject: None,
            keys: None,
            request: None,
            snapshot: None,
            settled: false,
            expiry: None,
            drained: None,
            nonce: None,
        }
    }

    /// An entry that names people.
    #[must_use]
    pub fn about(kind: Kind, subject: SubjectRef, keys: Keys) -> Self {
        Self { subject: Some(subject), keys: Some(keys), ..Self::of(kind) }
    }

    /// An entry that names columns of a table.
    #[must_use]
    pub fn about_columns(kind: Kind, table: QualifiedName, columns: Vec<String>) -> Self {
        let subject = SubjectRef { name: None, table, columns: Some(columns) };
        Self { subject: Some(subject), ..Self::of(kind) }
    }
}

/// How often another writer may be first before this gives up.
const ATTEMPTS: usize = 1000;

/// Appends an entry and returns its place: when this returns, the entry is durable, and in the second place as well if that
/// answered.
///
/// A ledger that lacks what this host has seen of it is not continued: that would be a fork.
///
/// With `expected_head`, the entry is only written directly after that one: `None` is returned if another entry is
/// there already.
pub async fn append(
    repository: &Repository,
    last_seen: &LastSeen,
    entry: NewEntry,
    expected_head: Option<Head>,
    now: Timestamp,
) -> Result<Option<Head>, Error> {
    let store = repository.ledger_store().as_ref();
    let sealed = match &entry.keys {
        Some(keys) => Some(seal_body(repository, keys).await?),
        None => None,
    };
    let request = match &entry.request {
        Some(text) => Some(repository.naming_key()?.hash(text.as_bytes())),
        None => None,
    };
    let nonce = entry.nonce.unwrap_or_else(|| BodyId::from_bytes(rand::random()));
    let known = last_seen.known()?;
    let mut chain = header_chain(store, Some(repository.id())).await?;
    known.check(|head| chain.contains(head))?;
    for _ in 0..ATTEMPTS {
        if let Some(head) = entry.nonce.and_then(|nonce| chain.find(&nonce)) {
            return Ok(Some(head));
        }
        let head = chain.head();
        if expected_head.is_some_and(|expected| expected != head) {
            return Ok(None);
        }
        let seq = head.seq.checked_add(1).ok_or_else(|| Error::ledger(head.seq, "it has no numbers left"))?;
        let header = Header {
            version: VERSION,
            seq,
            prev: Some(head.hash),
            at: now,
            kind: entry.kind,
            repository: None,
            subject: entry.subject.clone(),
            body: sealed.as_ref().map(|sealed| sealed.reference),
            request,
            snapshot: entry.snapshot.clone(),
            settled: entry.settled,
            expiry: entry.expiry.clone(),
            drained: entry.drained.clone(),
            nonce,
        };
        if let Some(sealed) = &sealed {
            let name = ObjectName::new(layout::ledger_body(seq, &sealed.reference.id))?;
            objects::put_new(store, &name, sealed.bytes.clone()).await?;
        }
        let bytes = Bytes::from(header.to_json().map_err(Error::format(layout::ledger_header(seq)))?);
        if let Some(head) = commit(store, seq, &bytes).await? {
            last_seen.advance(&head)?;
            let body = sealed.as_ref().map(|sealed| (sealed.reference, &sealed.bytes));
            follow::follow(repository, Appended { head, before: chain.head(), header: &bytes, body }).await;
            return Ok(Some(head));
        }
        // Somebody else has this number: our body under it is of no use, and the chain has grown. Whoever may only append
        // leaves it there, as a crash would.
        if let Some(sealed) = &sealed {
            let name = ObjectName::new(layout::ledger_body(seq, &sealed.reference.id))?;
            match store.delete(&name).await {
                Ok(()) | Err(lethe_store::Error::Denied { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        chain.extend(store).await?;
    }
    Err(Error::ledger(None, format!("other writers were first {ATTEMPTS} times in a row")))
}

/// Writes the header; none if another writer's is there.
pub(super) async fn commit(store: &dyn ObjectStore, seq: Seq, header: &Bytes) -> Result<Option<Head>, Error> {
    let is_ours = objects::is_first(store, &layout::ledger_header(seq), header, 1 << 20).await?;
    Ok(is_ours.then(|| Head { seq, hash: Digest::of(header) }))
}

/// Entry 0.
pub(crate) async fn write_genesis(
    store: &dyn ObjectStore,
    repository: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let header = Header {
        version: VERSION,
        seq: 0,
        prev: None,
        at: now,
        kind: Kind::Genesis,
        repository: Some(repository.to_owned()),
        subject: None,
        body: None,
        request: None,
        snapshot: None,
        settled: false,
        expiry: None,
        drained: None,
        nonce: BodyId::from_bytes(rand::random()),
    };
    let bytes = Bytes::from(header.to_json().map_err(Error::format("the ledger's genesis"))?);
    match commit(store, 0, &bytes).await? {
        Some(_) => Ok(()),
        None => Err(Error::NotEmpty { store: store.url(), found: layout::ledger_header(0) }),
    }
}

struct SealedBody {
    reference: BodyRef,
    bytes: Bytes,
}

async fn seal_body(repository: &Repository, keys: &Keys) -> Result<SealedBody, Error> {
    let count = keys.len();
    let body = Body { salt: Digest::from_bytes(rand::random()), keys: keys.clone() };
    let recipients = repository.recipients()?.to_vec();
    objects::off_runtime(move || {
        let plain = body.to_bytes().map_err(Error::format("a ledger entry's body"))?;
        let bytes = Bytes::from(age_file::encrypt(&recipients, &plain)?);
        let reference = BodyRef { id: BodyId::from_bytes(rand::random()), hash: Digest::of(&plain), count };
        Ok(SealedBody { reference, bytes })
    })
    .await
}

impl Chain {
    /// Reads what was appended since.
    async fn extend(&mut self, store: &dyn ObjectStore) -> Result<(), Error> {
        loop {
            let seq = self.head().seq + 1;
            match objects::get_if_there(store, &layout::ledger_header(seq), 1 << 20).await? {
                Some(bytes) => self.push(&bytes)?,
                None => return Ok(()),
            }
        }
    }
}
