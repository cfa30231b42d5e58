//! The database that is restored into: closed to others, and keeping book of what was done in it.

mod autovacuum;
mod book;
mod session;

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::archive::ddl::Statement;
use lethe_format::sql::{quote_ident, quote_literal};
use lethe_postgres::{ConnectionSettings, Error as PostgresError, Server, ServerError, facts};
use lethe_rules::row_filter::Seeds;
use tokio::sync::Mutex;

use super::{Prepared, preflight};
use crate::{Error, NamingKey};
use book::First;
pub(crate) use book::begun;
pub(super) use book::{Begun, ChunkKey, Loaded, forget_table, record_chunk};
pub(super) use session::may_connect;

#[derive(Debug)]
pub(super) struct Target {
    settings: ConnectionSettings,
    role: Option<String>,
    main: Server,
    done: Mutex<BTreeSet<i64>>,
    seed: [u8; 32],
    mask_key: [u8; 32],
    connect_roles: Vec<String>,
}

/// A table that a crash of the server empties.
#[derive(Debug)]
pub(super) struct UnloggedTable {
    pub schema: String,
    pub name: String,
    pub rows: u64,
}

impl Target {
    /// Closes the database and begins the book, or finds the book of the same restore.
    ///
    /// # Errors
    /// If another restore has come to it since the preflight, or is done with it.
    pub(super) async fn open(prepared: &Prepared) -> Result<Self, Error> {
        let main = Self::take(&prepared.target).await?;
        let begun = begun(&main).await?;
        let only = prepared.only()?;
        preflight::is_ours_or_empty(&main, begun.as_ref(), &prepared.manifest, only.as_deref()).await?;
        if begun.is_none() {
            let roles = session::connect_roles(&main).await?;
            let first = First {
                snapshot: prepared.manifest.snapshot.as_str(),
                only: only.as_deref(),
                seed: &rand::random(),
                label: prepared.label.as_str(),
                rules: &prepared.rules()?,
                connect_roles: &roles,
            };
            book::begin(&main, &first).await?;
            if facts::database_label(&main).await?.is_none() {
                tracing::warn!(
                    label = %prepared.label,
                    "the database could not be given its label: GRANT SET ON PARAMETER lethe.label TO the restoring role (PostgreSQL 15 and newer), or set it as a superuser"
                );
            }
        }
        let row = query(&main, "SELECT seed, connect_roles FROM lethe.restore").await?;
        let row = row.first().ok_or_else(|| Error::damaged("lethe.restore", "it is empty"))?;
        let seed = blake3::Hash::from_hex(row.get::<_, String>(0))
            .map_err(|_| Error::damaged("lethe.restore", "its seed is none"))?;
        let done = query(&main, "SELECT id FROM lethe.done_statements").await?;
        Ok(Self {
            settings: prepared.target.clone(),
            role: prepared.options.role.clone(),
            seed: *seed.as_bytes(),
            mask_key: mask_key(prepared.repository.naming_key()?, seed.as_bytes()),
            connect_roles: row.get(1),
            done: Mutex::new(done.iter().map(|row| row.get(0)).collect()),
            main,
        })
    }

    /// A connection that has the target for itself.
    async fn take(settings: &ConnectionSettings) -> Result<Server, Error> {
        let main = session::connect(settings, None).await?;
        session::take_lock(&main).await?;
        session::end_leftovers(&main).await?;
        Ok(main)
    }

    pub(super) fn main(&self) -> &Server {
        &self.main
    }

    /// A further connection, acting as the role that was asked for.
    pub(super) async fn worker(&self) -> Result<Server, Error> {
        session::connect(&self.settings, self.role.as_deref()).await
    }

    /// As many further connections as there may be, up to this number; at least one.
    pub(super) async fn workers(&self, jobs: usize) -> Result<Vec<Server>, Error> {
        let mut workers = vec![self.worker().await?];
        while workers.len() < jobs {
            match self.worker().await {
                Ok(worker) => workers.push(worker),
                Err(Error::Postgres(error)) if error.code() == Some("53300") => {
                    tracing::warn!(
                        connections = workers.len(),
                        wanted = jobs,
                        "the server has no more of them"
                    );
                    break;
                }
                Err(other) => return Err(other),
            }
        }
        Ok(workers)
    }

    /// Make the random values of one chunk.
    pub(super) fn seeds(&self, key: ChunkKey) -> Seeds {
        let mut place = key.0.to_be_bytes().to_vec();
        place.extend((key.1 as u64).to_be_bytes());
        Seeds { row: *blake3::keyed_hash(&self.seed, &place).as_bytes(), value: self.mask_key }
    }

