//! What is handed to a customer: the entries that concern them, each with its path to the root of a signed checkpoint, as lines of
//! JSON, and a signature over all of it. Can be checked without the log, by whoever has the log's public key.
//!
//! That the entries are in the log, as they were written, follows from the paths and the checkpoint. That none is left out is what the
//! last line's signature claims: the company states it, and cannot take it back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, PublicKey, SigningKey};
use super::entry::{json, parse, read_header};
use super::merkle::{Tree, is_in, leaf, sha256};
use super::{Audience, Entry, Header, Opened, Shared, VERSION};
use crate::Error;
use crate::ids::Digest;
use crate::repository::check_version;

const DOCUMENT: &str = "the export of the audit log";
const SIGNED: &str = "lethe audit export\n";

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Export {
        version: u32,
        repository: String,
        at: Timestamp,
        /// None for an export of everything that may be read by whomever it concerns.
        tenant: Option<Digest>,
        key: String,
    },
    Entry {
        header: String,
        shared: String,
        path: Vec<Digest>,
    },
    Checkpoint {
        note: String,
    },
    End {
        entries: u64,
        /// Of SHA-256 over all lines before this one.
        signature: String,
    },
}

/// Whether a customer may be given an entry. Without a customer, all but what concerns nobody's data.
#[must_use]
pub fn is_for(header: &Header, shared: &Shared, tenant: Option<&Digest>) -> bool {
    match (header.audience, tenant) {
        (Audience::Everyone, _) => true,
        (Audience::Tenant, Some(_)) => shared.tenant.as_ref() == tenant,
        (Audience::Tenant | Audience::Company, None) => true,
        (Audience::Company, Some(_)) => false,
    }
}

/// Writes an export of a log of which these are all entries.
pub fn write(
    repository: &str,
    log: &[(Entry, Opened)],
    tenant: Option<&Digest>,
    key: &SigningKey,
    at: Timestamp,
) -> Result<Vec<u8>, Error> {
    let tree = Tree::new(log.iter().map(|(entry, _)| entry.leaf()).collect());
    let gone = || Error::malformed(DOCUMENT, "the tree lacks an entry");
    let mut lines = vec![Line::Export {
        version: VERSION,
        repository: repository.to_owned(),
        at,
        tenant: tenant.copied(),
        key: key.public().to_string(),
    }];
    for (index, (entry, opened)) in log.iter().enumerate() {
        if is_for(&entry.header, &opened.shared, tenant) {
            lines.push(Line::Entry {
                header: entry.header_text().to_owned(),
                shared: opened.shared_text.clone(),
                path: tree.path(index).ok_or_else(gone)?,
            });
        }
    }
    let entries = lines.len() as u64 - 1;
    let root = tree.root(tree.size()).ok_or_else(gone)?;
    let checkpoint =
        Checkpoint { origin: super::checkpoint::origin(repository), size: tree.size() as u64, root };
    lines.push(Line::Checkpoint { note: checkpoint.sign(key) });
    let mut bytes = Vec::new();
    for line in &lines {
        push(&mut bytes, line)?;
    }
    let signature = BASE64.encode(key.sign(&signed(&bytes)));
    push(&mut bytes, &Line::End { entries, signature })?;
    Ok(bytes)
}

fn push(bytes: &mut Vec<u8>, line: &Line) -> Result<(), Error> {
    bytes.extend(json(line)?.into_bytes());
    bytes.push(b'\n');
    Ok(())
}

fn signed(lines: &[u8]) -> Vec<u8> {
    format!("{SIGNED}{}", sha256(&[lines])).into_bytes()
}

/// An export that holds what it claims.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    pub repository: String,
    pub at: Timestamp,
    pub tenant: Option<Digest>,
    /// The key that has signed it. Only somebody who has it from elsewhere knows whose it is.
    pub key: PublicKey,
    pub entries: Vec<(Header, Shared)>,
    pub checkpoint: Checkpoint,
}

/// Checks an export by itself, and that it was signed by the key that is `expected`, if it is known.
///
/// # Errors
/// [`Error::Malformed`] with what is wrong.
pub fn verify(bytes: &[u8], expected: Option<&PublicKey>) -> Result<Verified, Error> {
    let malformed = |reason: &str| Error::malformed(DOCUMENT, reason);
    let body = bytes.strip_suffix(b"\n").ok_or_else(|| malformed("it ends too early"))?;
    let last = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let (before, end) = bytes.split_at_checked(last).ok_or_else(|| malformed("it ends too early"))?;
    let Line::End { entries: count, signature } = read(end)? else {
        return Err(malformed("it ends too early"));
    };
    let mut lines = before.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let first = lines.next().ok_or_else(|| malformed("it holds nothing"))?;
    check_version(DOCUMENT, first, VERSION)?;
    let Line::Export { repository, at, tenant, key, .. } = read(first)? else {
        return Err(malformed("it does not say what it is"));
    };
    let key: PublicKey = key.parse()?;
    if expected.is_some_and(|expected| *expected != key) {
        return Err(malformed("it was signed by another key"));
    }
    let signature = BASE64.decode(signature).map_err(|_| malformed("its signature is not base64"))?;
    if !key.verifies(&signed(before), &signature) {
        return Err(malformed("it was changed after it was signed"));
    }
    let mut lines: Vec<Line> = lines.map(read).collect::<Result<_, _>>()?;
    let Some(Line::Checkpoint { note }) = lines.pop() else { return Err(malformed("it has no checkpoint")) };
    let checkpoint = Checkpoint::open(&note, &key)?;
    if checkpoint.origin != super::checkpoint::origin(&repository) || count != lines.len() as u64 {
        return Err(malformed("its parts do not belong together"));
    }
    let mut entries: Vec<(Header, Shared)> = Vec::new();
    for line in lines {
        let Line::Entry { header: text, shared, path } = line else {
            return Err(malformed("a line is in the wrong place"));
        };
        let header = read_header(&text)?;
        let said = |problem: &str| malformed(&format!("entry {}: {problem}", header.seq));
        if header.shared != sha256(&[shared.as_bytes()]) {
            return Err(said("it is not what was written"));
        }
        if !is_in(leaf(text.as_bytes()), header.seq, checkpoint.size, &path, &checkpoint.root) {
            return Err(said("it is not in the log"));
        }
        let shared: Shared = parse(shared.as_bytes())?;
        if header.repository != repository || !is_for(&header, &shared, tenant.as_ref()) {
            return Err(said("it does not belong into this export"));
        }
        if entries.last().is_some_and(|(before, _)| before.seq >= header.seq) {
            return Err(said("it is in the wrong place"));
        }
        entries.push((header, shared));
    }
    Ok(Verified { repository, at, tenant, key, entries, checkpoint })
}

fn read(line: &[u8]) -> Result<Line, Error> {
    serde_json::from_slice(line).map_err(|error| Error::json(DOCUMENT, &error))
}
