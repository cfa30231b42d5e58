use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::shell::{Shell, files};

/// With customers, people, a snapshot, and one person of each of two customers on the ledger.
fn company() -> Shell {
    let shell = Shell::new();
    shell.server.sql(
        "source",
        "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2);
         CREATE TABLE users (id int PRIMARY KEY, tenant_id int REFERENCES tenants); INSERT INTO users SELECT i, i % 2 + 1 FROM generate_series(1, 100) i",
    );
    let path = shell.folder.path().join("lethe.toml");
    let settings = fs::read_to_string(&path).expect("read");
    let subjects = "[subject.user]\ntable = \"public.users\"\n[subject.tenant]\ntable = \"public.tenants\"\n";
    fs::write(path, format!("{settings}\n{subjects}")).expect("write");
    shell.snapshot().expect_code(0);
    let add = ["tombstone", "add", "--subject", "user"];
    shell
        .run(&[&add[..], &["--id", "7", "--tenant", "acme", "--request", "ACME-12"]].concat())
        .expect_code(0);
    shell
        .run(&[&add[..], &["--id", "8", "--tenant", "other", "--request", "OTHER-5"]].concat())
        .expect_code(0);
    shell
}

fn set(shell: &Shell, from: &str, to: &str) {
    let path = shell.folder.path().join("lethe.toml");
    let settings = fs::read_to_string(&path).expect("read");
    assert!(settings.contains(from), "{settings}");
    fs::write(path, settings.replace(from, to)).expect("write");
}

fn actions(shell: &Shell) -> Vec<serde_json::Value> {
    let list = shell.run(&["audit", "list", "--output", "json"]);
    list.expect_code(0);
    let lines = list.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    lines.filter(|line| line["type"] == "action").collect()
}

/// REG-19: each command that touches personal data leaves its beginning and its end.
#[test]
fn every_action_is_on_record_with_its_end() {
    let shell = company();
    shell.server.create_database("restored");
    let (source, into) = (shell.server.url("source"), shell.server.url("restored"));
    let snapshot = shell.run(&["snapshots", "--output", "json"]);
    let id =
        snapshot.out.split("\"snapshot\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let hold = [
        "hold",
        "add",
        "--snapshot",
        id,
        "--until",
        "2100-01-01",
        "--reason",
        "case 4",
        "--approved-by",
        "legal",
    ];
    let recipient = lethe_engine::Identities::generate().recipients().remove(0).to_string();
    for (code, arguments) in [
        (0, &["tombstone", "revoke", "--subject", "user", "--id", "8", "--request", "OTHER-6"][..]),
        (0, &["tombstone", "capture", "install", "--from", &source, "--confirm"]),
        (0, &["restore", "--into", &into, "--dry-run"]),
        (0, &["restore", "--into", &into, "--request", "INC-1", "--operator", "ada"]),
        (3, &["restore", "--into", &into]),
        (0, &["drill"]),
        (0, &["prune", "--confirm"]),
        (0, &hold),
        (0, &["verify", "--read-data"]),
        (0, &["keys", "add", "--recipient", &recipient, "--confirm"]),
        (0, &["audit", "export", "--out", "all.jsonl"]),
        (0, &["tombstone", "capture", "remove", "--from", &source, "--confirm"]),
    ] {
        shell.run(arguments).expect_code(code);
    }
    let hold = actions(&shell).iter().filter(|action| action["action"] == "hold_add").count();
    assert_eq!(hold, 1);
    let seen: Vec<(String, String)> = actions(&shell)
        .iter()
        .map(|action| {
            (
                action["action"].as_str().unwrap_or("").to_owned(),
                action["ending"].as_str().unwrap_or("").to_owned(),
            )
        })
        .collect();
    let expected = [
        ("snapshot", "done"),
        ("tombstone_add", "done"),
        ("tombstone_add", "done"),
        ("tombstone_revoke", "done"),
        ("capture_install", "done"),
        ("restore_plan", "done"),
        ("restore", "done"),
        ("restore", "failed"),
        ("drill", "done"),
        ("prune", "done"),
        ("hold_add", "done"),
        ("verify", "done"),
        ("keys_change", "done"),
        ("audit_export", "done"),
        ("capture_remove", "done"),
    ];
    assert_eq!(seen, expected.map(|(action, ending)| (action.to_owned(), ending.to_owned())));
    let restore = &actions(&shell)[6]["internal"];
    assert_eq!((restore["operator"].as_str(), restore["request"].as_str()), (Some("ada"), Some("INC-1")));
    assert_eq!(restore["facts"]["counts"]["dropped"], 1);
    // What only shows something leaves nothing.
    for arguments in
        [&["prune"][..], &["keys", "list"], &["snapshots"], &["hold", "list"], &["tombstone", "verify"]]
    {
        shell.run(arguments).expect_code(0);
    }
    assert_eq!(actions(&shell).len(), expected.len());
    shell.run(&["audit", "verify"]).expect_code(0).says("30 entries").says("last one covers 30 entries");
}

