//! SIGKILL at random instants, over and over, and each time the same command again: every restore that comes to its end is
//! equal to what the server itself would have left.
//!
//! CONTRIBUTING.md has the command that does it 200 times with a database as large as the benchmark's; `LETHE_SEED=n` gives
//! other instants.
#![allow(clippy::print_stdout, reason = "how much was tried belongs to the result")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use lethe_tests::compare::{assert_same_schema, assert_same_sums};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::shell::Shell;

fn number(variable: &str, usual: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

fn company(users: u64) -> Shell {
    let shell = Shell::new();
    shell.server.sql(
        "source",
        &format!(
            "CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE, referred_by int);
             CREATE TABLE orders (id serial PRIMARY KEY, user_id int NOT NULL, at timestamptz, total numeric, note text);
             CREATE TABLE items (id serial PRIMARY KEY, order_id int NOT NULL, what text, doc jsonb);
             CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY, note text);
             INSERT INTO users SELECT i, 'user ' || i, nullif(i / 3, 0) FROM generate_series(1, {users}) i;
             INSERT INTO orders (user_id, at, total, note) SELECT i % {users} + 1, '2026-01-01'::timestamptz + i * interval '1 s', i / 7.0, repeat(md5(i::text), 3)
             FROM generate_series(1, {users} * 4) i;
             INSERT INTO items (order_id, what, doc) SELECT i % ({users} * 4) + 1, md5(i::text), jsonb_build_object('n', i, 'of', md5((i / 2)::text))
             FROM generate_series(1, {users} * 10) i;
             INSERT INTO scratch SELECT i, 'note' FROM generate_series(1, 500) i;
             ALTER TABLE users ADD FOREIGN KEY (referred_by) REFERENCES users ON DELETE SET NULL;
             ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE;
             ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE;
             CREATE INDEX ON users (referred_by); CREATE INDEX ON orders (user_id); CREATE INDEX ON orders (at);
             CREATE INDEX ON items (order_id); CREATE INDEX ON items (what);
             CREATE MATERIALIZED VIEW sums AS SELECT user_id, count(*) FROM orders GROUP BY user_id;"
        ),
    );
    shell.snapshot().expect_code(0);
    shell
        .run(&["tombstone", "add", "--subject", "public.users", "--id", "7", "--id", "1999", "--id", "12"])
        .expect_code(0);
    shell.server.sql("postgres", "CREATE DATABASE expected TEMPLATE source");
    shell
        .server
        .sql("expected", "DELETE FROM users WHERE id IN (7, 1999, 12); REFRESH MATERIALIZED VIEW sums");
    shell
}

fn assert_equal(shell: &Shell, restores: u64) {
    assert_same_sums((&shell.server, "expected"), (&shell.server, "restored"));
    assert_same_schema((&shell.server, "expected"), (&shell.server, "restored"));
    let open = shell.server.sql("postgres", "SELECT has_database_privilege('guest', 'restored', 'CONNECT')");
    assert_eq!(open, "t", "restore {restores}");
    shell.server.sql("postgres", "DROP DATABASE restored WITH (FORCE)");
    shell.server.create_database("restored");
}

/// Removing the bookkeeping is the last thing a restore does: killed after that, it was complete, and the next run finds a
/// target that is not empty. The server may still be at it when the process is gone.
fn is_complete(shell: &Shell) -> bool {
    let removing =
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DROP SCHEMA%lethe%'";
    while shell.server.sql("postgres", removing) != "0" {
        std::thread::sleep(Duration::from_millis(10));
    }
    let sql = "SELECT to_regclass('lethe.restore') IS NULL AND to_regclass('public.users') IS NOT NULL";
    shell.server.sql("restored", sql) == "t"
}

#[test]
fn restores_that_are_killed_at_random_instants_are_complete_in_the_end() {
    let (kills, users, seed) =
        (number("LETHE_KILLS", 20), number("LETHE_KILL_USERS", 4000), number("LETHE_SEED", 1));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let shell = company(users);
    shell.server.sql("postgres", "CREATE ROLE guest LOGIN");
    shell.server.create_database("restored");
    let restore = ["restore", "--into", &shell.server.url("restored"), "--jobs", "2"];
    let clock = Instant::now();
    shell.run(&restore).expect_code(0);
    let whole = clock.elapsed();
    assert_equal(&shell, 0);

    let (mut killed, mut restores, mut before_ready) = (0, 0, 0);
    while killed < kills {
        let mut process = shell
            .command(&restore)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("start lethe");
        let instant = whole.mul_f64(random.random_range(0.0..1.0));
        std::thread::sleep(instant);
        let ended = process.try_wait().expect("look at lethe").is_some();
        if ended {
            let ended = process.wait_with_output().expect("what lethe said");
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(
                ended.status.success(),
                "LETHE_SEED={seed}, after {killed} kills: {}\n{said}",
                ended.status
            );
        } else {
            process.kill().expect("kill");
            process.wait().expect("wait");
            killed += 1;
        }
        if ended || is_complete(&shell) {
            restores += 1;
            assert_equal(&shell, restores);
            continue;
        }
        let begun = shell.server.sql("restored", "SELECT to_regclass('lethe.restore') IS NOT NULL") == "t";
        if begun && shell.server.sql("restored", "SELECT cut_over_seq IS NULL FROM lethe.restore") == "t" {
            before_ready += 1;
            let open =
                shell.server.sql("postgres", "SELECT has_database_privilege('guest', 'restored', 'CONNECT')");
            assert_eq!(open, "f", "LETHE_SEED={seed}, after {killed} kills: others can connect");
        }
    }
    shell.run(&restore).expect_code(0);
    assert_equal(&shell, restores + 1);
    println!(
        "LETHE_SEED={seed}: {killed} kills, {before_ready} of them in the middle, {} restores of {:.1} s each complete",
        restores + 1,
        whole.as_secs_f64()
    );
    assert!(before_ready > 0, "nothing was interrupted");
}
