//! `[[mask]]`: what everybody's rows become in a database that is for masked data alone; and what a column's mask is called in
//! `[[anonymise]]` as well.

use std::collections::BTreeMap;

use lethe_format::catalog::QualifiedName;
use lethe_format::sql::parse_table_ref;
use lethe_rules::anonymise::{ColumnMask, Constant, Fake, Replacement, TableMask};
use serde::Deserialize;

use super::Settings;
use crate::failure::Failure;

/// One table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MaskSection {
    /// `schema.table`.
    table: String,
    set: BTreeMap<String, Value>,
}

/// A word, or `{ constant = … }`, `{ fake = "email" }`, with `as = "…"` for masks of everybody.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
    Word(String),
    Table(BTreeMap<String, toml::Value>),
}

pub(super) const KINDS: &str = "write \"null\", \"random\", { constant = \"…\" } or { fake = \"email\" }";

impl Settings {
    pub(crate) fn table_masks(&self) -> Result<Vec<TableMask>, Failure> {
        self.file.mask.iter().map(table_mask).collect()
    }
}

fn table_mask(section: &MaskSection) -> Result<TableMask, Failure> {
    let table = table(&section.table)?;
    if section.set.is_empty() {
        return Err(Failure::usage(format!("[[mask]] of {table} names no column under set")));
    }
    let column = |(name, value): (&String, &Value)| {
        let (replacement, group) = replacement(value).map_err(|problem| {
            Failure::usage(format!("[[mask]] of {table}, column {name}: {problem}")).hint(KINDS)
        })?;
        Ok(ColumnMask { name: name.clone(), replacement, group })
    };
    let columns = section.set.iter().map(column).collect::<Result<_, Failure>>()?;
    Ok(TableMask { columns, table, by_label: false })
}

pub(super) fn table(text: &str) -> Result<QualifiedName, Failure> {
    let parsed = parse_table_ref(text).map_err(Failure::usage)?;
    match (parsed.schema, parsed.columns) {
        (Some(schema), None) => Ok(QualifiedName::new(schema, parsed.table)),
        _ => Err(Failure::usage(format!("{text:?} is no table: write schema.table"))),
    }
}

/// What a column becomes, and its `as`.
pub(super) fn replacement(value: &Value) -> Result<(Replacement, Option<String>), String> {
    let table = match value {
        Value::Word(word) => return Ok((by_word(word)?, None)),
        Value::Table(table) => table,
    };
    let group = match table.get("as") {
        None => None,
        Some(toml::Value::String(name)) if !name.is_empty() => Some(name.clone()),
        Some(_) => return Err("as is a name".to_owned()),
    };
    let mut kinds = table.iter().filter(|(name, _)| name.as_str() != "as");
    let (Some((kind, value)), None) = (kinds.next(), kinds.next()) else {
        return Err("it needs one kind of mask".to_owned());
    };
    let replacement = match (kind.as_str(), value) {
        ("null" | "random", toml::Value::Boolean(true)) => by_word(kind)?,
        ("constant", value) => constant(value)?,
        ("fake", toml::Value::String(name)) => {
            let known = Fake::ALL.into_iter().find(|fake| fake.word() == name);
            let all: Vec<&str> = Fake::ALL.into_iter().map(Fake::word).collect();
            Replacement::Fake(
                known.ok_or_else(|| format!("there is no fake {name:?}, but {}", all.join(", ")))?,
            )
        }
        (other, _) => return Err(format!("{other:?} is no kind of mask")),
    };
    if group.is_some() && !matches!(replacement, Replacement::Random | Replacement::Fake(_)) {
        return Err("as goes with random and fake".to_owned());
    }
    Ok((replacement, group))
}

fn by_word(word: &str) -> Result<Replacement, String> {
    match word {
        "null" => Ok(Replacement::Null),
        "random" => Ok(Replacement::Random),
        other => Err(format!("{other:?} is no replacement")),
    }
}

fn constant(value: &toml::Value) -> Result<Replacement, String> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(value) => value.to_string(),
        toml::Value::Datetime(time) => time.to_string(),
        _ => return Err("a constant is one value".to_owned()),
    };
    Ok(Replacement::Constant(Constant { text, binary: None }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Replacement, Option<String>), String> {
        let table: BTreeMap<String, Value> = toml::from_str(&format!("x = {text}")).expect("TOML");
        replacement(&table["x"])
    }

    #[test]
    fn every_kind_of_mask_is_read_and_nothing_else() {
        assert_eq!(read("\"null\""), Ok((Replacement::Null, None)));
        assert_eq!(read("{ null = true }"), Ok((Replacement::Null, None)));
        assert_eq!(read("{ random = true }"), Ok((Replacement::Random, None)));
        assert_eq!(read("{ fake = \"email\" }"), Ok((Replacement::Fake(Fake::Email), None)));
        let named = (Replacement::Fake(Fake::Email), Some("login".to_owned()));
        assert_eq!(read("{ fake = \"email\", as = \"login\" }"), Ok(named));
        assert!(matches!(read("{ constant = 5 }"), Ok((Replacement::Constant(_), None))));
        for wrong in [
            "\"hash\"",
            "{ fake = \"iban\" }",
            "{ fake = 1 }",
            "{ random = false }",
            "{ constant = \"x\", as = \"y\" }",
            "{ null = true, random = true }",
            "{ as = \"y\" }",
            "{ random = true, as = \"\" }",
            "{ constant = [1] }",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
