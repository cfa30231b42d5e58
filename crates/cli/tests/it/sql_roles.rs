use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::Shell;

const USERS: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE);
    CREATE SCHEMA app; CREATE TABLE app.notes (id int PRIMARY KEY, note text);
    ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
    INSERT INTO users SELECT i, 'name ' || i FROM generate_series(1, 100) i;
    INSERT INTO orders SELECT i, i FROM generate_series(1, 100) i;
    INSERT INTO app.notes SELECT i, 'note' FROM generate_series(1, 10) i;
    CREATE SEQUENCE app.numbers;";

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/sql").join(name)
}

fn shell() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", USERS);
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read")
        + "\n[subject.user]\ntable = \"public.users\"\n[[not_personal]]\ncolumns = \"app.notes\"\nbecause = \"a test\"\n";
    std::fs::write(path, settings).expect("write");
    shell
}

/// The SQLSTATE that a role gets for a statement; nothing if it may do so.
fn state(shell: &Shell, role: &str, database: &str, sql: &str) -> String {
    let mut psql: Command = shell.server.tool("psql");
    psql.env("PGUSER", role).args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=sqlstate"]);
    let output = psql.args(["-d", database, "-c", sql]).output().expect("run psql");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    text.trim().rsplit(' ').next().unwrap_or_default().to_owned()
}

#[track_caller]
fn is_refused(shell: &Shell, role: &str, database: &str, statements: &[&str]) {
    for sql in statements {
        assert_eq!(state(shell, role, database, sql), "42501", "{role}: {sql}");
    }
}

const WRITES: [&str; 10] = [
    "INSERT INTO users VALUES (1000, 'x')",
    "UPDATE users SET name = 'x'",
    "DELETE FROM orders",
    "TRUNCATE orders",
    "DROP TABLE orders",
    "ALTER TABLE users ADD x int",
    "CREATE TABLE public.x ()",
    "CREATE ROLE x",
    "CREATE DATABASE x",
    "SELECT pg_read_file('postgresql.conf')",
];

#[test]
fn the_snapshot_role_reads_everything_and_writes_nothing() {
    let shell = shell();
    shell.server.sql_file("postgres", &script("snapshot.sql"));
    // Whatever the role's own setting says: rights, not settings, must be in the way.
    shell.server.sql("postgres", "ALTER ROLE lethe_snapshot RESET default_transaction_read_only");
    let from = shell.server.url_as("lethe_snapshot", "source");
    shell.run(&["snapshot", "--from", &from]).expect_code(0).says("210 rows of 3 tables");
    is_refused(&shell, "lethe_snapshot", "source", &WRITES);
    is_refused(
        &shell,
        "lethe_snapshot",
        "source",
        &[
            "SELECT nextval('app.numbers')",
            "INSERT INTO app.notes VALUES (99, 'x')",
            "COPY users TO PROGRAM 'true'",
            "SET SESSION AUTHORIZATION postgres",
        ],
    );
    // With the capture as well, whose outbox it looks at.
    let source = shell.server.url("source");
    shell.run(&["tombstone", "capture", "install", "--from", &source, "--confirm"]).expect_code(0);
    shell.server.sql("source", "DELETE FROM users WHERE id = 1");
    shell.run(&["snapshot", "--from", &from]).expect_code(0).says("208 rows of");
    is_refused(&shell, "lethe_snapshot", "source", &["DELETE FROM lethe_capture.outbox"]);
    // A large object that it may not read is an error and no silence.
    let oid = shell.server.sql("source", "SELECT lo_from_bytea(0, 'x')");
    let ended = shell.run(&["snapshot", "--from", &from]);
    ended.expect_code(1).says("42501");
    shell.server.sql("source", &format!("GRANT SELECT ON LARGE OBJECT {oid} TO lethe_snapshot"));
    shell.run(&["snapshot", "--from", &from]).expect_code(0);
    shell.server.create_database("restored");
    let restore = ["restore", "--into", &shell.server.url("restored"), "--no-acl"];
    shell.run(&restore).expect_code(3).says("they may be anybody's");
    shell.run(&[&restore[..], &["--acknowledge", "large_objects"]].concat()).expect_code(0);
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM users"), "99");
    // Without the right to see hidden rows a backup would lack them: then there is none.
    shell.server.sql("postgres", "ALTER ROLE lethe_snapshot NOBYPASSRLS");
    shell.run(&["snapshot", "--from", &from]).expect_code(1).says("42501");
}

