//! What a manifest must be beside well-formed, so that whoever works with it need not ask again.
//!
//! A manifest may have been written by anybody who knows the repository's recipients, which are public. Nothing in it
//! becomes the name of an object or of a local file, but its numbers are added up, its lengths are allocated, its oids are
//! looked up, and its names stand in statements.

use std::collections::{BTreeMap, BTreeSet};

use super::{Chunk, DOCUMENT, LONGEST_CHUNK, Manifest};
use crate::Error;
use crate::catalog::{AttNum, QualifiedName, Table, TableKind};
use crate::ids::Oid;
use crate::reference::TableColumns;

/// Rows, bytes and sequence numbers are all added up somewhere; their sums must not come near the end of 64 bits.
const LARGEST_SUM: u64 = 1 << 60;

pub(super) fn check(manifest: &Manifest) -> Result<(), Error> {
    let tables = tables(manifest)?;
    data(manifest, &tables)?;
    foreign_keys(manifest, &tables)?;
    references(manifest)?;
    chunks(manifest)?;
    names(manifest)
}

fn wrong(problem: impl ToString) -> Error {
    Error::malformed(DOCUMENT, problem)
}

/// A table by its oid, with its columns.
type Tables<'a> = BTreeMap<Oid, (&'a Table, BTreeSet<AttNum>)>;

fn tables(manifest: &Manifest) -> Result<Tables<'_>, Error> {
    let mut tables = Tables::new();
    let mut names = BTreeSet::new();
    for table in &manifest.catalog.tables {
        let columns: BTreeSet<AttNum> = table.columns.iter().map(|column| column.attnum).collect();
        if columns.len() != table.columns.len() {
            return Err(wrong(format!("{} has two columns of one number", table.name)));
        }
        let keys = table.unique_keys.iter().flat_map(|key| &key.columns);
        let checks = table.checks.iter().flat_map(|check| &check.columns);
        let mut named = keys.chain(checks).chain(&table.partition_columns);
        // System columns have negative numbers.
        if let Some(column) = named.find(|column| **column > 0 && !columns.contains(column)) {
            return Err(wrong(format!("{} has no column {column}", table.name)));
        }
        if !names.insert(&table.name) {
            return Err(wrong(format!("{} is there twice", table.name)));
        }
        if tables.insert(table.oid, (table, columns)).is_some() {
            return Err(wrong(format!("two tables have number {}", table.oid)));
        }
    }
    Ok(tables)
}

/// Which rows are stored.
fn data(manifest: &Manifest, tables: &Tables<'_>) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for data in &manifest.tables {
        let (table, columns) = tables
            .get(&data.table)
            .ok_or_else(|| wrong(format!("table {} is not in its catalog", data.table)))?;
        if !seen.insert(data.table) {
            return Err(wrong(format!("the rows of {} are there twice", table.name)));
        }
        if table.kind != TableKind::Plain {
            return Err(wrong(format!("{} has rows and cannot have any", table.name)));
        }
        if let Some(column) = data.columns.iter().find(|column| !columns.contains(column)) {
            return Err(wrong(format!("{} has no column {column}", table.name)));
        }
        if data.columns.iter().collect::<BTreeSet<_>>().len() != data.columns.len() {
            return Err(wrong(format!("the rows of {} have one column twice", table.name)));
        }
    }
    Ok(())
}

fn foreign_keys(manifest: &Manifest, tables: &Tables<'_>) -> Result<(), Error> {
    for key in &manifest.catalog.foreign_keys {
        let wrong = |problem: &str| wrong(format!("foreign key {:?} {problem}", key.name));
        let (Some((_, child)), Some((_, parent))) = (tables.get(&key.child), tables.get(&key.parent)) else {
            return Err(wrong("has a table that is not there"));
        };
        let complete =
            key.columns.iter().all(|pair| child.contains(&pair.child) && parent.contains(&pair.parent));
        if key.columns.is_empty() || !complete || key.set_columns.iter().any(|column| !child.contains(column))
        {
            return Err(wrong("has a column that is not there"));
        }
    }
    Ok(())
}

fn references(manifest: &Manifest) -> Result<(), Error> {
    for reference in &manifest.references {
        let there = |side: &TableColumns| {
            let table = manifest.catalog.table_named(&side.table);
            table.is_some_and(|table| side.columns.iter().all(|name| table.column_named(name).is_some()))
        };
        if !there(&reference.from) || !there(&reference.to) {
            return Err(wrong(format!("reference {reference:?} names something that is not there")));
        }
    }
    Ok(())
}

fn chunks(manifest: &Manifest) -> Result<(), Error> {
    let mut sum = 0_u64;
    for Chunk { name, stored, plain_len, rows, .. } in manifest.all_chunks() {
        if *plain_len > LONGEST_CHUNK {
            return Err(wrong(format!("chunk {name} has {plain_len} bytes, more than any chunk can have")));
        }
        // A row has a byte at least: its newline or its number of fields.
        if rows > plain_len || (*rows == 0) != (*plain_len == 0) {
            return Err(wrong(format!("chunk {name} has {rows} rows in {plain_len} bytes")));
        }
        sum = sum.saturating_add(*plain_len).saturating_add(stored.len);
    }
    if sum > LARGEST_SUM {
        return Err(wrong("its chunks have more bytes than any store"));
    }
    if manifest.ledger_head.seq > LARGEST_SUM || manifest.ledger_seq_after > LARGEST_SUM {
        return Err(wrong("it names an entry of the ledger that no ledger can have"));
    }
    let mut objects = BTreeSet::new();
    match manifest.large_objects.objects.iter().find(|object| !objects.insert(object.oid)) {
        Some(object) => Err(wrong(format!("large object {} is there twice", object.oid))),
        None => Ok(()),
    }
}

/// Every name that may come to stand in a statement. PostgreSQL has no name with a zero byte, and none without a
/// character.
fn names(manifest: &Manifest) -> Result<(), Error> {
    let qualified = |name: &QualifiedName| [name.schema.clone(), name.name.clone()];
    let catalog = &manifest.catalog;
    let tables = catalog.tables.iter().flat_map(|table| {
        let columns = table.columns.iter().map(|column| column.name.clone());
        let keys = table.unique_keys.iter().map(|key| key.name.clone());
        qualified(&table.name).into_iter().chain(columns).chain(keys)
    });
    let keys = catalog.foreign_keys.iter().map(|key| key.name.clone());
    let types = catalog.types.values().flat_map(|of| qualified(&of.name));
    let sequences = manifest.sequences.iter().flat_map(|sequence| qualified(&sequence.name));
    let views = manifest.populated_views.iter().flat_map(qualified);
    let extensions = manifest.extensions.iter().map(|extension| extension.name.clone());
    let owners = manifest.large_objects.objects.iter().map(|object| object.owner.clone());
    let others = manifest.roles.iter().chain(&manifest.tablespaces).cloned();
    let mut all = tables
        .chain(keys)
        .chain(types)
        .chain(sequences)
        .chain(views)
        .chain(extensions)
        .chain(owners)
        .chain(others);
    match all.find(|name| name.is_empty() || name.contains('\0')) {
        Some(_) => Err(wrong("a name in it is empty or holds a zero byte")),
        None => Ok(()),
    }
}
