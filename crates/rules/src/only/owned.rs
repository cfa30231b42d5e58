//! Which rows belong to the subjects that are restored alone.

use std::collections::BTreeMap;

use lethe_format::ids::Oid;

use crate::closure::{Scratch, SetDefinition, Sets, TableRules, is_hit};
use crate::key::{KeyBuffer, KeySet, ValueError};
use crate::row_filter::Row;

/// The finished ownership: what is asked of each row of a table of which rows can be somebody's.
#[derive(Debug, Default)]
pub struct Owned {
    rules: BTreeMap<Oid, TableRules>,
    sets: Sets,
}

impl Owned {
    /// From rules in which every probe drops the row, and sets that hold the keys of what is dropped.
    pub(crate) fn new(mut rules: BTreeMap<Oid, TableRules>, sets: Sets) -> Self {
        rules.retain(|_, rules| !rules.probes.is_empty());
        Self { rules, sets }
    }

    /// Whether rows of this table are somebody's, so that those of others do not come back.
    pub(crate) fn restricts(&self, table: Oid) -> bool {
        self.rules.contains_key(&table)
    }

    pub(crate) fn restricted(&self) -> impl Iterator<Item = Oid> {
        self.rules.keys().copied()
    }

    /// Whether the row is theirs. True for every row of a shared table, which is nobody's.
    pub(crate) fn owns(&self, table: Oid, row: &Row<'_>, scratch: &mut Scratch) -> Result<bool, ValueError> {
        self.rules.get(&table).map_or(Ok(true), |rules| is_hit(rules, &self.sets, row, scratch))
    }

    /// All keys of theirs that others may refer to by this definition.
    pub(crate) fn keys(&self, definition: &SetDefinition) -> Option<&KeySet> {
        self.sets.find(definition).map(|set| &self.sets.dropped[set])
    }

    /// Whether the row is that of one of the subjects themselves; then its key goes into `found`.
    pub(crate) fn find(
        &self,
        table: Oid,
        row: &Row<'_>,
        found: &mut BTreeMap<usize, KeySet>,
        key: &mut KeyBuffer,
    ) -> Result<(), ValueError> {
        for probe in self.subject_probes(table) {
            if row.read_key(&probe.fields, &probe.reader, key)? && self.sets.dropped[probe.set].contains(key)
            {
                let domains = &self.sets.definitions[probe.set].domains;
                found.entry(probe.set).or_insert_with(|| KeySet::new(domains)).insert(key);
            }
        }
        Ok(())
    }

    /// The tables that hold the subjects' own rows.
    pub(crate) fn subject_tables(&self) -> impl Iterator<Item = Oid> {
        self.restricted().filter(|table| self.subject_probes(*table).next().is_some())
    }

    /// What the subjects' keys are about, each kind once, with its label.
    pub(crate) fn kinds(&self) -> BTreeMap<usize, (&str, &SetDefinition)> {
        let probes = self.restricted().flat_map(|table| self.subject_probes(table));
        probes.map(|probe| (probe.set, (probe.label.as_str(), &self.sets.definitions[probe.set]))).collect()
    }

    /// Each kind of subject by its label, with the number of keys of which no row is among the found ones.
    pub(crate) fn missing(&self, found: &BTreeMap<usize, KeySet>) -> BTreeMap<String, (u64, u64)> {
        let count = |(set, (label, _)): (usize, (&str, _))| {
            let all = self.sets.dropped[set].len();
            let here = found.get(&set).map_or(0, KeySet::len);
            (here < all).then(|| (label.to_owned(), (all - here, all)))
        };
        self.kinds().into_iter().filter_map(count).collect()
    }

    fn subject_probes(&self, table: Oid) -> impl Iterator<Item = &crate::closure::Probe> {
        self.rules.get(&table).into_iter().flat_map(|rules| &rules.probes).filter(|probe| probe.is_subject)
    }
}
