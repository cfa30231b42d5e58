//! Columns that refer to large objects.

use lethe_format::catalog::{AttNum, Catalog, Column, Table, TableKind, TypeKind};
use lethe_format::reference::TableColumns;

use crate::objection::{Code, Objection};

/// How a column holds an object's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    Oid,
    Int4,
    Int8,
    /// In decimal digits, as some frameworks do.
    Text,
}

pub(super) fn number(catalog: &Catalog, column: &Column) -> Option<Number> {
    let base = catalog.base_type(column.type_oid)?;
    if base.name.schema != "pg_catalog" {
        return None;
    }
    Some(match base.name.name.as_str() {
        "oid" => Number::Oid,
        "int4" => Number::Int4,
        "int8" => Number::Int8,
        "text" | "varchar" | "bpchar" => Number::Text,
        _ => return None,
    })
}

/// Columns of the domain `lo`, in whatever schema the extension has it: they refer to large objects by what they are.
#[must_use]
pub fn by_type(catalog: &Catalog) -> Vec<TableColumns> {
    let is_lo = |column: &&Column| {
        catalog
            .types
            .get(&column.type_oid)
            .is_some_and(|found| found.name.name == "lo" && matches!(found.kind, TypeKind::Domain { .. }))
            && number(catalog, column) == Some(Number::Oid)
    };
    // Partitions are found through their parents.
    let own = |table: &&Table| table.partition_of.is_none() && table.kind != TableKind::Foreign;
    let tables = catalog.tables.iter().filter(own);
    tables
        .flat_map(|table| {
            let of = |column: &Column| TableColumns {
                table: table.name.clone(),
                columns: vec![column.name.clone()],
            };
            table.columns.iter().filter(is_lo).map(of)
        })
        .collect()
}

/// Those of the named columns that are there and can hold an object's number, and an objection to each other one.
#[must_use]
pub fn known(catalog: &Catalog, named: &[TableColumns]) -> (Vec<TableColumns>, Vec<Objection>) {
    let (mut known, mut objections) = (Vec::new(), Vec::new());
    for columns in named {
        let object = format!("large objects of {}({})", columns.table, columns.columns.join(", "));
        match find(catalog, columns) {
            None => {
                let problem = "the snapshot has no such table and column";
                objections.push(Objection::new(Code::UnknownReference, object, problem).hint(
                    "a table or column that was renamed needs a [[large_object]] for each of its names",
                ));
            }
            Some((_, column)) if number(catalog, column).is_none() => {
                let problem = "its type holds no number of a large object";
                objections.push(Objection::new(Code::UnsupportedReference, object, problem));
            }
            Some(_) => known.push(columns.clone()),
        }
    }
    (known, objections)
}

pub(super) fn find<'a>(catalog: &'a Catalog, named: &TableColumns) -> Option<(&'a Table, &'a Column)> {
    let [name] = named.columns.as_slice() else { return None };
    let table = catalog.table_named(&named.table)?;
    Some((table, table.column_named(name)?))
}

pub(super) fn attnum(
    catalog: &Catalog,
    named: &TableColumns,
) -> Option<(lethe_format::ids::Oid, AttNum, Number)> {
    let (table, column) = find(catalog, named)?;
    Some((table.oid, column.attnum, number(catalog, column)?))
}
