//! A closer look at the open columns of a live source: where in their values keys of people stand.

use std::collections::BTreeSet;

use lethe_format::catalog::{Catalog, Column, QualifiedName, Table, TypeKind};
use lethe_format::classification::Classification;
use lethe_format::json::Path;
use lethe_format::reference::{TableColumns, When};
use lethe_postgres::Server;
use lethe_postgres::leads::{self, Key, KeyKind, Question};
use lethe_postgres::sample::Values;
use lethe_rules::coverage::{CoveredColumn, Lead, Sighting, called, is_called_after, says_kind_of};

use super::{KeysByType, compared_as};
use crate::Error;

/// Keys that values may be of.
struct Known {
    table: QualifiedName,
    column: String,
    kind: KeyKind,
    called: Vec<String>,
}

impl Known {
    fn question(&self) -> Key<'_> {
        Key { table: &self.table, column: &self.column, kind: self.kind }
    }

    fn to(&self) -> TableColumns {
        TableColumns { table: self.table.clone(), columns: vec![self.column.clone()] }
    }
}

/// The rules that the values of these columns support, and the columns for which that took too long.
pub(super) async fn look(
    server: &Server,
    catalog: &Catalog,
    classification: &Classification,
    open: impl Iterator<Item = &CoveredColumn>,
    keys: &KeysByType,
) -> Result<(Vec<Lead>, BTreeSet<String>), Error> {
    let (mut sightings, mut not_looked_at) = (Vec::new(), BTreeSet::new());
    for covered in open {
        let Some(table) = catalog.table_named(&covered.table) else { continue };
        let Some(column) = table.column_named(&covered.column) else { continue };
        let subjects = known(classification, keys);
        let mut of_column = OfColumn { server, catalog, table, column, sightings: &mut sightings };
        let whole = of_column.look(&subjects, None).await?;
        let by_kind = of_column.by_kind(&subjects).await?;
        if !(whole && by_kind) {
            not_looked_at.insert(format!("{}.{}", table.name, column.name));
        }
    }
    Ok((lethe_rules::coverage::leads(&sightings), not_looked_at))
}

fn known(classification: &Classification, keys: &KeysByType) -> Vec<Known> {
    let of_type = |(type_name, columns): (&String, &Vec<(QualifiedName, String)>)| {
        let kind = kind_of(type_name)?;
        let known = columns.iter().map(move |(table, column)| {
            let subject = classification.subjects.iter().find(|subject| subject.table == *table);
            let called = called(table, subject.and_then(|subject| subject.name.as_deref()));
            Known { table: table.clone(), column: column.clone(), kind, called }
        });
        Some(known.collect::<Vec<_>>())
    };
    keys.iter().filter_map(of_type).flatten().collect()
}

fn kind_of(type_name: &str) -> Option<KeyKind> {
    match type_name {
        "integer" => Some(KeyKind::Integer),
        "uuid" => Some(KeyKind::Uuid),
        "text" => Some(KeyKind::Text),
        _ => None,
    }
}

struct OfColumn<'a> {
    server: &'a Server,
    catalog: &'a Catalog,
    table: &'a Table,
    column: &'a Column,
    sightings: &'a mut Vec<Sighting>,
}

impl OfColumn<'_> {
    /// False if it took too long.
    async fn look(&mut self, known: &[Known], only: Option<(&str, &str)>) -> Result<bool, Error> {
        let Some((values, kinds)) = self.shape() else { return Ok(true) };
        let is_own = |key: &Known| (&key.table, &key.column) == (&self.table.name, &self.column.name);
        let asked: Vec<&Known> =
            known.iter().filter(|key| kinds.contains(&key.kind) && !is_own(key)).collect();
        if asked.is_empty() {
            return Ok(true);
        }
        let question = Question {
            table: &self.table.name,
            column: &self.column.name,
            values,
            only,
            keys: asked.iter().map(|key| key.question()).collect(),
        };
        let Some(found) = leads::look(self.server, &question).await? else { return Ok(false) };
        for place in found {
            let path = match (values, Path::parse(&place.place)) {
                (Values::Json, Ok(path)) => Some(path),
                (Values::Json, Err(_)) => continue,
                _ => None,
            };
            for (key, keys) in asked.iter().zip(&place.keys) {
                self.sightings.push(Sighting {
                    from: TableColumns {
                        table: self.table.name.clone(),
                        columns: vec![self.column.name.clone()],
                    },
                    is_array: values == Values::Elements,
                    path: path.clone(),
                    before: place.before.clone(),
                    when: only.map(|(column, equals)| When {
                        column: column.to_owned(),
                        equals: equals.to_owned(),
                    }),
                    to: key.to(),
                    are_numbers: key.kind == KeyKind::Integer,
                    called: key.called.clone(),
                    values: place.values,
                    keys: *keys,
                });
            }
        }
        Ok(true)
    }

    /// Where another column says what this one refers to. Rows may belong to people by way of rows that are no people, so here keys of any
    /// table count that is called like the kind.
    async fn by_kind(&mut self, subjects: &[Known]) -> Result<bool, Error> {
        let (table, name) = (self.table, self.column.name.as_str());
        let Some(says) = table.copied_columns().find(|other| says_kind_of(&other.name, name)) else {
            return Ok(true);
        };
        let Some(kinds) = leads::kinds(self.server, &table.name, &says.name).await? else { return Ok(false) };
        let mut whole = true;
        for kind in kinds {
            let mut known: Vec<Known> = self.called_after(&kind);
            let is_new = |key: &&Known| !known.iter().any(|other| other.to() == key.to());
            let subjects: Vec<Known> = subjects.iter().filter(is_new).map(Known::again).collect();
            known.extend(subjects);
            whole &= self.look(&known, Some((&says.name, &kind))).await?;
        }
        Ok(whole)
    }

    fn called_after(&self, kind: &str) -> Vec<Known> {
        let tables = self.catalog.tables.iter().filter(|table| is_called_after(kind, &table.name));
        let keys = tables.filter_map(|table| {
            let [only] = table.primary_key()?.columns.as_slice() else { return None };
            let column = table.column(*only)?;
            let kind = kind_of(&compared_as(self.catalog, column.type_oid)?)?;
            let called = called(&table.name, None);
            Some(Known { table: table.name.clone(), column: column.name.clone(), kind, called })
        });
        keys.collect()
    }

    /// How the column's values are looked at, and what keys can be in them.
    fn shape(&self) -> Option<(Values, Vec<KeyKind>)> {
        let all = || vec![KeyKind::Integer, KeyKind::Uuid, KeyKind::Text];
        let of = |type_oid| match compared_as(self.catalog, type_oid).as_deref() {
            Some("text") => Some(all()),
            Some(name) => kind_of(name).map(|kind| vec![kind]),
            None => None,
        };
        let base = self.catalog.base_type(self.column.type_oid)?;
        match (&base.kind, base.name.name.as_str()) {
            (TypeKind::Array { element }, _) => Some((Values::Elements, of(*element)?)),
            (TypeKind::Base, "json" | "jsonb") => Some((Values::Json, all())),
            _ => Some((Values::Plain, of(self.column.type_oid)?)),
        }
    }
}

impl Known {
    fn again(&self) -> Self {
        let Self { table, column, kind, called } = self;
        Self { table: table.clone(), column: column.clone(), kind: *kind, called: called.clone() }
    }
}
