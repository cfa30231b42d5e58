//! The SQL that installs the capture, for a person to read before it runs.
//!
//! - Deletions: a deferred constraint trigger for each row. It fires at commit, so that a row which only moved to
//!   another partition, or was deleted and inserted again, does not count as deleted.
//! - `TRUNCATE`: a statement trigger on each table that has rows, before they are gone.
//! - A changed key: the person lives on under another one. The former key is kept beside the new one, and becomes a
//!   tombstone with it, since older snapshots know the person by the former key.
//!
//! All triggers are `ENABLE ALWAYS`, so that `session_replication_role` does not switch them off. What no trigger sees
//! is `DROP TABLE`, and detaching or dropping a partition.

use lethe_format::catalog::QualifiedName;
use lethe_format::sql::{quote_ident, quote_literal};

use super::SCHEMA;

/// A subject whose deletions are captured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CapturedSubject {
    /// Its name in the settings.
    pub name: String,
    pub table: QualifiedName,
    /// The key's columns as the settings name them; none for the primary key.
    pub configured: Option<Vec<String>>,
    /// The key's columns, with their types as SQL writes them.
    pub columns: Vec<Columns>,
    /// Tables with rows of their own: the table itself, its partitions, its children by inheritance.
    pub leaves: Vec<QualifiedName>,
    /// Tables that need row triggers of their own: the table, and its children by inheritance. Partitions get theirs
    /// from the table.
    pub heirs: Vec<QualifiedName>,
    /// The columns of the table that say which customer the person belongs to; none if customers are not kept apart.
    pub tenant: Vec<String>,
    /// True if the key is a primary key or unique, so that former keys can refer to it.
    pub unique: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Columns {
    pub name: String,
    pub sql_type: String,
}

/// The whole capture of some subjects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    pub sql: String,
    /// BLAKE3 of the SQL, kept as the schema's comment: what is installed, is it this?
    pub fingerprint: String,
}

/// Writes the SQL. It may be run again at any time, also when subjects, columns or partitions have changed.
#[must_use]
pub fn installation(subjects: &[CapturedSubject]) -> Installation {
    let mut sql = format!(
        "CREATE SCHEMA IF NOT EXISTS {SCHEMA};
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
CREATE TABLE IF NOT EXISTS {SCHEMA}.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    subject text NOT NULL,
    table_schema text NOT NULL,
    table_name text NOT NULL,
    key_columns text[],
    key text[] NOT NULL,
    batch uuid,
    tenant text
);
ALTER TABLE {SCHEMA}.outbox ADD COLUMN IF NOT EXISTS tenant text;
"
    );
    sql.push_str(DROP_TRIGGERS);
    for subject in subjects {
        sql.push_str(&subject.sql());
    }
    let fingerprint = blake3_hex(&sql);
    sql.push_str(&format!("COMMENT ON SCHEMA {SCHEMA} IS {};\n", quote_literal(&fingerprint)));
    Installation { sql, fingerprint }
}

/// Takes everything away. What still waits in the outbox is lost, so it must be drained first.
#[must_use]
pub fn remove_sql() -> String {
    format!("{DROP_TRIGGERS}DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;\n")
}

/// Triggers of subjects that are no longer configured go as well.
const DROP_TRIGGERS: &str = "DO $lethe$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT t.tgname, t.tgrelid::regclass AS of_table FROM pg_trigger t
        WHERE t.tgname ~ '^lethe_capture_' AND NOT t.tgisinternal AND t.tgparentid = 0
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.of_table);
    END LOOP;
END $lethe$;
";

/// Keys are written as the ledger reads them, whatever the application's session has set; and rows that row security
/// hides from the trigger must fail loudly, or a living person would pass for a deleted one.
const SETTINGS: &str = "LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET row_security = off
    SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET timezone = 'UTC' SET lc_monetary = 'C'
    SET extra_float_digits = 3 SET bytea_output = 'hex'";

impl CapturedSubject {
    fn sql(&self) -> String {
        let mut sql = format!("\n-- subject {}: {}\n", self.name.replace('\n', " "), self.table);
        sql.push_str(&self.deleted());
        sql.push_str(&self.truncated());
        if self.unique {
            sql.push_str(&self.rekeyed());
        } else {
            sql.push_str("-- The key is not unique, so changes of a key cannot be followed.\n");
        }
        sql
    }

    fn function(&self, what: &str) -> String {
        format!("{SCHEMA}.{}", quote_ident(&format!("{}_{what}", self.name)))
    }

    fn each(&self, write: impl Fn(&str) -> String, between: &str) -> String {
        let columns = self.columns.iter().map(|column| write(&quote_ident(&column.name)));
        columns.collect::<Vec<_>>().join(between)
    }

    /// The outbox's values but for the key.
    fn place(&self) -> String {
        let configured = match &self.configured {
            None => "NULL".to_owned(),
            Some(names) => {
                let names: Vec<String> = names.iter().map(|name| quote_literal(name)).collect();
                format!("ARRAY[{}]", names.join(", "))
            }
        };
        format!(
            "{}, {}, {}, {configured}",
            quote_literal(&self.name),
            quote_literal(&self.table.schema),
            quote_literal(&self.table.name)
        )
    }

    /// Where the former keys of people whose key changed are kept.
    fn former(&self) -> String {
        super::former_keys_table(&self.table).sql()
    }

    /// The key's columns of one row as a comparison with those of another.
    fn same(&self, one: &str, other: &str) -> String {
        self.each(|column| format!("{one}.{column} = {other}.{column}"), " AND ")
    }

