//! Columns that an application keeps up itself and that tell of other rows: counters, sums, text to search in. A restore leaves rows out
//! and computes nothing of an application's anew, so these may be stale. The server's own derived data is another matter: generated
//! columns, indexes and materialised views are made from what was loaded.

use std::collections::BTreeSet;

use lethe_format::catalog::{Catalog, Column, Table, TypeKind};
use lethe_format::ids::Oid;
use lethe_format::reference::Reference;
use serde::{Deserialize, Serialize};

use crate::closure::{all_references, family};
use crate::coverage::names::{singular, words};

/// A column that may say what is no longer so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct MayBeStale {
    pub table: String,
    pub column: String,
    pub why: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It counts or sums up rows of a table of which some are gone, or tells of the last one.
    Counter,
    /// It is searched in instead of rows of which some are gone, or were changed.
    Search,
}

/// What a name of a counter ends in or begins with.
const COUNTERS: &[&str] = &[
    "count", "counts", "counter", "cnt", "total", "totals", "sum", "balance", "average", "avg", "rating",
    "score", "points",
];
const LAST: &[&str] = &["last", "latest", "newest"];
const SEARCH: &[&str] = &["search", "searchable", "tsv", "tsvector", "fulltext", "keywords"];

/// By names and types, of the tables that are connected with those of which rows were left out (`dropped`), or with values of which
/// others came in their place (`changed`).
#[must_use]
pub fn may_be_stale(
    catalog: &Catalog,
    references: &[Reference],
    dropped: &BTreeSet<Oid>,
    changed: &BTreeSet<Oid>,
) -> Vec<MayBeStale> {
    let edges = all_references(catalog, references);
    let holds = |relation: Oid, tables: &BTreeSet<Oid>| {
        family::leaves(catalog, relation).iter().any(|leaf| tables.contains(leaf))
    };
    let mut stale = BTreeSet::new();
    for table in catalog.tables.iter().filter(|table| table.partition_of.is_none()) {
        let children: Vec<Oid> =
            edges.iter().filter(|edge| edge.key.parent == table.oid).map(|edge| edge.key.child).collect();
        let parents = edges.iter().filter(|edge| edge.key.child == table.oid).map(|edge| edge.key.parent);
        let lost_children: Vec<Oid> =
            children.iter().copied().filter(|child| holds(*child, dropped)).collect();
        let beside = lost_children.iter().copied().chain(parents);
        let touched = holds(table.oid, changed)
            || beside.into_iter().any(|other| holds(other, dropped) || holds(other, changed));
        for column in table.copied_columns() {
            let why = if counts(catalog, (table, column), &children, &lost_children, dropped) {
                Kind::Counter
            } else if touched && is_searched(catalog, column) {
                Kind::Search
            } else {
                continue;
            };
            stale.insert(MayBeStale { table: table.name.to_string(), column: column.name.clone(), why });
        }
    }
    stale.into_iter().collect()
}

/// Whether the column may count rows that are gone: rows of the table that its name says, or else of any that refers to this one.
fn counts(
    catalog: &Catalog,
    (table, column): (&Table, &Column),
    children: &[Oid],
    lost_children: &[Oid],
    dropped: &BTreeSet<Oid>,
) -> bool {
    let words = words(&column.name);
    let base = catalog.base_type(column.type_oid).map(|base| base.name.name.as_str());
    let is_number =
        matches!(base, Some("int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "money"));
    let sums = is_number && words.iter().any(|word| COUNTERS.contains(&word.as_str()));
    // But a last name is somebody's own.
    let tells_of_last = words.first().is_some_and(|word| LAST.contains(&word.as_str()))
        && words.get(1).is_some_and(|word| word != "name");
    if !sums && !tells_of_last {
        return false;
    }
    let is_named = |other: &&Table| {
        let name = self::words(&other.name.name).pop().unwrap_or_default();
        other.oid != table.oid && words.iter().any(|word| singular(word) == singular(&name))
    };
    let is_one = |other: &&Table| other.partition_of.is_none();
    let mut named = catalog.tables.iter().filter(is_one).filter(is_named).peekable();
    if named.peek().is_some() {
        let is_gone =
            |other: &Table| family::leaves(catalog, other.oid).iter().any(|leaf| dropped.contains(leaf));
        return named.any(is_gone);
    }
    !children.is_empty() && !lost_children.is_empty()
}

fn is_searched(catalog: &Catalog, column: &Column) -> bool {
    let Some(base) = catalog.base_type(column.type_oid) else { return false };
    let is_text = matches!(base.name.name.as_str(), "text" | "varchar" | "jsonb" | "json")
        || matches!(base.kind, TypeKind::Array { .. });
    base.name.name == "tsvector"
        || (is_text && words(&column.name).iter().any(|word| SEARCH.contains(&word.as_str())))
}
