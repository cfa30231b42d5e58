//! The oracle: PostgreSQL itself restores everything and deletes the subjects.

use lethe_testkit::pg::PgServer;

/// Copies `source` to `oracle`, lets every foreign key without an action of its own cascade, and deletes.
///
/// # Errors
/// The server's message if it refuses the deletion.
pub fn delete(server: &PgServer, source: &str, oracle: &str, statement: &str) -> Result<(), String> {
    server.sql("postgres", &format!("CREATE DATABASE \"{oracle}\" TEMPLATE \"{source}\""));
    cascade_by_default(server, oracle);
    server.try_sql(oracle, statement).map(|_| ())
}

/// Lets every foreign key without an action of its own cascade. The action of a foreign key is the function of its trigger
/// on the referenced table; changing both is what dropping and adding the constraint would do, for partitions as well.
pub fn cascade_by_default(server: &PgServer, database: &str) {
    server.sql(
        database,
        "SET allow_system_table_mods = on;
         UPDATE pg_trigger SET tgfoid = 'pg_catalog.\"RI_FKey_cascade_del\"'::regproc, tgdeferrable = false, tginitdeferred = false
         WHERE tgfoid IN ('pg_catalog.\"RI_FKey_noaction_del\"'::regproc, 'pg_catalog.\"RI_FKey_restrict_del\"'::regproc);
         UPDATE pg_constraint SET confdeltype = 'c' WHERE contype = 'f' AND confdeltype IN ('a', 'r');",
    );
}
