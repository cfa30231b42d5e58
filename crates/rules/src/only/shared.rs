//! Rows of shared tables: those that what is restored refers to, and no others.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::{AttNum, Catalog};
use lethe_format::ids::Oid;
use lethe_format::manifest::TableData;
use lethe_format::reference::Reference;

use super::Owned;
use crate::closure::{Edge, FieldChange, Guard, Layouts, Scratch, SetDefinition, all_references};
use crate::closure::{domains, family, is_asked, new_key};
use crate::key::{KeyBuffer, KeyReader, KeySet, ValueError};
use crate::objection::{Code, Objection};
use crate::row_filter::{Error, Filters, Row, for_each_row};
use crate::scan::Scan;

/// The keys of shared rows that are referred to, while they are being collected.
#[derive(Debug)]
pub struct Shared {
    filters: Filters,
    owned: Owned,
    wanted: Wanted,
    /// By the referring table.
    references: BTreeMap<Oid, Vec<Referring>>,
    /// Tables to be read: what refers to others, and has rows that were not looked at yet.
    due: BTreeSet<Oid>,
    /// Keys of the subjects whose own rows are restored.
    found: BTreeMap<usize, KeySet>,
    objections: Vec<Objection>,
}

/// The keys that shared rows must have to be restored.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    definitions: Vec<SetDefinition>,
    keys: Vec<KeySet>,
    /// By the shared table: by which of its columns it is referred to. A table without an entry is not shared.
    tables: BTreeMap<Oid, Vec<Referred>>,
}

#[derive(Debug)]
struct Referred {
    fields: Vec<usize>,
    reader: KeyReader,
    set: usize,
}

#[derive(Debug)]
struct Referring {
    fields: Vec<usize>,
    reader: KeyReader,
    guard: Option<Guard>,
    set: usize,
}

impl Shared {
    /// `filters` are those of a closure of few, which decide about every row but those of shared tables.
    #[must_use]
    pub fn new(
        catalog: &Catalog,
        references: &[Reference],
        data: &[TableData],
        mut filters: Filters,
    ) -> Self {
        let owned = filters.owned.take().unwrap_or_default();
        let mut wanted = Wanted::default();
        for table in data.iter().map(|data| data.table).filter(|table| !owned.restricts(*table)) {
            wanted.tables.insert(table, Vec::new());
        }
        let mut shared = Self {
            filters,
            owned,
            wanted,
            references: BTreeMap::new(),
            due: BTreeSet::new(),
            found: BTreeMap::new(),
            objections: Vec::new(),
        };
        shared.follow(Layouts { catalog, data }, &all_references(catalog, references));
        let due = shared.owned.restricted().filter(|table| shared.references.contains_key(table));
        shared.due = due.chain(shared.owned.subject_tables()).collect();
        shared
    }

    /// Follows the references from what is theirs until no further shared table is reached.
    fn follow(&mut self, layouts: Layouts<'_>, edges: &[Edge]) {
        let mut reached: BTreeSet<Oid> = self.owned.restricted().collect();
        let mut left: Vec<&Edge> = edges.iter().collect();
        loop {
            let from_here = |edge: &&Edge| {
                family::leaves(layouts.catalog, edge.key.child).iter().any(|leaf| reached.contains(leaf))
            };
            let (followed, others): (Vec<_>, Vec<_>) = left.into_iter().partition(from_here);
            if followed.is_empty() {
                return;
            }
            left = others;
            for edge in followed {
                let parents = family::leaves(layouts.catalog, edge.key.parent);
                let shared: Vec<Oid> =
                    parents.into_iter().filter(|leaf| self.wanted.tables.contains_key(leaf)).collect();
                if shared.is_empty() {
                    continue;
                }
                if let Err(objection) = self.add(layouts, edge, &shared) {
                    self.objections.push(objection);
                }
                reached.extend(shared);
            }
        }
    }

    fn add(&mut self, layouts: Layouts<'_>, edge: &Edge, shared: &[Oid]) -> Result<(), Objection> {
        let (catalog, key) = (layouts.catalog, &edge.key);
        let (Some(child), Some(parent)) = (catalog.table(key.child), catalog.table(key.parent)) else {
            return Ok(());
        };
        let refuse = |code: Code, problem: String| Objection::new(code, edge.object(child), problem);
        if key.temporal {
            let problem = "references over periods of time are not followed".to_owned();
            return Err(refuse(Code::UnsupportedReference, problem));
        }
        if edge.within.is_some() {
            let problem = "keys within values are not followed where somebody is restored alone".to_owned();
            return Err(refuse(Code::UnsupportedReference, problem));
        }
        let undecidable = |problem: String| refuse(Code::UndecidableEquality, problem);
        let domains = domains(catalog, edge, parent, child).map_err(undecidable)?;
        let columns: Vec<AttNum> = key.columns.iter().map(|pair| pair.parent).collect();
        let definition = SetDefinition {
            tombstones: false,
            relation: key.parent,
            columns: columns.clone(),
            domains: domains.clone(),
        };
        let known = self.wanted.definitions.iter().position(|known| *known == definition);
        let set = match known {
            Some(set) => set,
            None => {
                self.wanted.definitions.push(definition);
                self.wanted.keys.push(KeySet::new(&domains));
                let set = self.wanted.keys.len() - 1;
                for leaf in shared {
                    let (fields, reader) =
                        layouts.reader_in(key.parent, &columns, *leaf, &domains).map_err(undecidable)?;
                    self.wanted.tables.entry(*leaf).or_default().push(Referred { fields, reader, set });
                }
                set
            }
        };
        let columns: Vec<AttNum> = key.columns.iter().map(|pair| pair.child).collect();
        for leaf in family::leaves(catalog, key.child) {
            let (fields, reader) =
                layouts.reader_in(key.child, &columns, leaf, &domains).map_err(undecidable)?;
            let guard = edge.when.as_ref().map(|when| layouts.guard(when, leaf));
            let guard = guard.transpose().map_err(undecidable)?;
            self.references.entry(leaf).or_default().push(Referring { fields, reader, guard, set });
        }
        Ok(())
    }

