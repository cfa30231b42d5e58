//! Rules for a person to choose from: what can be guessed stands as a rule, the rest as a question.

use std::fmt::Write as _;

use lethe_format::catalog::{Catalog, Table, TypeKind};
use lethe_format::classification::Classification;
use lethe_format::reference::TableColumns;

use super::{CoveredColumn, Why};

/// Settings for the open columns, in TOML. Nothing of it counts before somebody has put it into `lethe.toml`.
#[must_use]
pub fn suggest(catalog: &Catalog, classification: &Classification, coverage: &[CoveredColumn]) -> String {
    let mut text = String::new();
    let mut questions: Vec<(&CoveredColumn, Vec<&str>)> = Vec::new();
    for column in coverage.iter().filter(|column| column.is_open()) {
        let refers = column.why.contains(&Why::ReferenceName) || column.why.contains(&Why::Keys);
        match refers.then(|| target(catalog, classification, column)).flatten() {
            Some((target, element)) => {
                let from = TableColumns { table: column.table.clone(), columns: vec![column.column.clone()] };
                let _ = write!(
                    text,
                    "[[reference]]\nfrom = {}\n{}to = {}\non_erase = {}or \"null\", or \"keep\" with because = \"…\"\n\n",
                    quoted(&from.to_string()),
                    if element { "element = true\n" } else { "" },
                    quoted(&target.to_string()),
                    if element {
                        "\"remove\"                # or \"drop\", "
                    } else {
                        "\"drop\"                  # "
                    }
                );
            }
            None => match questions.last_mut() {
                Some((first, columns)) if first.table == column.table => columns.push(&column.column),
                _ => questions.push((column, vec![&column.column])),
            },
        }
    }
    for (first, columns) in questions {
        let columns = columns.into_iter().map(str::to_owned).collect();
        let columns = TableColumns { table: first.table.clone(), columns };
        let _ = write!(
            text,
            "# [[not_personal]]                   # or a [[reference]], if rows of it belong to somebody\n# columns = {}\n# because = \"…\"\n\n",
            quoted(&columns.to_string())
        );
    }
    text
}

/// The key of the only subject whose type fits, and whether each element of an array is one.
fn target(
    catalog: &Catalog,
    classification: &Classification,
    column: &CoveredColumn,
) -> Option<(TableColumns, bool)> {
    let table = catalog.table_named(&column.table)?;
    let (own, element) = kind(catalog, table, &column.column)?;
    let mut fitting = classification.subjects.iter().filter_map(|subject| {
        let parent = catalog.table_named(&subject.table)?;
        let columns = match &subject.columns {
            Some(columns) => columns.clone(),
            None => {
                let key = parent.primary_key()?.columns.iter();
                key.map(|attnum| parent.column(*attnum).map(|column| column.name.clone()))
                    .collect::<Option<_>>()?
            }
        };
        let [only] = columns.as_slice() else { return None };
        (kind(catalog, parent, only)? == (own.clone(), false))
            .then(|| TableColumns { table: parent.name.clone(), columns })
    });
    let first = fitting.next()?;
    fitting.next().is_none().then_some((first, element))
}

/// Integers of any width are one kind. For an array its elements' kind, and true.
fn kind(catalog: &Catalog, table: &Table, column: &str) -> Option<(String, bool)> {
    let mut base = catalog.base_type(table.column_named(column)?.type_oid)?;
    let mut is_array = false;
    if let TypeKind::Array { element } = base.kind {
        (base, is_array) = (catalog.base_type(element)?, true);
    }
    let kind = match (&base.kind, base.name.name.as_str()) {
        (TypeKind::Base, "int2" | "int4" | "int8") => Some("integer".to_owned()),
        (TypeKind::Base, "text" | "varchar") => Some("text".to_owned()),
        (TypeKind::Base, name) => Some(name.to_owned()),
        _ => None,
    };
    kind.map(|kind| (kind, is_array))
}

/// As a string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