#[test]
fn a_customer_gets_its_own_part_and_can_check_it_alone() {
    let shell = company();
    shell.run(&["audit", "export", "--tenant", "acme", "--out", "acme.jsonl"]).expect_code(0);
    let text = fs::read_to_string(shell.folder.path().join("acme.jsonl")).expect("read");
    assert!(text.contains("ACME-12") && !text.contains("OTHER-5"), "{text}");
    let key = shell.run(&["audit", "new-key", "--output", "json"]);
    let key: serde_json::Value = serde_json::from_str(&key.out).expect("JSON");
    let key = key["public_key"].as_str().expect("a key");
    // The customer has the file, the program and the key, and nothing else.
    let elsewhere = tempfile::tempdir().expect("a folder");
    fs::write(elsewhere.path().join("export.jsonl"), &text).expect("write");
    let verify = |key: &str| {
        let mut command = shell.command(&["audit", "verify", "export.jsonl", "--public-key", key]);
        Shell::ended(command.current_dir(elsewhere.path()))
    };
    verify(key).expect_code(0).says("5 entries of a log of 7");
    fs::write(elsewhere.path().join("export.jsonl"), text.replace("ACME-12", "ACME-13")).expect("write");
    verify(key).expect_code(7).says("changed after it was signed");
    fs::write(elsewhere.path().join("export.jsonl"), "nonsense").expect("write");
    verify(key).expect_code(7);
    verify("nonsense").expect_code(2);
    let page = shell.run(&["audit", "export", "--tenant", "acme", "--format", "html", "--lang", "da"]);
    page.expect_code(0).says("ACME-12").says("Hvad der er gjort med persondata");
    assert!(!page.out.contains("OTHER-5"));
    // A customer that ends is its own entry.
    shell.run(&["tombstone", "add", "--subject", "tenant", "--id", "2", "--request", "END-2"]).expect_code(0);
    shell.run(&["audit", "export", "--tenant", "2"]).expect_code(0).says("END-2");
    // Bringing one customer back concerns that one alone.
    shell
        .run(&["tombstone", "revoke", "--subject", "tenant", "--id", "2", "--request", "BACK-2"])
        .expect_code(0);
    shell.server.create_database("alone");
    let into = shell.server.url("alone");
    shell.run(&["restore", "--into", &into, "--only", "tenant=2", "--request", "ONLY-2"]).expect_code(0);
    shell.run(&["audit", "export", "--tenant", "2"]).expect_code(0).says("ONLY-2");
    let none = shell.run(&["audit", "export", "--tenant", "1"]);
    none.expect_code(0);
    assert!(["END-2", "BACK-2", "ONLY-2"].iter().all(|other| !none.out.contains(other)), "{}", none.out);
}

/// Captured deletions as well, if the settings say whose people they are.
#[test]
fn captured_deletions_stand_in_their_customers_part() {
    let shell = company();
    set(&shell, "[subject.tenant]", "tenant = \"tenant_id\"\n[subject.tenant]");
    let source = shell.server.url("source");
    shell.run(&["tombstone", "capture", "install", "--from", &source, "--confirm"]).expect_code(0);
    shell.server.sql("source", "DELETE FROM users WHERE id IN (2, 4, 6, 5)");
    shell.run(&["tombstone", "capture", "run", "--from", &source]).expect_code(0);
    let people = |tenant: &str| {
        let export = shell.run(&["audit", "export", "--tenant", tenant]);
        export.expect_code(0);
        let lines = export.out.lines().filter(|line| line.contains("tombstone_capture"));
        let people = |line: &str| line.split("people").nth(1)?.chars().find(char::is_ascii_digit);
        lines.map(people).collect::<Vec<_>>()
    };
    assert_eq!(people("1"), [Some('3')]);
    assert_eq!(people("2"), [Some('1')]);
    set(&shell, "tenant = \"tenant_id\"", "tenant = \"customer\"");
    shell
        .run(&["tombstone", "capture", "install", "--from", &source])
        .expect_code(3)
        .says("no column customer");
}

