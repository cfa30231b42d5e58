//! An identity that AWS KMS keeps sealed: only whoever may use the key can open the backups, and every use is on record there.
//!
//! What is sealed is bound to the repository by its id, as KMS's encryption context: one sealed for another does not open.

use lethe_rules::residency::{Profile, Refusal, Told, judge_copies, judge_key, judge_key_service};
use lethe_store::{KmsKey, KmsSettings};

use crate::{Error, Identities};

/// The name of the encryption context, whose value is the repository's id.
const CONTEXT: &str = "lethe-repository";

/// A key that may be used, by its ARN: it, the service that is asked and all of its copies are where data may be. Before that
/// is known for the key and the service, nothing is sent.
///
/// # Errors
/// [`Error::Residency`], or those of the service.
async fn key(profile: Profile, arn: &str) -> Result<KmsKey, Error> {
    let forbidden = |Refusal { problem, hint }| Error::Residency { problem, hint };
    let (parsed, place) = judge_key(profile, arn).map_err(forbidden)?;
    let settings = KmsSettings {
        key: parsed.as_str().to_owned(),
        region: parsed.region().to_owned(),
        ..KmsSettings::default()
    };
    let key = KmsKey::connect(&settings).await?;
    let (scheme, host, port) = key.address();
    judge_key_service(place, scheme, host, port).map_err(forbidden)?;
    let copies = match key.copies().await? {
        lethe_store::Told::Yes(copies) => Told::Yes(copies),
        lethe_store::Told::No { status, code } => Told::No { status, code },
    };
    judge_copies(profile, &parsed, &copies).map_err(forbidden)?;
    Ok(key)
}

/// # Errors
/// [`Error::Residency`]; those of the service; [`Error::Keys`] if no identity was sealed.
pub async fn open(profile: Profile, arn: &str, sealed: &[u8], repository: &str) -> Result<Identities, Error> {
    let plain = key(profile, arn).await?.open(sealed, (CONTEXT, repository)).await?;
    let text = str::from_utf8(&plain).map_err(|_| Error::Keys {
        what: arn.to_owned(),
        problem: "what it has sealed is no text".to_owned(),
        hint: None,
    })?;
    Identities::parse(text, arn)
}

/// # Errors
/// As [`open`].
pub async fn seal(
    profile: Profile,
    arn: &str,
    identities: &Identities,
    repository: &str,
) -> Result<Vec<u8>, Error> {
    let text = identities.secret_lines();
    Ok(key(profile, arn).await?.seal(text.as_bytes(), (CONTEXT, repository)).await?)
}
