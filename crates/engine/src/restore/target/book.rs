//! The book: what was done in the target, written in the transactions that did it.
//!
//! The schema `lethe` holds one row about the restore, one for each chunk and one for each statement. It knows tables
//! by number and holds nothing of their rows.

use std::collections::BTreeMap;

use lethe_format::sql::{quote_ident, quote_literal};
use lethe_postgres::Server;
use lethe_postgres::tokio_postgres::Row;
use lethe_rules::row_filter::Counts;

use super::query;
use crate::Error;

/// `rules` tells by what the loaded rows were filtered: the ledger's head and the settings. `seed` makes random values, those of masks
/// together with the naming key, so that a chunk that is loaded again gets the same ones; it goes when the book goes.
/// `only_these` names those who are restored alone, by a keyed hash.
pub(super) const CREATE: &str = "
    CREATE SCHEMA lethe;
    CREATE TABLE lethe.restore (snapshot text NOT NULL, seed text NOT NULL, connect_roles text[] NOT NULL,
        rules text NOT NULL, label text NOT NULL, cut_over_seq int8, only_these text);
    CREATE TABLE lethe.restored_chunks (table_oid int8, chunk int4, read int8 NOT NULL, loaded int8 NOT NULL,
        dropped int8 NOT NULL, changed int8 NOT NULL, content text NOT NULL, PRIMARY KEY (table_oid, chunk));
    CREATE TABLE lethe.late_removed (table_oid int8 PRIMARY KEY, rows int8 NOT NULL);
    CREATE TABLE lethe.done_statements (id int8 PRIMARY KEY);
    CREATE TABLE lethe.without_autovacuum (relation oid PRIMARY KEY);";

/// A chunk of a table, by the table's oid in the snapshot and the chunk's place in the manifest. Chunks of large
/// objects are recorded under table 0.
pub(crate) type ChunkKey = (u32, usize);

/// What was loaded of a chunk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Loaded {
    pub counts: Counts,
    /// The keyed hash of the rows that were loaded, in hexadecimal.
    pub content: String,
}

/// A restore that was begun in a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Begun {
    pub snapshot: String,
    /// Who is restored alone, as a keyed hash; none if everything is.
    pub only: Option<String>,
    /// What the database is for.
    pub label: String,
    /// The ledger entry of the cut-over: from there on applications may be at work.
    pub cut_over: Option<u64>,
}

/// The restore in this database that is not finished, if there is one.
pub(crate) async fn begun(server: &Server) -> Result<Option<Begun>, Error> {
    let exists = query(server, "SELECT to_regclass('lethe.restore') IS NOT NULL").await?;
    if !exists.first().is_some_and(|row| row.get(0)) {
        return Ok(None);
    }
    // A version before this one may have begun it, whose book lacks the columns.
    let sql = "SELECT snapshot, cut_over_seq, to_jsonb(r) ->> 'only_these', to_jsonb(r) ->> 'label' FROM lethe.restore r";
    let rows = query(server, sql).await?;
    let begun = |row: &Row| Begun {
        snapshot: row.get(0),
        only: row.get(2),
        label: row.get::<_, Option<String>>(3).unwrap_or_default(),
        cut_over: row.get::<_, Option<i64>>(1).map(i64::unsigned_abs),
    };
    Ok(rows.first().map(begun))
}

pub(super) async fn chunks(server: &Server) -> Result<BTreeMap<ChunkKey, Loaded>, Error> {
    let sql = "SELECT table_oid, chunk, read, loaded, dropped, changed, content FROM lethe.restored_chunks";
    let number = |row: &Row, column: usize| row.get::<_, i64>(column).unsigned_abs();
    let chunk = |row: &Row| {
        let key =
            (u32::try_from(row.get::<_, i64>(0)).unwrap_or(0), row.get::<_, i32>(1).unsigned_abs() as usize);
        let counts = Counts {
            read: number(row, 2),
            loaded: number(row, 3),
            dropped: number(row, 4),
            changed: number(row, 5),
        };
        (key, Loaded { counts, content: row.get(6) })
    };
    Ok(query(server, sql).await?.iter().map(chunk).collect())
}

/// The statement that records a chunk, to be run in the chunk's own transaction.
pub(crate) fn record_chunk(key: ChunkKey, loaded: &Loaded) -> String {
    let Loaded { counts: Counts { read, loaded, dropped, changed }, content } = loaded;
    format!(
        "RESET ROLE; INSERT INTO lethe.restored_chunks VALUES ({}, {}, {read}, {loaded}, {dropped}, {changed}, {});",
        key.0,
        key.1,
        quote_literal(content)
    )
}

/// Statements that forget a table's chunks, and count the rows that have to leave the target.
pub(crate) fn forget_table(table: u32, late_removed: u64) -> String {
    let forget = format!("DELETE FROM lethe.restored_chunks WHERE table_oid = {table};");
    if late_removed == 0 {
        return forget;
    }
    format!(
        "{forget} INSERT INTO lethe.late_removed AS known VALUES ({table}, {late_removed})
         ON CONFLICT (table_oid) DO UPDATE SET rows = known.rows + excluded.rows;"
    )
}

pub(super) async fn late_removed(server: &Server) -> Result<BTreeMap<u32, u64>, Error> {
    let rows = query(server, "SELECT table_oid, rows FROM lethe.late_removed").await?;
    let row =
        |row: &Row| (u32::try_from(row.get::<_, i64>(0)).unwrap_or(0), row.get::<_, i64>(1).unsigned_abs());
    Ok(rows.iter().map(row).collect())
}

/// What the book begins with.
pub(super) struct First<'a> {
    pub snapshot: &'a str,
    pub only: Option<&'a str>,
    pub seed: &'a [u8; 32],
    pub label: &'a str,
    pub rules: &'a str,
    pub connect_roles: &'a [String],
}

/// Closing and the book are one transaction: a database is closed if and only if the book says who could connect. The label is
/// given with them, if the role may: a setting that no module has declared is set by superusers and by roles that were granted
/// it (`GRANT SET ON PARAMETER`). What stands there already is the same, or the plan would have objected.
pub(super) async fn begin(server: &Server, first: &First<'_>) -> Result<(), Error> {
    let First { snapshot, only, seed, label, rules, connect_roles } = first;
    let database = quote_ident(&server.settings().database());
    let mut script = String::from("BEGIN;");
    for role in *connect_roles {
        let role = if role.is_empty() { "PUBLIC".to_owned() } else { quote_ident(role) };
        script.push_str(&format!("REVOKE CONNECT ON DATABASE {database} FROM {role};"));
    }
    let label = quote_literal(label);
    let set = format!(
        "BEGIN ALTER DATABASE {database} SET lethe.label = {label}; EXCEPTION WHEN insufficient_privilege THEN NULL; END"
    );
    script.push_str(&format!("DO {};", quote_literal(&set)));
    script.push_str(CREATE);
    let roles: Vec<String> = connect_roles.iter().map(|role| quote_literal(role)).collect();
    script.push_str(&format!(
        "INSERT INTO lethe.restore VALUES ({}, {}, ARRAY[{}]::text[], {}, {label}, NULL, {}); COMMIT",
        quote_literal(snapshot),
        quote_literal(&blake3::Hash::from_bytes(**seed).to_hex()),
        roles.join(","),
        quote_literal(rules),
        only.map_or_else(|| "NULL".to_owned(), quote_literal)
    ));
    server.run(&script, "close", server.settings()).await?;
    Ok(())
}
