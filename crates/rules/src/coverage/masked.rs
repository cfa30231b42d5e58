//! Which columns need a mask where nobody may be as they are, and masks for them that can be guessed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lethe_format::catalog::{Catalog, Column, QualifiedName, Table, TableKind, TypeKind, display_ident};
use lethe_format::classification::Classification;
use lethe_format::reference::Reference;

use super::suggest::quoted;
use super::{Judged, Seen, Shape, Why, names};
use crate::anonymise::{Everybody, Fake, Said, said_of};
use crate::closure::family;
use crate::objection::{Code, Objection};

/// Every column that is taken for people's data, whoever its row goes with: those that [`super::coverage`] suspects, dates and
/// words from a list that are named like a person's data, labelled ones, and keys of people that are no mere numbers. Left out are columns that
/// somebody has ruled out or labelled `NOT MASKED`, and numbers and UUIDs that stand for a person and say nothing of them.
#[must_use]
pub fn personal_columns(
    catalog: &Catalog,
    references: &[Reference],
    classification: &Classification,
) -> Vec<(QualifiedName, String)> {
    let judged = Judged::new(catalog, references, classification);
    let mut found = Vec::new();
    for table in
        catalog.tables.iter().filter(|table| table.partition_of.is_none() && table.kind != TableKind::Foreign)
    {
        for column in table.copied_columns().filter(|column| judged.needs_mask(table, column)) {
            found.push((table.name.clone(), column.name.clone()));
        }
    }
    found
}

impl Judged<'_> {
    fn needs_mask(&self, table: &Table, column: &Column) -> bool {
        let shape = Shape::of(self.catalog, column);
        let mut why = self.why(table, column, Seen::default());
        if names::is_personal(&column.name) {
            why.insert(Why::PersonalName);
        }
        let is_key = self.subjects.get(&table.oid).is_some_and(|key| key.contains(&column.attnum));
        let is_number = matches!(shape, Shape::Number | Shape::Uuid);
        let is_labelled = why.contains(&Why::Labelled);
        let suspected =
            is_labelled || why.contains(&Why::PersonalName) || ((is_key || !why.is_empty()) && !is_number);
        // Somebody has looked at this very column.
        let stays = said_of(self.catalog, table.oid, column.attnum) == Some(Said::NotMasked);
        suspected && !stays && self.ruled_out(table, column, &why).is_none()
    }
}

/// Those that nothing masks, in every table with rows of theirs.
#[must_use]
pub fn unmasked<'a>(
    catalog: &Catalog,
    personal: &'a [(QualifiedName, String)],
    masks: &Everybody,
) -> Vec<&'a (QualifiedName, String)> {
    let is_masked = |(name, column): &(QualifiedName, String)| {
        let Some(table) = catalog.table_named(name) else { return true };
        family::leaves(catalog, table.oid)
            .into_iter()
            .filter_map(|leaf| catalog.table(leaf))
            .all(|leaf| leaf.column_named(column).is_none_or(|column| masks.masks(leaf.oid, column.attnum)))
    };
    personal.iter().filter(|column| !is_masked(column)).collect()
}

/// One objection for each table with columns that nothing masks.
#[must_use]
pub fn unmasked_objections(unmasked: &[&(QualifiedName, String)]) -> Vec<Objection> {
    let objection = |(table, columns): (&QualifiedName, Vec<&str>)| {
        let columns: Vec<String> = columns.into_iter().map(display_ident).collect();
        let problem = format!(
            "may hold people's data in {}, the target is for masked data alone, and nothing masks them",
            columns.join(", ")
        );
        Objection::new(Code::Unmasked, table, problem).hint(
            "lethe coverage --suggest-masks writes what can be guessed: [[mask]], or [[not_personal]] with a reason, in lethe.toml",
        )
    };
    by_table(unmasked).into_iter().map(objection).collect()
}

fn by_table<'a>(columns: &[&'a (QualifiedName, String)]) -> BTreeMap<&'a QualifiedName, Vec<&'a str>> {
    let mut tables: BTreeMap<&QualifiedName, Vec<&str>> = BTreeMap::new();
    for (table, column) in columns {
        tables.entry(table).or_default().push(column);
    }
    tables
}

/// `[[mask]]` sections for these columns, in TOML, guessed by names and types. Nothing of it counts before somebody has put it
/// into `lethe.toml`.
#[must_use]
pub fn suggest_masks(
    catalog: &Catalog,
    references: &[Reference],
    columns: &[&(QualifiedName, String)],
) -> String {
    let mut text = String::new();
    for (name, columns) in by_table(columns) {
        let Some(table) = catalog.table_named(name) else { continue };
        let _ = write!(text, "[[mask]]\ntable = {}\n", quoted(&name.to_string()));
        for column in columns.iter().filter_map(|column| table.column_named(column)) {
            let (table, column_masked) = origin(catalog, table, column);
            let holds_keys = references.iter().any(|reference| {
                !reference.inside.is_whole()
                    && reference.from.table == *name
                    && reference.from.columns.contains(&column.name)
            });
            let (comment, value) = guess(catalog, table, column_masked, holds_keys);
            let _ = writeln!(text, "{comment}set.{} = {value}", quoted(&column.name));
        }
        text.push('\n');
    }
    text
}

