//! Rows that a target refuses: whatever is wrong with them, their values are not in anything that Lethe prints, and not in
//! the log of a server that writes down as much as it can. Of an erased person not even where nobody can quiet it.

use std::fmt::Write as _;

use lethe_testkit::pg::{PgServer, bin_dir};

use crate::shell::{Ended, Shell};

/// Settings with which a server tells its log and its views all that it is told.
const LOUD: [&str; 9] = [
    "log_statement=all",
    "log_min_messages=info",
    "log_min_error_statement=debug5",
    "log_min_duration_statement=0",
    "log_duration=on",
    "log_error_verbosity=verbose",
    "log_parameter_max_length=-1",
    "log_parameter_max_length_on_error=-1",
    "log_transaction_sample_rate=1",
];

/// What makes a row a bad one, in every database but the source, and what of a server's error is said.
const BAD: [(&str, &str, &str); 9] = [
    ("check", "ALTER TABLE person ADD CONSTRAINT fine CHECK (NOT bad(secret))", "23514"),
    (
        "domain",
        "CREATE DOMAIN good AS text CHECK (NOT bad(VALUE)); ALTER TABLE person ALTER secret TYPE good",
        "23514",
    ),
    (
        "not null",
        "ALTER TABLE person ADD made text GENERATED ALWAYS AS (CASE WHEN NOT bad(secret) THEN secret END) STORED NOT NULL",
        "23502",
    ),
    (
        "type",
        "ALTER TABLE person ADD made int GENERATED ALWAYS AS (CASE WHEN bad(secret) THEN secret::int END) STORED",
        "22P02",
    ),
    (
        "length",
        "ALTER TABLE person ADD made varchar(6) GENERATED ALWAYS AS (CASE WHEN bad(secret) THEN secret END) STORED",
        "22001",
    ),
    ("index", "CREATE INDEX ON person ((CASE WHEN bad(secret) THEN secret::int END))", "22P02"),
    (
        "unique",
        "CREATE UNIQUE INDEX ON person ((CASE WHEN bad(secret) THEN left(secret, 10) ELSE secret END))",
        "23505",
    ),
    (
        "encoding",
        "ALTER TABLE person ADD made text GENERATED ALWAYS AS (CASE WHEN bad(secret) THEN garble(secret) END) STORED",
        "22021",
    ),
    ("raised", "ALTER TABLE person ADD CHECK (complain(secret))", "P0001"),
];

