//! What waits in the outbox, and how it leaves: marked with a batch, put on the ledger by the caller, then deleted.
//!
//! The batch's number is the ledger entry's nonce, so that a batch which a crash left behind can be told from one that
//! is on the ledger already.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lethe_format::catalog::QualifiedName;
use lethe_format::ids::Digest;
use lethe_format::ledger::{BodyId, SourceId, SubjectRef};
use lethe_format::manifest::CaptureState;
use tokio_postgres::Row;

use super::SCHEMA;
use crate::{Error, Server};

const STAGE: &str = "read the outbox of";

/// The most keys in one batch, and so in one ledger entry.
const BATCH: i64 = 100_000;

/// Keys of one subject that leave together.
#[derive(Clone)]
pub struct Batch {
    pub subject: SubjectRef,
    pub keys: Vec<Vec<String>>,
    /// How many of them belong to each customer; none for nobody's, and where customers are not kept apart.
    pub tenants: BTreeMap<Option<String>, u64>,
}

/// Keys name people, so only their number is shown.
impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch({} keys)", self.keys.len())
    }
}

/// Whether the capture is installed in this database.
pub async fn is_installed(server: &Server) -> Result<bool, Error> {
    let sql = format!("SELECT to_regclass('{SCHEMA}.outbox') IS NOT NULL");
    Ok(query_one(server, &sql).await?.get(0))
}

/// The fingerprint of what is installed.
pub async fn installed_fingerprint(server: &Server) -> Result<Option<String>, Error> {
    let sql = format!("SELECT obj_description(to_regnamespace('{SCHEMA}'), 'pg_namespace')");
    Ok(query_one(server, &sql).await?.get(0))
}

/// One database on one server; a restored one is another.
pub async fn source_id(server: &Server) -> Result<SourceId, Error> {
    let sql = "SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || d.oid::text
               FROM pg_database d WHERE d.datname = current_database()";
    let text: String = query_one(server, sql).await?.get(0);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Digest::of(text.as_bytes()).as_bytes()[..16]);
    Ok(BodyId::from_bytes(bytes))
}

/// Looks at the outbox. A deletion that was committed before is either counted here or was taken out already.
pub async fn waiting(server: &Server) -> Result<CaptureState, Error> {
    let source = source_id(server).await?;
    let sql = format!(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8, count(*),
                (extract(epoch FROM min(at)) * 1000000)::int8 FROM {SCHEMA}.outbox"
    );
    let row = query_one(server, &sql).await?;
    Ok(CaptureState {
        source,
        at: timestamp(row.get(0)),
        waiting: row.get::<_, i64>(1).unsigned_abs(),
        oldest: row.get::<_, Option<i64>>(2).map(timestamp),
    })
}

/// Batches that were marked and not deleted: a crash came in between.
pub async fn marked(server: &Server) -> Result<Vec<BodyId>, Error> {
    let sql = format!("SELECT DISTINCT batch::text FROM {SCHEMA}.outbox WHERE batch IS NOT NULL");
    let rows = server.client().query(&sql, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    rows.iter().map(|row| batch_id(server, &row.get::<_, String>(0))).collect()
}

/// Marks keys of one subject with a batch; false if none are waiting.
pub async fn mark(server: &Server, batch: &BodyId) -> Result<bool, Error> {
    let sql = format!(
        "WITH first AS (SELECT subject, table_schema, table_name, key_columns FROM {SCHEMA}.outbox
                        WHERE batch IS NULL ORDER BY id LIMIT 1)
         UPDATE {SCHEMA}.outbox SET batch = '{batch}' WHERE id IN (
             SELECT o.id FROM {SCHEMA}.outbox o, first f
             WHERE o.batch IS NULL AND o.subject = f.subject AND o.table_schema = f.table_schema
               AND o.table_name = f.table_name AND o.key_columns IS NOT DISTINCT FROM f.key_columns
             ORDER BY o.id LIMIT {BATCH})"
    );
    let failed = Error::server("mark a batch in the outbox of", server.settings());
    Ok(server.client().execute(&sql, &[]).await.map_err(failed)? > 0)
}

/// The keys of a batch.
pub async fn batch(server: &Server, batch: &BodyId) -> Result<Option<Batch>, Error> {
    // An outbox of an older version has no such column.
    let sql = format!(
        "SELECT subject, table_schema, table_name, key_columns, key, to_jsonb(o) ->> 'tenant' FROM {SCHEMA}.outbox o
         WHERE batch = '{batch}' ORDER BY id"
    );
    let rows = server.client().query(&sql, &[]).await.map_err(Error::server(STAGE, server.settings()))?;
    let Some(first) = rows.first() else { return Ok(None) };
    let subject = SubjectRef {
        name: Some(first.get(0)),
        table: QualifiedName::new(first.get::<_, String>(1), first.get::<_, String>(2)),
        columns: first.get(3),
    };
    let mut tenants = BTreeMap::new();
    for row in &rows {
        *tenants.entry(row.get(5)).or_default() += 1;
    }
    Ok(Some(Batch { subject, keys: rows.iter().map(|row| row.get(4)).collect(), tenants }))
}

/// Takes a batch out of the outbox, once it is on the ledger.
pub async fn delete(server: &Server, batch: &BodyId) -> Result<(), Error> {
    let sql = format!("DELETE FROM {SCHEMA}.outbox WHERE batch = '{batch}'");
    server.run(&sql, "delete a batch from the outbox of", server.settings()).await
}

fn batch_id(server: &Server, text: &str) -> Result<BodyId, Error> {
    text.replace('-', "").parse().map_err(|_| Error::Unexpected {
        stage: STAGE,
        object: server.settings().to_string(),
        problem: "a batch is no UUID".to_owned(),
    })
}

fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

async fn query_one(server: &Server, sql: &str) -> Result<Row, Error> {
    server.client().query_one(sql, &[]).await.map_err(Error::server(STAGE, server.settings()))
}
