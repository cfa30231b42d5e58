//! Whether two databases are the same: every row of every table, sequences, and the schema as `pg_dump` writes it.

use lethe_testkit::pg::PgServer;

/// Every row of every table, sorted; tables without columns by their count.
///
/// # Panics
/// If they differ, with the tables and the numbers of rows.
pub fn assert_same_rows(one: (&PgServer, &str), other: (&PgServer, &str)) {
    let (first, second) = (contents(one.0, one.1), contents(other.0, other.1));
    if first == second {
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (a, b) = (lines(&first), lines(&second));
    let only = |x: &std::collections::BTreeSet<String>, y: &std::collections::BTreeSet<String>| {
        x.difference(y).take(10).map(|line| format!("  {line}\n")).collect::<String>()
    };
    panic!(
        "{} and {} differ\nonly in {}:\n{}only in {}:\n{}",
        one.1,
        other.1,
        one.1,
        only(&a, &b),
        other.1,
        only(&b, &a)
    );
}

/// As [`assert_same_rows`], for tables of any size: by the number of rows of each table and the sum of their hashes.
///
/// # Panics
/// If they differ.
pub fn assert_same_sums(one: (&PgServer, &str), other: (&PgServer, &str)) {
    assert_eq!(sums(one.0, one.1), sums(other.0, other.1), "{} and {} differ", one.1, other.1);
}

fn sums(server: &PgServer, database: &str) -> String {
    let script: String = tables(server, database)
        .lines()
        .map(|table| {
            format!(
                "SELECT '{} ' || count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM ONLY {table} t;\n",
                table.replace('\'', "''")
            )
        })
        .collect();
    server.sql(database, &script)
}

fn tables(server: &PgServer, database: &str) -> String {
    server.sql(
        database,
        "SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE (c.relkind = 'r' OR c.relkind = 'm' AND c.relispopulated) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1",
    )
}

/// Every row of every table as text, long ones by their hash.
#[must_use]
pub fn contents(server: &PgServer, database: &str) -> String {
    let tables = tables(server, database);
    let mut script =
        String::from("SET extra_float_digits = 3; SET timezone = 'UTC'; SET bytea_output = 'hex';\n");
    for table in tables.lines() {
        let label = table.replace('\'', "''");
        // Long rows by their hash: the test only asks whether they are the same.
        script.push_str(&format!(
            "SELECT '{label} ' || CASE WHEN length(r) > 300 THEN md5(r) ELSE r END FROM (SELECT t::text AS r FROM ONLY {table} t) x ORDER BY 1;\n"
        ));
    }
    script.push_str("SELECT 'large object ' || oid || ' ' || md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid;\n");
    server.sql(database, &script)
}

/// What `pg_dump --schema-only` writes, without the lines that name the run.
///
/// # Panics
/// If they differ, with the first lines that do.
pub fn assert_same_schema(one: (&PgServer, &str), other: (&PgServer, &str)) {
    let (first, second) = (schema(one.0, one.1), schema(other.0, other.1));
    let differing: Vec<String> = {
        let count = |lines: &[String], line: &String| lines.iter().filter(|known| *known == line).count();
        let missing = first
            .iter()
            .filter(|line| count(&first, line) > count(&second, line))
            .map(|line| format!("- {line}"));
        let added = second
            .iter()
            .filter(|line| count(&second, line) > count(&first, line))
            .map(|line| format!("+ {line}"));
        missing.chain(added).take(30).collect()
    };
    assert!(
        differing.is_empty(),
        "the schemas of {} and {} differ:\n{}",
        one.1,
        other.1,
        differing.join("\n")
    );
}

fn schema(server: &PgServer, database: &str) -> Vec<String> {
    let dump = server.run_tool("pg_dump", &["--schema-only", "-d", database]);
    let text = String::from_utf8(dump).expect("UTF-8");
    let about_run = |line: &&str| {
        line.starts_with("--")
            || line.starts_with("\\restrict")
            || line.starts_with("\\unrestrict")
            || line.is_empty()
    };
    text.lines().filter(|line| !about_run(line)).map(str::to_owned).collect()
}

/// Values of all sequences.
#[must_use]
pub fn sequences(server: &PgServer, database: &str) -> String {
    server.sql(database, "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2")
}
