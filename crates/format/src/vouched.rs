//! Documents that must have been written by somebody with the naming key: a line with the keyed hash of the rest, then the
//! rest.
//!
//! Each kind of document has a key of its own, derived from the naming key. Chunks are named with the naming key itself:
//! whoever can put rows into the database can have almost any bytes hashed with it, and must not be able to vouch for a
//! document so.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;
use crate::repository::check_version;

/// 64 hexadecimal digits and a newline.
const LINE: usize = 65;

/// What was read and not yet checked.
#[derive(Clone, Debug)]
pub(crate) struct Unchecked {
    claimed: blake3::Hash,
    text: Vec<u8>,
}

pub(crate) fn write(text: &[u8], context: &str, naming_key: &[u8; 32]) -> Vec<u8> {
    let mut bytes = hash(text, context, naming_key).to_hex().as_bytes().to_vec();
    bytes.push(b'\n');
    bytes.extend(text);
    bytes
}

/// A document for people and programs, as JSON.
pub(crate) fn write_json(
    document: &'static str,
    value: &impl Serialize,
    context: &str,
    naming_key: &[u8; 32],
) -> Result<Vec<u8>, Error> {
    let mut json = serde_json::to_vec_pretty(value).map_err(|error| Error::json(document, &error))?;
    json.push(b'\n');
    Ok(write(&json, context, naming_key))
}

/// # Errors
/// [`Error::Malformed`] if nobody with the naming key wrote it, [`Error::UnknownVersion`] before anything else of it is
/// looked at.
pub(crate) fn read_json<T: DeserializeOwned>(
    document: &'static str,
    bytes: &[u8],
    version: u32,
    context: &str,
    naming_key: &[u8; 32],
) -> Result<T, Error> {
    let text = checked(document, bytes, context, naming_key)?;
    check_version(document, text, version)?;
    serde_json::from_slice(text).map_err(|error| Error::json(document, &error))
}

/// The rest of a document, once its first line has been checked.
pub(crate) fn checked<'a>(
    document: &'static str,
    bytes: &'a [u8],
    context: &str,
    naming_key: &[u8; 32],
) -> Result<&'a [u8], Error> {
    let (claimed, text) = split(document, bytes)?;
    check(document, claimed, text, context, naming_key)?;
    Ok(text)
}

pub(crate) fn read(document: &'static str, bytes: &[u8]) -> Result<Unchecked, Error> {
    let (claimed, text) = split(document, bytes)?;
    Ok(Unchecked { claimed, text: text.to_vec() })
}

fn split<'a>(document: &'static str, bytes: &'a [u8]) -> Result<(blake3::Hash, &'a [u8]), Error> {
    let (line, text) = bytes
        .split_at_checked(LINE)
        .filter(|(line, _)| line.last() == Some(&b'\n'))
        .ok_or_else(|| Error::malformed(document, "it ends too early"))?;
    let digits = line.get(..LINE - 1).unwrap_or_default();
    let claimed = blake3::Hash::from_hex(digits)
        .map_err(|_| Error::malformed(document, "its first line is not a hash"))?;
    Ok((claimed, text))
}

fn check(
    document: &'static str,
    claimed: blake3::Hash,
    text: &[u8],
    context: &str,
    naming_key: &[u8; 32],
) -> Result<(), Error> {
    // blake3's comparison takes the same time wherever the difference is.
    if hash(text, context, naming_key) == claimed {
        return Ok(());
    }
    Err(Error::malformed(document, "it was not written with this repository's naming key"))
}

impl Unchecked {
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(crate) fn check(
        &self,
        document: &'static str,
        context: &str,
        naming_key: &[u8; 32],
    ) -> Result<(), Error> {
        check(document, self.claimed, &self.text, context, naming_key)
    }
}

fn hash(text: &[u8], context: &str, naming_key: &[u8; 32]) -> blake3::Hash {
    blake3::keyed_hash(&blake3::derive_key(context, naming_key), text)
}