    /// Runs a statement in a transaction of its own, unless it was run before.
    pub(super) async fn run_once(
        &self,
        server: &Server,
        id: i64,
        sql: &str,
        object: &str,
    ) -> Result<(), Error> {
        if self.is_done(id).await {
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

    pub(super) async fn is_done(&self, id: i64) -> bool {
        self.done.lock().await.contains(&id)
    }

    /// Takes statements back and does what else belongs to that, all in one transaction.
    pub(super) async fn undo(&self, undone: &[(&Statement, String)], then: &str) -> Result<(), Error> {
        let mut script = String::from("BEGIN;");
        for (statement, inverse) in undone {
            script.push_str(&format!(
                "{inverse}; DELETE FROM lethe.done_statements WHERE id = {};",
                statement.dump_id
            ));
        }
        script.push_str(then);
        script.push_str("; COMMIT");
        self.main.run(&script, "take back a part of", &self.settings).await?;
        let mut done = self.done.lock().await;
        for (statement, _) in undone {
            done.remove(&statement.dump_id);
        }
        Ok(())
    }

    /// Chunks that were loaded before.
    pub(super) async fn restored_chunks(&self) -> Result<BTreeMap<ChunkKey, Loaded>, Error> {
        book::chunks(&self.main).await
    }

    /// Rows of each table that had been loaded when the erasure of their people arrived.
    pub(super) async fn late_removed(&self) -> Result<BTreeMap<u32, u64>, Error> {
        book::late_removed(&self.main).await
    }

    pub(super) async fn unlogged_tables(&self) -> Result<Vec<UnloggedTable>, Error> {
        let sql = "SELECT n.nspname::text, c.relname::text
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind = 'r' AND c.relpersistence = 'u'";
        let mut tables = Vec::new();
        for row in query(&self.main, sql).await? {
            let (schema, name): (String, String) = (row.get(0), row.get(1));
            let sql = format!("SELECT count(*) FROM ONLY {}.{}", quote_ident(&schema), quote_ident(&name));
            let rows =
                query(&self.main, &sql).await?.first().map_or(0, |row| row.get::<_, i64>(0).unsigned_abs());
            tables.push(UnloggedTable { schema, name, rows });
        }
        Ok(tables)
    }

    /// By what the loaded rows were filtered.
    pub(super) async fn rules(&self) -> Result<String, Error> {
        let rows = query(&self.main, "SELECT rules FROM lethe.restore").await?;
        Ok(rows.first().map(|row| row.get(0)).unwrap_or_default())
    }

    pub(super) async fn set_rules(&self, rules: &str) -> Result<(), Error> {
        let sql = format!("UPDATE lethe.restore SET rules = {}", quote_literal(rules));
        self.main.run(&sql, "keep the book of", &self.settings).await?;
        Ok(())
    }

    /// Gives back the right to connect, and notes the cut-over. This commit waits for the disk, and with it everything
    /// before it is there: what applications see cannot be lost again.
    pub(super) async fn open_to_others(&self, cut_over: u64) -> Result<(), Error> {
        let database = quote_ident(&self.settings.database());
        let mut sql = format!(
            "SET synchronous_commit = on; BEGIN; UPDATE lethe.restore SET cut_over_seq = {cut_over};"
        );
        for role in &self.connect_roles {
            let role = if role.is_empty() { "PUBLIC".to_owned() } else { quote_ident(role) };
            sql.push_str(&format!("GRANT CONNECT ON DATABASE {database} TO {role};"));
        }
        sql.push_str("COMMIT");
        self.main.run(&sql, "open", &self.settings).await?;
        Ok(())
    }

    /// The entry of the cut-over, if the database is open to others.
    pub(super) async fn cut_over(&self) -> Result<Option<u64>, Error> {
        Ok(begun(&self.main).await?.and_then(|begun| begun.cut_over))
    }

    /// How many statements and chunks are on record.
    pub(super) async fn recorded(&self) -> Result<usize, Error> {
        Ok(self.done.lock().await.len() + self.restored_chunks().await?.len())
    }

    pub(super) async fn remove_bookkeeping(&self) -> Result<(), Error> {
        remove_book(&self.main).await
    }

    /// The same on a connection of its own, also if it was done before.
    pub(super) async fn remove_bookkeeping_of(settings: &ConnectionSettings) -> Result<(), Error> {
        remove_book(&Self::take(settings).await?).await
    }
}

/// What masks values. The seed alone, which may still lie in the server's write-ahead log when the book is gone, does not give it.
fn mask_key(naming_key: &NamingKey, seed: &[u8; 32]) -> [u8; 32] {
    let secret = blake3::derive_key("lethe 2026-11 masks", naming_key.as_bytes());
    *blake3::keyed_hash(&secret, seed).as_bytes()
}

async fn remove_book(server: &Server) -> Result<(), Error> {
    server.run("DROP SCHEMA IF EXISTS lethe CASCADE", "remove the book of", server.settings()).await?;
    Ok(())
}

pub(crate) async fn query(
    server: &Server,
    sql: &str,
) -> Result<Vec<lethe_postgres::tokio_postgres::Row>, Error> {
    server.client().query(sql, &[]).await.map_err(|cause| {
        PostgresError::Server {
            stage: "look at",
            object: server.settings().to_string(),
            cause: Box::new(ServerError::from(cause)),
        }
        .into()
    })
}
