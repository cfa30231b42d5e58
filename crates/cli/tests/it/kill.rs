use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lethe_testkit::pg::Shutdown;
use lethe_tests::compare::{assert_same_rows, assert_same_schema};

use crate::shell::Shell;

const COMPANY: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE);
    CREATE TABLE orders (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE, note text);
    CREATE INDEX ON orders (user_id); CREATE INDEX ON orders (note);
    CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY, note text); INSERT INTO scratch SELECT i, 'note' FROM generate_series(1, 500) i;
    CREATE MATERIALIZED VIEW sums AS SELECT user_id, count(*) FROM orders GROUP BY user_id;
    CREATE VIEW a_few AS SELECT * FROM users WHERE id < 10;
    INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 20000) i;
    INSERT INTO orders (user_id, note) SELECT i % 20000 + 1, repeat(md5(i::text), 4) FROM generate_series(1, 250000) i;
    REFRESH MATERIALIZED VIEW sums;";

fn company() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", COMPANY);
    shell.snapshot().expect_code(0);
    shell
        .run(&["tombstone", "add", "--subject", "public.users", "--id", "7", "--id", "19999"])
        .expect_code(0);
    shell.server.sql("postgres", "CREATE DATABASE expected TEMPLATE source");
    shell.server.sql("expected", "DELETE FROM users WHERE id IN (7, 19999); REFRESH MATERIALIZED VIEW sums");
    shell
}

fn send(process: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &process.id().to_string()]).status().expect("kill");
    assert!(sent.success(), "{signal}");
}

/// Whether a role that is no superuser may connect.
fn is_open(shell: &Shell, database: &str) -> bool {
    shell.server.sql("postgres", &format!("SELECT has_database_privilege('guest', '{database}', 'CONNECT')"))
        == "t"
}

