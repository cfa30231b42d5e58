//! Exact sets of keys, and the reading of a row's key columns into a form that the sets can be asked with.

use std::collections::HashSet;
use std::fmt;

use roaring::RoaringTreemap;

use super::binary::push_framed;
use super::domain::{Domain, Reader};
use super::{ValueError, binary, text};

/// The values of one key, in the domains of its columns.
#[derive(Clone)]
pub enum KeySet {
    /// A single column of integers, as 64-bit two's complement: nothing is truncated.
    Integers(RoaringTreemap),
    /// Everything else, by canonical form.
    Exact(HashSet<Box<[u8]>>),
}

impl KeySet {
    /// An empty set for keys in these domains.
    #[must_use]
    pub fn new(domains: &[Domain]) -> Self {
        if domains == [Domain::Integer] {
            Self::Integers(RoaringTreemap::new())
        } else {
            Self::Exact(HashSet::new())
        }
    }

    /// True if the key was not there before.
    pub fn insert(&mut self, key: &KeyBuffer) -> bool {
        match (self, key.integer) {
            (Self::Integers(set), Some(integer)) => set.insert(integer.cast_unsigned()),
            (Self::Exact(set), None) => {
                !set.contains(key.bytes.as_slice()) && set.insert(key.bytes.as_slice().into())
            }
            // A set and a key of different shapes never meet: both come from the same domains.
            _ => false,
        }
    }

    #[must_use]
    pub fn contains(&self, key: &KeyBuffer) -> bool {
        match (self, key.integer) {
            (Self::Integers(set), Some(integer)) => set.contains(integer.cast_unsigned()),
            (Self::Exact(set), None) => set.contains(key.bytes.as_slice()),
            _ => false,
        }
    }

    /// Adds all keys of another set in the same domains.
    pub fn extend(&mut self, other: &Self) {
        match (self, other) {
            (Self::Integers(set), Self::Integers(other)) => *set |= other,
            (Self::Exact(set), Self::Exact(other)) => set.extend(other.iter().cloned()),
            _ => {}
        }
    }

    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Integers(set) => set.len(),
            Self::Exact(set) => set.len() as u64,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Integers(set) => set.is_empty(),
            Self::Exact(set) => set.is_empty(),
        }
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
    /// The key's canonical form, to be kept.
    #[must_use]
    pub fn to_bytes(&self) -> Box<[u8]> {
        self.integer
            .map_or_else(|| self.bytes.as_slice().into(), |integer| integer.to_be_bytes().as_slice().into())
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
}

impl KeyReader {
    #[must_use]
    pub fn new(columns: Vec<Reader>) -> Self {
        Self { columns }
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
        self.read(values, key, |reader, value| binary::integer(&reader.source, value), Reader::binary)
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
        self.read(values, key, |reader, value| text::integer(&reader.source, value), Reader::text)
    }

    #[inline]
    fn read<'a>(
        &self,
        mut values: impl Iterator<Item = &'a [u8]>,
        key: &mut KeyBuffer,
        integer: impl Fn(&Reader, &[u8]) -> Result<i64, ValueError>,
        canonical: impl Fn(&Reader, &[u8], &mut Vec<u8>) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        let missing = ValueError::Malformed { expected: "key with as many values as columns" };
        key.integer = None;
        key.bytes.clear();
        match self.columns.as_slice() {
            [only] if only.is_integer() => key.integer = Some(integer(only, values.next().ok_or(missing)?)?),
            columns => {
                for reader in columns {
                    let value = values.next().ok_or_else(|| missing.clone())?;
                    push_framed(&mut key.bytes, |out| canonical(reader, value, out))?;
                }
            }
        }
        Ok(())
    }
}
