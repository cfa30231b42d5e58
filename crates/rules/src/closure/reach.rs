//! Which references an erasure can reach at all: the static half of the closure, without looking at any row.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::{Action, AttNum, Catalog, ForeignKey, Table};
use lethe_format::ids::Oid;

use super::edges::Edge;
use super::family;

/// What may happen to the rows of each table, and through which references.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// Tables of which rows may be dropped.
    pub droppable: BTreeSet<Oid>,
    /// Columns that may be changed in surviving rows, by table.
    pub changeable: BTreeMap<Oid, BTreeSet<AttNum>>,
    /// Indexes into the edges.
    pub edges: BTreeSet<usize>,
}

/// Follows the references from the subjects' tables until nothing new is reached.
pub(super) fn reach(
    catalog: &Catalog,
    edges: &[Edge],
    subject_tables: impl IntoIterator<Item = Oid>,
) -> Reach {
    let mut reach = Reach { droppable: subject_tables.into_iter().collect(), ..Reach::default() };
    let families: Vec<(Vec<Oid>, Vec<Oid>)> = edges
        .iter()
        .map(|Edge { key, .. }| (family::leaves(catalog, key.parent), family::leaves(catalog, key.child)))
        .collect();
    loop {
        let before = (reach.droppable.len(), reach.changeable.values().map(BTreeSet::len).sum::<usize>());
        for (index, edge) in edges.iter().enumerate() {
            let key = &edge.key;
            let (parents, children) = &families[index];
            if parents.iter().any(|parent| reach.droppable.contains(parent)) {
                reach.edges.insert(index);
                match key.on_delete {
                    Action::NoAction | Action::Restrict | Action::Cascade => reach.droppable.extend(children),
                    Action::SetNull | Action::SetDefault => {
                        let columns: Vec<AttNum> =
                            edge.changes_on_delete().into_iter().map(|(column, _)| column).collect();
                        reach.change(catalog, key, children, &columns)
                    }
                }
            }
            let changed = reach.changed_pairs(catalog, key, parents);
            if !changed.is_empty() {
                reach.edges.insert(index);
                match key.on_update {
                    Action::NoAction | Action::Restrict => {}
                    Action::Cascade => reach.change(catalog, key, children, &changed),
                    Action::SetNull | Action::SetDefault => {
                        reach.change(catalog, key, children, &all_columns(key))
                    }
                }
            }
        }
        let after = (reach.droppable.len(), reach.changeable.values().map(BTreeSet::len).sum::<usize>());
        if before == after {
            return reach;
        }
    }
}

impl Reach {
    fn change(&mut self, catalog: &Catalog, key: &ForeignKey, children: &[Oid], columns: &[AttNum]) {
        for child in children {
            if let Some(mapped) = columns_in(catalog, key.child, columns, *child) {
                self.changeable.entry(*child).or_default().extend(mapped);
            }
        }
    }

    /// The referencing columns whose referenced ones may change.
    fn changed_pairs(&self, catalog: &Catalog, key: &ForeignKey, parents: &[Oid]) -> Vec<AttNum> {
        let may_change = |column: AttNum| {
            parents.iter().any(|parent| {
                let mapped = columns_in(catalog, key.parent, &[column], *parent);
                let changed = self.changeable.get(parent);
                mapped.zip(changed).is_some_and(|(mapped, changed)| changed.contains(&mapped[0]))
            })
        };
        key.columns.iter().filter(|pair| may_change(pair.parent)).map(|pair| pair.child).collect()
    }
}

/// The columns that `ON DELETE SET …` changes.
pub(super) fn set_columns(key: &ForeignKey) -> Vec<AttNum> {
    if key.set_columns.is_empty() { all_columns(key) } else { key.set_columns.clone() }
}

pub(super) fn all_columns(key: &ForeignKey) -> Vec<AttNum> {
    key.columns.iter().map(|pair| pair.child).collect()
}

/// The same columns in a partition, whose attribute numbers may differ: PostgreSQL matches them by name.
pub(crate) fn columns_in(
    catalog: &Catalog,
    relation: Oid,
    columns: &[AttNum],
    leaf: Oid,
) -> Option<Vec<AttNum>> {
    if relation == leaf {
        return Some(columns.to_vec());
    }
    let (from, to): (&Table, &Table) = (catalog.table(relation)?, catalog.table(leaf)?);
    columns.iter().map(|column| Some(to.column_named(&from.column(*column)?.name)?.attnum)).collect()
}