#[test]
fn a_request_gets_its_certificate() {
    let shell = company();
    shell
        .run(&["audit", "certificate", "--request", "ACME-12", "--format", "json"])
        .expect_code(0)
        .says("\"people\": 1")
        .says("\"may_hold\": [");
    shell
        .run(&["audit", "certificate", "--request", "ACME-12"])
        .expect_code(0)
        .says("Certificate of an erasure");
    shell.run(&["audit", "certificate", "--request", "ACME-13"]).expect_code(2).says("nothing on the ledger");
    shell.run(&["audit", "certificate"]).expect_code(2).says("which request");
}

/// SEC-19: what cannot be written down is not done.
#[test]
fn what_the_log_cannot_say_is_not_begun() {
    let shell = company();
    let audit = shell.store().join("audit");
    // Tests may run as root, whom no permission stops: a file where the entry's folder should be does.
    let aside = shell.store().join("aside");
    fs::rename(&audit, &aside).expect("rename");
    fs::write(&audit, "").expect("write");
    let before = files(&shell.store());
    shell.server.create_database("restored");
    for arguments in [
        &["snapshot", "--from", &shell.server.url("source")][..],
        &["restore", "--into", &shell.server.url("restored")],
        &["tombstone", "add", "--subject", "user", "--id", "9"],
        &["prune", "--confirm"],
        &["verify", "--read-data"],
        &["keys", "rewrap", "--confirm"],
    ] {
        let ended = shell.run(arguments);
        assert_ne!(ended.code, 0, "{arguments:?}");
        ended.says("was not begun");
    }
    shell.run(&["drill"]).expect_code(7).says("was not begun");
    assert_eq!(files(&shell.store()), before, "nothing was done");
    assert_eq!(
        shell.server.sql("restored", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        "0"
    );
    // Gone is not empty: this host has seen more.
    fs::remove_file(&audit).expect("remove");
    shell.snapshot().expect_code(7).says("rolled back or replaced");
    fs::rename(&aside, &audit).expect("rename");
    shell.snapshot().expect_code(0);
}

/// SEC-18: taken out, changed, put in another order, cut off.
#[test]
fn tampering_is_found() {
    let shell = company();
    let entry = |number: u64| shell.store().join(format!("audit/{number:020}"));
    let verify = || shell.run(&["audit", "verify"]);
    verify().expect_code(0);
    let second = fs::read(entry(2)).expect("read");
    fs::remove_file(entry(2)).expect("remove");
    verify().expect_code(7).says("entry 2 is missing");
    fs::write(entry(2), fs::read(entry(3)).expect("read")).expect("write");
    verify().expect_code(7).says("another one than its name says");
    fs::write(entry(2), second.iter().map(|byte| byte ^ u8::from(*byte == b'5')).collect::<Vec<_>>())
        .expect("write");
    verify().expect_code(7).says("entry 2");
    fs::write(entry(2), &second).expect("write");
    verify().expect_code(0);
    // The end cut off: by this host's memory, and on another host by what was signed.
    let (last, before) = (fs::read(entry(5)).expect("read"), fs::read(entry(4)).expect("read"));
    fs::remove_file(entry(5)).expect("remove");
    fs::remove_file(entry(4)).expect("remove");
    verify().expect_code(7).says("rolled back or replaced");
    let elsewhere = shell.folder.path().join("elsewhere");
    let other_host =
        |arguments: &[&str]| Shell::ended(shell.command(arguments).env("LETHE_STATE_DIR", &elsewhere));
    other_host(&["audit", "verify"]).expect_code(7).says("entries that were signed are gone");
    fs::write(entry(4), before).expect("write");
    fs::write(entry(5), last).expect("write");
    other_host(&["audit", "verify"]).expect_code(0);
    // A log that was written anew by somebody who has all keys but the one that signs.
    for file in files(&shell.store().join("audit")) {
        fs::remove_file(shell.store().join("audit").join(file.file_name().expect("a name"))).ok();
        fs::remove_file(file).ok();
    }
    set(&shell, "key_file = \"lethe.audit-key\"", "");
    other_host(&["snapshot", "--from", &shell.server.url("source")]).expect_code(7);
    let third = shell.folder.path().join("third");
    let third_host =
        |arguments: &[&str]| Shell::ended(shell.command(arguments).env("LETHE_STATE_DIR", &third));
    third_host(&["snapshot", "--from", &shell.server.url("source")]).expect_code(0);
    let mut command = shell.command(&["audit", "verify"]);
    command.env("LETHE_STATE_DIR", &third).env("LETHE_AUDIT_KEY_FILE", "lethe.audit-key");
    Shell::ended(&mut command).expect_code(7).says("no checkpoint");
}

#[test]
fn looser_settings_and_missing_instructions_are_noticed() {
    let shell = company();
    shell.run(&["prune", "--confirm"]).expect_code(0);
    set(&shell, "[subject.tenant]", "[retention]\nkeep = \"20 days\"\n[subject.tenant]");
    shell.run(&["prune", "--confirm"]).expect_code(0);
    assert!(actions(&shell).iter().all(|action| action["action"] != "settings_loosened"), "that is tighter");
    set(&shell, "20 days", "35 days");
    shell.run(&["prune", "--confirm"]).expect_code(0).says("allow more than they did");
    let loosened: Vec<_> =
        actions(&shell).into_iter().filter(|action| action["action"] == "settings_loosened").collect();
    assert_eq!(loosened.len(), 1);
    assert_eq!(
        loosened[0]["internal"]["loosened"][0],
        "[retention] keep, seconds: 3024000 instead of 1728000"
    );
    shell.run(&["prune", "--confirm"]).expect_code(0);
    set(&shell, "# require_request = true", "require_request = true");
    shell
        .run(&["tombstone", "add", "--subject", "user", "--id", "9", "--tenant", "acme"])
        .expect_code(2)
        .says("on whose instruction");
    shell
        .run(&["tombstone", "add", "--subject", "user", "--id", "9", "--tenant", "acme", "--request", "A-1"])
        .expect_code(0);
    shell.snapshot().expect_code(0);
    let count = actions(&shell).iter().filter(|action| action["action"] == "settings_loosened").count();
    assert_eq!(count, 1, "once is enough");
}

/// Killed in the middle: what began has no end, and the next run has both.
#[test]
fn an_interrupted_action_is_shown_as_one() {
    let shell = company();
    let mut child =
        shell.spawn(&["tombstone", "capture", "run", "--follow", "--from", &shell.server.url("source")]);
    child.kill().expect("kill");
    child.wait().expect("wait");
    shell.server.sql("source", "INSERT INTO users SELECT i, 1 FROM generate_series(1000, 300000) i");
    let mut child = shell.spawn(&["snapshot", "--from", &shell.server.url("source")]);
    let began = std::time::Instant::now();
    while actions(&shell).len() < 4 && began.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().expect("kill");
    let killed = !child.wait().expect("wait").success();
    let all = actions(&shell);
    let last = all.last().expect("an action");
    assert_eq!(last["action"], "snapshot");
    assert_eq!(last["ending"], if killed { "open" } else { "done" });
    shell.run(&["audit", "list"]).expect_code(0);
    shell.snapshot().expect_code(0);
    assert_eq!(actions(&shell).last().expect("an action")["ending"], "done");
    shell.run(&["audit", "verify"]).expect_code(0);
}

#[test]
fn the_signing_key_is_looked_after() {
    let shell = company();
    let file = shell.folder.path().join("lethe.audit-key");
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let first = shell.run(&["audit", "new-key"]);
    first.expect_code(0).says("public key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("chmod");
    shell.snapshot().expect_code(1).says("others than its owner");
    fs::remove_file(&file).expect("remove");
    shell.snapshot().expect_code(0).says("the audit log is written, and not signed");
    shell.run(&["audit", "verify"]).expect_code(0).says("signatures were not checked");
    shell.run(&["audit", "new-key"]).expect_code(0).says("keep a copy");
    // Another key does not vouch for what the first one has signed.
    shell.run(&["audit", "verify"]).expect_code(7).says("not signed by the log's key");
    set(&shell, "key_file = \"lethe.audit-key\"", "");
    shell.snapshot().expect_code(0);
    shell.run(&["audit", "export"]).expect_code(2).says("there is no key");
    shell.run(&["audit", "verify"]).expect_code(0).says("signatures were not checked");
}
