//! The repository's key ring: read, made, changed.
//!
//! Everything is encrypted to a data key of the repository's own; the ring holds the data keys, encrypted to people's
//! recipients. A change writes a new generation with put-if-absent and then removes those before it. A crash in between
//! leaves an older generation, which no reader looks at and the next change removes.

mod change;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use lethe_format::keys::{DataKey, KeyRing, Unchecked, VERSION};
use lethe_format::layout;
use lethe_store::{ObjectName, ObjectStore};
use zeroize::Zeroizing;

pub use change::{Change, KeysReport, Listed, PlannedChange, plan_change, report};

use crate::{Error, Identities, NamingKey, age_file, objects};
use age::x25519::{Identity, Recipient};

/// Rings are small: a few hundred bytes for each data key and recipient.
const LIMIT: u64 = 16 << 20;

/// The generations in the store, oldest first.
pub(crate) async fn generations(store: &dyn ObjectStore) -> Result<Vec<u64>, Error> {
    let infos: Vec<_> = store.list(layout::KEYS).await?.try_collect().await?;
    let mut found: Vec<u64> =
        infos.iter().filter_map(|info| layout::generation_of_key_ring(info.name.as_str())).collect();
    found.sort_unstable();
    Ok(found)
}

/// Removes the rings before one, which a removed recipient could open.
pub(crate) async fn remove_older(store: &dyn ObjectStore, newest: u64) -> Result<(), Error> {
    for older in generations(store).await?.into_iter().filter(|older| *older < newest) {
        objects::delete_for_good(store, &ObjectName::new(layout::key_ring(older))?).await?;
    }
    Ok(())
}

/// The newest ring; nobody has vouched for it yet.
pub(crate) async fn read_newest(store: &dyn ObjectStore, repository: &str) -> Result<Unchecked, Error> {
    // A change removes the generation before it: whoever listed that one looks again.
    for _ in 0..3 {
        let generations = generations(store).await?;
        let newest = generations.last().ok_or_else(|| Error::NoKeyRing { store: store.url() })?;
        let name = layout::key_ring(*newest);
        let Some(bytes) = objects::get_if_there(store, &name, LIMIT).await? else { continue };
        let unchecked = KeyRing::read(&bytes).map_err(Error::format(&name))?;
        let ring = unchecked.ring();
        if ring.repository != repository || ring.generation != *newest {
            return Err(Error::damaged(name, "it is the key ring of another repository or generation"));
        }
        return Ok(unchecked);
    }
    Err(Error::damaged(layout::KEYS, "its key rings vanish while they are read"))
}

/// The first ring of a repository.
pub(crate) fn first(
    repository: &str,
    recipients: &[Recipient],
    naming_key: &NamingKey,
    now: Timestamp,
) -> Result<KeyRing, Error> {
    Ok(KeyRing {
        version: VERSION,
        repository: repository.to_owned(),
        generation: 0,
        at: now,
        recipients: recipients.iter().map(ToString::to_string).collect(),
        naming_key: naming_key.seal(recipients)?,
        data_keys: vec![new_data_key(recipients, now)?],
    })
}

pub(crate) fn new_data_key(recipients: &[Recipient], now: Timestamp) -> Result<DataKey, Error> {
    seal(&Identities::generate(), recipients, now)
}

/// A data key for these recipients; `identities` must be one.
fn seal(identities: &Identities, recipients: &[Recipient], created_at: Timestamp) -> Result<DataKey, Error> {
    let public = identities.recipients();
    let recipient = public.first().map(ToString::to_string).unwrap_or_default();
    let text = identities.secret_lines();
    Ok(DataKey {
        recipient,
        created_at,
        sealed: BASE64.encode(age_file::encrypt(recipients, text.as_bytes())?),
    })
}

/// The secret halves of all data keys.
pub(crate) fn unseal(ring: &KeyRing, own: &Identities) -> Result<Identities, Error> {
    let object = layout::key_ring(ring.generation);
    let mut identities = Vec::new();
    for key in &ring.data_keys {
        let sealed =
            BASE64.decode(&key.sealed).map_err(|_| Error::damaged(&object, "a data key is not base64"))?;
        let plain = Zeroizing::new(age_file::decrypt(&own.0, &sealed, &object)?);
        let text = str::from_utf8(&plain).ok().map(str::trim);
        let identity: Option<Identity> = text.and_then(|text| text.parse().ok());
        match identity.filter(|identity| identity.to_public().to_string() == key.recipient) {
            Some(identity) => identities.push(identity),
            None => return Err(Error::damaged(object, "a data key is not the one that it says it is")),
        }
    }
    Ok(Identities(identities))
}

/// What everything is encrypted to from now on.
pub(crate) fn current(ring: &KeyRing) -> Result<Recipient, Error> {
    let key = ring.data_keys.last().and_then(|key| key.recipient.parse().ok());
    key.ok_or_else(|| Error::damaged(layout::key_ring(ring.generation), "its data key is no age recipient"))
}
