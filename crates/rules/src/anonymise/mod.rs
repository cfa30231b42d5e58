//! People who are anonymised: their rows stay, their personal columns are overwritten on the way in.
//!
//! With NULL, with a constant that is the same for everybody, or with random values; never with anything made from
//! the person's id or from the value itself, since that would be a pseudonym (Article 29 Working Party, Opinion
//! 05/2014). [`bind`] turns the rules of the settings into masks over the stored rows, or objects; [`Masks::apply`]
//! is asked for each surviving row.
//!
//! [`everybody`] does the same to all rows of a table, for databases that hold masked data alone.

mod bind;
mod checks;
mod erased;
mod everybody;
mod fake;
mod fill;
mod group;
mod inactive;
mod joins;
mod kind;
mod label;
mod labelled;
mod lengths;
mod originals;
mod permute;
mod random;
mod within;

use lethe_format::catalog::{AttNum, Catalog, Column, QualifiedName};
use lethe_format::ids::Oid;
use lethe_format::ledger::SubjectRef;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::key::{KeyBuffer, KeyReader, KeySet, ValueError};
use crate::row_filter::{Row, Seeds};
pub(crate) use bind::{bind, fill};
pub use checks::Question;
use erased::ErasedFields;
pub(crate) use erased::bind as bind_erased;
pub use everybody::{ColumnMask, Everybody, TableMask, bind as bind_everybody};
pub use fake::Words;
use fill::Making;
pub(crate) use fill::{Fill, Filled, Made};
pub use inactive::InactiveRule;
pub(crate) use inactive::{Inactive, bind as bind_inactive};
pub use label::Said;
pub use labelled::{Labelled, labelled, said_of};
pub use lethe_format::mask::{Constant, Fake, Replacement};
pub use originals::{LookedUp, Originals};

/// Whether random values of the column's type, or of the elements of its arrays, can be made.
pub(crate) fn has_random(catalog: &Catalog, column: &Column) -> bool {
    let element = lengths::element_of(catalog, column);
    random::RandomKind::of(catalog, element.as_ref().unwrap_or(column)).is_some()
}

/// What the settings say about one table of an anonymised person.
#[derive(Clone, Debug)]
pub struct MaskRule {
    pub subject: SubjectRef,
    pub table: QualifiedName,
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
            text.push_str(&format!("\0{column}\0{}", replacement.fingerprint()));
        }
        text
    }
}

/// What the settings say about anonymising.
#[derive(Clone, Debug, Default)]
pub struct Anonymise {
    pub masks: Vec<MaskRule>,
    pub inactive: Option<InactiveRule>,
    /// What all rows of these tables become, whoever they are about.
    pub everybody: Vec<TableMask>,
    /// Tables of which no row is loaded.
    pub emptied: Vec<QualifiedName>,
    pub words: Words,
}

/// Masks of all tables, and the keys they ask for.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    /// One for each subject: the keys of its anonymised people.
    pub keys: Vec<KeySet>,
    /// Whose keys those are: the subject's table and its key columns.
    pub subjects: Vec<(Oid, Vec<AttNum>)>,
    pub tables: BTreeMap<Oid, Vec<Mask>>,
    pub everybody: Arc<Everybody>,
    /// What the ledger says of whole columns.
    pub erased: ErasedFields,
    pub words: Words,
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

impl Masks {
    /// Whether any row of the table may be overwritten.
    pub(crate) fn touch(&self, table: Oid) -> bool {
        self.of(table).next().is_some()
            || self.everybody.fills(table).is_some()
            || self.erased.contains_key(&table)
    }

    fn of(&self, table: Oid) -> impl Iterator<Item = &Mask> {
        let asked = |mask: &&Mask| self.keys.get(mask.keys).is_some_and(|keys| !keys.is_empty());
        self.tables.get(&table).into_iter().flatten().filter(asked)
    }

    /// The new values of a row's fields that are others than its own. What is said of the person counts more than what is said of
    /// everybody.
    ///
    /// A person is known by the row as it is stored; what becomes of a value hangs on the row `after` the erasure of others.
    /// `number` is the row's place in its chunk: with the seeds it makes the same values again if the chunk is filtered
    /// again. `groups` are the keys of [`Everybody::keys`].
    pub(crate) fn apply(
        &self,
        table: Oid,
        (row, after): (&Row<'_>, &Row<'_>),
        seeds: &Seeds,
        groups: &[[u8; 32]],
        number: u64,
        buffer: &mut KeyBuffer,
    ) -> Result<Vec<Filled<'_>>, ValueError> {
        let making = Making { words: &self.words, seeds, groups, number };
        let mut values: Vec<Filled<'_>> = Vec::new();
        for (field, how) in self.everybody.fills(table).into_iter().flatten() {
            values.extend(how.value(after, *field, making)?);
        }
        for mask in self.of(table) {
            let Some(keys) = self.keys.get(mask.keys) else { continue };
            if !row.read_key(&mask.fields, &mask.reader, buffer)? || !keys.contains(buffer) {
                continue;
            }
            for (field, how) in &mask.fills {
                values.retain(|(other, _)| other != field);
                values.extend(how.value(after, *field, making)?);
            }
        }
        for (field, how) in self.erased.get(&table).into_iter().flatten() {
            values.retain(|(other, _)| other != field);
            values.extend(how.value(after, *field, making)?);
        }
        let is_other =
            |(field, value): &Filled<'_>| after.fields.get(*field).copied().flatten() != value.as_deref();
        values.retain(is_other);
        Ok(values)
    }
}
