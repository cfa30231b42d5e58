//! Where the columns of a key lie in the stored rows, and how they are read there.

use lethe_format::catalog::{AttNum, Catalog, Table};
use lethe_format::ids::Oid;
use lethe_format::manifest::{CopyFormat, TableData};

use super::columns_in;
use super::edges::{Condition, Edge};
use super::inside;
use super::subjects::SubjectKey;
use super::table_rules::Guard;
use crate::key::{self, Domain, KeyReader};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Layouts<'a> {
    pub catalog: &'a Catalog,
    pub data: &'a [TableData],
}

impl<'a> Layouts<'a> {
    pub(crate) fn of(&self, leaf: Oid) -> Option<&'a TableData> {
        self.data.iter().find(|data| data.table == leaf)
    }

    /// For messages.
    pub(crate) fn name(&self, leaf: Oid) -> String {
        self.catalog.table(leaf).map(|table| table.name.to_string()).unwrap_or_default()
    }

    /// The position of a column in the stored rows.
    pub(crate) fn field(&self, leaf: Oid, attnum: AttNum) -> Result<usize, String> {
        let position =
            self.of(leaf).and_then(|data| data.columns.iter().position(|column| *column == attnum));
        position.ok_or_else(|| {
            let table = self.catalog.table(leaf);
            let column = table.and_then(|table| table.column(attnum)).map_or("?", |column| &column.name);
            format!(
                "its column {column} in {} is computed by the server and not part of the stored rows",
                self.name(leaf)
            )
        })
    }

    /// Positions and reader of a key's columns in a leaf of `relation`.
    pub(crate) fn reader_in(
        &self,
        relation: Oid,
        columns: &[AttNum],
        leaf: Oid,
        domains: &[Domain],
    ) -> Result<(Vec<usize>, KeyReader), String> {
        let mapped = columns_in(self.catalog, relation, columns, leaf)
            .ok_or("a partition lacks one of its columns")?;
        let table = self.catalog.table(leaf).ok_or("its table is not in the snapshot")?;
        let mut fields = Vec::new();
        let mut readers = Vec::new();
        for (attnum, domain) in mapped.iter().zip(domains) {
            fields.push(self.field(leaf, *attnum)?);
            let column = table.column(*attnum).ok_or("a column is not in the snapshot")?;
            let reader = key::reader(self.catalog, column, domain).map_err(|reason| reason.to_string())?;
            let text = self.of(leaf).is_some_and(|data| data.format == CopyFormat::Text);
            if text && !reader.has_text_form() {
                return Err(format!("the text form of {}.{} cannot be compared", table.name, column.name));
            }
            readers.push(reader);
        }
        Ok((fields, KeyReader::new(readers)))
    }

    pub(crate) fn guard(&self, when: &Condition, leaf: Oid) -> Result<Guard, String> {
        let SubjectKey { table, columns, reader } = &when.column;
        let (fields, reader) = self.reader_in(*table, columns, leaf, &reader.domains())?;
        Ok(Guard { fields, reader, value: when.value.clone() })
    }
}

/// How the columns of a reference are compared with those that it refers to.
pub(crate) fn domains(
    catalog: &Catalog,
    edge: &Edge,
    parent: &Table,
    child: &Table,
) -> Result<Vec<Domain>, String> {
    let mut domains = Vec::new();
    for pair in &edge.key.columns {
        let (Some(parent_column), Some(child_column)) =
            (parent.column(pair.parent), child.column(pair.child))
        else {
            return Err("a column is not in the snapshot".to_owned());
        };
        if let Some(within) = &edge.within {
            domains.push(inside::domain(catalog, &within.inside, child_column, parent_column)?);
            continue;
        }
        let domain =
            key::operator_domain(catalog, &pair.operator, parent_column, child_column).map_err(|reason| {
                format!(
                    "{}.{} → {}.{}: {reason}",
                    child.name, child_column.name, parent.name, parent_column.name
                )
            })?;
        domains.push(domain);
    }
    Ok(domains)
}
