//! The database that is restored into: closed to others, and keeping book of what was done in it.
//!
//! The schema `lethe` holds one row about the restore, one for each chunk and one for each statement, written in the
//! transaction of that chunk or statement. It knows tables by number and holds nothing of their rows.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::sql::{quote_ident, quote_literal};
use lethe_postgres::{ConnectionSettings, Error as PostgresError, Purpose, Server, ServerError};
use lethe_rules::objection::{Code, Objection};
use lethe_rules::row_filter::Counts;
use tokio::sync::Mutex;

use super::Prepared;
use crate::Error;
use crate::ledger::VerifiedLedger;

const BOOKKEEPING: &str = "
    CREATE SCHEMA lethe;
    CREATE TABLE lethe.restore (snapshot text NOT NULL, ledger_seq int8 NOT NULL, connect_roles text[] NOT NULL,
        ready boolean NOT NULL DEFAULT false);
    CREATE TABLE lethe.restored_chunks (table_oid int8, chunk int4, read int8 NOT NULL, loaded int8 NOT NULL,
        dropped int8 NOT NULL, changed int8 NOT NULL, PRIMARY KEY (table_oid, chunk));
    CREATE TABLE lethe.done_statements (id int8 PRIMARY KEY);";

#[derive(Debug)]
pub(super) struct Target {
    settings: ConnectionSettings,
    role: Option<String>,
    main: Server,
    done: Mutex<BTreeSet<i64>>,
    ledger_seq: u64,
    connect_roles: Vec<String>,
}

/// A table that a crash of the server empties.
#[derive(Debug)]
pub(super) struct UnloggedTable {
    pub schema: String,
    pub name: String,
    pub rows: u64,
    /// Triggers of its own, or those of foreign keys.
    pub has_triggers: bool,
}

/// A chunk of a table, by the table's oid in the snapshot and the chunk's place in the manifest.
pub(super) type ChunkKey = (u32, usize);

/// The snapshot that an unfinished restore in this database is of.
pub(super) async fn unfinished(server: &Server) -> Result<Option<String>, Error> {
    let exists = query(server, "SELECT to_regclass('lethe.restore') IS NOT NULL").await?;
    if !exists.first().is_some_and(|row| row.get(0)) {
        return Ok(None);
    }
    let rows = query(server, "SELECT snapshot FROM lethe.restore").await?;
    Ok(rows.first().map(|row| row.get(0)))
}

impl Target {
    /// Closes the database and begins the book, or finds the book of the same restore.
    pub(super) async fn open(prepared: &Prepared) -> Result<Self, Error> {
        let main = connect(&prepared.target, None).await?;
        take_lock(&main).await?;
        if unfinished(&main).await?.is_none() {
            begin(&main, prepared).await?;
        }
        let row = query(&main, "SELECT ledger_seq, connect_roles FROM lethe.restore").await?;
        let row = row.first().ok_or_else(|| Error::damaged("lethe.restore", "it is empty"))?;
        let done = query(&main, "SELECT id FROM lethe.done_statements").await?;
        Ok(Self {
            settings: prepared.target.clone(),
            role: prepared.options.role.clone(),
            ledger_seq: row.get::<_, i64>(0).unsigned_abs(),
            connect_roles: row.get(1),
            done: Mutex::new(done.iter().map(|row| row.get(0)).collect()),
            main,
        })
    }

    /// Rows were loaded by what the ledger said when the restore began. If it says more by now, they may include
    /// people who were erased since.
    pub(super) async fn refuse_late_erasures(&self, ledger: &VerifiedLedger) -> Result<(), Error> {
        match ledger.keys_after(self.ledger_seq) {
            0 => Ok(()),
            count => Err(Error::LateErasures { count }),
        }
    }

    pub(super) fn main(&self) -> &Server {
        &self.main
    }

    /// A further connection, acting as the role that was asked for.
    pub(super) async fn worker(&self) -> Result<Server, Error> {
        connect(&self.settings, self.role.as_deref()).await
    }