    fn insert(&self) -> String {
        format!("INSERT INTO {SCHEMA}.outbox (subject, table_schema, table_name, key_columns, key, tenant)")
    }

    /// Whose person a row is, as the audit log names customers: the values, separated by tabs. NULL is nobody's.
    fn tenant(&self, row: &str) -> String {
        let columns = self.tenant.iter().map(|column| format!("{row}.{}::text", quote_ident(column)));
        let columns: Vec<String> = columns.collect();
        if columns.is_empty() { "NULL".to_owned() } else { columns.join(" || chr(9) || ") }
    }

    fn deleted(&self) -> String {
        let function = self.function("deleted");
        let former_keys = if self.unique {
            format!(
                "
        WITH former AS (DELETE FROM {former} f WHERE {same} RETURNING f.lethe_former_key)
        {insert} SELECT {place}, lethe_former_key, {tenant} FROM former;",
                tenant = self.tenant("OLD"),
                former = self.former(),
                same = self.same("f", "OLD"),
                insert = self.insert(),
                place = self.place(),
            )
        } else {
            String::new()
        };
        let mut sql = format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger {SETTINGS} AS $lethe$
BEGIN
    IF {not_null} AND NOT EXISTS (SELECT FROM {table} t WHERE {same}) THEN
        {insert} VALUES ({place}, ARRAY[{key}], {tenant});{former_keys}
    END IF;
    RETURN NULL;
END $lethe$;
",
            not_null = self.each(|column| format!("OLD.{column} IS NOT NULL"), " AND "),
            table = self.table.sql(),
            same = self.same("t", "OLD"),
            insert = self.insert(),
            place = self.place(),
            key = self.each(|column| format!("OLD.{column}::text"), ", "),
            tenant = self.tenant("OLD"),
        );
        for table in &self.heirs {
            let table = table.sql();
            sql.push_str(&format!(
                "CREATE CONSTRAINT TRIGGER lethe_capture_delete AFTER DELETE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {function}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER lethe_capture_delete;
"
            ));
        }
        sql
    }

    fn truncated(&self) -> String {
        let function = self.function("truncated");
        let execute = |sql: String| {
            let template = quote_literal(&sql.replace('%', "%%").replace("<table>", "%s"));
            format!("    EXECUTE format({template}, TG_RELID::regclass);\n")
        };
        let mut statements = execute(format!(
            "{} SELECT {}, ARRAY[{}], {} FROM ONLY <table> t WHERE {}",
            self.insert(),
            self.place(),
            self.each(|column| format!("t.{column}::text"), ", "),
            self.tenant("t"),
            self.each(|column| format!("t.{column} IS NOT NULL"), " AND "),
        ));
        if self.unique {
            statements.push_str(&execute(format!(
                "WITH former AS (DELETE FROM {} f USING ONLY <table> t WHERE {} RETURNING f.lethe_former_key, {} AS tenant) {} SELECT {}, lethe_former_key, tenant FROM former",
                self.former(),
                self.same("f", "t"),
                self.tenant("t"),
                self.insert(),
                self.place(),
            )));
        }
        let mut sql = format!(
            "CREATE OR REPLACE FUNCTION {function}() RETURNS trigger {SETTINGS} AS $lethe$
BEGIN
{statements}    RETURN NULL;
END $lethe$;
"
        );
        for table in &self.leaves {
            let table = table.sql();
            sql.push_str(&format!(
                "CREATE TRIGGER lethe_capture_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER lethe_capture_truncate;
"
            ));
        }
        sql
    }

    fn rekeyed(&self) -> String {
        let function = self.function("rekeyed");
        let former = self.former();
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{} {}", quote_ident(&column.name), column.sql_type))
            .collect();
        let names = self.each(str::to_owned, ", ");
        let table = self.table.sql();
        format!(
            "CREATE TABLE IF NOT EXISTS {former} ({columns}, lethe_former_key text[] NOT NULL);
COMMENT ON TABLE {former} IS {comment};
CREATE INDEX IF NOT EXISTS {index} ON {former} ({names});
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger {SETTINGS} AS $lethe$
BEGIN
    UPDATE {former} f SET {set} WHERE {same};
    INSERT INTO {former} VALUES ({new}, ARRAY[{old}]);
    RETURN NULL;
END $lethe$;
CREATE TRIGGER lethe_capture_update AFTER UPDATE OF {names} ON {table} FOR EACH ROW
    WHEN (({old_key}) IS DISTINCT FROM ({new_key}) AND {not_null}) EXECUTE FUNCTION {function}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER lethe_capture_update;
",
            columns = columns.join(", "),
            comment = quote_literal(&format!("former keys of {}", self.table)),
            index = quote_ident(&format!("{}_key", super::former_keys_table(&self.table).name)),
            set = self.each(|column| format!("{column} = NEW.{column}"), ", "),
            same = self.same("f", "OLD"),
            new = self.each(|column| format!("NEW.{column}"), ", "),
            old = self.each(|column| format!("OLD.{column}::text"), ", "),
            old_key = self.each(|column| format!("OLD.{column}"), ", "),
            new_key = self.each(|column| format!("NEW.{column}"), ", "),
            not_null =
                self.each(|column| format!("OLD.{column} IS NOT NULL AND NEW.{column} IS NOT NULL"), " AND "),
        )
    }
}

fn blake3_hex(text: &str) -> String {
    lethe_format::ids::Digest::of(text.as_bytes()).to_string()
}