/// Written so that no statement holds it.
const PERSON: &str = "
    CREATE FUNCTION bad(secret text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN RETURN secret LIKE '%-bad-%' AND current_database() <> 'source'; END $$;
    CREATE FUNCTION complain(secret text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN IF public.bad(secret) THEN RAISE EXCEPTION 'what is %', secret; END IF; RETURN true; END $$;
    CREATE FUNCTION garble(secret text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN RETURN convert_from(convert_to(secret, 'UTF8') || '\\xff'::bytea, 'UTF8'); END $$;
    ALTER FUNCTION bad(text) SET search_path = pg_catalog;
    CREATE TABLE person (id int PRIMARY KEY, secret text);
    INSERT INTO person SELECT i, 'fine ' || i FROM generate_series(1, 50) i;
    INSERT INTO person SELECT i, 'canary' || '-bad-' || i FROM generate_series(100, 101) i;";
const CANARY: &str = "canary-bad";

struct Restores {
    shell: Shell,
    target: PgServer,
    log_read: usize,
}

impl Restores {
    /// What a restore says, in every form, and what the server has written into its log and its views meanwhile.
    fn run(&mut self, role: &str, database: &str) -> (Ended, String) {
        self.target.sql("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0 OWNER {role}"));
        let into = self.target.url_as(role, database);
        let mut command = self.shell.command(&["restore", "--into", &into, "--no-owner", "--no-acl"]);
        let mut ended = Shell::ended(command.env("RUST_LOG", "trace"));
        if ended.code != 0 {
            let restore = ["restore", "--into", &into, "--no-owner", "--no-acl"];
            let again = self.shell.run(&[&restore[..], &["--output", "json", "--quiet"]].concat());
            ended.out += &again.out;
            ended.err += &again.err;
        }
        let log =
            String::from_utf8_lossy(&std::fs::read(self.target.log_path()).expect("the log")).into_owned();
        let mut written = log.get(self.log_read..).expect("logs grow").to_owned();
        self.log_read = log.len();
        for view in ["pg_stat_activity", "pg_stat_statements"] {
            let sql = format!("SELECT string_agg(v::text, ' ') FROM {view} v");
            let _ = write!(written, "{}", self.target.try_sql("postgres", &sql).unwrap_or_default());
        }
        (ended, written)
    }
}

#[test]
fn rows_that_are_refused_are_in_no_output_and_no_log() {
    let modules = ["auto_explain", "pg_stat_statements"];
    let probe = PgServer::start(bin_dir());
    let present = |module: &&str| probe.try_sql("postgres", &format!("LOAD '{module}'")).is_ok_and(|_| true);
    let explains = present(&"auto_explain");
    let mut settings: Vec<String> = LOUD.iter().map(|setting| (*setting).to_owned()).collect();
    // pg_stat_statements refuses to be loaded later; a message that says so means that it is there.
    let counts = probe.try_sql("postgres", "LOAD 'pg_stat_statements'").is_ok_and(|_| true)
        || probe
            .try_sql("postgres", "LOAD 'pg_stat_statements'")
            .is_err_and(|error| error.contains("shared_preload"));
    drop(probe);
    let loaded: Vec<&str> =
        modules.into_iter().zip([explains, counts]).filter(|(_, there)| *there).map(|(m, _)| m).collect();
    if !loaded.is_empty() {
        settings.push(format!("shared_preload_libraries={}", loaded.join(",")));
    }
    if explains {
        settings.extend(
            ["auto_explain.log_min_duration=0", "auto_explain.log_nested_statements=on"].map(str::to_owned),
        );
    }
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let target = PgServer::start_with(bin_dir(), &settings);
    if counts {
        target.sql("postgres", "CREATE EXTENSION pg_stat_statements");
    }
    target.sql("postgres", "CREATE ROLE clerk LOGIN CREATEDB");
    let mut restores = Restores { shell: Shell::new(), target, log_read: 0 };
    let mut loud = 0;
    for (number, (name, ddl, code)) in BAD.into_iter().enumerate() {
        let source = &restores.shell.server;
        source.sql("postgres", "DROP DATABASE source");
        source.create_database("source");
        source.sql("source", &format!("{PERSON} {ddl}"));
        restores.shell.snapshot().expect_code(0);
        // A living person's row, by somebody who may quiet the log.
        let (ended, log) = restores.run("postgres", &format!("living{number}"));
        ended.expect_code(1).says(code);
        assert!(!(ended.out + &ended.err).contains(CANARY), "{name}: what is printed");
        assert!(!log.contains(CANARY), "{name}: the server's log");
        // The control: a role that may not leaves it to the server, which then does quote the row.
        let (ended, log) = restores.run("clerk", &format!("clerk{number}"));
        ended.expect_code(1).says(code);
        assert!(!(ended.out + &ended.err).contains(CANARY), "{name}: what is printed");
        loud += usize::from(log.contains(CANARY));
        // The same person erased: nothing is refused, and even that role's log knows nothing.
        let erase = ["tombstone", "add", "--subject", "public.person", "--id", "100", "--id", "101"];
        restores.shell.run(&erase).expect_code(0);
        let (ended, log) = restores.run("clerk", &format!("erased{number}"));
        ended.expect_code(0);
        assert!(!(ended.out + &ended.err + &log).contains(CANARY), "{name}: of an erased person");
        restores
            .shell
            .run(&["tombstone", "revoke", "--subject", "public.person", "--id", "100", "--id", "101"])
            .expect_code(0);
    }
    assert!(
        loud >= 5,
        "the server's log quotes rows in {loud} cases only: it is not loud enough to prove anything"
    );
}

#[test]
fn neither_a_snapshot_nor_a_restore_needs_a_disk_of_its_own() {
    let shell = Shell::new();
    shell.server.sql(
        "source",
        "CREATE TABLE person (id int PRIMARY KEY, note text);
         INSERT INTO person SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 40000) i;",
    );
    // No file may grow beyond this many kilobytes (`setrlimit(2)`: the signal that comes then ends the process).
    let limited = |kilobytes: u32, arguments: &[&str]| {
        let lethe = shell.command(arguments);
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &format!("ulimit -f {kilobytes} && exec \"$@\""), "bash"]);
        command.arg(lethe.get_program()).args(lethe.get_args()).current_dir(shell.folder.path());
        for (name, value) in lethe.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Shell::ended(&mut command)
    };
    let into = |kilobytes: u32, database: &str| {
        shell.server.create_database(database);
        limited(kilobytes, &["restore", "--into", &shell.server.url(database)])
    };
    // 13 MB of rows, of which the store of files keeps less than one, in a file for each chunk.
    limited(2000, &["snapshot", "--from", &shell.server.url("source")]).expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "public.person", "--id", "7"]).expect_code(0);
    into(8, "restored").expect_code(0);
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM person"), "39999");
    // The control: the cut-over's entry in this store of files is too much for no byte at all.
    assert_ne!(into(0, "control").code, 0, "the limit limits nothing");
}
