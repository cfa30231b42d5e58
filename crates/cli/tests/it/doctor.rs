//! Each state that is wrong, on real stores and servers, and the finding that names it.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::shell::{Ended, Shell, files};

const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY, email text);
    CREATE TABLE orders (id serial PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, note int);
    INSERT INTO users SELECT i, 'canary' || i || '@example.org' FROM generate_series(1, 20) i;
    INSERT INTO orders (user_id) SELECT i % 20 + 1 FROM generate_series(1, 200) i;";

fn shop() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", SHOP);
    settings(&shell, "\n[subject.user]\ntable = \"public.users\"\n");
    shell.snapshot().expect_code(0);
    std::fs::create_dir(shell.folder.path().join("work")).expect("make");
    shell
}

fn settings(shell: &Shell, more: &str) {
    let path = shell.folder.path().join("lethe.toml");
    let mut file = std::fs::File::options().append(true).open(path).expect("open");
    file.write_all(more.as_bytes()).expect("write");
}

/// The findings, and how it ended.
struct Looked {
    ended: Ended,
    checks: Vec<Value>,
}

fn doctor(shell: &Shell, more: &[&str]) -> Looked {
    let ended = shell.run(&[&["doctor", "--work-dir", "work", "--output", "json"], more].concat());
    assert!(!ended.out.contains("canary") && !ended.err.contains("canary"), "no row is shown: {}", ended.out);
    let lines = ended.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let checks: Vec<Value> = lines.filter(|line| line["type"] == "check").collect();
    for check in &checks {
        assert!(check["check"].is_string() && check["what"].is_string(), "{check}");
        assert_eq!(check["advice"].is_string(), check["verdict"] != "ok", "{check}");
    }
    Looked { ended, checks }
}

impl Looked {
    #[track_caller]
    fn code(&self, code: i32) -> &Self {
        self.ended.expect_code(code);
        self
    }

    /// Some finding of the check has the verdict and the text.
    #[track_caller]
    fn has(&self, check: &str, verdict: &str, text: &str) -> &Self {
        let found = self.checks.iter().any(|found| {
            found["check"] == check
                && found["verdict"] == verdict
                && found["what"].as_str().is_some_and(|what| what.contains(text))
        });
        assert!(found, "{check} {verdict} {text:?} is missing: {:#?}", self.checks);
        self
    }

    /// Nothing but these checks is wrong.
    #[track_caller]
    fn wrong(&self, checks: &[&str]) -> &Self {
        let wrong: Vec<&str> = self
            .checks
            .iter()
            .filter(|check| check["verdict"] == "wrong")
            .filter_map(|check| check["check"].as_str())
            .collect();
        assert_eq!(wrong, checks, "{:#?}", self.checks);
        self
    }
}

#[test]
fn what_is_fine_is_said_and_so_is_what_was_not_looked_at() {
    let shell = shop();
    let found = doctor(&shell, &[]);
    found.code(0).wrong(&[]);
    for (check, verdict, text) in [
        ("stores", "ok", "on this machine"),
        ("key files", "ok", "identity"),
        ("key files", "ok", "signing key"),
        ("ledger's store", "ok", "one wins, twice"),
        ("clock", "ok", "0 s apart"),
        ("naming key", "ok", "it is the repository's"),
        ("identity", "ok", "opens"),
        ("newest snapshot", "ok", "the identity opens 20"),
        ("ledger", "ok", "1 entries verify"),
        ("audit log", "ok", "2 entries verify"),
        ("drills", "warning", "no drill has passed yet"),
        ("prune", "ok", "nothing is old enough"),
        ("settings", "ok", "snapshot 20"),
        ("coverage", "ok", "every column"),
        ("capture", "unknown", "no --from"),
        ("drill programs", "ok", "PostgreSQL"),
        ("drill leftovers", "ok", "no killed drill"),
        ("target", "unknown", "no --into"),
    ] {
        found.has(check, verdict, text);
    }
    let last: Value = serde_json::from_str(found.ended.out.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["command"], &last["wrong"]), (&"doctor".into(), &0.into()), "{last}");

    // With the servers, all of it is known.
    shell.server.create_database("restored");
    let (from, into) = (shell.server.url("source"), shell.server.url("restored"));
    shell.run(&["tombstone", "capture", "install", "--from", &from, "--confirm"]).expect_code(0);
    let found = doctor(&shell, &["--from", &from, "--into", &into]);
    found.code(0).wrong(&[]).has("capture", "ok", "installed").has("settings", "ok", "the source");
    found.has("target", "ok", "would begin");
    assert!(found.checks.iter().all(|check| check["verdict"] != "unknown"), "{:#?}", found.checks);
    shell
        .run(&["doctor"])
        .expect_code(0)
        .says("warning  drills: no drill has passed yet")
        .says("run lethe drill");
}

