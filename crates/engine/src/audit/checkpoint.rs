//! Checkpoints: the log's root, signed, so that whoever has the public key can tell that nothing before it was changed.

use std::path::Path;

use bytes::Bytes;
use lethe_format::audit::checkpoint::{Checkpoint, SigningKey, origin};
use lethe_format::audit::merkle::Peaks;
use lethe_format::layout;
use lethe_store::ObjectName;
use zeroize::Zeroizing;

use crate::{Error, NamingKey, Repository, objects, write_secret};

/// Signs the log as it is after an entry. The same checkpoint, written twice, has the same bytes.
pub(super) async fn write(repository: &Repository, key: &SigningKey, peaks: &Peaks) -> Result<(), Error> {
    let checkpoint = Checkpoint { origin: origin(repository.id()), size: peaks.size(), root: peaks.root() };
    let name = ObjectName::new(layout::audit_checkpoint(checkpoint.size))?;
    let note = Bytes::from(checkpoint.sign(key));
    match objects::put_new(repository.ledger_store().as_ref(), &name, note).await {
        Ok(()) | Err(Error::Store(lethe_store::Error::AlreadyExists { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads the signing key of a repository's log from its file: 64 hexadecimal digits, the seed of RFC 8032.
pub fn read_key(path: &Path, repository: &str) -> Result<SigningKey, Error> {
    let seed = NamingKey::read(path)?;
    Ok(SigningKey::new(repository, seed.as_bytes()))
}

/// Makes a signing key and writes it to a new file, which only its owner can read.
pub fn new_key(path: &Path) -> Result<(), Error> {
    let seed = Zeroizing::new(rand::random::<[u8; 32]>());
    write_secret(path, &NamingKey::from_bytes(*seed).to_text())
}