#[test]
fn the_restore_role_restores_without_being_superuser() {
    let shell = shell();
    shell.snapshot().expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "user", "--id", "7"]).expect_code(0);
    shell.server.sql_file("postgres", &script("restore.sql"));
    assert_eq!(state(&shell, "lethe_restore", "postgres", "CREATE DATABASE restored TEMPLATE template0"), "");
    let into = shell.server.url_as("lethe_restore", "restored");
    shell.run(&["restore", "--into", &into, "--no-owner"]).expect_code(0).says("verified after");
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM users"), "99");
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM orders"), "99");
    if state(
        &shell,
        "postgres",
        "postgres",
        "SELECT 1 / (current_setting('server_version_num')::int / 150000)",
    )
    .is_empty()
    {
        assert_eq!(shell.server.sql("restored", "SHOW lethe.label"), "production");
    }
    // What keeps rows out of the server's log.
    for setting in [
        "log_min_error_statement = 'panic'",
        "log_error_verbosity = 'terse'",
        "log_statement = 'none'",
        "log_min_duration_statement = -1",
    ] {
        let expected = if shell.server.major() >= 15 { "" } else { "42501" };
        assert_eq!(
            state(&shell, "lethe_restore", "restored", &format!("SET {setting}")),
            expected,
            "{setting}"
        );
    }
    // Production is none of its business, even where it can connect.
    is_refused(
        &shell,
        "lethe_restore",
        "source",
        &[
            "SELECT FROM users",
            "SELECT FROM app.notes",
            "DELETE FROM users",
            "TRUNCATE orders",
            "DROP TABLE orders",
            "DROP DATABASE source",
        ],
    );
    is_refused(
        &shell,
        "lethe_restore",
        "restored",
        &[
            "CREATE ROLE x",
            "ALTER SYSTEM SET fsync = off",
            "SELECT pg_read_file('postgresql.conf')",
            "COPY users TO PROGRAM 'true'",
            "SET log_lock_waits = on",
            "ALTER DATABASE source RENAME TO x",
        ],
    );
    // Another's database cannot be closed, so it is refused before anything is written.
    shell.server.create_database("somebodys");
    let into = shell.server.url_as("lethe_restore", "somebodys");
    shell.run(&["restore", "--into", &into, "--no-owner"]).expect_code(3).says("does not own it");
    shell.server.sql(
        "postgres",
        "CREATE ROLE app LOGIN; ALTER DATABASE somebodys OWNER TO lethe_restore; GRANT lethe_restore TO app",
    );
    shell
        .run(&["restore", "--into", &into, "--no-owner"])
        .expect_code(3)
        .says("cannot be closed to role app");
}

#[test]
fn the_capture_role_drains_the_outbox_and_nothing_else() {
    let shell = shell();
    let source = shell.server.url("source");
    let install = ["tombstone", "capture", "install", "--from", &source, "--confirm"];
    shell.run(&install).expect_code(0);
    shell.server.sql_file("source", &script("capture.sql"));
    let from = shell.server.url_as("lethe_capture", "source");
    // Applications need no right to the outbox.
    shell.server.sql("source", "CREATE ROLE app LOGIN; GRANT SELECT, DELETE ON users, orders TO app");
    for (id, erased) in [(7, "1 people erased"), (8, "2 people erased")] {
        assert_eq!(state(&shell, "app", "source", &format!("DELETE FROM users WHERE id = {id}")), "");
        shell.run(&["tombstone", "capture", "run", "--from", &from]).expect_code(0);
        assert_eq!(shell.server.sql("source", "SELECT count(*) FROM lethe_capture.outbox"), "0");
        shell.run(&["tombstone", "verify"]).expect_code(0).says(erased);
        // Installed again: the rights stay.
        shell.run(&install).expect_code(0);
    }
    shell.run(&["tombstone", "capture", "status", "--from", &from]).expect_code(0);
    is_refused(&shell, "lethe_capture", "source", &WRITES);
    is_refused(
        &shell,
        "lethe_capture",
        "source",
        &[
            "SELECT FROM users",
            "SELECT FROM app.notes",
            "INSERT INTO lethe_capture.outbox (subject, table_schema, table_name, key) VALUES ('user', 'public', 'users', '{9}')",
            "UPDATE lethe_capture.outbox SET key = '{9}'",
            "TRUNCATE lethe_capture.outbox",
            "DROP SCHEMA lethe_capture CASCADE",
            "CREATE TABLE lethe_capture.x ()",
        ],
    );
    is_refused(&shell, "app", "source", &["SELECT FROM lethe_capture.outbox"]);
}

#[test]
fn the_drill_check_role_sees_the_drill_and_changes_nothing() {
    let shell = shell();
    shell.snapshot().expect_code(0);
    shell.server.create_database("drill");
    shell.restore("drill").expect_code(0);
    shell.server.sql_file("drill", &script("drill-check.sql"));
    shell.server.sql("postgres", "ALTER ROLE lethe_drill_check RESET default_transaction_read_only");
    for sql in ["SELECT FROM users", "SELECT FROM app.notes", "SELECT last_value FROM app.numbers"] {
        assert_eq!(state(&shell, "lethe_drill_check", "drill", sql), "", "{sql}");
    }
    is_refused(&shell, "lethe_drill_check", "drill", &WRITES);
    is_refused(&shell, "lethe_drill_check", "source", &["SELECT FROM users", "SELECT FROM app.notes"]);
}
