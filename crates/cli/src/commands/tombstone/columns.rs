//! `lethe tombstone erase-columns` and `revoke-columns`.

use jiff::Timestamp;
use lethe_engine::audit::Intent;
use lethe_engine::ledger::{self, NewEntry};
use lethe_engine::restore::newest_catalog;
use lethe_format::audit::{Action, Facts};
use lethe_format::catalog::{Catalog, QualifiedName};
use lethe_format::ledger::Kind;
use lethe_format::reference::TableColumns;
use serde_json::json;

use crate::commands::audited::{audited, with_some};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::{Settings, table_columns};

pub(super) async fn append(
    settings: &Settings,
    columns: &str,
    kind: Kind,
    already_deleted: bool,
    output: &Output,
) -> Result<(), Failure> {
    let TableColumns { table, columns } = parse(columns)?;
    let repository = settings.open_repository().await?;
    // A name that is written wrong erases nothing. Without an identity nobody here can tell.
    if kind == Kind::ColumnsErased && repository.has_identities() {
        let catalog = newest_catalog(&repository).await?;
        if let Some(problem) = catalog.and_then(|catalog| unknown(&catalog, &table, &columns)) {
            settings.warn(&problem);
        }
    }
    let mut entry = NewEntry::about_columns(kind, table, columns.clone());
    entry.settled = already_deleted;
    entry.request = settings.request();
    let subject = entry.subject.as_ref().map(ToString::to_string);
    let counts = [("columns".to_owned(), columns.len() as u64)].into();
    let facts = Facts { subject: subject.clone(), counts, ..Facts::default() };
    let action = if kind == Kind::ColumnsRevoked { Action::TombstoneRevoke } else { Action::TombstoneAdd };
    let intent = Intent { facts: facts.clone(), ..with_some(action, Vec::new()) };
    let work = async {
        let last_seen = settings.last_seen(&repository);
        let head = ledger::append(&repository, &last_seen, entry, None, Timestamp::now()).await?;
        let seq = head.map_or(0, |head| head.seq);
        output.say(format!("entry {seq}: {kind} {}", subject.unwrap_or_default()));
        output.summary("tombstone", &json!({"seq": seq, "kind": kind, "columns": columns.len()}));
        Ok(Facts { ledger: Some(seq), ..facts })
    };
    audited(settings, &repository, intent, Box::pin(work)).await
}

fn parse(text: &str) -> Result<TableColumns, Failure> {
    table_columns(text).map_err(|problem| Failure::usage(problem).hint("write schema.table(column, …)"))
}

fn unknown(catalog: &Catalog, table: &QualifiedName, columns: &[String]) -> Option<String> {
    let Some(found) = catalog.table_named(table) else {
        return Some(format!("the newest snapshot has no table {table}"));
    };
    let missing = columns.iter().find(|name| found.column_named(name).is_none())?;
    Some(format!("in the newest snapshot {table} has no column {missing}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_with_their_table_and_its_schema() {
        let TableColumns { table, columns } = parse("public.users(phone, \"Born\")").expect("columns");
        assert_eq!(
            (table.to_string().as_str(), columns),
            ("public.users", vec!["phone".to_owned(), "Born".to_owned()])
        );
        for wrong in ["users(phone)", "public.users", "public.users()", "phone", ""] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
