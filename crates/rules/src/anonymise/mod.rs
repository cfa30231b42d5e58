//! People who are anonymised: their rows stay, their personal columns are overwritten on the way in.
//!
//! With NULL, with a constant that is the same for everybody, or with random values; never with anything made from
//! the person's id or from the value itself, since that would be a pseudonym (Article 29 Working Party, Opinion
//! 05/2014). [`bind`] turns the rules of the settings into masks over the stored rows, or objects; [`Masks::apply`]
//! is asked for each surviving row.

mod bind;
mod inactive;
mod random;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use lethe_format::catalog::AttNum;
use lethe_format::ids::Oid;
use lethe_format::ledger::SubjectRef;

use crate::key::{KeyBuffer, KeyReader, KeySet, ValueError};
use crate::row_filter::Row;
pub(crate) use bind::bind;
pub use inactive::InactiveRule;
pub(crate) use inactive::{Inactive, bind as bind_inactive};
pub(crate) use random::RandomKind;

/// What the settings say about one table of an anonymised person.
#[derive(Clone, Debug)]
pub struct MaskRule {
    pub subject: SubjectRef,
    pub table: lethe_format::catalog::QualifiedName,
    /// The columns that hold the subject's key; none for the subject's own table, and where one foreign key says it.
    pub via: Option<Vec<String>>,
    pub columns: Vec<(String, Replacement)>,
}

impl MaskRule {
    /// A text that is the same for the same rule, to notice that the settings have changed.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = format!("{}\0{}\0{:?}", self.subject, self.table, self.via);
        for (column, replacement) in &self.columns {
            let value = match replacement {
                Replacement::Null | Replacement::Random => None,
                Replacement::Constant(constant) => Some(&constant.text),
            };
            text.push_str(&format!("\0{column}\0{replacement:?}\0{value:?}"));
        }
        text
    }
}

#[derive(Clone, PartialEq, Eq)]
pub enum Replacement {
    Null,
    Random,
    Constant(Constant),
}

/// A value as a server reads and writes it.
#[derive(Clone, PartialEq, Eq)]
pub struct Constant {
    pub text: String,
    /// The column type's binary form (`typsend`); none if nobody asked a server yet.
    pub binary: Option<Vec<u8>>,
}

impl std::fmt::Debug for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Constant")
    }
}

impl std::fmt::Debug for Replacement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "NULL",
            Self::Random => "random",
            Self::Constant(_) => "a constant",
        })
    }
}

/// What the settings say about anonymising.
#[derive(Clone, Debug, Default)]
pub struct Anonymise {
    pub masks: Vec<MaskRule>,
    pub inactive: Option<InactiveRule>,
}

/// Masks of all tables, and the keys they ask for.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    /// One for each subject: the keys of its anonymised people.
    pub keys: Vec<KeySet>,
    /// Whose keys those are: the subject's table and its key columns.
    pub subjects: Vec<(Oid, Vec<AttNum>)>,
    pub tables: BTreeMap<Oid, Vec<Mask>>,
}

/// What happens to the rows of one table that belong to an anonymised person.
#[derive(Clone, Debug)]
pub(crate) struct Mask {
    /// Index into [`Masks::keys`].
    pub keys: usize,
    pub fields: Vec<usize>,
    pub reader: KeyReader,
    pub fills: Vec<(usize, Fill)>,
}

#[derive(Clone)]
pub(crate) enum Fill {
    Null,
    /// In the table's COPY format, escaped for text.
    Constant(Arc<[u8]>),
    Random(RandomKind),
}

impl std::fmt::Debug for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fill")
    }
}

/// A field and its new value, in the table's COPY format.
pub(crate) type Filled<'a> = (usize, Option<Cow<'a, [u8]>>);

impl Masks {
    /// Whether any row of the table may be overwritten.
    pub(crate) fn touch(&self, table: Oid) -> bool {
        self.of(table).next().is_some()
    }

    fn of(&self, table: Oid) -> impl Iterator<Item = &Mask> {
        let asked = |mask: &&Mask| self.keys.get(mask.keys).is_some_and(|keys| !keys.is_empty());
        self.tables.get(&table).into_iter().flatten().filter(asked)
    }

    /// The new values of a row's fields; empty if the row is nobody's who is anonymised.
    ///
    /// `seed` and `row`, the row's place in its chunk, make random values: the same again if the chunk is filtered
    /// again, and nothing that could be computed from the row.
    pub(crate) fn apply(
        &self,
        table: Oid,
        row: &Row<'_>,
        seed: &[u8; 32],
        number: u64,
        buffer: &mut KeyBuffer,
    ) -> Result<Vec<Filled<'_>>, ValueError> {
        let mut filled = Vec::new();
        for mask in self.of(table) {
            let Some(keys) = self.keys.get(mask.keys) else { continue };
            if !row.read_key(&mask.fields, &mask.reader, buffer)? || !keys.contains(buffer) {
                continue;
            }
            for (field, fill) in &mask.fills {
                let value = match fill {
                    Fill::Null => None,
                    Fill::Constant(value) => Some(Cow::Borrowed(value.as_ref())),
                    Fill::Random(kind) => Some(Cow::Owned(kind.value(row.format, seed, number, *field))),
                };
                filled.push((*field, value));
            }
        }
        Ok(filled)
    }
}
