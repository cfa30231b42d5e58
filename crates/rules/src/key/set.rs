//! Exact sets of keys, and the reading of a row's key columns into a form that the sets can be asked with.

use std::collections::HashSet;
use std::fmt;

use roaring::RoaringTreemap;

use super::binary::{push_framed, unframed};
use super::domain::{Domain, Reader, Source};
use super::sieve::{Sieve, hash_bytes, hash_integer};
use super::{ValueError, binary, text};

/// The values of one key, in the domains of its columns: exact, with a quick first answer.
#[derive(Clone)]
pub struct KeySet {
    exact: Exact,
    sieve: Sieve,
}

#[derive(Clone)]
enum Exact {
    /// A single column of integers, as 64-bit two's complement: nothing is truncated.
    Integers(RoaringTreemap),
    /// Everything else, by canonical form.
    Others(HashSet<Box<[u8]>>),
}

impl KeySet {
    /// An empty set for keys in these domains.
    #[must_use]
    pub fn new(domains: &[Domain]) -> Self {
        let exact = if domains == [Domain::Integer] {
            Exact::Integers(RoaringTreemap::new())
        } else {
            Exact::Others(HashSet::new())
        };
        Self { exact, sieve: Sieve::default() }
    }

    /// True if the key was not there before.
    pub fn insert(&mut self, key: &KeyBuffer) -> bool {
        let new = match (&mut self.exact, key.integer) {
            (Exact::Integers(set), Some(integer)) => set.insert(integer.cast_unsigned()),
            (Exact::Others(set), None) => {
                !set.contains(key.bytes.as_slice()) && set.insert(key.bytes.as_slice().into())
            }
            // A set and a key of different shapes never meet: both come from the same domains.
            _ => false,
        };
        if new && self.sieve.is_full() {
            self.sift_again(self.len().saturating_mul(2));
        } else if new {
            self.sieve.note(key.hash());
        }
        new
    }

    #[must_use]
    #[inline]
    pub fn contains(&self, key: &KeyBuffer) -> bool {
        self.sieve.may_hold(key.hash())
            && match (&self.exact, key.integer) {
                (Exact::Integers(set), Some(integer)) => set.contains(integer.cast_unsigned()),
                (Exact::Others(set), None) => set.contains(key.bytes.as_slice()),
                _ => false,
            }
    }

    /// Adds all keys of another set in the same domains.
    pub fn extend(&mut self, other: &Self) {
        match (&mut self.exact, &other.exact) {
            (Exact::Integers(set), Exact::Integers(other)) => *set |= other,
            (Exact::Others(set), Exact::Others(other)) => set.extend(other.iter().cloned()),
            _ => {}
        }
        self.sift_again(self.len());
    }

    /// Adds keys of one integer column, as two's complement; false if this is a set of other keys.
    pub(crate) fn extend_integers(&mut self, keys: &RoaringTreemap) -> bool {
        let Exact::Integers(set) = &mut self.exact else { return false };
        *set |= keys;
        self.sift_again(self.len());
        true
    }

    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.exact {
            Exact::Integers(set) => set.len(),
            Exact::Others(set) => set.len() as u64,
        }
    }

    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.sieve.is_empty()
    }

    fn sift_again(&mut self, room: u64) {
        let mut sieve = Sieve::for_keys(room);
        match &self.exact {
            Exact::Integers(set) => set.iter().for_each(|key| sieve.note(hash_integer(key))),
            Exact::Others(set) => set.iter().for_each(|key| sieve.note(hash_bytes(key))),
        }
        self.sieve = sieve;
    }
}

/// Keys name people, so only their number is shown.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.len())
    }
}

/// One key, read from a row; the allocation serves every row of a chunk.
#[derive(Default)]
pub struct KeyBuffer {
    integer: Option<i64>,
    bytes: Vec<u8>,
}

impl KeyBuffer {
    #[inline]
    fn hash(&self) -> u64 {
        match self.integer {
            Some(integer) => hash_integer(integer.cast_unsigned()),
            None => hash_bytes(&self.bytes),
        }
    }

    /// The key's canonical form, to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Box<[u8]> {
        self.integer
            .map_or_else(|| self.bytes.as_slice().into(), |integer| integer.to_be_bytes().as_slice().into())
    }

    /// The canonical form of the value of a key of one column.
    pub(crate) fn only(&self) -> Box<[u8]> {
        match self.integer {
            Some(integer) => integer.to_be_bytes().as_slice().into(),
            None => unframed(&self.bytes).into(),
        }
    }
}

impl fmt::Debug for KeyBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBuffer(…)")
    }
}

/// Reads the columns of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyReader {
    columns: Vec<Reader>,
    /// The integer type of the key's only column, which most keys are: they are read without a canonical form.
    integer: Option<Source>,
}

impl KeyReader {
    #[must_use]
    pub fn new(columns: Vec<Reader>) -> Self {
        let integer = match columns.as_slice() {
            [only] if only.domain == Domain::Integer => Some(only.source.clone()),
            _ => None,
        };
        Self { columns, integer }
    }

    #[must_use]
    pub fn domains(&self) -> Vec<Domain> {
        self.columns.iter().map(|reader| reader.domain.clone()).collect()
    }

    #[must_use]
    pub fn columns(&self) -> &[Reader] {
        &self.columns
    }

    /// Reads a key whose values are in binary form, one for each column; none may be NULL.
    ///
    /// # Errors
    /// As [`Reader::binary`].
    #[inline]
    pub fn binary<'a>(
        &self,
        values: impl Iterator<Item = &'a [u8]>,
        key: &mut KeyBuffer,
    ) -> Result<(), ValueError> {
        self.read(values, key, binary::integer, Reader::binary)
    }

    /// Reads a key whose values are in text form (unescaped), one for each column; none may be NULL.
    ///
    /// # Errors
    /// As [`Reader::text`].
    pub fn text<'a>(
        &self,
        values: impl Iterator<Item = &'a [u8]>,
        key: &mut KeyBuffer,
    ) -> Result<(), ValueError> {
        self.read(values, key, text::integer, Reader::text)
    }

    #[inline]
    fn read<'a>(
        &self,
        mut values: impl Iterator<Item = &'a [u8]>,
        key: &mut KeyBuffer,
        integer: impl Fn(&Source, &[u8]) -> Result<i64, ValueError>,
        canonical: impl Fn(&Reader, &[u8], &mut Vec<u8>) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        let missing = ValueError::Malformed { expected: "key with as many values as columns" };
        key.bytes.clear();
        if let Some(source) = &self.integer {
            key.integer = Some(integer(source, values.next().ok_or(missing)?)?);
            return Ok(());
        }
        key.integer = None;
        for reader in &self.columns {
            let value = values.next().ok_or_else(|| missing.clone())?;
            push_framed(&mut key.bytes, |out| canonical(reader, value, out))?;
        }
        Ok(())
    }
}
