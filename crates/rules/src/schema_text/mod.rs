//! Erased people in the text of the schema: a comment that names one, a view or a policy that makes an exception for one, a partition
//! or a role that is called after one. No row filter sees those.
//!
//! Numbers are everywhere in a schema, so a number counts as a key only where the text says whose it is: beside a column that refers to
//! the subject, or in a name after the subject's own (`orders_of_user_42`). Every other key counts wherever it stands as a whole.

mod addresses;
mod mentions;
mod pieces;

use std::collections::BTreeSet;

use lethe_format::archive::Entry;
use lethe_format::catalog::{AttNum, Catalog};
use lethe_format::ids::Oid;
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::reference::Reference;

pub use addresses::ErasedAddresses;
use mentions::{Mentions, keyed_numbers};

use crate::closure::{Tombstones, all_references, family, subject_key};
use crate::coverage::names;
use crate::objection::{Code, Objection};

/// One object of the schema, and all that is said in it.
#[derive(Clone, Debug)]
pub struct SchemaText {
    /// `COMMENT`, `VIEW` …
    kind: String,
    name: String,
    /// Its name, its definition, and whose it is.
    text: String,
}

impl SchemaText {
    /// All objects of an archive.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Vec<Self> {
        let text = |entry: &Entry| {
            let owner = entry.owner.as_deref().unwrap_or_default();
            let namespace = entry.namespace.as_deref().unwrap_or_default();
            Self {
                kind: entry.desc.clone(),
                name: entry.tag.clone(),
                text: [&entry.tag, &entry.definition, owner, namespace].join("\n"),
            }
        };
        entries.iter().map(text).collect()
    }

    /// The object's own name may be what nobody should read.
    fn objection(&self, found: &BTreeSet<String>) -> Objection {
        let name = found.iter().fold(self.name.clone(), |name, key| pieces::hide(&name, key));
        Objection::new(Code::SchemaText, format!("{} {name}", self.kind), "its text names somebody who is erased")
            .hint("take it out of the database before the next snapshot; to restore this one with it, answer for it with --acknowledge schema_text, and take it out afterwards")
    }
}

/// An objection for each object that names one of these people by their key.
#[must_use]
pub fn objections(
    catalog: &Catalog,
    references: &[Reference],
    texts: &[SchemaText],
    erased: &[Tombstones],
) -> Vec<Objection> {
    let mut found: Vec<BTreeSet<String>> = vec![BTreeSet::new(); texts.len()];
    for tombstones in erased.iter().filter(|tombstones| !tombstones.keys.is_empty()) {
        let names = Names::of(catalog, references, &tombstones.subject);
        for (text, found) in texts.iter().zip(&mut found) {
            match &tombstones.keys {
                Keys::Integers(keys) => {
                    let numbers = keyed_numbers(&text.text, &names).into_iter();
                    let erased = numbers.filter(|number| keys.contains(number.cast_unsigned()));
                    found.extend(erased.map(|number| number.to_string()));
                }
                Keys::Tuples(keys) => {
                    let mentions = Mentions::of(&text.text, &names);
                    let erased = keys.iter().filter(|key| mentions.all_of(key));
                    found.extend(erased.flatten().cloned());
                }
            }
        }
    }
    let named = texts.iter().zip(&found).filter(|(_, found)| !found.is_empty());
    named.map(|(text, found)| text.objection(found)).collect()
}

/// What stands beside a key of one kind of people.
#[derive(Clone, Debug, Default)]
struct Names {
    /// Columns that refer to them, tables that are partitioned by such a column, and the partitions; in lower case.
    referring: BTreeSet<String>,
    /// What they are called, as single words: `user`, `customer`.
    words: BTreeSet<String>,
    /// Their own tables, partitions included: a number in `users_2024`, or in `users_2024_pkey`, is a year.
    own: BTreeSet<String>,
}

impl Names {
    fn of(catalog: &Catalog, references: &[Reference], subject: &SubjectRef) -> Self {
        let mut names = Self::default();
        let is_word = |word: &String| word.chars().any(char::is_alphabetic);
        let table = names::words(&subject.table.name).into_iter().rfind(is_word);
        let words = [subject.name.clone(), table].into_iter().flatten();
        names.words.extend(words.map(|word| names::singular(&word.to_lowercase()).to_owned()));
        let Ok(key) = subject_key(catalog, subject) else { return names };
        let family = family::reached_by_delete(catalog, key.table).into_iter().chain([key.table]);
        let own = family.filter_map(|oid| catalog.table(oid)).map(|table| table.name.name.to_lowercase());
        names.own.extend(own);
        let own = key.columns.iter().map(|column| (key.table, *column));
        let edges = all_references(catalog, references);
        let refers = edges.iter().filter(|edge| edge.key.parent == key.table);
        let referring =
            refers.flat_map(|edge| edge.key.columns.iter().map(|pair| (edge.key.child, pair.child)));
        let referring: BTreeSet<(Oid, AttNum)> = own.chain(referring).collect();
        for (table, attnum) in &referring {
            let column = catalog.table(*table).and_then(|table| table.column(*attnum));
            let name = column.map(|column| column.name.to_lowercase());
            // A column that is called like any other one says nothing.
            names
                .referring
                .extend(name.filter(|name| !matches!(name.as_str(), "id" | "key" | "no" | "name")));
        }
        for table in &catalog.tables {
            let by_subject = |attnum: &AttNum| {
                let column = table.column(*attnum);
                referring.contains(&(table.oid, *attnum))
                    || column.is_some_and(|column| {
                        names::words(&column.name).iter().any(|word| names.is_subject(word))
                    })
            };
            if table.partition_columns.iter().any(by_subject) {
                let leaves = family::leaves(catalog, table.oid);
                let leaves = leaves.iter().filter_map(|leaf| catalog.table(*leaf));
                names.referring.extend(leaves.map(|leaf| leaf.name.name.to_lowercase()));
            }
        }
        names
    }

    fn is_own(&self, name: &str) -> bool {
        let begins = |own: &String| {
            name.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        self.own.iter().any(begins)
    }

    fn is_subject(&self, word: &str) -> bool {
        self.words.contains(names::singular(word))
    }
}
