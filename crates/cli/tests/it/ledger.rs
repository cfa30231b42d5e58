use std::time::Duration;

use crate::shell::{Ended, Shell};

const SHOP: &str = "
    CREATE TABLE users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE, name text, last_seen_at timestamptz);
    CREATE TABLE logins (login text PRIMARY KEY);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, address text);
    INSERT INTO users (email, name, last_seen_at) SELECT 'canary' || i || '@example.org', 'canary', now() - i * interval '20 days' FROM generate_series(1, 500) i;
    INSERT INTO logins SELECT 'Anna' || chr(96 + i) FROM generate_series(1, 20) i;
    INSERT INTO orders SELECT i, i, 'canary street' FROM generate_series(1, 500) i";

const SETTINGS: &str = r#"
[snapshot]
from = "FROM"

[subject.user]
table = "public.users"

[subject.login]
table = "public.logins"

[[anonymise]]
subject = "user"
set = { email = "random", name = { constant = "Former user" } }

[[anonymise]]
subject = "user"
table = "public.orders"
set = { address = "null" }

[inactive]
subject = "user"
column = "last_seen_at"
after = "2 years"
"#;

/// With settings that name the source, a subject and what becomes of anonymised people.
fn shell() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", SHOP);
    add_settings(&shell, &SETTINGS.replace("FROM", &shell.server.url("source")));
    shell
}

fn add_settings(shell: &Shell, text: &str) {
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read") + text;
    std::fs::write(&path, settings).expect("write");
}

/// The numbers under a name in all lines of JSON output.
fn numbers(ended: &Ended, name: &str) -> Vec<u64> {
    let pattern = format!("\"{name}\":");
    let number =
        |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
    ended.out.lines().filter_map(|line| number(line.split_once(&pattern)?.1)).collect()
}

#[test]
fn deletions_are_captured_shown_and_removed() {
    let shell = shell();
    shell.run(&["tombstone", "capture", "status"]).expect_code(1).says("not installed");
    shell.run(&["tombstone", "capture", "run"]).expect_code(2).says("capture install");
    let shown = shell.run(&["tombstone", "capture", "install"]);
    shown.expect_code(0).says("CREATE CONSTRAINT TRIGGER").says("--confirm");
    assert_eq!(
        shell.server.sql("source", "SELECT count(*) FROM pg_namespace WHERE nspname = 'lethe_capture'"),
        "0"
    );
    shell.run(&["tombstone", "capture", "install", "--confirm"]).expect_code(0).says("installed");
    shell.run(&["tombstone", "capture", "install", "--confirm"]).expect_code(0).says("exactly this already");
    shell.server.sql("source", "DELETE FROM users WHERE id <= 3");
    shell.run(&["tombstone", "capture", "status"]).expect_code(0).says("3 deletions wait");
    shell.run(&["tombstone", "capture", "remove", "--confirm"]).expect_code(2).says("would be forgotten");
    let run = shell.run(&["tombstone", "capture", "run", "--output", "json"]);
    run.expect_code(0).says("\"keys\":3").says("\"heartbeat\":true");
    shell.run(&["tombstone", "verify"]).expect_code(0).says("3 people erased");
    // Something in the outbox for longer than the settings allow is an alarm.
    shell.server.sql(
        "source",
        "DELETE FROM users WHERE id = 4; UPDATE lethe_capture.outbox SET at = now() - interval '20 minutes'",
    );
    shell.run(&["tombstone", "capture", "status"]).expect_code(1).says("waiting");
    shell.run(&["snapshot"]).expect_code(0);
    shell.server.create_database("restored");
    shell.restore("restored").expect_code(3).says("--acknowledge capture_lag");
    let into = shell.server.url("restored");
    shell.run(&["restore", "--into", &into, "--acknowledge", "everything"]).expect_code(2);
    shell.run(&["restore", "--into", &into, "--acknowledge", "capture_lag"]).expect_code(0);
    shell.run(&["tombstone", "capture", "run"]).expect_code(0);
    shell.run(&["tombstone", "capture", "remove", "--confirm"]).expect_code(0);
}

