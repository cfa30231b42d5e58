//! Looks at the rows that refer to large objects: at those that come back, and at the others.

use std::collections::BTreeMap;

use lethe_format::catalog::Catalog;
use lethe_format::ids::Oid;
use lethe_format::manifest::{CopyFormat, TableData};
use lethe_format::reference::TableColumns;
use roaring::RoaringBitmap;

use super::columns::{self, Number};
use crate::closure::{Layouts, Scratch, TableRules, columns_in, family};
use crate::key::ValueError;
use crate::objection::{Code, Objection};
use crate::row_filter::{Error, Filters, Row, for_each_row};
use crate::scan::Scan;

/// The numbers that rows hold; an object may be among both.
#[derive(Debug, Default)]
pub struct Referred {
    pub kept: RoaringBitmap,
    pub dropped: RoaringBitmap,
}

/// What the rows refer to, while they are being read.
#[derive(Debug)]
pub struct Owners<'a> {
    filters: &'a Filters,
    tables: BTreeMap<Oid, (TableRules, Vec<Field>)>,
    due: bool,
    referred: Referred,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    position: usize,
    number: Number,
}

impl<'a> Owners<'a> {
    /// `columns` must be known ones; `filters` finished.
    ///
    /// # Errors
    /// An objection if a column is not part of the stored rows.
    pub fn new(
        catalog: &Catalog,
        data: &[TableData],
        columns: &[TableColumns],
        filters: &'a Filters,
    ) -> Result<Self, Objection> {
        let layouts = Layouts { catalog, data };
        let mut tables: BTreeMap<Oid, (TableRules, Vec<Field>)> = BTreeMap::new();
        for named in columns {
            let Some((relation, attnum, number)) = columns::attnum(catalog, named) else { continue };
            for leaf in family::leaves(catalog, relation) {
                let mapped = columns_in(catalog, relation, &[attnum], leaf).unwrap_or_default();
                for column in mapped {
                    let refuse = |problem| {
                        let object = format!("large objects of {}", named.table);
                        Objection::new(Code::UnsupportedReference, object, problem)
                    };
                    let position = layouts.field(leaf, column).map_err(refuse)?;
                    let (_, fields) =
                        tables.entry(leaf).or_insert_with(|| (TableRules::none(layouts, leaf), Vec::new()));
                    fields.push(Field { position, number });
                }
            }
        }
        Ok(Self { filters, due: !tables.is_empty(), tables, referred: Referred::default() })
    }

    /// What was found, when the scan is done.
    #[must_use]
    pub fn finish(self) -> Referred {
        self.referred
    }
}

impl Scan for Owners<'_> {
    fn next_scan(&mut self) -> Option<Vec<Oid>> {
        std::mem::take(&mut self.due).then(|| self.tables.keys().copied().collect())
    }

    fn observe(&mut self, table: Oid, chunk: &[u8]) -> Result<(), Error> {
        let Some((rules, fields)) = self.tables.get(&table) else { return Ok(()) };
        let (filters, referred, mut scratch) = (self.filters, &mut self.referred, Scratch::default());
        for_each_row(rules, chunk, |row, _| {
            let unreadable = |cause| Error::Key { table: rules.name.clone(), cause };
            let stays = filters.new_values(table, row, &mut scratch).map_err(unreadable)?;
            for field in fields {
                let Some(object) = read(field, row).map_err(unreadable)? else { continue };
                match &stays {
                    Some(overwritten) if overwritten.contains(&field.position) => {}
                    Some(_) => drop(referred.kept.insert(object)),
                    None => drop(referred.dropped.insert(object)),
                }
            }
            Ok(())
        })
    }
}

/// The number that a row holds; none for NULL, and for what is no number of an object.
fn read(field: &Field, row: &Row<'_>) -> Result<Option<u32>, ValueError> {
    let Some(value) = row.value(field.position)? else { return Ok(None) };
    let value = value.as_ref();
    let malformed = || ValueError::Malformed { expected: "number of a large object" };
    Ok(match (row.format, field.number) {
        (CopyFormat::Text, _) | (_, Number::Text) => {
            std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok())
        }
        (CopyFormat::Binary, Number::Oid) => {
            Some(u32::from_be_bytes(value.try_into().map_err(|_| malformed())?))
        }
        (CopyFormat::Binary, Number::Int4) => {
            u32::try_from(i32::from_be_bytes(value.try_into().map_err(|_| malformed())?)).ok()
        }
        (CopyFormat::Binary, Number::Int8) => {
            u32::try_from(i64::from_be_bytes(value.try_into().map_err(|_| malformed())?)).ok()
        }
    })
}
