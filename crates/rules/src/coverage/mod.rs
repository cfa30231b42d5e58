//! Which columns may refer to a person, and what says what becomes of them: nothing may be left out without anybody having decided it.
//!
//! A column is suspected for its name, its type, or the values that somebody saw in it. It is covered by a foreign key, by a
//! rule of the settings, because its whole row goes with the person, or because somebody has ruled it out with a reason. What is left
//! is *open*.

mod leads;
mod masked;
pub(crate) mod names;
mod suggest;

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::{Catalog, Column, QualifiedName, Table, TableKind, TypeKind};
use lethe_format::classification::Classification;
use lethe_format::ids::Oid;
use lethe_format::reference::{OnErase, Reference};
use serde::Serialize;

use crate::anonymise::{Said, said_of};
use crate::closure::{droppable_tables, family, subject_key};
use crate::objection::{Code, Objection};
pub use leads::{Lead, Sighting, called, is_called_after, leads, says_kind_of};
pub use masked::{personal_columns, suggest_masks, unmasked, unmasked_objections};
pub use suggest::suggest;

/// Why a column may refer to a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is named like a reference to a person.
    ReferenceName,
    /// It is named like a person's data.
    PersonalName,
    /// Values of it are keys of a subject.
    Keys,
    /// Values of it look like e-mail addresses.
    Addresses,
    /// Names within its documents are like those of a person's data.
    DocumentNames,
    /// JSON, XML, arrays and the like, which may hold anything.
    Document,
    /// Text of any length.
    FreeText,
    /// Its security label says that it is to be masked, or that it tells people apart.
    Labelled,
}

/// What says what becomes of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "by")]
pub enum Covered {
    ForeignKey,
    /// A reference of the settings.
    Rule,
    /// A reference of the settings keeps it, for this reason.
    Kept(String),
    /// Its row goes with the person whose row it is.
    WithItsRow,
    /// Somebody has said that it is nobody's, and why.
    RuledOut(String),
    Open,
}

/// A column that may refer to a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CoveredColumn {
    #[serde(serialize_with = "as_text")]
    pub table: QualifiedName,
    pub column: String,
    pub why: BTreeSet<Why>,
    #[serde(flatten)]
    pub covered: Covered,
}

impl CoveredColumn {
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.covered == Covered::Open
    }
}

fn as_text<S: serde::Serializer>(name: &QualifiedName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(name)
}

/// What was seen in a column of the source: numbers of values, never the values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Distinct values that were looked at.
    pub values: u64,
    /// Of these, keys of a subject.
    pub keys: u64,
    pub addresses: u64,
    /// Names within documents that are like those of a person's data.
    pub personal_names: u64,
}

/// How many of the names within documents are like those of a person's data, or like references to people.
#[must_use]
pub fn personal_names(names: &[String]) -> u64 {
    let is_personal = |name: &&String| names::is_personal(name) || names::refers_to_people(name, &[]);
    names.iter().filter(is_personal).count() as u64
}

/// By table and column.
pub type Evidence = BTreeMap<(Oid, String), Seen>;

/// Fewer numbers than that happen to be somebody's key.
const ENOUGH_NUMBERS: u64 = 20;

/// Every column that may refer to a person, in the order of the catalog. Partitions are judged as the table that they are of.
#[must_use]
pub fn coverage(
    catalog: &Catalog,
    references: &[Reference],
    classification: &Classification,
    evidence: &Evidence,
) -> Vec<CoveredColumn> {
    let judged = Judged::new(catalog, references, classification);
    let mut found = Vec::new();
    for table in
        catalog.tables.iter().filter(|table| table.partition_of.is_none() && table.kind != TableKind::Foreign)
    {
        for column in table.copied_columns() {
            let seen = evidence.get(&(table.oid, column.name.clone())).copied().unwrap_or_default();
            let why = judged.why(table, column, seen);
            if !why.is_empty() {
                let covered = judged.covered(table, column, &why);
                found.push(CoveredColumn {
                    table: table.name.clone(),
                    column: column.name.clone(),
                    why,
                    covered,
                });
            }
        }
    }
    found
}

