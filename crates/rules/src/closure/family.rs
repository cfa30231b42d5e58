//! Which tables hold the rows that a name in SQL stands for.

use lethe_format::catalog::{Catalog, Table, TableKind};
use lethe_format::ids::Oid;

/// The tables with rows of their own that a foreign key on `relation` is about: itself, or all leaf partitions.
///
/// Inheritance children are left out: referential actions run with `ONLY` (`ri_triggers.c`).
pub(crate) fn leaves(catalog: &Catalog, relation: Oid) -> Vec<Oid> {
    below(catalog, relation, |table, parent| table.partition_of == Some(parent))
}

/// The tables that `DELETE FROM relation` reaches: partitions, and children by inheritance.
pub(crate) fn reached_by_delete(catalog: &Catalog, relation: Oid) -> Vec<Oid> {
    below(catalog, relation, |table, parent| {
        table.partition_of == Some(parent) || table.inherits.contains(&parent)
    })
}

fn below(catalog: &Catalog, relation: Oid, is_child: impl Fn(&Table, Oid) -> bool) -> Vec<Oid> {
    let mut found = vec![relation];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        for table in catalog.tables.iter().filter(|table| is_child(table, parent)) {
            // A table that inherits from two parents is reached twice.
            if !found.contains(&table.oid) {
                found.push(table.oid);
            }
        }
    }
    found.retain(|oid| catalog.table(*oid).is_some_and(|table| table.kind == TableKind::Plain));
    found
}
