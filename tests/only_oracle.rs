//! The oracle for few subjects restored alone: PostgreSQL itself finds what is theirs, deletes the rest, and thins the tables
//! that are nobody's.

use lethe_testkit::pg::PgServer;

use crate::oracle::cascade_by_default;

/// A column that tells every row from every other, whatever becomes of it.
const ID: &str = "lethe id";

/// Numbers the rows, and finds the tables of which rows may go with the subject's (`oracle.droppable`).
const NUMBER: &str = r#"
    SET client_min_messages = error;
    CREATE SCHEMA oracle;
    CREATE TABLE oracle.droppable AS
        WITH RECURSIVE below(root, leaf) AS (
            SELECT oid, oid FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
            UNION SELECT root, inhrelid FROM below JOIN pg_inherits ON inhparent = leaf
                  JOIN pg_class c ON c.oid = inhrelid WHERE c.relispartition
        ), heirs(oid) AS (
            SELECT 'SUBJECT'::regclass::oid UNION SELECT inhrelid FROM heirs JOIN pg_inherits ON inhparent = heirs.oid
        ), droppable(oid) AS (
            SELECT oid FROM heirs
            UNION SELECT child.leaf FROM droppable JOIN below parent ON parent.leaf = droppable.oid
                  JOIN pg_constraint k ON k.confrelid = parent.root AND k.contype = 'f' AND k.conparentid = 0
                       AND k.confdeltype IN ('a', 'r', 'c')
                  JOIN below child ON child.root = k.conrelid
        ) SELECT oid FROM droppable JOIN pg_class USING (oid) WHERE relkind = 'r';
    CREATE TABLE oracle.kept (id uuid PRIMARY KEY);
    CREATE TABLE oracle.others (id uuid);
    DO $do$ DECLARE t regclass; BEGIN
        FOR t IN SELECT c.oid FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
                 AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
        LOOP EXECUTE format('ALTER TABLE %s ADD COLUMN "lethe id" uuid DEFAULT gen_random_uuid()', t); END LOOP;
    END $do$;"#;

/// Keys that change rows say nothing about whose a row is.
const NO_CHANGES: &str = r#"
    SET allow_system_table_mods = on;
    UPDATE pg_trigger SET tgenabled = 'D' WHERE tgfoid IN
        ('pg_catalog."RI_FKey_setnull_del"'::regproc, 'pg_catalog."RI_FKey_setdefault_del"'::regproc);"#;

/// All that refers and all that is referred to, until nothing new is found; then the rest of the shared rows goes.
const THIN: &str = r#"
    DO $do$ DECLARE found int := 1; n int; k record; on_keys text; child text; parent text; BEGIN
        WHILE found > 0 LOOP found := 0;
            FOR k IN SELECT * FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 LOOP
                SELECT string_agg(format('p.%I = c.%I', pa.attname, ca.attname), ' AND ') INTO on_keys
                    FROM unnest(k.conkey, k.confkey) AS pairs(c, p)
                    JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = c
                    JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = p;
                SELECT CASE relkind WHEN 'p' THEN '' ELSE 'ONLY ' END INTO child FROM pg_class WHERE oid = k.conrelid;
                SELECT CASE relkind WHEN 'p' THEN '' ELSE 'ONLY ' END INTO parent FROM pg_class WHERE oid = k.confrelid;
                EXECUTE format('INSERT INTO oracle.kept SELECT DISTINCT p."lethe id" FROM %s%s c JOIN %s%s p ON %s
                    WHERE (c.tableoid IN (TABLE oracle.droppable) OR c."lethe id" IN (TABLE oracle.kept))
                      AND p.tableoid NOT IN (TABLE oracle.droppable) ON CONFLICT DO NOTHING',
                    child, k.conrelid::regclass, parent, k.confrelid::regclass, on_keys);
                GET DIAGNOSTICS n = ROW_COUNT; found := found + n;
            END LOOP;
        END LOOP;
    END $do$;
    SET session_replication_role = replica;
    DO $do$ DECLARE t regclass; BEGIN
        FOR t IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                 AND oid NOT IN (TABLE oracle.droppable)
        LOOP EXECUTE format('DELETE FROM ONLY %s WHERE "lethe id" NOT IN (TABLE oracle.kept)', t); END LOOP;
        FOR t IN SELECT c.oid FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
                 AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
        LOOP EXECUTE format('ALTER TABLE %s DROP COLUMN "lethe id"', t); END LOOP;
    END $do$;
    DROP SCHEMA oracle CASCADE;"#;

/// Makes `oracle` what is left of `source` if nothing comes back but what belongs to the rows `WHERE which` of the table
/// `subject`, and those of `erased` (tables and conditions) are gone as well.
///
/// What goes for either reason goes in one statement, so that nothing is asked of rows that will not be there.
///
/// # Errors
/// The server's message if it refuses the deletion.
pub fn keep_only(
    server: &PgServer,
    (source, oracle): (&str, &str),
    (subject, which): (&str, &str),
    erased: &[(String, String)],
) -> Result<(), String> {
    let owners = format!("{oracle} owners");
    server.sql("postgres", &format!("CREATE DATABASE \"{oracle}\" TEMPLATE \"{source}\""));
    server.sql(oracle, &NUMBER.replace("SUBJECT", &subject.replace('\'', "''")));
    cascade_by_default(server, oracle);
    server.sql("postgres", &format!("CREATE DATABASE \"{owners}\" TEMPLATE \"{oracle}\""));
    server.sql(&owners, NO_CHANGES);
    server.sql(&owners, &format!("SET timezone = 'UTC'; DELETE FROM {subject} WHERE {which}"));
    let droppable = server.sql(oracle, "SELECT oid::regclass FROM oracle.droppable ORDER BY 1");
    for table in droppable.lines() {
        let ids = server.sql(&owners, &format!("SELECT \"{ID}\" FROM ONLY {table}"));
        let ids: Vec<String> = ids.lines().map(|id| format!("('{id}')")).collect();
        if !ids.is_empty() {
            server.sql(oracle, &format!("INSERT INTO oracle.others VALUES {}", ids.join(",")));
        }
    }
    let others =
        droppable.lines().map(|table| format!("ONLY {table} WHERE \"{ID}\" IN (TABLE oracle.others)"));
    let erased = erased.iter().map(|(table, which)| format!("{table} WHERE {which}"));
    let deletes: Vec<String> = others
        .chain(erased)
        .enumerate()
        .map(|(number, delete)| format!("d{number} AS (DELETE FROM {delete})"))
        .collect();
    server.try_sql(
        oracle,
        &format!("SET timezone = 'UTC'; BEGIN; WITH {} SELECT; COMMIT", deletes.join(", ")),
    )?;
    server.sql(oracle, THIN);
    server.sql("postgres", &format!("DROP DATABASE \"{owners}\" WITH (FORCE)"));
    Ok(())
}
