//! A set of ledger keys of one subject, in the form in which they were written.

use std::collections::BTreeSet;

use lethe_format::ledger::{Keys, SubjectRef};
use roaring::RoaringTreemap;

use crate::closure::Tombstones;

/// Integers and tuples may both occur, if the key column's type changed.
#[derive(Clone, Default)]
pub(super) struct KeyUnion {
    integers: RoaringTreemap,
    tuples: BTreeSet<Vec<String>>,
}

impl KeyUnion {
    pub(super) fn add(&mut self, keys: &Keys) {
        match keys {
            Keys::Integers(set) => self.integers |= set,
            Keys::Tuples(tuples) => self.tuples.extend(tuples.iter().cloned()),
        }
    }

    /// The same key may have been written as a number and as a text.
    pub(super) fn remove(&mut self, keys: &Keys) {
        match keys {
            Keys::Integers(set) => {
                self.integers -= set;
                self.tuples.retain(|tuple| !number(tuple).is_some_and(|number| set.contains(number)));
            }
            Keys::Tuples(tuples) => {
                for tuple in tuples {
                    self.tuples.remove(tuple);
                    if let Some(number) = number(tuple) {
                        self.integers.remove(number);
                    }
                }
            }
        }
    }

    pub(super) fn remove_all(&mut self, other: &Self) {
        for keys in other.clone().into_keys() {
            self.remove(&keys);
        }
    }

    pub(super) fn add_all(&mut self, other: Self) {
        self.integers |= other.integers;
        self.tuples.extend(other.tuples);
    }

    pub(super) fn len(&self) -> u64 {
        self.integers.len() + self.tuples.len() as u64
    }

    fn into_keys(self) -> impl Iterator<Item = Keys> {
        let sets = [Keys::Integers(self.integers), Keys::Tuples(self.tuples.into_iter().collect())];
        sets.into_iter().filter(|keys| !keys.is_empty())
    }

    pub(super) fn into_tombstones(self, subject: &SubjectRef) -> impl Iterator<Item = Tombstones> {
        self.into_keys().map(|keys| Tombstones { subject: subject.clone(), keys })
    }
}

fn number(tuple: &[String]) -> Option<u64> {
    match tuple {
        [only] => only.parse::<i64>().ok().map(i64::cast_unsigned),
        _ => None,
    }
}
