//! From the archive's entries to statements, as `pg_restore` runs them (`RestoreArchive`, `_tocEntryRequired` and
//! `_printTocEntry` in `pg_backup_archiver.c`), sorted by when a restore runs them.
//!
//! What `pg_restore` sets once for the whole session is the caller's: an empty `search_path` (the archive's
//! `SEARCHPATH` entry), `client_encoding` UTF8, `standard_conforming_strings = on`, `check_function_bodies = off`,
//! `xmloption = content`, `row_security = off`, and no timeouts.

mod allowed;
mod ownership;
mod schedule;
mod target;

use super::{Archive, Entry, Section};
use crate::sql::quote_ident;
pub use allowed::{NotAllowed, check};
pub use ownership::Ownership;

/// One entry's SQL, with what must be set before it runs.
#[derive(Clone, Debug)]
pub struct Statement {
    pub dump_id: i64,
    /// The kind of object: `TABLE`, `FK CONSTRAINT`, `COMMENT` …
    pub desc: String,
    /// For messages: `TABLE public.users`.
    pub object: String,
    pub step: Step,
    /// May hold several statements, which must run through the simple protocol; empty for the schema `public`, which
    /// every database has, so that only its owner matters.
    pub sql: String,
    /// Who owns the object, to be run right after `sql`; none for what has no owner of its own.
    pub owner: Option<Ownership>,
    /// `default_tablespace`, empty for the database's own; none if it does not matter.
    pub tablespace: Option<String>,
    /// `default_table_access_method`; none if it does not matter.
    pub table_access_method: Option<String>,
    /// Schema and table that an index or a constraint is built on, for a foreign key the one that refers; always there
    /// in [`Step::Index`]. It may be a materialised view, which holds no rows before it is refreshed.
    pub table: Option<(String, String)>,
    /// The name of a constraint that is an entry of its own.
    pub constraint: Option<String>,
}

/// When a statement runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// Before any row: types, functions, tables, views …; then the indexes and keys of partitioned tables, which have
    /// no rows themselves and must be there before those of their partitions.
    PreData,
    /// Indexes, primary keys, unique and exclusion constraints: in parallel, as their tables are complete. None of
    /// them needs another one.
    Index,
    /// Attaching the indexes of partitions.
    IndexAttach,
    /// Everything after them that is not listed below, in the archive's order: check constraints that are not
    /// validated, extended statistics, rules, views and functions that need a primary key, and indexes on these.
    PostData,
    ForeignKey,
    /// No row that is loaded may fire one.
    Trigger,
    /// Comments and labels, row security, publications and subscriptions.
    Late,
    /// Grants.
    Acl,
    /// Event triggers last, so that they see nothing of the restore.
    EventTrigger,
}

/// The statements in the order of their steps, and in the archive's order within each.
///
/// No statement needs one of a later step, nor a later one of its own step. All of them are run in this order, one
/// after the other, but for [`Step::Index`].
#[must_use]
pub fn statements(archive: &Archive) -> Vec<Statement> {
    let entries: Vec<&Entry> = archive.entries.iter().filter(|entry| runs(entry)).collect();
    let steps = schedule::steps(&entries);
    let mut statements: Vec<Statement> =
        entries.into_iter().zip(steps).map(|(entry, step)| statement(entry, step)).collect();
    statements.sort_by_key(|statement| statement.step);
    statements
}

/// Leaves out the session's settings, the database itself, and everything that is data.
fn runs(entry: &Entry) -> bool {
    const SESSION: [&str; 3] = ["ENCODING", "STDSTRINGS", "SEARCHPATH"];
    const DATABASE: [&str; 2] = ["DATABASE", "DATABASE PROPERTIES"];
    // Large objects are copied like rows; statistics hold values and are made anew.
    const DATA: [&str; 7] = [
        "BLOB",
        "BLOB METADATA",
        "BLOBS",
        "BLOB COMMENTS",
        "MATERIALIZED VIEW DATA",
        "SEQUENCE SET",
        "STATISTICS DATA",
    ];
    const ABOUT_OTHERS: [&str; 3] = ["ACL", "COMMENT", "SECURITY LABEL"];
    let desc = entry.desc.as_str();
    let about = |kind: &str| ABOUT_OTHERS.contains(&desc) && entry.tag.starts_with(kind);
    let left_out = SESSION.contains(&desc)
        || DATABASE.contains(&desc)
        || DATA.contains(&desc)
        || entry.section == Section::Data
        || about("DATABASE ")
        || about("LARGE OBJECT");
    !left_out && !entry.definition.trim().is_empty()
}

fn statement(entry: &Entry, step: Step) -> Statement {
    let target = target::find(entry);
    let partitioned = entry.relkind == Some('p');
    let comment_only = entry.definition.lines().all(|line| line.starts_with("--") || line.trim().is_empty());
    let mut sql = if comment_only { String::new() } else { entry.definition.clone() };
    let mut table_access_method = entry.table_access_method.clone();
    if partitioned && let Some(method) = table_access_method.take() {
        // A partitioned table is stored nowhere, so the default does not apply to it.
        let table = qualified(entry);
        sql.push_str(&format!("\n\nALTER TABLE {table} SET ACCESS METHOD {};\n", quote_ident(&method)));
    }
    Statement {
        dump_id: entry.dump_id,
        desc: entry.desc.clone(),
        object: match &entry.namespace {
            Some(namespace) => format!("{} {namespace}.{}", entry.desc, entry.tag),
            None => format!("{} {}", entry.desc, entry.tag),
        },
        step,
        sql,
        owner: ownership::find(entry),
        tablespace: entry.tablespace.clone(),
        table_access_method,
        constraint: target.as_ref().filter(|_| entry.desc != "INDEX").map(|target| target.name.clone()),
        table: target.map(|target| target.table),
    }
}

fn qualified(entry: &Entry) -> String {
    let schema = entry.namespace.iter().map(|schema| quote_ident(schema) + ".");
    schema.chain([quote_ident(&entry.tag)]).collect()
}
