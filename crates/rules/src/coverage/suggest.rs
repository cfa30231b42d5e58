//! Rules for a person to choose from: what can be guessed stands as a rule, the rest as a question.

use std::fmt::Write as _;

use lethe_format::catalog::{Catalog, QualifiedName, Table, TypeKind};
use lethe_format::classification::Classification;
use lethe_format::reference::{Inside, OnErase, Reference, Removed, TableColumns, When};

use super::{CoveredColumn, Evidence, Lead, Why, coverage};

/// Settings for the open columns, in TOML. Nothing of it counts before somebody has put it into `lethe.toml`.
#[must_use]
pub fn suggest(
    catalog: &Catalog,
    references: &[Reference],
    classification: &Classification,
    evidence: &Evidence,
    leads: &[Lead],
) -> String {
    let open = |references: &[Reference]| -> Vec<CoveredColumn> {
        let columns = coverage(catalog, references, classification, evidence);
        columns.into_iter().filter(CoveredColumn::is_open).collect()
    };
    let mut guessed: Vec<Lead> = Vec::new();
    for column in open(references) {
        let is_it = |lead: &&Lead| {
            lead.reference.from.table == column.table && lead.reference.from.columns.contains(&column.column)
        };
        let seen = guessed.len();
        guessed.extend(leads.iter().filter(is_it).cloned());
        if guessed.len() == seen {
            guessed.extend(by_type(catalog, classification, &column));
        }
    }
    let mut text = String::new();
    for lead in &guessed {
        rule(&mut text, lead);
    }
    // What goes with somebody by these rules needs no answer of its own.
    let with: Vec<Reference> =
        references.iter().cloned().chain(guessed.into_iter().map(|lead| lead.reference)).collect();
    let mut questions: Vec<(QualifiedName, Vec<String>)> = Vec::new();
    for column in open(&with) {
        match questions.last_mut() {
            Some((table, columns)) if *table == column.table => columns.push(column.column),
            _ => questions.push((column.table, vec![column.column])),
        }
    }
    for (table, columns) in questions {
        let _ = write!(
            text,
            "# [[not_personal]]                   # or a [[reference]], if rows of it belong to somebody\n# columns = {}\n# because = \"…\"\n\n",
            quoted(&TableColumns { table, columns }.to_string())
        );
    }
    text
}

fn rule(text: &mut String, Lead { reference, because }: &Lead) {
    let Reference { from, inside, to, when, on_erase } = reference;
    let _ = write!(text, "# {because}\n[[reference]]\nfrom = {}\n", quoted(&from.to_string()));
    if inside.element {
        text.push_str("element = true\n");
    }
    if let Some(path) = &inside.path {
        let _ = writeln!(text, "path = {}", quoted(&path.to_string()));
    }
    if let Some(pattern) = &inside.text {
        let _ = writeln!(text, "text = {}", quoted(&pattern.to_string()));
    }
    if let Some(When { column, equals }) = when {
        let _ = writeln!(text, "when = {{ column = {}, equals = {} }}", quoted(column), quoted(equals));
    }
    let answer = match on_erase {
        OnErase::Remove(_) => "\"remove\"                # or \"drop\", ",
        _ => "\"drop\"                  # ",
    };
    let _ = write!(
        text,
        "to = {}\non_erase = {answer}or \"null\", or \"keep\" with because = \"…\"\n\n",
        quoted(&to.to_string())
    );
}

/// By the column's name and the only key whose type fits.
fn by_type(catalog: &Catalog, classification: &Classification, column: &CoveredColumn) -> Option<Lead> {
    if !column.why.contains(&Why::ReferenceName) && !column.why.contains(&Why::Keys) {
        return None;
    }
    let (to, element) = target(catalog, classification, column)?;
    let from = TableColumns { table: column.table.clone(), columns: vec![column.column.clone()] };
    let on_erase = if element { OnErase::Remove(Removed::Value) } else { OnErase::Drop };
    let inside = Inside { element, ..Inside::default() };
    let because = if column.why.contains(&Why::Keys) {
        "values of it are keys of somebody".to_owned()
    } else {
        "it is named so, and the type fits".to_owned()
    };
    Some(Lead { reference: Reference { from, inside, to, when: None, on_erase }, because })
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