/// One objection for each table with open columns.
#[must_use]
pub fn objections(coverage: &[CoveredColumn]) -> Vec<Objection> {
    let mut open: BTreeMap<&QualifiedName, Vec<&str>> = BTreeMap::new();
    for column in coverage.iter().filter(|column| column.is_open()) {
        open.entry(&column.table).or_default().push(&column.column);
    }
    let objection = |(table, columns): (&QualifiedName, Vec<&str>)| {
        let problem =
            format!("may refer to people in {}, and nothing says what becomes of it", columns.join(", "));
        Objection::new(Code::Unclassified, table, problem).hint(
            "lethe coverage --suggest writes the rules to choose from: [[reference]], or [[not_personal]] with a reason, in lethe.toml; if there is no time, answer for it with --acknowledge unclassified",
        )
    };
    open.into_iter().map(objection).collect()
}

struct Judged<'a> {
    catalog: &'a Catalog,
    references: &'a [Reference],
    classification: &'a Classification,
    /// Tables of subjects, and their key columns.
    subjects: BTreeMap<Oid, Vec<i16>>,
    /// The subjects' names, and those of their tables, as single words.
    subject_words: Vec<String>,
    /// Tables of which whole rows go with a person.
    droppable: BTreeSet<Oid>,
}

impl<'a> Judged<'a> {
    fn new(catalog: &'a Catalog, references: &'a [Reference], classification: &'a Classification) -> Self {
        let keys = classification.subjects.iter().filter_map(|subject| subject_key(catalog, subject).ok());
        let subjects: BTreeMap<Oid, Vec<i16>> = keys.map(|key| (key.table, key.columns)).collect();
        let named = classification.subjects.iter().flat_map(|subject| {
            let table = names::words(&subject.table.name).pop();
            [subject.name.clone(), table].into_iter().flatten().map(|word| names::singular(&word).to_owned())
        });
        let subject_words = named.collect();
        let droppable = droppable_tables(catalog, references, subjects.keys().copied());
        Self { catalog, references, classification, subjects, subject_words, droppable }
    }

    fn why(&self, table: &Table, column: &Column, seen: Seen) -> BTreeSet<Why> {
        let is_own_key = self.subjects.get(&table.oid).is_some_and(|key| key.contains(&column.attnum));
        let shape = Shape::of(self.catalog, column);
        let mut why = BTreeSet::new();
        if is_own_key {
            return why;
        }
        if shape.may_be_key() && names::refers_to_people(&column.name, &self.subject_words) {
            why.insert(Why::ReferenceName);
        }
        if shape != Shape::Flag && names::is_personal(&column.name) {
            why.insert(Why::PersonalName);
        }
        if said_of(self.catalog, table.oid, column.attnum).is_some_and(|said| said != Said::NotMasked) {
            why.insert(Why::Labelled);
        }
        let is_only_key = table.primary_key().is_some_and(|key| key.columns == [column.attnum]);
        // Small numbers are somebody's key by chance: all of many must be, and the name must not speak against it.
        let numbers = seen.values >= ENOUGH_NUMBERS
            && seen.keys == seen.values
            && names::words(&column.name)
                .iter()
                .any(|word| matches!(word.as_str(), "id" | "ids" | "ref" | "by"));
        let by_value = if shape == Shape::Number { numbers } else { seen.keys > 0 };
        if by_value && !is_only_key {
            why.insert(Why::Keys);
        }
        if seen.addresses > 0 {
            why.insert(Why::Addresses);
        }
        if seen.personal_names > 0 {
            why.insert(Why::DocumentNames);
        }
        match shape {
            Shape::Document => why.insert(Why::Document),
            Shape::FreeText => why.insert(Why::FreeText),
            _ => false,
        };
        why
    }