#[test]
fn settings_that_name_what_is_not_there_and_columns_that_nobody_has_decided_about() {
    let shell = shop();
    settings(
        &shell,
        "[[reference]]\nfrom = \"public.orders(owner_id)\"\nto = \"public.users(id)\"\non_erase = \"drop\"\n\
         [[mask]]\ntable = \"public.persons\"\nset = { name = \"null\" }\n",
    );
    let found = doctor(&shell, &[]);
    found.code(1).wrong(&["settings", "settings"]);
    found.has("settings", "wrong", "names column public.orders.owner_id, which is not in snapshot");
    found.has("settings", "wrong", "[[mask]] names table public.persons");
    // The live source has them by now, and a column more.
    shell.server.sql("source", "CREATE TABLE persons (name text); ALTER TABLE orders ADD owner_id int");
    let found = doctor(&shell, &["--from", &shell.server.url("source")]);
    found.code(1).has("settings", "ok", "the source").has("coverage", "wrong", "public.persons.name");
}

#[test]
fn keys_that_are_somebody_elses_or_that_others_may_read() {
    let shell = shop();
    let path = |name: &str| shell.folder.path().join(name);
    let mode = |name: &str, mode: u32| {
        std::fs::set_permissions(path(name), PermissionsExt::from_mode(mode)).expect("chmod");
    };
    mode("lethe.key", 0o644);
    let found = doctor(&shell, &[]);
    found.code(1).wrong(&["key files", "identity"]).has(
        "key files",
        "wrong",
        "others than its owner may read it",
    );
    found.has("newest snapshot", "unknown", "no identity here").has("settings", "unknown", "neither");
    mode("lethe.key", 0o600);
    // Another repository's keys.
    let other = ["init", "--store", &format!("file://{}", path("other").display()), "--directory", "others"];
    shell.run(&other).expect_code(0);
    let own = std::fs::read(path("lethe.key")).expect("read");
    std::fs::copy(path("others/lethe.key"), path("lethe.key")).expect("copy");
    doctor(&shell, &[]).code(1).wrong(&["identity"]).has("ledger", "ok", "no identity here");
    std::fs::write(path("lethe.key"), &own).expect("write");
    std::fs::copy(path("others/lethe.naming-key"), path("lethe.naming-key")).expect("copy");
    let found = doctor(&shell, &[]);
    found.code(1).has("naming key", "wrong", "not written with this naming key");
    // Without an identity nothing is wrong, and it is said what nobody has looked at.
    std::fs::remove_file(path("lethe.naming-key")).expect("remove");
    let found = doctor(&shell, &[]);
    found.code(1).has("naming key", "wrong", "lethe.naming-key");
}

#[test]
fn a_ledger_or_an_audit_log_that_was_taken_back() {
    for (folder, check) in [("ledger", "ledger"), ("audit", "audit log")] {
        let shell = shop();
        let before = files(&shell.store().join(folder));
        shell.run(&["tombstone", "add", "--subject", "user", "--id", "7"]).expect_code(0);
        doctor(&shell, &[]).code(0);
        for path in files(&shell.store().join(folder)) {
            if !before.contains(&path) {
                std::fs::remove_file(path).expect("remove");
            }
        }
        doctor(&shell, &[]).code(1).wrong(&[check]).has(check, "wrong", "this host has seen entry");
    }
    let shell = shop();
    settings(&shell, "[ledger]\nmax_age = \"1 second\"\n");
    std::thread::sleep(Duration::from_secs(2));
    doctor(&shell, &[]).code(1).wrong(&["ledger"]).has("ledger", "wrong", "a restore refuses");
}

#[test]
fn what_comes_too_late() {
    let shell = shop();
    settings(&shell, "[schedule]\nsnapshot_every = \"1 hour\"\ndrill_every = \"1 day\"\n");
    doctor(&shell, &[]).code(1).wrong(&["drills"]).has("drills", "wrong", "no drill has passed yet");
    let drill = ["drill", "--into", &shell.server.url("postgres")];
    shell.run(&drill).expect_code(0);
    doctor(&shell, &[]).code(0).has("drills", "ok", "the newest drill that passed");
    settings(&shell, "[[drill.check]]\nname = \"never\"\nsql = \"SELECT false\"\nexpect = true\n");
    shell.run(&drill).expect_code(7);
    doctor(&shell, &[]).code(1).wrong(&["drills"]).has("drills", "wrong", "failed");
    shell.run(&["prune", "--confirm"]).expect_code(0);
    doctor(&shell, &[]).has("prune", "ok", "the newest prune");
    // Everything of the only snapshot is 36 days old, by the store's dates.
    let long_ago = SystemTime::now() - Duration::from_secs(36 * 86_400);
    for path in files(&shell.store().join("snapshots")) {
        std::fs::File::options().write(true).open(path).expect("open").set_modified(long_ago).expect("date");
    }
    let found = doctor(&shell, &[]);
    found.code(1).has("prune", "wrong", "35 days are promised").has(
        "snapshots",
        "wrong",
        "is the schedule running?",
    );
}

