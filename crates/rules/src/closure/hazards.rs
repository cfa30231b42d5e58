//! Changes that the server would refuse, or of which nobody can tell without asking it.

use lethe_format::catalog::{AttNum, Catalog, Column, ForeignKey, Table, TypeKind};

use super::build::breaks_full_match;
use super::edges::Edge;
use super::reach::columns_in;
use super::table_rules::NewField;
use crate::check_expression::holds_for_null;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NewValue {
    Null,
    Constant,
    /// Made up, and another one for each row.
    Made,
    /// What is left of the old value.
    Remainder,
}

impl NewValue {
    pub(super) fn of(becomes: &NewField) -> Self {
        match becomes {
            NewField::Null => Self::Null,
            NewField::Constant { .. } => Self::Constant,
            NewField::Made(_) => Self::Made,
            NewField::Without(_) => Self::Remainder,
        }
    }

    /// Whether a value is there that was not there before.
    fn is_new(self) -> bool {
        self != Self::Null
    }
}

/// Why a change of these columns of a leaf table would be refused, or might be; none if it is certainly accepted.
///
/// A row that is changed in spite of a refusal would make the restore differ from what the server does, so the plan
/// objects as soon as one row is hit.
pub(super) fn refusal(
    catalog: &Catalog,
    edges: &[Edge],
    table: &Table,
    key: &ForeignKey,
    values: &[(AttNum, NewValue)],
) -> Option<String> {
    let new_value =
        |attnum: AttNum| values.iter().find(|(changed, _)| *changed == attnum).map(|(_, value)| *value);
    for (attnum, value) in values {
        let Some(column) = table.column(*attnum) else { continue };
        if *value == NewValue::Null
            && let Some(problem) = refuses_null(catalog, table, column)
        {
            return Some(problem);
        }
        let is_domain =
            |oid| matches!(catalog.types.get(oid).map(|found| &found.kind), Some(TypeKind::Domain { .. }));
        if *value == NewValue::Remainder && is_domain(&column.type_oid) {
            return Some(format!(
                "it would take something out of {}.{}, which its domain may not allow",
                table.name, column.name
            ));
        }
    }
    for check in &table.checks {
        let touched: Vec<NewValue> = check.columns.iter().filter_map(|column| new_value(*column)).collect();
        let safe = touched.iter().all(|value| *value == NewValue::Null) && holds_for_null(&check.expression);
        if !touched.is_empty() && !safe {
            return Some(format!(
                "the check constraint {} of {} may not allow the change",
                check.name, table.name
            ));
        }
    }
    for unique in &table.unique_keys {
        let values = || unique.columns.iter().filter_map(|column| new_value(*column));
        let may_be_there = values().any(NewValue::is_new) && !values().any(|value| value == NewValue::Made);
        let nulled = values().any(|value| value == NewValue::Null);
        if may_be_there || (nulled && unique.nulls_not_distinct) {
            return Some(format!(
                "the unique key {} of {} may not allow the change",
                unique.name, table.name
            ));
        }
    }
    if is_partition_key(catalog, table, &|column| new_value(column).is_some()) {
        return Some(format!("it would change a partition key of {}", table.name));
    }
    other_keys(catalog, edges, table, key, &new_value)
}

/// Why the column itself does not take a NULL, or may not.
pub(crate) fn refuses_null(catalog: &Catalog, table: &Table, column: &Column) -> Option<String> {
    let change = || format!("it would set {}.{} to NULL", table.name, column.name);
    if column.not_null {
        return Some(format!("{}, which is declared NOT NULL", change()));
    }
    domain_rejects_null(catalog, column.type_oid)
        .then(|| format!("{}, which its domain may not allow", change()))
}

fn other_keys(
    catalog: &Catalog,
    edges: &[Edge],
    table: &Table,
    changing: &ForeignKey,
    new_value: &impl Fn(AttNum) -> Option<NewValue>,
) -> Option<String> {
    let keys = || edges.iter().map(|edge| &edge.key);
    for edge in edges.iter().filter(|edge| belongs_to(catalog, table, &edge.key)) {
        let key = &edge.key;
        let mapped =
            |attnum: AttNum| columns_in(catalog, key.child, &[attnum], table.oid).map(|mapped| mapped[0]);
        let value = |attnum: AttNum| mapped(attnum).and_then(new_value);
        if breaks_full_match(key, |attnum| value(attnum) == Some(NewValue::Null)) {
            return Some(format!(
                "it would set only a part of the key of {} to NULL, which MATCH FULL forbids",
                key.name
            ));
        }
        let same = key.name == changing.name && key.child == changing.child;
        let defaulted = key.columns.iter().any(|pair| value(pair.child).is_some_and(NewValue::is_new));
        // What is left of a value refers to less than before, where a key stands within it.
        if !same && defaulted && edge.within.is_none() {
            return Some(format!("the new value would have to satisfy {} as well", key.name));
        }
        let is_referenced = |referencing: &ForeignKey| {
            let parent = |attnum: AttNum| {
                columns_in(catalog, referencing.parent, &[attnum], table.oid).map(|mapped| mapped[0])
            };
            let defaulted = |attnum: AttNum| parent(attnum).and_then(new_value).is_some_and(NewValue::is_new);
            is_leaf_of(catalog, table, referencing.parent)
                && referencing.columns.iter().any(|pair| defaulted(pair.parent))
        };
        if let Some(referencing) = keys().find(|key| is_referenced(key)) {
            return Some(format!("it would give a new value to a key that {} refers to", referencing.name));
        }
    }
    None
}

fn belongs_to(catalog: &Catalog, table: &Table, key: &ForeignKey) -> bool {
    is_leaf_of(catalog, table, key.child)
}

fn is_leaf_of(catalog: &Catalog, table: &Table, relation: lethe_format::ids::Oid) -> bool {
    let mut current = Some(table);
    while let Some(table) = current {
        if table.oid == relation {
            return true;
        }
        current = table.partition_of.and_then(|parent| catalog.table(parent));
    }
    false
}

/// Whether one of the changed columns decides which partition a row of this leaf belongs to.
pub(crate) fn is_partition_key(catalog: &Catalog, table: &Table, changes: &impl Fn(AttNum) -> bool) -> bool {
    let mut ancestor = table.partition_of.and_then(|parent| catalog.table(parent));
    while let Some(partitioned) = ancestor {
        let mapped = columns_in(catalog, partitioned.oid, &partitioned.partition_columns, table.oid)
            .unwrap_or_default();
        if mapped.iter().any(|column| changes(*column)) {
            return true;
        }
        ancestor = partitioned.partition_of.and_then(|parent| catalog.table(parent));
    }
    false
}

pub(super) fn domain_rejects_null(catalog: &Catalog, oid: lethe_format::ids::Oid) -> bool {
    match catalog.types.get(&oid).map(|found| &found.kind) {
        Some(TypeKind::Domain { base, accepts_null }) => !accepts_null || domain_rejects_null(catalog, *base),
        _ => false,
    }
}
