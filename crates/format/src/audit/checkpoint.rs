//! A signed statement that the log had so many entries and this root, in the form of the tlog-checkpoint and signed-note
//! specifications (c2sp.org), which witnesses of other transparency logs can read and sign as well.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};

use super::merkle::sha256;
use crate::Error;
use crate::ids::Digest;

const DOCUMENT: &str = "the checkpoint of the audit log";
/// Ed25519 among the signature types of signed notes.
const ALGORITHM: u8 = 1;

/// What the log of a repository is called in its checkpoints, and its key.
#[must_use]
pub fn origin(repository: &str) -> String {
    format!("lethe.audit/{repository}")
}

/// The log had `size` entries, and this was the root over them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Digest,
}

/// The secret that signs checkpoints and exports.
pub struct SigningKey {
    name: String,
    pair: ed25519_dalek::SigningKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.name)
    }
}

/// Its public half, written `name+hash+base64`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    name: String,
    bytes: [u8; 32],
}

impl SigningKey {
    /// `seed` is the secret of RFC 8032, 5.1.5.
    #[must_use]
    pub fn new(repository: &str, seed: &[u8; 32]) -> Self {
        Self { name: origin(repository), pair: ed25519_dalek::SigningKey::from_bytes(seed) }
    }

    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey { name: self.name.clone(), bytes: self.pair.verifying_key().to_bytes() }
    }

    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).to_bytes().to_vec()
    }
}

impl PublicKey {
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let (key, signature) = (VerifyingKey::from_bytes(&self.bytes), Signature::from_slice(signature));
        // Strictly: a signature that another verifier might refuse proves nothing.
        matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_strict(message, &signature).is_ok())
    }

    /// The first four bytes of SHA-256 over the name, a newline, the algorithm and the key.
    fn id(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[ALGORITHM], &self.bytes]);
        let [a, b, c, d, ..] = *hash.as_bytes();
        [a, b, c, d]
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode([&[ALGORITHM], self.bytes.as_slice()].concat());
        write!(f, "{}+{}+{key}", self.name, hex::encode(self.id()))
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::malformed("the audit log's public key", "it is not written name+hash+base64");
        // Base64 may hold a plus of its own, a name may not.
        let mut parts = text.trim().splitn(3, '+');
        let (name, id, key) = (parts.next(), parts.next(), parts.next());
        let (Some(name), Some(id), Some(key)) = (name, id, key) else { return Err(wrong()) };
        let key = BASE64.decode(key).map_err(|_| wrong())?;
        let bytes = match key.split_first() {
            Some((&ALGORITHM, bytes)) => bytes.try_into().map_err(|_| wrong())?,
            _ => return Err(wrong()),
        };
        let key = Self { name: name.to_owned(), bytes };
        if name.is_empty() || name.contains(char::is_whitespace) || hex::encode(key.id()) != id {
            return Err(wrong());
        }
        Ok(key)
    }
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.as_bytes()))
    }

    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let text = self.text();
        let signature = [key.public().id().as_slice(), &key.sign(text.as_bytes())].concat();
        format!("{text}\n\u{2014} {} {}\n", key.name, BASE64.encode(signature))
    }

    /// Reads a note that this key has signed; signatures of others, such as witnesses, are passed over.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is no checkpoint, or not signed by this key.
    pub fn open(note: &str, key: &PublicKey) -> Result<Self, Error> {
        let malformed = |reason: &str| Error::malformed(DOCUMENT, reason);
        let (text, signatures) = note.rsplit_once("\n\n").ok_or_else(|| malformed("it has no signatures"))?;
        let text = format!("{text}\n");
        let signed = signatures.lines().any(|line| {
            let signature = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' '));
            let Some((name, signature)) = signature else { return false };
            let Ok(signature) = BASE64.decode(signature) else { return false };
            name == key.name
                && signature
                    .split_at_checked(4)
                    .is_some_and(|(id, signature)| id == key.id() && key.verifies(text.as_bytes(), signature))
        });
        if !signed {
            return Err(malformed("it is not signed by the log's key"));
        }
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next(), lines.next(), lines.next());
        let (Some(origin), Some(size), Some(root)) = (origin, size, root) else {
            return Err(malformed("it has not three lines"));
        };
        let size = size.parse().map_err(|_| malformed("its size is no number"))?;
        let root = BASE64.decode(root).ok().and_then(|root| root.try_into().ok());
        let root = Digest::from_bytes(root.ok_or_else(|| malformed("its root is no hash"))?);
        if origin != key.name {
            return Err(malformed("it belongs to another log"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::new("5f0c", &[seed; 32])
    }

    #[test]
    fn a_checkpoint_says_what_was_signed_and_nothing_else() {
        let checkpoint = Checkpoint { origin: origin("5f0c"), size: 12, root: Digest::of(b"root") };
        let note = checkpoint.sign(&key(1));
        assert_eq!(Checkpoint::open(&note, &key(1).public()).expect("open"), checkpoint);
        let witnessed = format!("{note}\u{2014} witness.example AAAAAAAA\n");
        assert_eq!(Checkpoint::open(&witnessed, &key(1).public()).expect("open"), checkpoint);
        assert!(Checkpoint::open(&note, &key(2).public()).is_err(), "another key");
        let other = SigningKey::new("5f0d", &[1; 32]);
        assert!(Checkpoint::open(&note, &other.public()).is_err(), "another log");
        for place in 0..note.len() {
            let mut changed = note.clone().into_bytes();
            changed[place] ^= 1;
            let Ok(changed) = String::from_utf8(changed) else { continue };
            if let Ok(opened) = Checkpoint::open(&changed, &key(1).public()) {
                assert_eq!(opened, checkpoint, "byte {place}");
            }
        }
    }

    #[test]
    fn a_public_key_is_read_as_it_is_written() {
        for seed in 0..64 {
            let public = key(seed).public();
            assert_eq!(public.to_string().parse::<PublicKey>().expect("parse"), public);
        }
        let text = key(1).public().to_string();
        for wrong in ["", "a+b", &text.replace("5f0c", "5f0d"), &text[..text.len() - 4], &format!("{text}A")]
        {
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
    }
}
