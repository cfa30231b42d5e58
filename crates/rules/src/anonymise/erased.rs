//! Columns that the ledger says are erased as a whole: in every row, whoever it is about.

use std::collections::BTreeMap;

use lethe_format::catalog::Catalog;
use lethe_format::ids::Oid;
use lethe_format::manifest::TableData;

use super::bind::{fill, refusal};
use super::{Fill, Replacement};
use crate::closure::{Edge, family};
use crate::ledger::ErasedColumn;
use crate::objection::{Code, Objection};

/// New values of fields, for every row of a table.
pub(crate) type ErasedFields = BTreeMap<Oid, Vec<(usize, Fill)>>;

/// NULL, or where the column does not take one, a random value. What this snapshot does not have needs nothing.
pub(crate) fn bind(
    (catalog, edges): (&Catalog, &[Edge]),
    data: &[TableData],
    columns: &[ErasedColumn],
) -> (ErasedFields, Vec<Objection>) {
    let (mut fields, mut objections) = (ErasedFields::new(), Vec::new());
    for erased in columns {
        let Some(table) = catalog.table_named(&erased.table) else { continue };
        for leaf in family::reached_by_delete(catalog, table.oid) {
            match field((catalog, edges), data, leaf, &erased.column) {
                Ok(Some(field)) => fields.entry(leaf).or_default().push(field),
                Ok(None) => {}
                Err(problem) => {
                    let object = format!("the erased column {}.{}", erased.table, erased.column);
                    objections.push(Objection::new(Code::MaskRefused, object, problem).hint(
                        "take it off the ledger (lethe tombstone revoke-columns), and erase what the values are made of, or whom they are about",
                    ));
                }
            }
        }
    }
    (fields, objections)
}

fn field(
    (catalog, edges): (&Catalog, &[Edge]),
    data: &[TableData],
    leaf: Oid,
    name: &str,
) -> Result<Option<(usize, Fill)>, String> {
    let Some((table, layout)) = catalog.table(leaf).zip(data.iter().find(|data| data.table == leaf)) else {
        return Ok(None);
    };
    let Some(column) = table.column_named(name) else { return Ok(None) };
    let Some(position) = layout.columns.iter().position(|stored| *stored == column.attnum) else {
        return Err("it is computed by the server from other columns".to_owned());
    };
    let replacement = match refusal((catalog, edges), table, column, &Replacement::Null) {
        None => Replacement::Null,
        Some(problem) => match refusal((catalog, edges), table, column, &Replacement::Random) {
            None => Replacement::Random,
            Some(_) => return Err(problem),
        },
    };
    Ok(Some((position, fill(catalog, table, layout, column, &replacement)?)))
}