/// What a column refers to in the end: both sides of a reference are masked alike.
fn origin<'a>(catalog: &'a Catalog, table: &'a Table, column: &'a Column) -> (&'a Table, &'a Column) {
    let mut at = (table, column);
    // Keys may refer to each other in a circle.
    for _ in 0..catalog.foreign_keys.len() {
        let parent = catalog.foreign_keys.iter().filter(|key| key.child == at.0.oid).find_map(|key| {
            let pair = key.columns.iter().find(|pair| pair.child == at.1.attnum)?;
            let parent = catalog.table(key.parent)?;
            Some((parent, parent.column(pair.parent)?))
        });
        let Some(parent) = parent else { break };
        at = parent;
    }
    at
}

/// What comes before the line, and the mask. Where keys of others stand within the values, they shall go on to join.
fn guess(catalog: &Catalog, table: &Table, column: &Column, holds_keys: bool) -> (&'static str, String) {
    let (mark, null) = ("", || ("", "\"null\"".to_owned()));
    let random = || (mark, "\"random\"".to_owned());
    let made = |fake: Fake| (mark, format!("{{ fake = {} }}", quoted(fake.word())));
    let unique = table.unique_keys.iter().any(|key| key.columns.contains(&column.attnum));
    let Some(base) = catalog.base_type(column.type_oid) else { return null() };
    let is_kept_whole = unique || column.not_null;
    match (&base.kind, base.name.name.as_str()) {
        (TypeKind::Base, "text" | "varchar" | "bpchar" | "citext" | "name") => match fake(&column.name) {
            _ if names::words(&column.name).iter().any(|word| ZIP.contains(&word.as_str())) => random(),
            Some(fake) => made(fake),
            None if unique => random(),
            None => made(Fake::Sentence),
        },
        (TypeKind::Base, "json" | "jsonb") | (TypeKind::Array { .. }, _)
            if holds_keys && crate::anonymise::has_random(catalog, column) =>
        {
            random()
        }
        (TypeKind::Base, "json" | "jsonb") if is_kept_whole => (mark, "{ constant = \"{}\" }".to_owned()),
        (TypeKind::Array { .. }, _) if is_kept_whole => (mark, "{ constant = \"{}\" }".to_owned()),
        (TypeKind::Base, "tsvector" | "hstore") if is_kept_whole => (mark, "{ constant = \"\" }".to_owned()),
        (TypeKind::Base, "json" | "jsonb" | "tsvector" | "hstore" | "xml") | (TypeKind::Array { .. }, _) => {
            null()
        }
        _ if crate::anonymise::has_random(catalog, column) => random(),
        _ if is_kept_whole => ("# ", "{ constant = \"…\" }".to_owned()),
        _ => null(),
    }
}

const ZIP: [&str; 4] = ["zip", "zipcode", "postcode", "postal"];

/// By the column's name.
fn fake(name: &str) -> Option<Fake> {
    let words = names::words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let pair = |one: &str, other: &str| words.windows(2).any(|pair| pair[0] == one && pair[1] == other);
    let rules: [(bool, Fake); 8] = [
        (has(&["email", "mail"]), Fake::Email),
        (has(&["phone", "telephone", "mobile", "fax", "telefon"]), Fake::Phone),
        (has(&["firstname", "forename", "vorname", "fornavn"]) || pair("first", "name"), Fake::FirstName),
        (has(&["lastname", "surname", "nachname", "efternavn"]) || pair("last", "name"), Fake::LastName),
        (has(&["street", "address", "adresse"]), Fake::Street),
        (has(&["city", "town", "state", "region", "country"]), Fake::City),
        (has(&["company", "employer", "organisation", "organization"]), Fake::Company),
        (has(&["name", "fullname", "nickname", "username", "navn"]), Fake::Name),
    ];
    rules.into_iter().find_map(|(fits, fake)| fits.then_some(fake))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_made_up_value_should_look_like() {
        for (name, expected) in [
            ("email", Some(Fake::Email)),
            ("BillingEMail", Some(Fake::Email)),
            ("billing_email", Some(Fake::Email)),
            ("firstName", Some(Fake::FirstName)),
            ("last_name", Some(Fake::LastName)),
            ("full_name", Some(Fake::Name)),
            ("BillingAddress", Some(Fake::Street)),
            ("Company", Some(Fake::Company)),
            ("phone_number", Some(Fake::Phone)),
            ("notes", None),
        ] {
            assert_eq!(fake(name), expected, "{name}");
        }
    }
}
