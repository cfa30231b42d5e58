//! A few subjects restored alone: what may be said of them, and how a restore of others is told from this one.

use std::collections::BTreeSet;

use lethe_format::ledger::{Keys, SubjectRef};
use lethe_rules::closure::Tombstones;
use serde::{Deserialize, Serialize};

use crate::{Error, Repository};

/// A kind of subject of which some are restored alone; never their keys.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OnlySubject {
    pub subject: String,
    pub keys: u64,
}

pub(super) fn named(only: &[Tombstones]) -> Vec<OnlySubject> {
    let named = |Tombstones { subject, keys }: &Tombstones| OnlySubject {
        subject: subject.to_string(),
        keys: keys.len(),
    };
    only.iter().map(named).collect()
}

/// Names exactly these subjects, to whoever has the naming key; none if everything is restored.
pub(super) fn fingerprint(repository: &Repository, only: &[Tombstones]) -> Result<Option<String>, Error> {
    if only.is_empty() {
        return Ok(None);
    }
    let mut all = BTreeSet::new();
    for Tombstones { subject, keys } in only {
        let subject = SubjectRef { name: None, ..subject.clone() }.to_string();
        match keys {
            Keys::Integers(keys) => {
                all.extend(keys.iter().map(|key| (subject.clone(), vec![key.cast_signed().to_string()])));
            }
            Keys::Tuples(tuples) => all.extend(tuples.iter().map(|key| (subject.clone(), key.clone()))),
        }
    }
    let mut hash = blake3::Hasher::new_keyed(repository.naming_key()?.as_bytes());
    hash.update(b"restored alone");
    for (subject, key) in all {
        for part in std::iter::once(&subject).chain(&key) {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    Ok(Some(hash.finalize().to_hex().to_string()))
}
