//! What a drill asks the server about what was restored, and the live one about what is there now.

use std::time::Duration;

use lethe_format::catalog::QualifiedName;
use lethe_format::manifest::Manifest;
use lethe_format::sql::quote_literal;
use lethe_postgres::{ConnectionSettings, Purpose, Server, ServerError};
use lethe_rules::drill::{CheckFacts, CheckOutcome, ConstraintFacts, IndexFacts, SourceFacts, SourceTable};

use crate::progress::Progress;
use crate::restore::query;
use crate::{Error, error};

/// Blocks of 8 KiB from which on a table of the live source is not counted but estimated: counting reads all of it.
const ESTIMATED_FROM: i32 = 16_384;
/// How long the live source is asked.
const SOURCE_PATIENCE: Duration = Duration::from_secs(120);

/// One of the owner's own assertions: a question with one answer.
#[derive(Clone, Debug)]
pub struct Assertion {
    pub name: String,
    /// One statement; it gives one row with one column.
    pub sql: String,
    /// The answer as `psql` shows it.
    pub expect: String,
    pub timeout: Duration,
}

/// Rows of one table, without those of tables that inherit from it.
pub(super) async fn count(server: &Server, table: &QualifiedName) -> Result<u64, Error> {
    let rows = query(server, &format!("SELECT count(*) FROM ONLY {}", table.sql())).await?;
    Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0)).unsigned_abs())
}

/// By now the server has looked at every row for each of them: `CHECK` and `NOT NULL` as it was loaded, unique and
/// exclusion constraints as their indexes were built, foreign keys in the restore's verification.
pub(super) async fn constraints(server: &Server, manifest: &Manifest) -> Result<ConstraintFacts, Error> {
    let sql = "
        SELECT n.nspname::text, c.relname::text, k.conname::text, k.contype = 'f', k.convalidated
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'lethe') AND n.nspname !~ '^pg_'
          AND k.conparentid = 0 ORDER BY 1, 2, 3";
    let mut facts = ConstraintFacts::default();
    for row in query(server, sql).await? {
        let table = QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        let (name, foreign, valid): (String, bool, bool) = (row.get(2), row.get(3), row.get(4));
        if valid {
            facts.valid += 1;
            continue;
        }
        // Of constraints that are no foreign keys the schema alone says whether they were valid, and it was followed.
        let was_valid = foreign
            && manifest.catalog.foreign_keys.iter().any(|key| {
                let child = manifest.catalog.table(key.child);
                key.validated
                    && key.enforced
                    && key.name == name
                    && child.is_some_and(|child| child.name == table)
            });
        let list = if was_valid { &mut facts.not_valid } else { &mut facts.not_valid_in_source };
        list.push(format!("{name} of {table}"));
    }
    Ok(facts)
}

/// Every B-tree index against its table, in both directions (PostgreSQL documentation, *amcheck*); GIN indexes where the
/// extension can.
pub(super) async fn indexes(server: &Server, progress: &Progress) -> Result<IndexFacts, Error> {
    let mut facts = IndexFacts { amcheck: install_amcheck(server).await?, ..IndexFacts::default() };
    let sql = "
        SELECT i.indexrelid::int8, n.nspname::text, c.relname::text, a.amname::text, i.indisvalid AND i.indisready
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_am a ON a.oid = c.relam
        WHERE c.relkind = 'i' AND c.relpersistence <> 't'
          AND n.nspname NOT IN ('information_schema', 'lethe') AND (n.nspname !~ '^pg_' OR n.nspname IN ('pg_catalog', 'pg_toast'))
        ORDER BY c.relpages DESC";
    let functions = functions(server).await?;
    let rows = query(server, sql).await?;
    progress.stage("check indexes", rows.len() as u64);
    for row in rows {
        progress.advance(1);
        let name = QualifiedName::new(row.get::<_, String>(1), row.get::<_, String>(2));
        if !row.get::<_, bool>(4) {
            facts.invalid.push(name.to_string());
            continue;
        }
        let (oid, kind): (i64, String) = (row.get(0), row.get(3));
        let wanted =
            functions.iter().find(|(function, _)| *function == format!("{}_index_check", short(&kind)));
        let Some((_, sql)) = wanted.filter(|_| facts.amcheck) else {
            facts.not_checked += 1;
            continue;
        };
        match server
            .run(&sql.replace("$1", &format!("{oid}::regclass")), "check", format!("index {name}"))
            .await
        {
            Ok(()) => facts.checked += 1,
            Err(error) if error.code().is_some() => {
                tracing::error!(index = %name, error = %error::with_causes(&error.into()), "is damaged");
                facts.damaged.push(name.to_string());
            }
            Err(lost) => return Err(lost.into()),
        }
    }
    Ok(facts)
}

fn short(access_method: &str) -> &str {
    if access_method == "btree" { "bt" } else { access_method }
}

