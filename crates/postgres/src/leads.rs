//! A closer look at a column: where in its values keys of others stand. Only numbers come back from the server, and the places: names that
//! look like an application's in documents, and words before numbers in texts that many values share.

use lethe_format::catalog::QualifiedName;
use lethe_format::sql::{quote_ident, quote_literal};

use crate::sample::{Values, sampled};
use crate::{Error, Server};

/// How keys of a type are recognised in a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KeyKind {
    Integer,
    Uuid,
    Text,
}

/// A column with an index of its own whose values are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub table: &'a QualifiedName,
    pub column: &'a str,
    pub kind: KeyKind,
}

/// A column to be looked at.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub table: &'a QualifiedName,
    pub column: &'a str,
    pub values: Values,
    /// Only rows in which this column has this value, as text.
    pub only: Option<(&'a str, &'a str)>,
    pub keys: Vec<Key<'a>>,
}

/// What was found at one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Path in a document, `$` for the value itself.
    pub place: String,
    /// What stands before the key in its text.
    pub before: String,
    /// Distinct values there.
    pub values: u64,
    /// How many of them are keys, for each key of the question.
    pub keys: Vec<u64>,
}

/// How deep documents are looked into, and how many places are told of.
const DEEPEST: u32 = 6;
const PLACES: u32 = 300;
/// Fewer values at a place say nothing, and its name may be a person's.
const FEWEST: u32 = 5;

/// Looks for keys; none if that took too long.
///
/// # Errors
/// If the server cannot be asked, or the role may not read the table.
pub async fn look(server: &Server, question: &Question<'_>) -> Result<Option<Vec<Found>>, Error> {
    let rows = sampled(server, &sql(question), question.table).await?;
    let Some(rows) = rows else { return Ok(None) };
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let found = rows.iter().map(|row| Found {
        place: row.get(0),
        before: row.get(1),
        values: number(row.get(2)),
        keys: row.get::<_, Vec<i64>>(3).into_iter().map(number).collect(),
    });
    Ok(Some(found.collect()))
}

/// The values of a column that says what another one refers to, if there are few of them and all look like an application's own words.
///
/// # Errors
/// As [`look`].
pub async fn kinds(
    server: &Server,
    table: &QualifiedName,
    column: &str,
) -> Result<Option<Vec<String>>, Error> {
    // Rows of one kind often lie together, so that the first few may be of one alone.
    let rows = crate::sample::limited(table, column, None, 1_000_000);
    let sql = format!(
        r"WITH rows AS ({rows}), kinds AS (SELECT v::text AS kind, count(*) AS n FROM rows GROUP BY 1)
          SELECT CASE WHEN (SELECT count(*) FROM kinds) <= 20 THEN ARRAY(
              SELECT kind FROM kinds WHERE kind ~ '^[A-Za-z][A-Za-z0-9_:.\\]{{0,60}}$' AND n >= {FEWEST} ORDER BY kind) ELSE '{{}}' END"
    );
    let rows = sampled(server, &sql, table).await?;
    Ok(rows.map(|rows| rows.first().map(|row| row.get(0)).unwrap_or_default()))
}

fn sql(question: &Question<'_>) -> String {
    let only = question
        .only
        .map(|(column, value)| format!(" AND {}::text = {}", quote_ident(column), quote_literal(value)));
    let rows = crate::sample::rows(question.table, question.column, only.as_deref());
    let seen = match question.values {
        Values::Plain => "SELECT DISTINCT '$' AS place, v::text AS value FROM rows".to_owned(),
        Values::Elements => {
            "SELECT DISTINCT '$' AS place, e::text AS value FROM rows, pg_catalog.unnest(v) e WHERE e IS NOT NULL"
                .to_owned()
        }
        Values::Json => format!(
            r"SELECT DISTINCT path AS place, doc #>> '{{}}' AS value FROM (
                WITH RECURSIVE walk(path, doc, depth) AS (
                    SELECT '$', v::jsonb, 0 FROM rows
                  UNION ALL
                    SELECT walk.path || inner_.step, inner_.doc, walk.depth + 1 FROM walk, LATERAL (
                        SELECT '.' || m.key AS step, m.value AS doc FROM pg_catalog.jsonb_each(
                            CASE pg_catalog.jsonb_typeof(walk.doc) WHEN 'object' THEN walk.doc ELSE '{{}}' END) m
                        WHERE m.key ~ '^[A-Za-z_][A-Za-z0-9_]{{0,39}}$'
                      UNION ALL
                        SELECT '[*]', e FROM pg_catalog.jsonb_array_elements(
                            CASE pg_catalog.jsonb_typeof(walk.doc) WHEN 'array' THEN walk.doc ELSE '[]' END) e
                    ) inner_ WHERE walk.depth < {DEEPEST}
                ) SELECT * FROM walk) walked
              WHERE pg_catalog.jsonb_typeof(doc) IN ('string', 'number')"
        ),
    };
    let is_key = |key: &Key<'_>| {
        let exists = |value: &str| {
            format!(
                "EXISTS (SELECT FROM {} s WHERE s.{} = {value})",
                key.table.sql(),
                quote_ident(key.column)
            )
        };
        match key.kind {
            KeyKind::Integer => {
                format!("CASE WHEN rest ~ '^-?[0-9]{{1,18}}$' THEN {} ELSE false END", exists("rest::bigint"))
            }
            KeyKind::Uuid => format!(
                "CASE WHEN rest ~* '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$' THEN {} ELSE false END",
                exists("rest::uuid")
            ),
            KeyKind::Text => exists("rest"),
        }
    };
    let counts: Vec<String> =
        question.keys.iter().map(|key| format!("count(*) FILTER (WHERE {})", is_key(key))).collect();
    format!(
        r"WITH rows AS ({rows}), seen AS ({seen}), split AS (
              SELECT place, '' AS before, value AS rest FROM seen
            UNION ALL
              SELECT place, m[1], m[2] FROM seen, LATERAL pg_catalog.regexp_match(value,
                  '^([A-Za-z][A-Za-z0-9_.:/#\\-]{{0,40}}[:/#_.-])([0-9]{{1,18}}|[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})$') m
              WHERE m IS NOT NULL)
          SELECT place, before, count(*), ARRAY[{}]::bigint[] FROM split
          GROUP BY place, before HAVING count(*) >= {FEWEST} ORDER BY 3 DESC, 1, 2 LIMIT {PLACES}",
        counts.join(", ")
    )
}
