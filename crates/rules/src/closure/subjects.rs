//! From ledger keys to keys that rows can be compared with.

use lethe_format::catalog::{AttNum, Catalog, Table};
use lethe_format::ids::Oid;
use lethe_format::ledger::{Keys, SubjectRef};

use crate::key::{self, Domain, KeyBuffer, KeyReader, KeySet, Reader, Source};
use crate::objection::{Code, Objection};

/// The keys of one subject that are erased and were not revoked, from the ledger.
#[derive(Clone, Debug)]
pub struct Tombstones {
    pub subject: SubjectRef,
    pub keys: Keys,
}

/// A subject bound to a table of this snapshot, its keys in canonical form.
#[derive(Debug)]
pub(super) struct BoundSubject {
    pub label: String,
    pub table: Oid,
    pub columns: Vec<AttNum>,
    pub domains: Vec<Domain>,
    pub keys: KeySet,
}

pub(super) fn bind(catalog: &Catalog, tombstones: &Tombstones) -> Result<BoundSubject, Objection> {
    let subject = &tombstones.subject;
    let label = subject.to_string();
    let shape = subject_key(catalog, subject)?;
    let keys = parse_keys(&shape, &tombstones.keys)
        .map_err(|error| Objection::new(Code::WrongKeyType, format!("subject {label}"), error))?;
    Ok(BoundSubject {
        label,
        table: shape.table,
        columns: shape.columns,
        domains: shape.reader.domains(),
        keys,
    })
}

/// The key of a subject in one catalog: its table, columns and how their values are read.
#[derive(Clone, Debug)]
pub struct SubjectKey {
    pub table: Oid,
    pub columns: Vec<AttNum>,
    pub reader: KeyReader,
}

impl SubjectKey {
    /// True for a single column of integers, whose keys are kept as a bitmap.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.reader.domains() == [Domain::Integer]
    }
}

/// Finds the subject's table and key columns.
///
/// # Errors
/// An objection that names the table or the column that is not there, or says why the key cannot be compared.
pub fn subject_key(catalog: &Catalog, subject: &SubjectRef) -> Result<SubjectKey, Objection> {
    let label = format!("subject {subject}");
    let table = catalog.table_named(&subject.table).ok_or_else(|| {
        Objection::new(Code::UnknownSubject, &label, format!("there is no table {}", subject.table))
            .hint("a table that was renamed or dropped since needs its tombstones under the name that this snapshot knows")
    })?;
    let columns = key_columns(table, subject, &label)?;
    let mut readers = Vec::new();
    for attnum in &columns {
        let column = table.column(*attnum).ok_or_else(|| {
            Objection::new(Code::UnknownSubject, &label, format!("{} has no column {attnum}", table.name))
        })?;
        let undecidable = |reason| {
            let problem =
                format!("the key column {} of {} cannot be compared: {reason}", column.name, table.name);
            Objection::new(Code::UndecidableEquality, &label, problem)
        };
        let domain = key::column_domain(catalog, column).map_err(undecidable)?;
        readers.push(key::reader(catalog, column, &domain).map_err(undecidable)?);
    }
    Ok(SubjectKey { table: table.oid, columns, reader: KeyReader::new(readers) })
}

fn key_columns(table: &Table, subject: &SubjectRef, label: &str) -> Result<Vec<AttNum>, Objection> {
    let Some(names) = &subject.columns else {
        return table.primary_key().map(|key| key.columns.clone()).ok_or_else(|| {
            Objection::new(Code::UnknownSubject, label, format!("{} has no primary key", table.name))
                .hint("name the key's columns: schema.table(column, …)")
        });
    };
    names
        .iter()
        .map(|name| {
            table.column_named(name).map(|column| column.attnum).ok_or_else(|| {
                Objection::new(Code::UnknownSubject, label, format!("{} has no column {name}", table.name))
            })
        })
        .collect()
}

/// Why a key that somebody wrote down is no key of the subject. Never holds the key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    #[error("key {position} has {found} values, the key has {expected} columns")]
    WrongWidth { position: usize, found: usize, expected: usize },
    #[error("key {position} is not valid: {cause}")]
    WrongType { position: usize, cause: key::ValueError },
}

/// Reads keys in text form. Positions in errors count from 1.
///
/// # Errors
/// The first key that has the wrong number of values, or a value that is none of the column's type.
pub fn parse_keys(shape: &SubjectKey, keys: &Keys) -> Result<KeySet, KeyError> {
    let reader = widened(&shape.reader);
    let mut set = KeySet::new(&reader.domains());
    let taken = matches!(keys, Keys::Integers(stored) if set.extend_integers(stored));
    if !taken {
        let mut buffer = KeyBuffer::default();
        let mut insert = |position: usize, tuple: &[String]| {
            let expected = reader.columns().len();
            if tuple.len() != expected {
                return Err(KeyError::WrongWidth { position, found: tuple.len(), expected });
            }
            reader
                .text(tuple.iter().map(String::as_bytes), &mut buffer)
                .map_err(|cause| KeyError::WrongType { position, cause })?;
            set.insert(&buffer);
            Ok(())
        };
        match keys {
            Keys::Integers(stored) => {
                for (index, key) in stored.iter().enumerate() {
                    insert(index + 1, &[key.cast_signed().to_string()])?;
                }
            }
            Keys::Tuples(tuples) => {
                for (index, tuple) in tuples.iter().enumerate() {
                    insert(index + 1, tuple)?;
                }
            }
        }
    }
    Ok(set)
}

/// A column may have been `integer` when the snapshot was taken and `bigint` when the tombstone was written: an id
/// beyond the narrower range is a person that this snapshot cannot hold, not an error.
fn widened(reader: &KeyReader) -> KeyReader {
    let widen = |reader: &Reader| match reader.source {
        Source::Int2 | Source::Int4 => Reader { source: Source::Int8, domain: reader.domain.clone() },
        _ => reader.clone(),
    };
    KeyReader::new(reader.columns().iter().map(widen).collect())
}