#[test]
fn the_capture_and_the_target() {
    let shell = shop();
    let from = shell.server.url("source");
    doctor(&shell, &["--from", &from]).code(0).has("capture", "warning", "does not report");
    shell.run(&["tombstone", "capture", "install", "--from", &from, "--confirm"]).expect_code(0);
    settings(&shell, "[capture]\nmax_lag = \"1 second\"\n");
    shell.server.sql("source", "DELETE FROM users WHERE id = 3");
    std::thread::sleep(Duration::from_secs(2));
    doctor(&shell, &["--from", &from]).code(1).wrong(&["capture"]).has(
        "capture",
        "wrong",
        "1 deletions wait",
    );
    shell.run(&["tombstone", "capture", "run", "--from", &from]).expect_code(0);
    settings(&shell, "[subject.order]\ntable = \"public.orders\"\n");
    doctor(&shell, &["--from", &from]).code(1).has("capture", "wrong", "not what the settings ask for");

    // A target that is not empty, of which nobody says what it is for, and which sends rows elsewhere.
    shell.server.create_database("used");
    shell.server.sql("used", "CREATE TABLE t (i int); CREATE PUBLICATION p FOR ALL TABLES");
    let into = shell.server.url("used");
    let mut command = shell.command(&["doctor", "--work-dir", "work", "--into", &into]);
    let ended = Shell::ended(command.env_remove("LETHE_LABEL"));
    ended.expect_code(1).says("it is not empty").says("nothing says what it is for").says("1 publications");
    let gone = shell.server.url("nowhere");
    doctor(&shell, &["--into", &gone]).code(1).has("target", "wrong", "nowhere").has(
        "target settings",
        "wrong",
        "",
    );
    // Somewhere else.
    doctor(&shell, &["--into", "postgres://me@db.invalid/shop"]).code(5).wrong(&["target"]);
    // A chunk that is missing would stop a restore as well.
    std::fs::remove_file(files(&shell.store().join("chunks")).remove(0)).expect("remove");
    shell.server.create_database("empty");
    let found = doctor(&shell, &["--into", &shell.server.url("empty")]);
    found.code(1).has("target", "wrong", "it is missing from the store");
}

#[test]
fn drills_that_cannot_run_here_and_what_they_have_left() {
    let shell = shop();
    let found = doctor(&shell, &["--work-dir", "nowhere"]);
    // Typed twice, clap takes neither.
    found.code(2);
    let at = |folder: &str| shell.run(&["doctor", "--work-dir", folder, "--output", "json"]);
    at("nowhere").expect_code(1).says("nowhere");
    // A drill that was killed.
    std::fs::set_permissions(shell.folder.path(), PermissionsExt::from_mode(0o711)).expect("chmod");
    let mut drill = shell.spawn(&["drill", "--work-dir", "work"]);
    let work = shell.folder.path().join("work");
    let home = || first_folder(&work);
    while !home().is_some_and(|home| home.join("data/postmaster.pid").exists()) {
        assert!(drill.try_wait().expect("look").is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(2));
    }
    // Alive, it is no leftover.
    doctor(&shell, &[]).has("drill leftovers", "ok", "no killed drill");
    drill.kill().expect("kill");
    drill.wait().expect("wait");
    let found = doctor(&shell, &[]);
    found.code(0).has("drill leftovers", "warning", "killed drills have left 1 servers");
    settings(&shell, "[drill]\nleftovers_within = \"0 seconds\"\n");
    std::thread::sleep(Duration::from_secs(1));
    doctor(&shell, &[]).code(1).wrong(&["drill leftovers"]);
    let page = shell.run(&["metrics", "--work-dir", "work"]);
    page.expect_code(0)
        .says("lethe_drill_leftovers 1\n")
        .says("lethe_drill_leftover_oldest_timestamp_seconds ");
    shell.run(&["drill", "--work-dir", "work"]).expect_code(0);
    doctor(&shell, &[]).code(0).has("drill leftovers", "ok", "no killed drill");
}

fn first_folder(folder: &Path) -> Option<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("list").flatten();
    entries.map(|entry| entry.path()).find(|path| path.is_dir())
}

/// Whatever one check comes to, the others are made.
#[test]
fn a_check_that_fails_is_not_the_end_of_the_list() {
    let shell = shop();
    // Neither the key ring nor the ledger can be read, and the store's folder is there.
    std::fs::remove_dir_all(shell.store().join("keys")).expect("remove");
    let found = doctor(&shell, &["--from", &shell.server.url("source")]);
    found.code(1).wrong(&["repository"]).has("settings", "ok", "the source").has("clock", "ok", "apart");
}
