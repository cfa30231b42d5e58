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

#[cfg(test)]
mod tests {
    use super::*;

    /// Three segments, so that the file can also end where one does.
    #[test]
    fn a_file_that_is_not_whole_or_was_changed_gives_nothing() {
        let identity = Identity::generate();
        let small = encrypt(&[identity.to_public()], &[7; 200]).expect("encrypt");
        let large = encrypt(&[identity.to_public()], &vec![7; 150_000]).expect("encrypt");
        let identities = [identity];
        assert_eq!(decrypt(&identities, &small, "x").expect("decrypt"), [7; 200]);
        for len in 0..small.len() {
            assert!(matches!(decrypt(&identities, &small[..len], "x"), Err(Error::Damaged { .. })), "{len}");
        }
        let ends = (0..large.len()).step_by(997).chain(large.len() - 100..large.len());
        let segments = [65_536 + 16, 2 * (65_536 + 16)].map(|segment| large.len() - 150_000 - 48 + segment);
        for len in ends.chain(segments) {
            assert!(matches!(decrypt(&identities, &large[..len], "x"), Err(Error::Damaged { .. })), "{len}");
        }
        for place in 0..small.len() {
            for bit in [1, 0x80] {
                let mut changed = small.clone();
                changed[place] ^= bit;
                assert!(decrypt(&identities, &changed, "x").is_err(), "{place}");
            }
        }
        let longer = [small.as_slice(), &[0]].concat();
        assert!(decrypt(&identities, &longer, "x").is_err());
        let other = [Identity::generate()];
        assert!(matches!(decrypt(&other, &small, "x"), Err(Error::Decrypt { .. })));
    }
}
