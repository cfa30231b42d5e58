//! Letting people in and keeping people out.

use age::x25519::Recipient;
use bytes::Bytes;
use jiff::Timestamp;
use lethe_format::ids::SnapshotId;
use lethe_format::keys::KeyRing;
use lethe_format::layout;
use lethe_format::manifest::ChunkIndex;
use lethe_store::ObjectName;
use serde::Serialize;

use super::{generations, new_data_key, remove_older, seal};
use crate::restore::snapshot_ids;
use crate::{Error, Identities, Repository, objects};

/// What is to become of the ring.
#[derive(Clone, Debug)]
pub enum Change {
    /// They can open everything that is stored, and everything that will be.
    Add(Vec<Recipient>),
    /// They cannot open what is written from now on, nor get at the keys of what was written before.
    Remove(Vec<Recipient>),
    /// The same recipients, and a new data key.
    Rewrap,
}

/// A ring that could be written. Nothing has been written so far.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedChange {
    pub generation: u64,
    pub recipients: Vec<String>,
    /// True if whatever is written from now on is encrypted to a new data key. Then the next snapshot shares nothing with
    /// those before it, and uploads everything.
    pub new_data_key: bool,
    pub warnings: Vec<String>,
    #[serde(skip)]
    ring: KeyRing,
}

/// Decides; writes nothing.
///
/// # Errors
/// Without an identity and the naming key, or if nothing would change or nobody would be left.
pub fn plan_change(repository: &Repository, change: &Change, now: Timestamp) -> Result<PlannedChange, Error> {
    let (data_keys, naming_key) = (repository.identities()?, repository.naming_key()?);
    let old = repository.key_ring();
    let wrong = |problem: String| Error::Usage(problem);
    let mut recipients = old.recipients.clone();
    match change {
        Change::Rewrap => {}
        Change::Add(added) => {
            for added in added.iter().map(ToString::to_string) {
                if recipients.contains(&added) {
                    return Err(wrong(format!("{added} is a recipient already")));
                }
                recipients.push(added);
            }
        }
        Change::Remove(removed) => {
            for removed in removed.iter().map(ToString::to_string) {
                let Some(place) = recipients.iter().position(|known| *known == removed) else {
                    return Err(wrong(format!("{removed} is no recipient")));
                };
                recipients.remove(place);
            }
        }
    }
    if recipients.is_empty() {
        return Err(wrong("the last recipient cannot be removed: nobody could open the backups".to_owned()));
    }
    let parsed: Result<Vec<Recipient>, _> = recipients.iter().map(|text| text.parse()).collect();
    let object = layout::key_ring(old.generation);
    let parsed = parsed.map_err(|_| Error::damaged(&object, "a recipient in it is none"))?;
    let mut sealed = Vec::new();
    for (key, identity) in old.data_keys.iter().zip(&data_keys.0) {
        sealed.push(seal(&Identities(vec![identity.clone()]), &parsed, key.created_at)?);
    }
    let new_data_key = !matches!(change, Change::Add(_));
    if new_data_key {
        sealed.push(self::new_data_key(&parsed, now)?);
    }
    let generation = old
        .generation
        .checked_add(1)
        .ok_or_else(|| Error::damaged(object, "there is no generation after it"))?;
    let ring = KeyRing {
        generation,
        at: now,
        recipients: recipients.clone(),
        naming_key: naming_key.seal(&parsed)?,
        data_keys: sealed,
        ..old.clone()
    };
    let warnings = warnings(repository, &recipients);
    Ok(PlannedChange { generation, recipients, new_data_key, warnings, ring })
}

impl PlannedChange {
    /// Writes the new ring, and removes those before it in every version.
    ///
    /// # Errors
    /// If somebody else has changed the ring meanwhile; then nothing was written. If an older ring cannot be removed: the
    /// new one counts, and the next change tries again.
    pub async fn carry_out(&self, repository: &Repository) -> Result<(), Error> {
        let store = repository.ledger_store().as_ref();
        let name = layout::key_ring(self.generation);
        let bytes = self.ring.to_bytes(repository.naming_key()?.as_bytes()).map_err(Error::format(&name))?;
        objects::create(store, &name, Bytes::from(bytes)).await.map_err(|error| match error {
            Error::Store(lethe_store::Error::AlreadyExists { .. }) => Error::Keys {
                what: name.clone(),
                problem: "somebody else has changed the recipients meanwhile".to_owned(),
                hint: Some("look at lethe keys list, and run this again".to_owned()),
            },
            other => other,
        })?;
        remove_older(store, self.generation).await?;
        // A delete marker hides a generation from the listing, and not from whoever may read versions.
        objects::delete_older_versions(store, layout::KEYS, &ObjectName::new(name)?).await
    }
}

/// `lethe keys list`.
#[derive(Clone, Debug, Serialize)]
pub struct KeysReport {
    pub generation: u64,
    pub changed_at: Timestamp,
    pub recipients: Vec<Listed>,
    pub data_keys: usize,
    /// Snapshots whose chunks are encrypted to the newest data key, and those with an older one.
    pub current_snapshots: usize,
    pub older_snapshots: Vec<SnapshotId>,
    /// Generations that a change should have removed: a removed recipient can still open them.
    pub left_over: Vec<u64>,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    pub recipient: String,
    /// Whether the identity at hand is this recipient's.
    pub is_here: bool,
}

/// Who can open what. Needs the naming key alone.
pub async fn report(repository: &Repository) -> Result<KeysReport, Error> {
    let (ring, naming_key) = (repository.key_ring(), repository.naming_key()?);
    let current = ring.data_keys.last().map(|key| key.recipient.as_str());
    let (mut current_snapshots, mut older_snapshots) = (0, Vec::new());
    for id in snapshot_ids(repository).await? {
        let name = layout::chunk_index(&id);
        let bytes =
            objects::get_if_there(repository.store().as_ref(), &name, objects::DOCUMENT_LIMIT).await?;
        let index = bytes.and_then(|bytes| ChunkIndex::from_bytes(&bytes, naming_key.as_bytes()).ok());
        match index.filter(|index| Some(index.data_key.as_str()) == current) {
            Some(_) => current_snapshots += 1,
            None => older_snapshots.push(id),
        }
    }
    let generations = generations(repository.ledger_store().as_ref()).await?;
    let left_over: Vec<u64> =
        generations.into_iter().filter(|generation| *generation < ring.generation).collect();
    let mut warnings = warnings(repository, &ring.recipients);
    if !left_over.is_empty() {
        warnings.push("an older key ring is still stored, which a removed recipient could open: lethe keys rewrap --confirm removes it".to_owned());
    }
    let listed = |recipient: &String| Listed {
        is_here: repository.own_recipients().contains(recipient),
        recipient: recipient.clone(),
    };
    Ok(KeysReport {
        generation: ring.generation,
        changed_at: ring.at,
        recipients: ring.recipients.iter().map(listed).collect(),
        data_keys: ring.data_keys.len(),
        current_snapshots,
        older_snapshots,
        left_over,
        warnings,
    })
}

fn warnings(repository: &Repository, recipients: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    if recipients.len() == 1 {
        warnings.push("there is one recipient: if its key is lost, so is every backup. Add a second one whose key is kept somewhere else".to_owned());
    }
    if repository.copy().is_some() {
        warnings
            .push("the second store keeps its key ring until lethe copy has brought the new one".to_owned());
    }
    let own = repository.own_recipients();
    if !own.is_empty() && !own.iter().any(|own| recipients.contains(own)) {
        warnings.push("the identity at hand will not open the repository any more".to_owned());
    }
    warnings
}
