//! `repository.json`: what everybody who uses a repository must agree on. It is written once and holds no secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;

const DOCUMENT: &str = "repository.json";
pub const VERSION: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    pub version: u32,
    /// 128 random bits in hexadecimal; manifests, key rings and the ledger's genesis repeat it.
    pub id: String,
    pub created_at: Timestamp,
}

impl Repository {
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| Error::json(DOCUMENT, &error))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// # Errors
    /// [`Error::UnknownVersion`] before anything else is looked at, [`Error::Malformed`] for all that is not this document.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        check_version(DOCUMENT, bytes, VERSION)?;
        serde_json::from_slice(bytes).map_err(|error| Error::json(DOCUMENT, &error))
    }
}

/// Reads only the `version` of a JSON document, so that a newer one is reported as newer and not as damaged.
pub(crate) fn check_version(document: &'static str, bytes: &[u8], known: u32) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let found: Versioned = serde_json::from_slice(bytes).map_err(|error| Error::json(document, &error))?;
    if found.version == 0 || found.version > known {
        return Err(Error::UnknownVersion { document, found: found.version, known });
    }
    Ok(())
}
