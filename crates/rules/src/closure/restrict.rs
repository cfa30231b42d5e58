//! The closure for a few subjects alone: whose the rows are, and what that means for the keys that rows refer to.

use std::collections::BTreeSet;

use lethe_format::catalog::Catalog;
use lethe_format::manifest::TableData;
use lethe_format::reference::Reference;

use super::build::{self, Built};
use super::sets::Sets;
use super::subjects::BoundSubject;
use super::table_rules::{Effect, OnChange, TableRules};
use super::{Closure, Tombstones, edges, family, subjects};
use crate::key::{KeyBuffer, KeySet, ValueError};
use crate::objection::{Code, Objection};
use crate::only::Owned;
use crate::row_filter::Row;

impl Closure {
    /// Finds the rows that belong to these subjects: their own, and those that a reference which drops rows leads from
    /// to a row of theirs, directly or through others.
    ///
    /// What an erasure would change rather than drop says nothing about whose a row is, so no change is followed, and
    /// nothing can be refused or hang on an order.
    #[must_use]
    pub fn ownership(
        catalog: &Catalog,
        references: &[Reference],
        data: &[TableData],
        only: &[Tombstones],
    ) -> Self {
        let (edges, mut objections) = edges::edges(catalog, references);
        let within = edges.iter().filter(|edge| edge.within.is_some());
        objections.extend(within.map(|edge| {
            let table = catalog.table(edge.key.child);
            let object = table.map_or_else(|| edge.label(), |child| edge.object(child));
            let problem =
                "whose a row is cannot be told by keys within its values, so nobody can be restored alone";
            Objection::new(Code::UnsupportedReference, object, problem)
                .hint("restore everything into a database of its own, and take from there what is theirs")
        }));
        let mut bound = Vec::new();
        for tombstones in only {
            match subjects::bind(catalog, tombstones) {
                Ok(subject) => bound.push(subject),
                Err(objection) => objections.push(objection),
            }
        }
        let mut built = build::build(catalog, &edges, data, bound, Vec::new(), std::iter::empty());
        objections.extend(built.objections);
        for rules in built.rules.values_mut() {
            rules.probes.retain(|probe| matches!(probe.on_drop, Effect::Drop));
            rules.probes.iter_mut().for_each(|probe| probe.on_change = OnChange::Never);
            rules.scan = rules.emits.iter().any(|emit| !emit.prefilled);
        }
        Self::of_rules(built.rules, built.sets, objections)
    }

    /// What [`Self::ownership`] found, when its scans are done.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn into_owned(self) -> Result<Owned, Vec<Objection>> {
        let filters = self.finish()?;
        Ok(Owned::new(filters.rules, filters.sets))
    }
}

/// The kinds of subjects without their keys: the closure starts from their tables, though none of theirs is erased.
pub(super) fn nobody(owned: &Owned) -> impl Iterator<Item = BoundSubject> {
    owned.kinds().into_values().map(|(label, definition)| BoundSubject {
        label: label.to_owned(),
        table: definition.relation,
        columns: definition.columns.clone(),
        domains: definition.domains.clone(),
        keys: KeySet::new(&definition.domains),
    })
}

/// Lets rows of others count as gone: where every reference leads to a row that is there, whatever has a key that is not
/// theirs; elsewhere by the keys of others, which have to be collected.
pub(super) fn restrict(built: &mut Built, catalog: &Catalog, owned: &Owned) {
    let Built { rules, sets, unchecked, .. } = built;
    let mut collected = BTreeSet::new();
    for (set, definition) in sets.definitions.iter().enumerate() {
        let leaves = family::leaves(catalog, definition.relation);
        let restricted = leaves.iter().filter(|leaf| owned.restricts(**leaf)).count();
        if definition.tombstones || restricted == 0 {
            continue;
        }
        if restricted == leaves.len() && !unchecked.contains(&set) {
            let keys = owned.keys(definition).cloned();
            sets.only[set] = Some(keys.unwrap_or_else(|| KeySet::new(&definition.domains)));
        } else {
            collected.insert(set);
        }
    }
    for rules in rules.values_mut().filter(|rules| owned.restricts(rules.table)) {
        for emit in rules.emits.iter_mut().filter(|emit| collected.contains(&emit.set)) {
            emit.prefilled = false;
            // Whatever is erased, others' rows have to be seen.
            (rules.read, rules.scan) = (true, true);
        }
    }
}

/// Notes the keys of a row of others where they have to be collected.
pub(super) fn record_others(
    rules: &TableRules,
    sets: &mut Sets,
    row: &Row<'_>,
    key: &mut KeyBuffer,
) -> Result<bool, ValueError> {
    let mut grew = false;
    for emit in rules.emits.iter().filter(|emit| !emit.prefilled) {
        if sets.only[emit.set].is_none() && row.read_key(&emit.fields, &emit.reader, key)? {
            grew |= sets.dropped[emit.set].insert(key);
        }
    }
    Ok(grew)
}