    fn covered(&self, table: &Table, column: &Column, why: &BTreeSet<Why>) -> Covered {
        let mut keys = self.catalog.foreign_keys.iter().filter(|key| key.enforced && key.child == table.oid);
        if keys.any(|key| key.columns.iter().any(|pair| pair.child == column.attnum)) {
            return Covered::ForeignKey;
        }
        let mut rules = self.references.iter().filter(|reference| {
            reference.from.table == table.name && reference.from.columns.contains(&column.name)
        });
        match rules.next().map(|reference| &reference.on_erase) {
            Some(OnErase::Keep { because }) => return Covered::Kept(because.clone()),
            Some(OnErase::Drop | OnErase::Null | OnErase::Remove(_) | OnErase::Mask { .. }) => {
                return Covered::Rule;
            }
            None => {}
        }
        let overwrites = |reference: &Reference| {
            reference.from.table == table.name
                && reference.overwritten().iter().any(|(name, _)| *name == column.name)
        };
        if self.references.iter().any(overwrites) {
            return Covered::Rule;
        }
        if let Some(because) = self.ruled_out(table, column, why) {
            return Covered::RuledOut(because.to_owned());
        }
        // Whoever the row belongs to, it may speak of somebody else as well.
        let speaks_of_another = why.contains(&Why::ReferenceName) || why.contains(&Why::Keys);
        if !speaks_of_another && self.goes_with_somebody(table) {
            return Covered::WithItsRow;
        }
        Covered::Open
    }

    /// Why the column is nobody's, if somebody has said so.
    fn ruled_out(&self, table: &Table, column: &Column, why: &BTreeSet<Why>) -> Option<&str> {
        // A table as a whole may be nobody's, and a column that comes to it later be somebody's all the same.
        let of_somebody = [
            Why::ReferenceName,
            Why::PersonalName,
            Why::Keys,
            Why::Addresses,
            Why::DocumentNames,
            Why::Labelled,
        ];
        let is_named = why.iter().any(|why| of_somebody.contains(why));
        let mut rules = self.classification.not_personal.iter().filter(|rule| rule.table == table.name);
        let ruled_out = rules.find(|rule| match &rule.columns {
            Some(columns) => columns.contains(&column.name),
            None => !is_named,
        });
        ruled_out.map(|rule| rule.because.as_str())
    }

    fn goes_with_somebody(&self, table: &Table) -> bool {
        let leaves = family::leaves(self.catalog, table.oid);
        let goes = |oid: &Oid| self.droppable.contains(oid);
        goes(&table.oid) || (!leaves.is_empty() && leaves.iter().all(goes))
    }
}

/// What kind of values a column has, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Number,
    Uuid,
    /// Text, most of it of any length.
    FreeText,
    Document,
    Flag,
    Other,
}

impl Shape {
    fn of(catalog: &Catalog, column: &Column) -> Self {
        let Some(base) = catalog.base_type(column.type_oid) else { return Self::Other };
        match base.kind {
            TypeKind::Array { .. } | TypeKind::Composite { .. } => return Self::Document,
            TypeKind::Enum => return Self::Flag,
            _ => {}
        }
        match base.name.name.as_str() {
            "int2" | "int4" | "int8" | "numeric" => Self::Number,
            "uuid" => Self::Uuid,
            "text" | "varchar" | "bpchar" | "citext" | "name" => Self::FreeText,
            "json" | "jsonb" | "xml" | "hstore" | "bytea" | "tsvector" => Self::Document,
            "bool" | "date" | "timestamp" | "timestamptz" | "time" | "timetz" | "interval" => Self::Flag,
            _ => Self::Other,
        }
    }

    fn may_be_key(self) -> bool {
        matches!(self, Self::Number | Self::Uuid | Self::FreeText | Self::Document)
    }
}
