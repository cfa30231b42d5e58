//! A repository: a store with a `repository.json`, and the keys that were given for it.
//!
//! Creating one writes, in this order: the key files (local, by the caller), the ledger's genesis entry, the key ring, and
//! `repository.json`, which is what makes it a repository. A crash before the last step leaves a store that is not
//! empty and holds no repository: the next `init` refuses it and names what it found, since a genesis entry without a
//! repository might also be all that somebody left of one.

use std::sync::Arc;

use age::x25519::Recipient;
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use lethe_format::keys::KeyRing;
use lethe_format::layout;
use lethe_format::repository::{Repository as Document, VERSION};
use lethe_store::ObjectStore;

use crate::{Error, Identities, Keys, NamingKey, key_ring, ledger, objects};

/// The stores of one place.
#[derive(Clone, Debug)]
pub struct Stores {
    pub data: Arc<dyn ObjectStore>,
    /// The same, unless the ledger has a place of its own.
    pub ledger: Arc<dyn ObjectStore>,
}

/// An open repository.
#[derive(Clone, Debug)]
pub struct Repository {
    store: Arc<dyn ObjectStore>,
    /// The same, unless the ledger has a place of its own.
    ledger_store: Arc<dyn ObjectStore>,
    /// Where the copy is; seen from the copy, where the original is.
    other: Option<Stores>,
    is_copy: bool,
    id: String,
    ring: KeyRing,
    /// The current data key.
    recipients: Vec<Recipient>,
    /// The secret halves of all data keys.
    identities: Option<Identities>,
    /// Whose identities are at hand.
    own: Vec<String>,
    naming_key: Option<NamingKey>,
}

impl Repository {
    /// Makes a repository in an empty store that can keep a ledger.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], or the store's probe; then nothing was left behind.
    pub async fn create(
        store: Arc<dyn ObjectStore>,
        recipients: Vec<Recipient>,
        naming_key: &NamingKey,
        now: Timestamp,
    ) -> Result<Self, Error> {
        Self::create_with_ledger(store.clone(), store, recipients, naming_key, now).await
    }

