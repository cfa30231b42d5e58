//! Who may read what: age identities open backups, the naming key names chunks.
//!
//! A host that takes snapshots has the recipients and the naming key only: it can write backups but not read them.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use age::secrecy::ExposeSecret as _;
use age::x25519::{Identity, Recipient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use lethe_format::ids::Digest;
use zeroize::{Zeroize as _, Zeroizing};

use crate::{Error, age_file};

/// The 256-bit key of the repository's content hashes. Whoever has it can test whether a content they know is stored.
#[derive(Clone)]
pub struct NamingKey([u8; 32]);

impl NamingKey {
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// BLAKE3 of the bytes, keyed: what names a chunk, and stands for the reference of an instruction.
    #[must_use]
    pub(crate) fn hash(&self, bytes: &[u8]) -> Digest {
        Digest::from_bytes(*blake3::keyed_hash(&self.0, bytes).as_bytes())
    }

    /// Reads the key from its file: 64 hexadecimal digits.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = read_secret(path)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.trim(), &mut bytes)
            .map_err(|_| wrong(path, "it does not hold 64 hexadecimal digits", None))?;
        Ok(Self(bytes))
    }

    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(hex::encode(self.0));
        text.push('\n');
        text
    }

    pub(crate) fn seal(&self, recipients: &[Recipient]) -> Result<String, Error> {
        Ok(BASE64.encode(age_file::encrypt(recipients, &self.0)?))
    }

    pub(crate) fn open(sealed: &str, identities: &Identities) -> Result<Self, Error> {
        let object = "the naming key in the key ring";
        let sealed = BASE64.decode(sealed).map_err(|_| Error::damaged(object, "it is not base64"))?;
        let plain = Zeroizing::new(age_file::decrypt(&identities.0, &sealed, object)?);
        let bytes = plain.as_slice().try_into();
        bytes.map(Self).map_err(|_| Error::damaged(object, "it has another length than 32 bytes"))
    }
}

impl Drop for NamingKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for NamingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NamingKey(…)")
    }
}

/// The secret keys that open backups.
#[derive(Clone)]
pub struct Identities(pub(crate) Vec<Identity>);

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

impl Identities {
    #[must_use]
    pub fn generate() -> Self {
        Self(vec![Identity::generate()])
    }

    /// Reads `age-keygen`'s format: one `AGE-SECRET-KEY-1…` a line, `#` begins a comment. `source` is for messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, Error> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let identities: Result<Vec<Identity>, _> = lines.map(str::parse).collect();
        match identities {
            Ok(identities) if !identities.is_empty() => Ok(Self(identities)),
            Ok(_) => Err(wrong(Path::new(source), "it holds no identity", None)),
            Err(_) => Err(wrong(Path::new(source), "it holds a line that is no age identity", None)),
        }
    }

    /// Reads an identity file, which nobody but its owner may be able to read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(&read_secret(path)?, &path.display().to_string())
    }

    #[must_use]
    pub fn recipients(&self) -> Vec<Recipient> {
        self.0.iter().map(Identity::to_public).collect()
    }

    /// The secrets alone, one a line.
    pub(crate) fn secret_lines(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        for identity in &self.0 {
            text.push_str(identity.to_string().expose_secret());
            text.push('\n');
        }
        text
    }

    /// The file as `age-keygen` writes it.
    #[must_use]
    pub fn to_text(&self, created: jiff::Timestamp) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("# created: {created}\n"));
        for identity in &self.0 {
            text.push_str(&format!("# public key: {}\n", identity.to_public()));
            text.push_str(identity.to_string().expose_secret());
            text.push('\n');
        }
        text
    }
}

/// What a process was given of the repository's keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    pub identities: Option<Identities>,
    pub naming_key: Option<NamingKey>,
}

/// Creates a file that only its owner can read, and makes it durable. An existing file is never replaced.
pub fn write_secret(path: &Path, text: &str) -> Result<(), Error> {
    write_new(path, text.as_bytes())
}

/// The same for bytes.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |cause| Error::LocalFile { path: path.display().to_string(), cause };
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, Error> {
    let metadata = std::fs::metadata(path).map_err(|error| wrong(path, &error.to_string(), None))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        let hint = format!("chmod 600 {}", path.display());
        return Err(wrong(path, "others than its owner may read it", Some(hint)));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(path, &error.to_string(), None))?;
    Ok(Zeroizing::new(text))
}

fn wrong(path: &Path, problem: &str, hint: Option<String>) -> Error {
    Error::Keys { what: path.display().to_string(), problem: problem.to_owned(), hint }
}
