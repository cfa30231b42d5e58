//! All labels of a snapshot's columns together with the settings, which count before them.

use lethe_format::catalog::{AttNum, Catalog, QualifiedName, SecurityLabel, display_ident};
use lethe_format::classification::Classification;
use lethe_format::ids::Oid;

use super::label::{Said, read};
use super::{ColumnMask, Replacement, TableMask};
use crate::closure::family;
use crate::objection::{Code, Objection};

/// What the labels add to the masks of the settings.
#[derive(Clone, Debug, Default)]
pub struct Labelled {
    pub masks: Vec<TableMask>,
    /// Columns of which the settings say something else.
    pub overruled: Vec<String>,
    /// Tables of which the extension would take a sample of the rows; here all of them come.
    pub sampled: Vec<String>,
    /// Labels that cannot be followed, and of whose columns nobody has said anything else.
    pub objections: Vec<Objection>,
}

/// What the column's label says, if it has one. That it names an identifier counts only if no other label says more.
#[must_use]
pub fn said_of(catalog: &Catalog, table: Oid, column: AttNum) -> Option<Said> {
    let labels = catalog.labels.iter().filter(|label| (label.table, label.column) == (table, Some(column)));
    let mut said: Vec<Said> = labels.map(|label| read(&label.label)).collect();
    said.sort_by_key(|said| *said == Said::Identifier);
    said.into_iter().next()
}

/// Reads all labels. A label of a partitioned table is one of all its partitions.
#[must_use]
pub fn labelled(catalog: &Catalog, settings: &[TableMask], classification: &Classification) -> Labelled {
    let mut found = Labelled::default();
    let mut labels: Vec<&SecurityLabel> = catalog.labels.iter().collect();
    // Those of whole families first: what they say holds for each of their tables.
    labels.sort_by_key(|label| !catalog.has_children(label.table));
    for label in labels {
        let Some(table) = catalog.table(label.table) else { continue };
        let Some(column) = label.column.and_then(|attnum| table.column(attnum)) else {
            if label.column.is_none() && label.label.trim().to_ascii_uppercase().starts_with("TABLESAMPLE") {
                found.sampled.push(table.name.to_string());
            }
            continue;
        };
        let name = format!("{}.{}", table.name, display_ident(&column.name));
        let is_masked_by =
            |masks: &[TableMask]| masks.iter().any(|mask| covers(catalog, mask, table.oid, &column.name));
        if is_masked_by(settings) {
            found.overruled.push(name);
            continue;
        }
        match read(&label.label) {
            Said::Masked(_) if is_masked_by(&found.masks) => {}
            Said::Masked(replacement) => found.add(&table.name, &column.name, replacement),
            Said::Refused(problem) if !is_ruled_out(classification, &table.name, &column.name) => {
                let object = format!("security label of {name}");
                found.objections.push(
                    Objection::new(Code::MaskRefused, object, problem).hint(
                        "say what becomes of the column: [[mask]] in lethe.toml counts before its label",
                    ),
                );
            }
            Said::Refused(_) | Said::NotMasked | Said::Identifier => {}
        }
    }
    found.overruled.sort();
    found.overruled.dedup();
    found
}

impl Labelled {
    fn add(&mut self, table: &QualifiedName, column: &str, replacement: Replacement) {
        let mask = ColumnMask { name: column.to_owned(), replacement, group: None };
        match self.masks.iter_mut().find(|masks| masks.table == *table) {
            Some(masks) => masks.columns.push(mask),
            None => {
                self.masks.push(TableMask { table: table.clone(), columns: vec![mask], by_label: true });
            }
        }
    }
}

/// Whether a mask and a label are about the same rows of one column.
fn covers(catalog: &Catalog, mask: &TableMask, table: Oid, column: &str) -> bool {
    let Some(masked) = catalog.table_named(&mask.table) else { return false };
    let of = family::reached_by_delete(catalog, masked.oid);
    mask.columns.iter().any(|mask| mask.name == column)
        && family::reached_by_delete(catalog, table).iter().any(|leaf| of.contains(leaf))
}

fn is_ruled_out(classification: &Classification, table: &QualifiedName, column: &str) -> bool {
    classification.not_personal.iter().any(|rule| {
        rule.table == *table
            && rule.columns.as_ref().is_some_and(|columns| columns.iter().any(|name| name == column))
    })
}