    /// The same with the ledger in a store of its own, which must be empty and is the one that is probed.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn create_with_ledger(
        store: Arc<dyn ObjectStore>,
        ledger_store: Arc<dyn ObjectStore>,
        recipients: Vec<Recipient>,
        naming_key: &NamingKey,
        now: Timestamp,
    ) -> Result<Self, Error> {
        Self::refuse_if_not_empty(store.as_ref()).await?;
        Self::refuse_if_not_empty(ledger_store.as_ref()).await?;
        let id = hex::encode(rand::random::<[u8; 16]>());
        lethe_store::probe(ledger_store.as_ref(), &id).await?;
        ledger::write_genesis(ledger_store.as_ref(), &id, now).await?;
        let ring = key_ring::first(&id, &recipients, naming_key, now)?;
        let name = layout::key_ring(ring.generation);
        let body = Bytes::from(ring.to_bytes(naming_key.as_bytes()).map_err(Error::format(&name))?);
        objects::create(ledger_store.as_ref(), &name, body).await?;
        let document = Document { version: VERSION, id: id.clone(), created_at: now };
        let body = Bytes::from(document.to_json().map_err(Error::format(layout::REPOSITORY))?);
        objects::create(store.as_ref(), layout::REPOSITORY, body).await?;
        Self::of(Stores { data: store, ledger: ledger_store }, id, ring, Some(naming_key.clone()))
    }

    /// In one place, with no identity at hand.
    fn of(stores: Stores, id: String, ring: KeyRing, naming_key: Option<NamingKey>) -> Result<Self, Error> {
        Ok(Self {
            store: stores.data,
            ledger_store: stores.ledger,
            other: None,
            is_copy: false,
            id,
            recipients: vec![key_ring::current(&ring)?],
            ring,
            identities: None,
            own: Vec::new(),
            naming_key,
        })
    }

    /// Opens a repository with whatever keys there are.
    pub async fn open(store: Arc<dyn ObjectStore>, keys: &Keys) -> Result<Self, Error> {
        Self::open_with_ledger(store.clone(), store, keys).await
    }

    /// The id of the repository in a store, which needs no key.
    ///
    /// # Errors
    /// [`Error::NoRepository`], or if its description cannot be read.
    pub async fn id_in(store: &dyn ObjectStore) -> Result<String, Error> {
        let bytes = objects::get_if_there(store, layout::REPOSITORY, 1 << 20).await?;
        let bytes = bytes.ok_or_else(|| Error::NoRepository { store: store.url() })?;
        Ok(Document::from_json(&bytes).map_err(Error::format(layout::REPOSITORY))?.id)
    }

    /// The same with the ledger and the key ring in a store of their own. One that belongs to another repository is
    /// refused.
    pub async fn open_with_ledger(
        store: Arc<dyn ObjectStore>,
        ledger_store: Arc<dyn ObjectStore>,
        keys: &Keys,
    ) -> Result<Self, Error> {
        let id = Self::id_in(store.as_ref()).await?;
        let unchecked = key_ring::read_newest(ledger_store.as_ref(), &id).await?;
        let naming_key = match (&keys.naming_key, &keys.identities) {
            (Some(key), _) => Some(key.clone()),
            (None, Some(identities)) => Some(NamingKey::open(&unchecked.ring().naming_key, identities)?),
            (None, None) => None,
        };
        let name = layout::key_ring(unchecked.ring().generation);
        let ring = match &naming_key {
            Some(key) => unchecked.check(key.as_bytes()).map_err(|_| {
                let problem = "it was not written with this naming key: either that is another repository's, or somebody has changed who can open the backups";
                Error::damaged(name, problem)
            })?,
            None => unchecked.ring().clone(),
        };
        let identities = keys.identities.as_ref().map(|own| key_ring::unseal(&ring, own)).transpose()?;
        let own = keys.identities.iter().flat_map(Identities::recipients);
        let own = own.map(|recipient| recipient.to_string()).collect();
        let stores = Stores { data: store, ledger: ledger_store };
        Ok(Self { identities, own, ..Self::of(stores, id, ring, naming_key)? })
    }

    /// The same, with a second place that holds a copy of everything, or is going to.
    #[must_use]
    pub fn with_copy_in(self, second: Stores) -> Self {
        Self { other: Some(second), is_copy: false, ..self }
    }

    /// The copy in the second place; none if there is no such place, or if this is it. It is read and written like any
    /// repository, and its ledger follows this one's.
    #[must_use]
    pub fn copy(&self) -> Option<Self> {
        self.other_place().filter(|_| !self.is_copy)
    }

    /// Seen from either place, the other one.
    #[must_use]
    pub fn other_place(&self) -> Option<Self> {
        let Stores { data, ledger } = self.other.clone()?;
        let own = Stores { data: self.store.clone(), ledger: self.ledger_store.clone() };
        let is_copy = !self.is_copy;
        Some(Self { store: data, ledger_store: ledger, other: Some(own), is_copy, ..self.clone() })
    }

    /// Whether this is the copy in the second place.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.is_copy
    }

    /// # Errors
    /// [`Error::NotEmpty`] with the first thing that was found.
    pub async fn refuse_if_not_empty(store: &dyn ObjectStore) -> Result<(), Error> {
        let found = store.list("").await?.next().await.transpose()?;
        match found {
            None => Ok(()),
            Some(info) => Err(Error::NotEmpty { store: store.url(), found: info.name.to_string() }),
        }
    }

    #[must_use]
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Where the ledger is, and everything else that rests on an atomic put-if-absent.
    #[must_use]
    pub fn ledger_store(&self) -> &Arc<dyn ObjectStore> {
        &self.ledger_store
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[must_use]
    pub fn key_ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The public half of the current data key, `age1…`.
    #[must_use]
    pub fn data_key(&self) -> &str {
        self.ring.data_keys.last().map_or("", |key| &key.recipient)
    }

    /// The recipients of the identities at hand.
    #[must_use]
    pub fn own_recipients(&self) -> &[String] {
        &self.own
    }

    /// What everything is encrypted to: the repository's current data key.
    ///
    /// # Errors
    /// Without the naming key, since only that tells whether somebody else has put a key of theirs there.
    pub fn recipients(&self) -> Result<&[Recipient], Error> {
        self.naming_key()?;
        Ok(&self.recipients)
    }

    #[must_use]
    pub fn has_identities(&self) -> bool {
        self.identities.is_some()
    }

    #[must_use]
    pub fn has_naming_key(&self) -> bool {
        self.naming_key.is_some()
    }

    pub fn identities(&self) -> Result<&Identities, Error> {
        self.identities.as_ref().ok_or_else(|| Error::Keys {
            what: "reading stored data".to_owned(),
            problem: "needs an identity".to_owned(),
            hint: Some(
                "set identity_file or identity_command in lethe.toml, or LETHE_IDENTITY_FILE".to_owned(),
            ),
        })
    }

    pub fn naming_key(&self) -> Result<&NamingKey, Error> {
        self.naming_key.as_ref().ok_or_else(|| Error::Keys {
            what: "writing to the repository".to_owned(),
            problem: "needs the repository's naming key".to_owned(),
            hint: Some("set naming_key_file in lethe.toml, or LETHE_NAMING_KEY_FILE".to_owned()),
        })
    }
}
