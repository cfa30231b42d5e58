//! A repository: a store with a `repository.json`, and the keys that were given for it.
//!
//! Creating one writes, in this order: the key files (local, by the caller), the ledger's genesis entry, and
//! `repository.json`, which is what makes it a repository. A crash before the last step leaves a store that is not
//! empty and holds no repository: the next `init` refuses it and names what it found, since a genesis entry without a
//! repository might also be all that somebody left of one.

use std::sync::Arc;

use age::x25519::Recipient;
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use lethe_format::layout;
use lethe_format::repository::{Repository as Document, VERSION};
use lethe_store::ObjectStore;

use crate::{Error, Identities, Keys, NamingKey, ledger, objects};

/// An open repository.
#[derive(Clone, Debug)]
pub struct Repository {
    store: Arc<dyn ObjectStore>,
    /// The same, unless the ledger has a place of its own.
    ledger_store: Arc<dyn ObjectStore>,
    id: String,
    recipients: Vec<Recipient>,
    identities: Option<Identities>,
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
        let document = Document {
            version: VERSION,
            id: id.clone(),
            created_at: now,
            recipients: recipients.iter().map(ToString::to_string).collect(),
            naming_key: naming_key.seal(&recipients)?,
        };
        let body = Bytes::from(document.to_json().map_err(Error::format(layout::REPOSITORY))?);
        objects::create(store.as_ref(), layout::REPOSITORY, body).await?;
        let naming_key = Some(naming_key.clone());
        Ok(Self { store, ledger_store, id, recipients, identities: None, naming_key })
    }

    /// Opens a repository with whatever keys there are.
    pub async fn open(store: Arc<dyn ObjectStore>, keys: &Keys) -> Result<Self, Error> {
        let bytes = objects::get_if_there(store.as_ref(), layout::REPOSITORY, 1 << 20).await?;
        let bytes = bytes.ok_or_else(|| Error::NoRepository { store: store.url() })?;
        let document = Document::from_json(&bytes).map_err(Error::format(layout::REPOSITORY))?;
        let recipients: Result<Vec<Recipient>, _> =
            document.recipients.iter().map(|text| text.parse()).collect();
        let recipients =
            recipients.map_err(|_| Error::damaged(layout::REPOSITORY, "a recipient is no age recipient"))?;
        if recipients.is_empty() {
            return Err(Error::damaged(layout::REPOSITORY, "it names no recipient"));
        }
        let naming_key = match (&keys.naming_key, &keys.identities) {
            (Some(key), _) => Some(key.clone()),
            (None, Some(identities)) => Some(NamingKey::open(&document.naming_key, identities)?),
            (None, None) => None,
        };
        let (ledger_store, identities) = (store.clone(), keys.identities.clone());
        Ok(Self { store, ledger_store, id: document.id, recipients, identities, naming_key })
    }

    /// Says that the ledger is in a store of its own. One that belongs to another repository, or is none, is found out
    /// when it is read.
    #[must_use]
    pub fn with_ledger_in(self, ledger_store: Arc<dyn ObjectStore>) -> Self {
        Self { ledger_store, ..self }
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
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
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
            what: "naming chunks".to_owned(),
            problem: "needs the repository's naming key".to_owned(),
            hint: Some("set naming_key_file in lethe.toml, or LETHE_NAMING_KEY_FILE".to_owned()),
        })
    }
}