    /// The filters for every chunk.
    ///
    /// # Errors
    /// All objections, sorted: also if somebody who was asked for is not there, or may not come back.
    pub fn finish(mut self) -> Result<Filters, Vec<Objection>> {
        if self.objections.is_empty() && !self.due.is_empty() {
            self.objections.push(Objection::new(Code::OrderDependent, "the shared rows", "are not complete"));
        }
        if self.objections.is_empty() {
            for (label, (missing, all)) in self.owned.missing(&self.found) {
                let problem = format!(
                    "{missing} of the {all} that --only names have no row that may be restored: it is not in this snapshot, is erased, or refers to a row of others by which it goes"
                );
                self.objections.push(
                    Objection::new(Code::NobodyToRestore, label, problem)
                        .hint("look into an older snapshot (--snapshot @TIME), and at the keys; name those as well whose rows it belongs to (--only may be repeated)"),
                );
            }
        }
        if !self.objections.is_empty() {
            self.objections.sort();
            self.objections.dedup();
            return Err(self.objections);
        }
        self.filters.owned = Some(self.owned);
        self.filters.wanted = Some(self.wanted);
        Ok(self.filters)
    }
}

impl Scan for Shared {
    fn next_scan(&mut self) -> Option<Vec<Oid>> {
        if !self.objections.is_empty() || self.due.is_empty() {
            return None;
        }
        Some(std::mem::take(&mut self.due).into_iter().collect())
    }

    fn observe(&mut self, table: Oid, chunk: &[u8]) -> Result<(), Error> {
        let Self { filters, owned, wanted, references, due, found, .. } = self;
        let Some(rules) = filters.rules.get(&table) else { return Ok(()) };
        let referring = references.get(&table).map_or(&[][..], Vec::as_slice);
        let (mut scratch, mut key) = (Scratch::default(), KeyBuffer::default());
        for_each_row(rules, chunk, |row, _| {
            let unreadable = |cause| Error::Key { table: rules.name.clone(), cause };
            if !owned.owns(table, row, &mut scratch).map_err(unreadable)? {
                return Ok(());
            }
            let verdict = filters.judge(table, rules, row, &mut scratch).map_err(unreadable)?;
            let Some(changes) = verdict.changes() else { return Ok(()) };
            if !wanted.wants(table, row, changes, &mut key).map_err(unreadable)? {
                return Ok(());
            }
            owned.find(table, row, found, &mut key).map_err(unreadable)?;
            for reference in referring {
                if reference.read(row, changes, &mut key, &mut scratch.key).map_err(unreadable)?
                    && wanted.keys[reference.set].insert(&key)
                {
                    // A table whose rows refer to nothing need not be read: what is wanted of it is known.
                    let interior = |table: &Oid| references.contains_key(table);
                    due.extend(wanted.referred_by(reference.set).filter(interior));
                }
            }
            Ok(())
        })
    }
}

impl Wanted {
    /// Whether a row that no erasure takes is to come back. True for every row of a table that is not shared.
    pub(crate) fn wants(
        &self,
        table: Oid,
        row: &Row<'_>,
        changes: &[FieldChange],
        key: &mut KeyBuffer,
    ) -> Result<bool, ValueError> {
        let Some(referred) = self.tables.get(&table) else { return Ok(true) };
        for Referred { fields, reader, set } in referred {
            if self.keys[*set].is_empty() || changes.iter().any(|change| fields.contains(&change.field)) {
                continue;
            }
            if row.read_key(fields, reader, key)? && self.keys[*set].contains(key) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The shared tables that a set of keys is about.
    fn referred_by(&self, set: usize) -> impl Iterator<Item = Oid> {
        self.tables
            .iter()
            .filter(move |(_, referred)| referred.iter().any(|referred| referred.set == set))
            .map(|(table, _)| *table)
    }
}

impl Referring {
    /// Reads the key that the row, with these changes, refers to; false if it refers to nothing.
    fn read(
        &self,
        row: &Row<'_>,
        changes: &[FieldChange],
        key: &mut KeyBuffer,
        scratch: &mut KeyBuffer,
    ) -> Result<bool, ValueError> {
        let fields = self.guard.iter().flat_map(|guard| &guard.fields);
        if changes.iter().any(|change| fields.clone().any(|field| *field == change.field)) {
            return Ok(false);
        }
        Ok(new_key(row, changes, &self.fields, &self.reader, key)?
            && is_asked(self.guard.as_ref(), row, scratch)?)
    }
}