#[test]
fn a_capture_that_is_killed_again_and_again_brings_everybody_once() {
    let shell = shell();
    shell.run(&["tombstone", "capture", "install", "--confirm"]).expect_code(0);
    for round in 0..25_u64 {
        let from = 1 + round * 20;
        shell.server.sql("source", &format!("DELETE FROM users WHERE id BETWEEN {from} AND {}", from + 19));
        let mut process = shell.spawn(&["tombstone", "capture", "run", "--follow", "--every", "1"]);
        std::thread::sleep(Duration::from_millis(15 + round * 9 % 140));
        process.kill().expect("kill");
        process.wait().expect("wait");
        // Whoever was deleted is in the outbox or on the ledger.
        let waiting: u64 =
            shell.server.sql("source", "SELECT count(*) FROM lethe_capture.outbox").parse().expect("a count");
        let list = shell.run(&["tombstone", "list", "--output", "json"]);
        let known: u64 = numbers(list.expect_code(0), "keys").iter().sum();
        assert!(waiting + known >= (round + 1) * 20, "round {round}: {waiting} wait, {known} are known");
    }
    shell.run(&["tombstone", "capture", "run"]).expect_code(0);
    assert_eq!(shell.server.sql("source", "SELECT count(*) FROM lethe_capture.outbox"), "0");
    let list = shell.run(&["tombstone", "list", "--output", "json"]);
    assert_eq!(numbers(&list, "keys").iter().sum::<u64>(), 500, "each once: {}", list.out);
    shell.run(&["tombstone", "verify"]).expect_code(0).says("500 people erased");
}

#[test]
fn ids_that_look_like_people_are_refused_unless_the_key_is_such() {
    let shell = shell();
    let add = |subject: &str, ids: &[&str]| {
        let ids: Vec<&str> = ids.iter().flat_map(|id| ["--id", id]).collect();
        shell.run(&[&["tombstone", "add", "--subject", subject], ids.as_slice()].concat())
    };
    // Without a snapshot nothing is known of the key.
    for person in ["canary@example.org", "Canary", "Canary Bird"] {
        let ended = add("user", &["5", person]);
        ended.expect_code(2).says("looks like");
        assert!(!ended.err.contains("anary") && !ended.out.contains("anary"), "{}", ended.err);
    }
    shell.run(&["snapshot"]).expect_code(0);
    shell
        .run(&["tombstone", "add", "--subject", "user", "--id", "canary@example.org", "--confirm-ids"])
        .expect_code(2)
        .says("not a valid integer");
    add("public.logins", &["Annab"]).expect_code(2).says("looks like a name").says("--confirm-ids");
    shell
        .run(&["tombstone", "add", "--subject", "public.logins", "--id", "Annab", "--confirm-ids"])
        .expect_code(0);
    add("public.logins", &["anna-b"]).expect_code(0);
    shell.run(&["tombstone", "list"]).expect_code(0).says("needed by").says("1 snapshots");
}

#[test]
fn anonymised_and_inactive_people_come_back_overwritten() {
    let shell = shell();
    shell.run(&["snapshot"]).expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "user", "--id", "3", "--kind", "anonymised"]).expect_code(0);
    shell.server.create_database("restored");
    let dry = shell.run(&["restore", "--into", &shell.server.url("restored"), "--dry-run"]);
    // 20 days for each id: from 37 on it is more than two years.
    dry.expect_code(0).says("1 people are anonymised").says("464 people were not seen");
    shell.restore("restored").expect_code(0);
    let gone = "SELECT string_agg(id::text, ',' ORDER BY id) FROM users WHERE name = 'Former user' AND email !~ 'canary'";
    let expected: Vec<String> = std::iter::once(3).chain(37..=500).map(|id: u32| id.to_string()).collect();
    assert_eq!(shell.server.sql("restored", gone), expected.join(","));
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM orders WHERE address IS NULL"), "465");
    shell.run(&["tombstone", "list"]).expect_code(0).says("anonymised");
}

