//! `[[reference]]`: whose row it is, where no foreign key says so; and what an erasure does there.

use std::collections::BTreeMap;

use lethe_format::catalog::QualifiedName;
use lethe_format::json::Path;
use lethe_format::mask::Replacement;
use lethe_format::reference::{Inside, KeyPattern, OnErase, Reference, Removed, TableColumns, When};
use lethe_format::sql::parse_table_ref;
use serde::Deserialize;

use super::Settings;
use super::anonymise::replacement;
use super::mask::{KINDS, Value};
use crate::failure::Failure;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReferenceSection {
    /// `schema.table(column, …)`.
    from: String,
    /// `schema.table(column, …)`.
    to: String,
    /// Each element of an array is a key.
    #[serde(default)]
    element: bool,
    /// Where keys stand in a document: `$.actor.id`.
    path: Option<String>,
    /// How a key is written: `user:{}`.
    text: Option<String>,
    when: Option<WhenSection>,
    on_erase: OnEraseWord,
    /// For `remove` in a document.
    remove: Option<RemoveWord>,
    /// For `mask`.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// For `keep`.
    because: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhenSection {
    column: String,
    equals: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnEraseWord {
    Drop,
    Null,
    Remove,
    Mask,
    Keep,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RemoveWord {
    Value,
    Object,
}

impl Settings {
    pub(crate) fn references(&self) -> Result<Vec<Reference>, Failure> {
        let mut references: Vec<Reference> = Vec::new();
        for section in &self.file.reference {
            let reference = reference(section).map_err(|problem| {
                Failure::usage(format!("[[reference]] from {:?} to {:?}: {problem}", section.from, section.to))
                    .hint("from = \"public.posts(author_id)\", to = \"public.users(id)\", on_erase = \"drop\", \"null\", \"remove\", \"mask\" or \"keep\"; for keys within values also element = true, path = \"$.name\" or text = \"user:{}\"")
            })?;
            if references.iter().any(|other| other.is_about_the_same(&reference)) {
                return Err(Failure::usage(format!("[[reference]] {reference} is there twice")));
            }
            references.push(reference);
        }
        Ok(references)
    }
}

fn reference(section: &ReferenceSection) -> Result<Reference, String> {
    let (from, to) = (table_columns(&section.from)?, table_columns(&section.to)?);
    if from.columns.len() != to.columns.len() {
        return Err(format!("{} columns cannot refer to {}", from.columns.len(), to.columns.len()));
    }
    let inside = inside(section)?;
    if !inside.is_whole() && from.columns.len() != 1 {
        return Err("a key within a value is one column's".to_owned());
    }
    let removed = removed(section, &inside)?;
    let on_erase = match (section.on_erase, section.because.as_deref().map(str::trim)) {
        (OnEraseWord::Drop, None) => OnErase::Drop,
        (OnEraseWord::Null, None) => OnErase::Null,
        (OnEraseWord::Remove, None) => OnErase::Remove(removed),
        (OnEraseWord::Mask, None) => OnErase::Mask { set: set(section)? },
        (OnEraseWord::Keep, Some(because)) if !because.is_empty() => {
            OnErase::Keep { because: because.to_owned() }
        }
        (OnEraseWord::Keep, _) => return Err("keep needs a reason: because = \"…\"".to_owned()),
        (_, Some(_)) => return Err("because goes with on_erase = \"keep\"".to_owned()),
    };
    if section.on_erase != OnEraseWord::Mask && !section.set.is_empty() {
        return Err("set goes with on_erase = \"mask\"".to_owned());
    }
    let when = section.when.as_ref();
    let when = when.map(|when| When { column: when.column.clone(), equals: when.equals.clone() });
    Ok(Reference { from, inside, to, when, on_erase })
}

fn set(section: &ReferenceSection) -> Result<Vec<(String, Replacement)>, String> {
    if section.set.is_empty() {
        return Err("mask needs columns: set = { author_name = \"null\" }".to_owned());
    }
    let column = |(name, value): (&String, &Value)| {
        let how = replacement(value).map_err(|problem| format!("column {name}: {problem}; {KINDS}"))?;
        Ok((name.clone(), how))
    };
    section.set.iter().map(column).collect()
}

fn inside(section: &ReferenceSection) -> Result<Inside, String> {
    if section.element && section.path.is_some() {
        return Err("element goes with arrays and path with documents, so not with each other".to_owned());
    }
    let path = section.path.as_deref().map(|path| Path::parse(path).map_err(|error| error.to_string()));
    let text = section.text.as_deref().map(|text| KeyPattern::parse(text).map_err(|error| error.to_string()));
    Ok(Inside { element: section.element, path: path.transpose()?, text: text.transpose()? })
}

fn removed(section: &ReferenceSection, inside: &Inside) -> Result<Removed, String> {
    let removes = section.on_erase == OnEraseWord::Remove;
    if removes && !inside.element && inside.path.is_none() {
        return Err("remove needs element = true or a path".to_owned());
    }
    match section.remove {
        Some(_) if !removes => Err("remove = \"…\" goes with on_erase = \"remove\"".to_owned()),
        Some(RemoveWord::Object) if inside.path.is_none() => {
            Err("remove = \"object\" needs a path".to_owned())
        }
        Some(RemoveWord::Object) => Ok(Removed::Object),
        Some(RemoveWord::Value) | None => Ok(Removed::Value),
    }
}

/// `schema.table(column, …)`.
pub(crate) fn table_columns(text: &str) -> Result<TableColumns, String> {
    let parsed = parse_table_ref(text).map_err(|error| error.to_string())?;
    match (parsed.schema, parsed.columns) {
        (Some(schema), Some(columns)) => {
            Ok(TableColumns { table: QualifiedName::new(schema, parsed.table), columns })
        }
        _ => Err(format!("{text:?} names no schema or no columns")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Reference, String> {
        let text = format!("from = \"public.reviews(user_id)\"\nto = \"public.users(id)\"\n{more}");
        reference(&toml::from_str(&text).expect("TOML"))
    }

    #[test]
    fn a_mask_names_what_it_overwrites_and_nobody_else_does() {
        let mask = read("on_erase = \"mask\"\nset = { ip = \"null\", name = { constant = \"x\" } }")
            .expect("a rule");
        let names: Vec<&str> = mask.overwritten().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ip", "name"]);
        for (wrong, problem) in [
            ("on_erase = \"mask\"", "mask needs columns"),
            ("on_erase = \"drop\"\nset = { ip = \"null\" }", "set goes with"),
            ("on_erase = \"mask\"\nset = { ip = \"hash\" }", "pseudonym"),
            ("on_erase = \"mask\"\nset = { ip = { constant = \"user {id}\" } }", "placeholder"),
            ("on_erase = \"mask\"\nbecause = \"x\"\nset = { ip = \"null\" }", "because goes with"),
        ] {
            let error = read(wrong).expect_err(wrong);
            assert!(error.contains(problem), "{wrong}: {error}");
        }
    }
}
