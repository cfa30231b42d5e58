//! A look at some values of a column, to be counted and not to be seen: nothing but numbers, and the names within JSON documents,
//! comes back from the server.

use lethe_format::catalog::QualifiedName;
use lethe_format::sql::quote_ident;
use tokio_postgres::Row;

use crate::{Error, Server};

/// How a column's values are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Values {
    Plain,
    /// Each element by itself.
    Elements,
    /// The names at the top of a JSON object.
    Json,
}

/// A column to be looked at, and the keys that its values may be.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub table: &'a QualifiedName,
    pub column: &'a str,
    pub values: Values,
    /// Columns of the same type, each with an index of its own.
    pub keys: Vec<(&'a QualifiedName, &'a str)>,
    /// Whether they may be e-mail addresses.
    pub is_text: bool,
}

/// How many there were of each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// Distinct values.
    pub values: u64,
    pub keys: u64,
    pub addresses: u64,
    /// Distinct names in JSON documents. They are part of the schema where an application chose them, and data where a person did: so they
    /// are judged, and never shown.
    pub names: Vec<String>,
}

/// Rows that are looked at in each table, and how long that may take.
const ROWS: u32 = 2000;
const TIMEOUT: &str = "20s";

/// Looks at some of a column's values; none if that took too long.
///
/// # Errors
/// If the server cannot be asked, or the role may not read the table.
pub async fn look(server: &Server, question: &Question<'_>) -> Result<Option<Answer>, Error> {
    let Some(rows) = sampled(server, &sql(question), question.table).await? else { return Ok(None) };
    let Some(row) = rows.first() else { return Ok(Some(Answer::default())) };
    let number = |place: usize| u64::try_from(row.get::<_, i64>(place)).unwrap_or(0);
    Ok(Some(Answer { values: number(0), keys: number(1), addresses: number(2), names: row.get(3) }))
}

/// Asks for something about a sample; none if that took too long.
pub(crate) async fn sampled(
    server: &Server,
    sql: &str,
    table: &QualifiedName,
) -> Result<Option<Vec<Row>>, Error> {
    let begin = format!("SET LOCAL statement_timeout = '{TIMEOUT}'; SAVEPOINT look");
    server.run(&begin, "look at", table).await?;
    let failed = Error::server("look at values of", table);
    match server.client().query(sql, &[]).await.map_err(failed) {
        Ok(rows) => Ok(Some(rows)),
        // query_canceled
        Err(error) if error.code() == Some("57014") => {
            server.run("ROLLBACK TO SAVEPOINT look", "look at", table).await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The query for some of a column's values, as `v`. `only` begins with ` AND `.
pub(crate) fn rows(table: &QualifiedName, column: &str, only: Option<&str>) -> String {
    limited(table, column, only, ROWS)
}

/// The same with so many rows at most; no table gives more than about a million.
pub(crate) fn limited(table: &QualifiedName, column: &str, only: Option<&str>, rows: u32) -> String {
    let (column, name) = (quote_ident(column), table.sql());
    format!(
        "SELECT {column} AS v FROM {name} TABLESAMPLE SYSTEM (
             (SELECT CASE WHEN reltuples > 0 THEN greatest(0.01, least(100, 1000000 / reltuples)) ELSE 100 END
              FROM pg_catalog.pg_class WHERE oid = {}::pg_catalog.regclass)) WHERE {column} IS NOT NULL{} LIMIT {rows}",
        lethe_format::sql::quote_literal(&name),
        only.unwrap_or_default()
    )
}

fn sql(question: &Question<'_>) -> String {
    let rows = rows(question.table, question.column, None);
    if question.values == Values::Json {
        return format!(
            "WITH rows AS ({rows}), names AS (
                 SELECT DISTINCT n FROM rows, pg_catalog.jsonb_object_keys(
                     CASE pg_catalog.jsonb_typeof(v::jsonb) WHEN 'object' THEN v::jsonb ELSE '{{}}' END) n LIMIT 500)
             SELECT (SELECT count(*) FROM rows), 0::bigint, 0::bigint, (SELECT coalesce(array_agg(n), '{{}}') FROM names)"
        );
    }
    let value = if question.values == Values::Elements { "pg_catalog.unnest(v)" } else { "v" };
    let is_key: Vec<String> = question
        .keys
        .iter()
        .map(|(table, key)| {
            format!("EXISTS (SELECT FROM {} s WHERE s.{} = value)", table.sql(), quote_ident(key))
        })
        .collect();
    let is_key = if is_key.is_empty() { "false".to_owned() } else { is_key.join(" OR ") };
    let is_address = if question.is_text {
        r"value::text ~ '^[^@[:space:]]{1,64}@[^@[:space:]]{1,255}\.[a-zA-Z]{2,}$'"
    } else {
        "false"
    };
    format!(
        "WITH rows AS ({rows}), seen AS (SELECT DISTINCT {value} AS value FROM rows)
         SELECT count(*), count(*) FILTER (WHERE {is_key}), count(*) FILTER (WHERE {is_address}), '{{}}'::text[] FROM seen WHERE value IS NOT NULL"
    )
}