    /// Runs a statement in a transaction of its own, unless it was run before.
    pub(super) async fn run_once(
        &self,
        server: &Server,
        id: i64,
        sql: &str,
        object: &str,
    ) -> Result<(), Error> {
        if self.done.lock().await.contains(&id) {
            return Ok(());
        }
        let record = format!("RESET ROLE; INSERT INTO lethe.done_statements VALUES ({id}); COMMIT;");
        let role =
            self.role.as_deref().map(|role| format!("SET ROLE {};", quote_ident(role))).unwrap_or_default();
        // Three messages instead of one: a statement's own text must not be joined with ours by a missing semicolon.
        let run = async {
            server.run("BEGIN", "begin", object).await?;
            server.run(sql, "create", object).await?;
            server.run(&(record + &role), "record", object).await
        };
        if let Err(error) = run.await {
            // The connection may be gone; then the server has rolled back already.
            let _ = server.run("ROLLBACK", "roll back", object).await;
            return Err(error.into());
        }
        self.done.lock().await.insert(id);
        Ok(())
    }

    /// Chunks that were loaded before, with their counts.
    pub(super) async fn restored_chunks(&self) -> Result<BTreeMap<ChunkKey, Counts>, Error> {
        let sql = "SELECT table_oid, chunk, read, loaded, dropped, changed FROM lethe.restored_chunks";
        let rows = query(&self.main, sql).await?;
        let number = |row: &lethe_postgres::tokio_postgres::Row, column: usize| {
            row.get::<_, i64>(column).unsigned_abs()
        };
        Ok(rows
            .iter()
            .map(|row| {
                let key = (
                    u32::try_from(row.get::<_, i64>(0)).unwrap_or(0),
                    row.get::<_, i32>(1).unsigned_abs() as usize,
                );
                let counts = Counts {
                    read: number(row, 2),
                    loaded: number(row, 3),
                    dropped: number(row, 4),
                    changed: number(row, 5),
                };
                (key, counts)
            })
            .collect())
    }

    pub(super) async fn unlogged_tables(&self) -> Result<Vec<UnloggedTable>, Error> {
        let sql = "SELECT n.nspname::text, c.relname::text, EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid)
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind = 'r' AND c.relpersistence = 'u'";
        let mut tables = Vec::new();
        for row in query(&self.main, sql).await? {
            let (schema, name): (String, String) = (row.get(0), row.get(1));
            let sql = format!("SELECT count(*) FROM ONLY {}.{}", quote_ident(&schema), quote_ident(&name));
            let rows =
                query(&self.main, &sql).await?.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs());
            tables.push(UnloggedTable { schema, name, rows, has_triggers: row.get(2) });
        }
        Ok(tables)
    }

    pub(super) async fn forget_chunks(&self, table: u32) -> Result<(), Error> {
        let sql = format!("DELETE FROM lethe.restored_chunks WHERE table_oid = {table}");
        self.main.run(&sql, "forget chunks in", &self.settings).await?;
        Ok(())
    }

    /// The statement that records a chunk; to be run in the chunk's own transaction.
    pub(super) fn record_chunk(key: ChunkKey, counts: &Counts) -> String {
        let Counts { read, loaded, dropped, changed } = counts;
        format!(
            "RESET ROLE; INSERT INTO lethe.restored_chunks VALUES ({}, {}, {read}, {loaded}, {dropped}, {changed});",
            key.0, key.1
        )
    }

    /// Gives back the right to connect, and marks the restore as ready. This commit waits for the disk, and with it
    /// everything before it is there: what applications see cannot be lost again.
    pub(super) async fn open_to_others(&self) -> Result<(), Error> {
        let database = quote_ident(&self.settings.database());
        let mut sql =
            String::from("SET synchronous_commit = on; BEGIN; UPDATE lethe.restore SET ready = true;");
        for role in &self.connect_roles {
            let role = if role.is_empty() { "PUBLIC".to_owned() } else { quote_ident(role) };
            sql.push_str(&format!("GRANT CONNECT ON DATABASE {database} TO {role};"));
        }
        sql.push_str("COMMIT");
        self.main.run(&sql, "open", &self.settings).await?;
        Ok(())
    }

    pub(super) async fn is_ready(&self) -> Result<bool, Error> {
        let rows = query(&self.main, "SELECT ready FROM lethe.restore").await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }

    pub(super) async fn remove_bookkeeping(&self) -> Result<(), Error> {
        self.main.run("DROP SCHEMA lethe CASCADE", "remove the book of", &self.settings).await?;
        Ok(())
    }
}

