//! Where the identity comes from that opens backups: `LETHE_IDENTITY`, `LETHE_IDENTITY_FILE`, and one of `identity_file`,
//! `identity_command` and `identity_kms`.

use std::path::{Path, PathBuf};

use lethe_engine::{Identities, Repository, sealed_identity};
use lethe_store::ObjectStore;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Settings, variable};
use crate::failure::Failure;

/// An identity that AWS KMS keeps sealed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealedIdentity {
    /// What `lethe keys seal` has written.
    ciphertext_file: PathBuf,
    /// The key's ARN.
    key_id: String,
}

impl Settings {
    /// One that is at hand; none if there is none, or if it must be unsealed first.
    pub(super) fn identities(&self) -> Result<Option<Identities>, Failure> {
        let file = &self.file;
        if let Some(text) = variable("LETHE_IDENTITY").map(Zeroizing::new) {
            return Ok(Some(Identities::parse(&text, "LETHE_IDENTITY")?));
        }
        if let Some(path) = variable("LETHE_IDENTITY_FILE") {
            return Ok(Some(Identities::read(Path::new(&path))?));
        }
        let command = file.identity_command.as_deref();
        match (&file.identity_file, command, &file.identity_kms) {
            (Some(path), None, None) => Ok(Some(Identities::read(&self.folder.join(path))?)),
            (None, Some(command), None) => Ok(Some(Identities::parse(&run(command)?, "identity_command")?)),
            (None, None, _) => Ok(None),
            _ => Err(Failure::usage(
                "lethe.toml names more than one of identity_file, identity_command and identity_kms",
            )),
        }
    }

    /// The identity, wherever it comes from.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) async fn any_identities(&self, store: &dyn ObjectStore) -> Result<Identities, Failure> {
        self.identities_if_any(store)
            .await?
            .ok_or_else(|| Failure::usage("there is no identity here to be sealed"))
    }

    /// The identity, wherever it comes from, if there is one.
    pub(crate) async fn identities_if_any(
        &self,
        store: &dyn ObjectStore,
    ) -> Result<Option<Identities>, Failure> {
        match self.identities()? {
            Some(found) => Ok(Some(found)),
            None => self.unsealed(store).await,
        }
    }

    /// The one that is sealed, for the repository in a store.
    pub(super) async fn unsealed(&self, store: &dyn ObjectStore) -> Result<Option<Identities>, Failure> {
        let Some(SealedIdentity { ciphertext_file, key_id }) = &self.file.identity_kms else {
            return Ok(None);
        };
        let path = self.folder.join(ciphertext_file);
        let sealed = std::fs::read(&path)
            .map_err(|cause| Failure::usage(format!("{} cannot be read: {cause}", path.display())))?;
        let repository = Repository::id_in(store).await?;
        let profile = self.residency()?.profile;
        Ok(Some(sealed_identity::open(profile, key_id, &sealed, &repository).await?))
    }
}

/// Its standard input is this program's, so that a key store may ask for a PIN.
fn run(command: &str) -> Result<Zeroizing<String>, Failure> {
    let output = std::process::Command::new("sh")
        .args(["-c", command])
        .stderr(std::process::Stdio::inherit())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).map(Zeroizing::new);
            text.map_err(|_| Failure::usage("identity_command printed no text"))
        }
        Ok(output) => Err(Failure::usage(format!("identity_command ended with {}", output.status))),
        Err(cause) => Err(Failure::usage(format!("identity_command cannot be run: {cause}"))),
    }
}