#[test]
fn a_restore_that_is_killed_goes_on_and_loads_everything_once() {
    let shell = company();
    shell.server.sql("postgres", "CREATE ROLE guest LOGIN");
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    let restore = ["restore", "--into", &into, "--jobs", "2"];
    let mut killed = 0;
    for attempt in 0_u64.. {
        let mut process = shell.spawn(&restore);
        // Later and later, so that every stage is hit once.
        let deadline = Instant::now() + Duration::from_millis(60 + attempt * 60);
        let ended = loop {
            if let Some(status) = process.try_wait().expect("look at lethe") {
                break Some(status);
            }
            if Instant::now() > deadline {
                break None;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        if let Some(status) = ended {
            assert!(status.success(), "attempt {attempt}: {status}");
            break;
        }
        process.kill().expect("kill");
        process.wait().expect("wait");
        killed += 1;
        let begun = shell.server.sql("restored", "SELECT to_regclass('lethe.restore') IS NOT NULL") == "t";
        if begun && shell.server.sql("restored", "SELECT cut_over_seq IS NULL FROM lethe.restore") == "t" {
            assert!(!is_open(&shell, "restored"), "nobody may connect before it is ready");
            shell.run(&["snapshot", "--from", &into]).expect_code(1).says("not finished");
        }
        assert!(attempt < 200, "it never ends");
    }
    assert!(killed > 3, "it was killed {killed} times only");
    assert!(is_open(&shell, "restored"));
    assert_same_rows((&shell.server, "expected"), (&shell.server, "restored"));
    assert_same_schema((&shell.server, "expected"), (&shell.server, "restored"));
}

#[test]
fn a_server_that_is_killed_loses_nothing_that_was_recorded() {
    let mut shell = company();
    shell.server.create_database("restored");
    let mut verified = false;
    for pause in [150, 300, 500] {
        let into = shell.server.url("restored");
        let mut process = shell.spawn(&["restore", "--into", &into, "--jobs", "2", "--patience", "1 second"]);
        std::thread::sleep(Duration::from_millis(pause));
        shell.server.stop(Shutdown::Kill);
        verified |= process.wait().expect("wait").success();
        shell.server.restart();
    }
    if verified {
        // On a fast machine a run may come to its end before the server is killed: then nothing was interrupted.
        shell.server.sql("postgres", "DROP DATABASE restored");
        shell.server.create_database("restored");
    }
    shell.restore("restored").expect_code(0);
    // The crash emptied the unlogged table of the expected database as well; the restore brings it back.
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM scratch"), "500");
    shell.server.sql("restored", "TRUNCATE scratch");
    assert_same_rows((&shell.server, "expected"), (&shell.server, "restored"));
    assert_same_schema((&shell.server, "expected"), (&shell.server, "restored"));
}

#[test]
fn a_snapshot_that_is_killed_does_not_exist() {
    let shell = company();
    let from = shell.server.url("source");
    for pause in [30, 100, 200, 300] {
        let mut process = shell.spawn(&["snapshot", "--from", &from]);
        std::thread::sleep(Duration::from_millis(pause));
        let _ = process.kill();
        process.wait().expect("wait");
    }
    shell.run(&["snapshots"]).expect_code(0);
    shell.server.create_database("restored");
    shell.restore("restored").expect_code(0);
    assert_same_rows((&shell.server, "expected"), (&shell.server, "restored"));
}

#[test]
fn an_interrupted_restore_says_how_to_go_on() {
    let shell = company();
    shell.server.create_database("restored");
    let mut process = shell.spawn(&["restore", "--into", &shell.server.url("restored"), "--jobs", "1"]);
    while shell.server.sql("restored", "SELECT to_regclass('lethe.restore') IS NOT NULL") != "t" {
        std::thread::sleep(Duration::from_millis(5));
    }
    // While it is under way, here held for as long as it takes, a second one is refused.
    send(&process, "-STOP");
    shell.restore("restored").expect_code(3).says("under way");
    send(&process, "-INT");
    send(&process, "-CONT");
    assert_eq!(process.wait().expect("wait").code(), Some(9));
}

#[test]
fn a_restore_that_is_told_to_end_ends_at_once_and_says_how_to_go_on() {
    let shell = company();
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    let begun = "SELECT to_regclass('lethe.restored_chunks') IS NOT NULL";
    for pause in [0, 100, 400, 900] {
        let mut command = shell.command(&["restore", "--into", &into, "--jobs", "2"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("start lethe");
        while shell.server.sql("restored", begun) != "t" {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(pause));
        send(&process, "-TERM");
        let ended = process.wait_with_output().expect("wait");
        if ended.status.success() {
            // It had come to its end already.
            break;
        }
        assert_eq!(ended.status.code(), Some(9));
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.contains("interrupted") && said.contains("running it again"), "{said}");
    }
    shell.restore("restored").expect_code(0);
    assert_same_rows((&shell.server, "expected"), (&shell.server, "restored"));
}

#[test]
fn a_second_signal_ends_a_restore_that_cannot_even_say_that_it_ends() {
    let shell = company();
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    // A pipe that is full (`pipe(7)`: 64 KiB) and that nobody reads: the first signal's message waits for ever, and so would
    // a warning before it.
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&[b'.'; 64 << 10]).expect("fill it");
    let mut command = shell.command(&["restore", "--into", &into, "--jobs", "2", "--quiet"]);
    let mut process = command.stdout(Stdio::null()).stderr(writer).spawn().expect("start lethe");
    let begun = "SELECT to_regclass('lethe.restore') IS NOT NULL";
    let deadline = Instant::now() + Duration::from_secs(60);
    while shell.server.sql("restored", begun) != "t" {
        if Instant::now() > deadline {
            process.kill().expect("kill");
            panic!("it does not begin");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut signals = 0;
    let status = loop {
        send(&process, "-INT");
        signals += 1;
        std::thread::sleep(Duration::from_millis(100));
        if let Some(status) = process.try_wait().expect("look at lethe") {
            break status;
        }
        if signals == 50 {
            process.kill().expect("kill");
            panic!("it does not end");
        }
    };
    assert_eq!(status.code(), Some(9));
    assert!(signals > 1, "the first signal was enough: the pipe was not full");
    drop(reader);
    shell.restore("restored").expect_code(0);
    assert_same_rows((&shell.server, "expected"), (&shell.server, "restored"));
}

#[test]
fn an_erasure_that_arrives_after_a_restore_began_is_never_forgotten() {
    let shell = company();
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    let mut process = shell.spawn(&["restore", "--into", &into, "--jobs", "1"]);
    while shell.server.sql("restored", "SELECT to_regclass('lethe.restore') IS NOT NULL") != "t" {
        std::thread::sleep(Duration::from_millis(5));
    }
    // Held while the erasure arrives, so that it arrives in time on any machine.
    send(&process, "-STOP");
    shell.run(&["tombstone", "add", "--subject", "public.users", "--id", "8"]).expect_code(0);
    send(&process, "-CONT");
    assert!(process.wait().expect("wait").success());
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM users WHERE id IN (7, 8, 19999)"), "0");
}
