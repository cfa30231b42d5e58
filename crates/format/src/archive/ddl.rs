//! From the archive's entries to statements, as `pg_restore` runs them (`RestoreArchive`, `_tocEntryRestorePass`,
//! `_printTocEntry` and `_getObjectDescription` in `pg_backup_archiver.c`), sorted by when a restore runs them.

use std::collections::BTreeMap;

use super::{Archive, Entry, Section};
use crate::sql::quote_ident;

/// One entry's SQL, with what must be set before it runs. The caller keeps `search_path` empty.
#[derive(Clone, Debug)]
pub struct Statement {
    pub dump_id: i64,
    /// For messages: `TABLE public.users`.
    pub object: String,
    pub step: Step,
    pub sql: String,
    /// `ALTER … OWNER TO`, without the role; none for what has no owner of its own.
    pub owner: Option<Ownership>,
    /// `default_tablespace`, empty for the database's own; none if it does not matter.
    pub tablespace: Option<String>,
    pub table_access_method: Option<String>,
    /// Schema and table that an index or a constraint is built on.
    pub table: Option<(String, String)>,
    /// The constraint's name, for foreign keys.
    pub constraint: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// `ALTER TABLE "public"."users" OWNER TO `.
    pub sql: String,
    pub role: String,
}

/// When a statement runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// Before any row: types, functions, tables, views …
    PreData,
    /// Indexes, primary keys, unique and exclusion constraints: in parallel, as their tables are complete.
    Index,
    /// Attaching the indexes of partitions.
    IndexAttach,
    /// Everything after them that is not listed below, in the archive's order.
    PostData,
    ForeignKey,
    /// Triggers and rules: no row that is loaded may fire them.
    Trigger,
    /// Row security, publications and subscriptions.
    Late,
    /// Grants.
    Acl,
    /// Event triggers last, so that they see nothing of the restore.
    EventTrigger,
}

/// The statements in the order of their steps, and in the archive's order within each.
#[must_use]
pub fn statements(archive: &Archive) -> Vec<Statement> {
    let tables: BTreeMap<i64, &Entry> = archive
        .entries
        .iter()
        .filter(|entry| ["TABLE", "MATERIALIZED VIEW"].contains(&entry.desc.as_str()))
        .map(|entry| (entry.dump_id, entry))
        .collect();
    let mut statements: Vec<Statement> =
        archive.entries.iter().filter(|entry| runs(entry)).map(|entry| statement(entry, &tables)).collect();
    statements.sort_by_key(|statement| statement.step);
    statements
}

/// Settings of the session are the caller's, and a database is restored into one that is there.
fn runs(entry: &Entry) -> bool {
    let session = ["ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES"];
    !session.contains(&entry.desc.as_str()) && entry.section != Section::Data && !entry.definition.trim().is_empty()
}

fn statement(entry: &Entry, tables: &BTreeMap<i64, &Entry>) -> Statement {
    let step = step(entry);
    let on_table = matches!(step, Step::Index | Step::ForeignKey);
    let table = on_table.then(|| table_of(entry, tables)).flatten();
    let name = table.as_ref().map_or(entry.tag.as_str(), |(_, table)| {
        entry.tag.strip_prefix(table.as_str()).and_then(|rest| rest.strip_prefix(' ')).unwrap_or(&entry.tag)
    });
    let object = match &entry.namespace {
        Some(namespace) => format!("{} {namespace}.{}", entry.desc, entry.tag),
        None => format!("{} {}", entry.desc, entry.tag),
    };
    Statement {
        dump_id: entry.dump_id,
        object,
        step,
        sql: entry.definition.clone(),
        owner: ownership(entry),
        tablespace: entry.tablespace.clone(),
        table_access_method: entry.table_access_method.clone(),
        constraint: (step == Step::ForeignKey).then(|| name.to_owned()),
        table,
    }
}

fn step(entry: &Entry) -> Step {
    match entry.desc.as_str() {
        "ACL" | "ACL LANGUAGE" | "DEFAULT ACL" => return Step::Acl,
        "EVENT TRIGGER" => return Step::EventTrigger,
        "COMMENT" | "SECURITY LABEL" if entry.tag.starts_with("EVENT TRIGGER ") => return Step::EventTrigger,
        _ => {}
    }
    if entry.section != Section::PostData {
        // Comments are in no section; those on objects of the later steps are there by then.
        return if entry.section == Section::None { Step::Late } else { Step::PreData };
    }
    match entry.desc.as_str() {
        "INDEX" | "CONSTRAINT" => Step::Index,
        "INDEX ATTACH" => Step::IndexAttach,
        "FK CONSTRAINT" => Step::ForeignKey,
        "TRIGGER" => Step::Trigger,
        "POLICY" | "ROW SECURITY" | "PUBLICATION" | "PUBLICATION TABLE" | "PUBLICATION TABLES IN SCHEMA" | "SUBSCRIPTION"
        | "SUBSCRIPTION TABLE" | "COMMENT" | "SECURITY LABEL" => Step::Late,
        _ => Step::PostData,
    }
}

/// The table of an index or constraint: the one among its dependencies whose name its tag or definition begins with.
fn table_of(entry: &Entry, tables: &BTreeMap<i64, &Entry>) -> Option<(String, String)> {
    let candidates = entry.dependencies.iter().filter_map(|id| tables.get(id));
    let named = |table: &&&Entry| {
        table.namespace == entry.namespace
            && (entry.desc == "INDEX" || entry.tag.strip_prefix(table.tag.as_str()).is_some_and(|rest| rest.starts_with(' ')))
    };
    // A foreign key may depend on two tables of which one's name begins with the other's: the longer one is meant.
    let table = candidates.filter(named).max_by_key(|table| table.tag.len())?;
    Some((table.namespace.clone()?, table.tag.clone()))
}

fn ownership(entry: &Entry) -> Option<Ownership> {
    let role = entry.owner.clone()?;
    // Without a DROP statement the object goes with another one, and so does its owner.
    if entry.drop_statement.trim().is_empty() {
        return None;
    }
    let target = match entry.desc.as_str() {
        "COLLATION" | "CONVERSION" | "DOMAIN" | "FOREIGN TABLE" | "MATERIALIZED VIEW" | "SEQUENCE" | "STATISTICS"
        | "TABLE" | "TEXT SEARCH DICTIONARY" | "TEXT SEARCH CONFIGURATION" | "TYPE" | "VIEW" => {
            format!("{} {}.{}", entry.desc, quote_ident(entry.namespace.as_ref()?), quote_ident(&entry.tag))
        }
        "EVENT TRIGGER" | "FOREIGN DATA WRAPPER" | "PROCEDURAL LANGUAGE" | "PUBLICATION" | "SCHEMA" | "SERVER"
        | "SUBSCRIPTION" => format!("{} {}", entry.desc, quote_ident(&entry.tag)),
        // Their names need argument types, which the DROP statement has.
        "AGGREGATE" | "FUNCTION" | "OPERATOR" | "OPERATOR CLASS" | "OPERATOR FAMILY" | "PROCEDURE" => {
            let drop = entry.drop_statement.trim().trim_end_matches(';');
            drop.strip_prefix("DROP ")?.to_owned()
        }
        _ => return None,
    };
    Some(Ownership { sql: format!("ALTER {target} OWNER TO "), role })
}