/// The functions that there are, as statements with `$1` in the place of the index.
async fn functions(server: &Server) -> Result<Vec<(String, String)>, Error> {
    let sql = "
        SELECT p.proname::text, quote_ident(n.nspname), 'heapallindexed' = ANY (p.proargnames)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid
        WHERE e.extname = 'amcheck' AND p.proname IN ('bt_index_check', 'gin_index_check') ORDER BY p.pronargs DESC";
    let rows = query(server, sql).await?;
    let function = |row: &lethe_postgres::tokio_postgres::Row| {
        let (name, schema, thorough): (String, String, Option<bool>) = (row.get(0), row.get(1), row.get(2));
        let more = if thorough == Some(true) { ", heapallindexed => true" } else { "" };
        (name.clone(), format!("SELECT {schema}.{name}($1{more})"))
    };
    Ok(rows.iter().map(function).collect())
}

/// False if the server does not have it, or not for this role.
async fn install_amcheck(server: &Server) -> Result<bool, Error> {
    let there = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'amcheck')";
    if query(server, there).await?.first().is_some_and(|row| row.get(0)) {
        return Ok(true);
    }
    let sql = "CREATE SCHEMA lethe_drill; CREATE EXTENSION amcheck SCHEMA lethe_drill";
    match server.run(sql, "install", "amcheck").await {
        Ok(()) => Ok(true),
        Err(error) if error.code().is_some() => Ok(false),
        Err(lost) => Err(lost.into()),
    }
}

/// The answer itself is compared and forgotten.
pub(super) async fn assertion(server: &Server, assertion: &Assertion) -> Result<CheckFacts, Error> {
    let begin = format!(
        "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL search_path = public",
        assertion.timeout.as_millis().min(1 << 30)
    );
    server.run(&begin, "ask", &assertion.name).await?;
    let outcome = match ask(server, &assertion.sql).await {
        Ok(Some(answer)) if answer == assertion.expect => CheckOutcome::Met,
        Ok(Some(_)) => CheckOutcome::Different,
        Ok(None) => CheckOutcome::Failed("the answer is not one value".to_owned()),
        Err(cause) if cause.lost => {
            let (stage, object) = ("ask", assertion.name.clone());
            return Err(lethe_postgres::Error::Server { stage, object, cause: Box::new(cause) }.into());
        }
        Err(cause) => CheckOutcome::Failed(cause.to_string()),
    };
    server.run("ROLLBACK", "ask", &assertion.name).await?;
    Ok(CheckFacts { name: assertion.name.clone(), outcome })
}

async fn ask(server: &Server, sql: &str) -> Result<Option<String>, ServerError> {
    use lethe_postgres::tokio_postgres::SimpleQueryMessage::Row;
    // The server prepares one statement and no more: with several, one could end the read-only transaction.
    server.client().prepare(sql).await?;
    let messages = server.client().simple_query(sql).await?;
    let rows: Vec<_> =
        messages.iter().filter_map(|message| if let Row(row) = message { Some(row) } else { None }).collect();
    match rows.as_slice() {
        [row] if row.len() == 1 => Ok(row.get(0).map(str::to_owned)),
        _ => Ok(None),
    }
}

/// Counts in the live source. That it cannot be asked is a fact like others.
pub(super) async fn source(
    settings: &ConnectionSettings,
    manifest: &Manifest,
    found: &[(String, u64)],
    tolerance_percent: u64,
) -> SourceFacts {
    let mut facts = SourceFacts { tolerance_percent, ..SourceFacts::default() };
    let compared = tokio::time::timeout(SOURCE_PATIENCE, compare(settings, manifest, found)).await;
    match compared {
        Ok(Ok(tables)) => facts.tables = tables,
        Ok(Err(error)) => facts.unreachable = Some(error::with_causes(&error)),
        Err(_) => facts.unreachable = Some(format!("it took longer than {} s", SOURCE_PATIENCE.as_secs())),
    }
    facts
}

async fn compare(
    settings: &ConnectionSettings,
    manifest: &Manifest,
    found: &[(String, u64)],
) -> Result<Vec<SourceTable>, Error> {
    let server = Server::connect(settings, Purpose::Drill).await?;
    server
        .run("SET default_transaction_read_only = on; SET statement_timeout = '60s'", "ask", settings)
        .await?;
    let mut tables = Vec::new();
    for (name, found) in found {
        let known = manifest.catalog.tables.iter().find(|table| table.name.to_string() == *name);
        let Some(known) = known else { continue };
        let sql = format!(
            "SELECT relpages, reltuples::float8 FROM pg_class WHERE oid = to_regclass({})",
            quote_literal(&known.name.sql())
        );
        let rows = query(&server, &sql).await?;
        let (mut source, mut estimated) = (None, false);
        if let Some(row) = rows.first() {
            let (pages, tuples): (i32, f64) = (row.get(0), row.get(1));
            estimated = pages >= ESTIMATED_FROM && tuples >= 0.0;
            source = Some(if estimated { tuples as u64 } else { count(&server, &known.name).await? });
        }
        tables.push(SourceTable { table: name.clone(), found: *found, source, estimated });
    }
    Ok(tables)
}
