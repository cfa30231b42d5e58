//! Encryption at rest: age files (age-encryption.org/v1) for X25519 recipients, which the `age` program opens too.

use std::io::{Read as _, Write as _};

use age::x25519::{Identity, Recipient};

use crate::Error;

/// Encrypts bytes to all recipients. Takes processor time in proportion to their number; call it off the runtime.
pub(crate) fn encrypt(recipients: &[Recipient], plain: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |problem: String| Error::Keys { what: "encrypt".to_owned(), problem, hint: None };
    let encryptor =
        age::Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient))
            .map_err(|error| failed(error.to_string()))?;
    // 16 bytes of tag for each 64 KiB, and a header.
    let mut sealed = Vec::with_capacity(plain.len() + plain.len() / 4096 + 1024);
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(|error| failed(error.to_string()))?;
    writer.write_all(plain).map_err(|error| failed(error.to_string()))?;
    writer.finish().map_err(|error| failed(error.to_string()))?;
    Ok(sealed)
}

/// Decrypts bytes. Nothing is returned unless every segment's tag held, the final one included.
pub(crate) fn decrypt(identities: &[Identity], sealed: &[u8], object: &str) -> Result<Vec<u8>, Error> {
    let failed = |error: age::DecryptError| match error {
        age::DecryptError::NoMatchingKeys => {
            Error::Decrypt { object: object.to_owned(), problem: error.to_string() }
        }
        other => Error::damaged(object, format!("it does not decrypt: {other}")),
    };
    let decryptor = age::Decryptor::new(sealed).map_err(failed)?;
    let mut reader = decryptor
        .decrypt(identities.iter().map(|identity| identity as &dyn age::Identity))
        .map_err(failed)?;
    let mut plain = Vec::with_capacity(sealed.len());
    reader
        .read_to_end(&mut plain)
        .map_err(|error| Error::damaged(object, format!("it does not decrypt: {error}")))?;
    Ok(plain)
}