async fn connect(settings: &ConnectionSettings, role: Option<&str>) -> Result<Server, Error> {
    let server = Server::connect(settings, Purpose::Restore).await?;
    // Until the cut-over nothing is worth waiting for the disk: a crash of the server loses whole transactions only,
    // and their records with them. Compiled expressions cost more than they save here.
    let mut sql = String::from("SET synchronous_commit = off; SET jit = off;");
    if let Some(role) = role {
        sql.push_str(&format!("SET ROLE {};", quote_ident(role)));
    }
    server.run(&sql, "prepare the session of", settings).await?;
    quiet_log(&server).await;
    Ok(server)
}

/// Two restores into one database would each do what the other has not recorded yet.
async fn take_lock(server: &Server) -> Result<(), Error> {
    let rows = query(server, "SELECT pg_try_advisory_lock(hashtext('lethe restore'))").await?;
    if rows.first().is_some_and(|row| row.get(0)) {
        return Ok(());
    }
    let object = format!("database {}", server.settings().database());
    let objection = Objection::new(Code::TargetInUse, object, "another restore into it is under way")
        .hint("if it was killed just now, its sessions end within seconds: try again");
    Err(Error::Refused(vec![objection]))
}

/// A failing COPY would put a row into the server's log. Only superusers, and roles that were granted it, may turn that
/// off; for others the rows that are sent may appear there, which are never those of erased people.
async fn quiet_log(server: &Server) {
    let quiet = "SET log_min_error_statement = 'panic'; SET log_error_verbosity = 'terse'; SET log_statement = 'none'; SET log_min_duration_statement = -1";
    if server.client().batch_execute(quiet).await.is_err() {
        tracing::debug!("the role may not quiet the server's log");
    }
}

/// Closing and the book are one transaction: a database is closed if and only if the book says who could connect.
async fn begin(server: &Server, prepared: &Prepared) -> Result<(), Error> {
    let database = quote_ident(&prepared.target.database());
    let sql = "
        SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END
        FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
        WHERE d.datname = current_database() AND a.privilege_type = 'CONNECT'
          AND a.grantee <> d.datdba AND pg_get_userbyid(a.grantee) <> current_user";
    let roles: Vec<String> = query(server, sql).await?.iter().map(|row| row.get(0)).collect();
    let mut script = String::from("BEGIN;");
    for role in &roles {
        let role = if role.is_empty() { "PUBLIC".to_owned() } else { quote_ident(role) };
        script.push_str(&format!("REVOKE CONNECT ON DATABASE {database} FROM {role};"));
    }
    script.push_str(BOOKKEEPING);
    let list: Vec<String> = roles.iter().map(|role| quote_literal(role)).collect();
    script.push_str(&format!(
        "INSERT INTO lethe.restore VALUES ({}, {}, ARRAY[{}]::text[]); COMMIT",
        quote_literal(prepared.manifest.snapshot.as_str()),
        prepared.ledger.head().seq,
        list.join(",")
    ));
    server.run(&script, "close", &prepared.target).await?;
    Ok(())
}

async fn query(server: &Server, sql: &str) -> Result<Vec<lethe_postgres::tokio_postgres::Row>, Error> {
    server.client().query(sql, &[]).await.map_err(|cause| {
        PostgresError::Server {
            stage: "look at",
            object: server.settings().to_string(),
            cause: Box::new(ServerError::from(cause)),
        }
        .into()
    })
}
