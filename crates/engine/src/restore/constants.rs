//! The settings' constants in the form in which rows are stored: the server itself converts them.

use lethe_format::catalog::{Catalog, Column, FIRST_NORMAL_OID, TypeKind};
use lethe_format::manifest::Manifest;
use lethe_postgres::{Server, values};
use lethe_rules::anonymise::{Anonymise, Replacement};
use lethe_rules::objection::{Code, Objection};

use crate::Error;

/// Fills in the binary form of every constant; an objection for each that is no value of its column's type.
pub(super) async fn resolve(
    server: &Server,
    manifest: &Manifest,
    anonymise: &mut Anonymise,
) -> Result<Vec<Objection>, Error> {
    let catalog = &manifest.catalog;
    let mut objections = Vec::new();
    for rule in &mut anonymise.masks {
        let Some(table) = catalog.table_named(&rule.table) else { continue };
        for (name, replacement) in &mut rule.columns {
            let (Replacement::Constant(constant), Some(column)) = (replacement, table.column_named(name))
            else {
                continue;
            };
            match binary(server, catalog, column, &constant.text).await? {
                Ok(binary) => constant.binary = Some(binary),
                Err(problem) => objections.push(Objection::new(
                    Code::MaskRefused,
                    format!("[[anonymise]] of {}", rule.table),
                    format!("{}.{name}: {problem}", rule.table),
                )),
            }
        }
    }
    Ok(objections)
}

async fn binary(
    server: &Server,
    catalog: &Catalog,
    column: &Column,
    text: &str,
) -> Result<Result<Vec<u8>, &'static str>, Error> {
    let Some(base) = catalog.base_type(column.type_oid) else { return Ok(Err("its type is not known")) };
    if base.kind == TypeKind::Enum || base.name.name == "citext" {
        // Their binary form is their text; a label that is none is refused by the server when the row arrives.
        return Ok(Ok(text.as_bytes().to_vec()));
    }
    if base.oid >= FIRST_NORMAL_OID || base.kind != TypeKind::Base {
        return Ok(Err("constants of its type are not supported; use \"null\""));
    }
    // A domain has no length of its own.
    let typmod = if base.oid == column.type_oid { column.typmod } else { -1 };
    match values::binary(server, base.oid, typmod, text).await? {
        Some(binary) => Ok(Ok(binary)),
        None => Ok(Err("the constant is no value of its type")),
    }
}