#[test]
fn columns_are_put_on_the_ledger_and_taken_off_it() {
    let shell = shell();
    shell.run(&["snapshot"]).expect_code(0);
    let erase = |columns: &str| shell.run(&["tombstone", "erase-columns", columns]);
    erase("public.users(name)").expect_code(0).says("columns_erased public.users(name)");
    erase("public.orders(adress)").expect_code(0).says("public.orders has no column adress");
    erase("users(name)").expect_code(2).says("schema.table(column, …)");
    shell.server.create_database("restored");
    let dry = shell.run(&["restore", "--into", &shell.server.url("restored"), "--dry-run"]);
    dry.expect_code(0).says("does not come back: public.users.name");
    shell.restore("restored").expect_code(0);
    // Whoever has not been seen for long gets what the settings say of names, which is no name either; of columns, the ledger decides.
    assert_eq!(shell.server.sql("restored", "SELECT count(name) FROM users"), "0");
    shell.run(&["tombstone", "list"]).expect_code(0).says("columns_erased").says("public.users(name)");
    shell.run(&["tombstone", "revoke-columns", "public.users(name)"]).expect_code(0).says("columns_revoked");
    shell.server.create_database("revoked");
    shell.restore("revoked").expect_code(0);
    assert_ne!(shell.server.sql("revoked", "SELECT count(name) FROM users"), "0");
    shell.run(&["audit", "list"]).expect_code(0).says("public.users(name)");
}

#[test]
fn pseudonyms_are_refused_by_the_settings() {
    let shell = shell();
    shell.run(&["snapshot"]).expect_code(0);
    shell.server.create_database("restored");
    for (set, problem) in [
        ("email = \"hash\"", "pseudonym"),
        ("email = { expression = \"md5(id::text)\" }", "pseudonym"),
        ("email = { constant = \"deleted-{id}\" }", "placeholder"),
    ] {
        let path = shell.folder.path().join("lethe.toml");
        let before = std::fs::read_to_string(&path).expect("read");
        let changed = before.replace("email = \"random\"", set);
        assert_ne!(before, changed);
        std::fs::write(&path, changed).expect("write");
        shell.restore("restored").expect_code(2).says(problem).says("column email");
        std::fs::write(&path, before).expect("write");
    }
}

#[test]
fn a_ledger_without_a_heartbeat_is_stale_and_a_known_head_answers_for_it() {
    let shell = shell();
    shell.run(&["snapshot"]).expect_code(0);
    add_settings(&shell, "\n[ledger]\nmax_age = \"1 second\"\n");
    shell.server.create_database("restored");
    shell.run(&["tombstone", "heartbeat"]).expect_code(0).says("heartbeat");
    std::thread::sleep(Duration::from_millis(1200));
    shell.restore("restored").expect_code(4).says("stale").says("--known-head");
    let verified = shell.run(&["tombstone", "verify"]);
    let head = verified.expect_code(0).out.split("head ").nth(1).expect("a head").trim().to_owned();
    let into = shell.server.url("restored");
    shell
        .run(&["restore", "--into", &into, "--known-head", "1:zz"])
        .expect_code(2)
        .says("lethe tombstone verify");
    let wrong = head.replace("1:", "0:");
    shell.run(&["restore", "--into", &into, "--known-head", &wrong]).expect_code(4).says("stated");
    shell.run(&["restore", "--into", &into, "--known-head", &head]).expect_code(0);
}

#[test]
fn entries_that_nobody_needs_are_let_go_only_when_confirmed() {
    let shell = shell();
    shell.server.sql("source", "DELETE FROM users WHERE id = 1");
    shell.run(&["tombstone", "add", "--subject", "user", "--id", "1", "--already-deleted"]).expect_code(0);
    shell.run(&["snapshot"]).expect_code(0);
    shell.run(&["prune"]).expect_code(0).says("no stored snapshot needs any more: 1").says("--confirm");
    shell.run(&["tombstone", "verify"]).expect_code(0).says("1 people erased");
    shell.run(&["prune", "--confirm"]).expect_code(0).says("done");
    shell.run(&["tombstone", "verify"]).expect_code(0).says("0 people erased");
    shell.run(&["tombstone", "list"]).expect_code(0).says("expired");
    shell.run(&["prune"]).expect_code(0).says("no ledger entry can go");
    // Somebody else with the same id would have been seen as long as the entry was there; now the id is free.
    shell.server.create_database("restored");
    shell.restore("restored").expect_code(0);
}
