//! Autovacuum, kept away from tables while they are loaded.
//!
//! It comes to every table that has just been filled, reads it while its indexes are built, and holds a lock that
//! `ALTER TABLE` and `ANALYZE` wait for until `deadlock_timeout` (a second by default) has it cancelled. Only the
//! storage parameter `autovacuum_enabled` can stop it for one database (PostgreSQL documentation, *Storage Parameters*),
//! so it is set while the target is closed, on tables whose own definition says nothing about it. The book lists them,
//! in the transaction that changes them; a run that goes on after a crash takes it back as well.

use lethe_format::sql::quote_ident;

use super::{Target, query};
use crate::Error;

/// Tables changed in one transaction: each takes locks, of which a server has a few thousand.
const AT_ONCE: usize = 200;

impl Target {
    pub(in crate::restore) async fn hold_off_autovacuum(&self) -> Result<(), Error> {
        let sql = "SELECT c.oid, n.nspname::text, c.relname::text
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u')
                     AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'lethe')
                     AND NOT EXISTS (SELECT FROM unnest(c.reloptions) AS option WHERE option LIKE 'autovacuum_enabled=%')";
        let change = |oid, table: &str| {
            format!(
                "INSERT INTO lethe.without_autovacuum VALUES ({oid}) ON CONFLICT DO NOTHING; ALTER TABLE {table} SET (autovacuum_enabled = false);"
            )
        };
        self.change_each(sql, change, "keep autovacuum away from the tables of").await
    }

    pub(in crate::restore) async fn allow_autovacuum(&self) -> Result<(), Error> {
        let sql = "SELECT c.oid, n.nspname::text, c.relname::text
                   FROM lethe.without_autovacuum w JOIN pg_class c ON c.oid = w.relation
                   JOIN pg_namespace n ON n.oid = c.relnamespace";
        let change = |oid, table: &str| {
            format!(
                "ALTER TABLE {table} RESET (autovacuum_enabled); DELETE FROM lethe.without_autovacuum WHERE relation = {oid};"
            )
        };
        self.change_each(sql, change, "give back to autovacuum the tables of").await
    }

    async fn change_each(
        &self,
        tables: &str,
        change: impl Fn(u32, &str) -> String,
        stage: &'static str,
    ) -> Result<(), Error> {
        for rows in query(self.main(), tables).await?.chunks(AT_ONCE) {
            let mut script = String::from("BEGIN;");
            for row in rows {
                let (schema, name): (String, String) = (row.get(1), row.get(2));
                let table = format!("{}.{}", quote_ident(&schema), quote_ident(&name));
                script.push_str(&change(row.get(0), &table));
            }
            script.push_str("COMMIT");
            self.main().run(&script, stage, &self.settings).await?;
        }
        Ok(())
    }
}
