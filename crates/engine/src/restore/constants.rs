//! The settings' constants in the form in which rows are stored: the server itself converts them.

use lethe_format::catalog::{Catalog, Column, FIRST_NORMAL_OID, Table, TypeKind};
use lethe_format::manifest::{CopyFormat, Manifest};
use lethe_postgres::{Server, values};
use lethe_rules::anonymise::Replacement;
use lethe_rules::objection::{Code, Objection};

use super::RestoreOptions;
use crate::Error;

/// Fills in the binary form of every constant; an objection for each that is no value of its column's type.
pub(super) async fn resolve(
    server: &Server,
    manifest: &Manifest,
    options: &mut RestoreOptions,
) -> Result<Vec<Objection>, Error> {
    let catalog = &manifest.catalog;
    let mut objections = Vec::new();
    let RestoreOptions { anonymise, references, .. } = options;
    let referring = references.iter_mut().flat_map(|reference| {
        let name = reference.from.table.clone();
        let set = reference.overwritten_mut().iter_mut();
        set.map(move |(column, value)| ("reference", name.clone(), &*column, value))
    });
    let anonymised = anonymise.masks.iter_mut().flat_map(|rule| {
        let name = rule.table.clone();
        rule.columns.iter_mut().map(move |(column, value)| ("[[anonymise]]", name.clone(), &*column, value))
    });
    let everybody = anonymise.everybody.iter_mut().flat_map(|rule| {
        let name = rule.table.clone();
        let section = if rule.by_label { "security labels" } else { "[[mask]]" };
        rule.columns.iter_mut().map(move |mask| (section, name.clone(), &mask.name, &mut mask.replacement))
    });
    for (section, table_name, name, replacement) in anonymised.chain(everybody).chain(referring) {
        let Some(table) = catalog.table_named(&table_name) else { continue };
        let (Replacement::Constant(constant), Some(column)) = (replacement, table.column_named(name)) else {
            continue;
        };
        if is_stored_as_text(manifest, table) && is_own_type(catalog, column) {
            // The text is what is sent; the server refuses one that is no value when the row arrives.
            constant.binary = Some(Vec::new());
            continue;
        }
        match binary(server, catalog, column, &constant.text).await? {
            Ok(binary) => constant.binary = Some(binary),
            Err(problem) => objections.push(Objection::new(
                Code::MaskRefused,
                format!("{section} of {table_name}"),
                format!("{table_name}.{name}: {problem}"),
            )),
        }
    }
    Ok(objections)
}

fn is_stored_as_text(manifest: &Manifest, table: &Table) -> bool {
    let mut data = manifest.tables.iter().filter(|data| data.table == table.oid);
    data.next().is_some_and(|data| data.format == CopyFormat::Text)
        && !manifest.catalog.has_children(table.oid)
}

/// Whether the type, or what it is made of, is none of PostgreSQL's own: no server has it before the schema is there.
fn is_own_type(catalog: &Catalog, column: &Column) -> bool {
    catalog.base_type(column.type_oid).is_some_and(|base| base.oid >= FIRST_NORMAL_OID)
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
    if base.oid >= FIRST_NORMAL_OID || !matches!(base.kind, TypeKind::Base | TypeKind::Array { .. }) {
        return Ok(Err("constants of its type are not supported; use \"null\""));
    }
    // A domain has no length of its own.
    let typmod = if base.oid == column.type_oid { column.typmod } else { -1 };
    match values::binary(server, base.oid, typmod, text).await? {
        Some(binary) => Ok(Ok(binary)),
        None => Ok(Err("the constant is no value of its type")),
    }
}
