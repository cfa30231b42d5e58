use std::time::{Duration, SystemTime};

use crate::shell::Shell;

fn shell() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1)");
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let from = shell.server.url("source");
    let more =
        format!("{settings}\n[snapshot]\nfrom = \"{from}\"\n[schedule]\nsnapshot_every = \"1 hour\"\n");
    std::fs::write(path, more).expect("write");
    shell
}

/// Makes a snapshot as old as that, by the store's own date.
fn age(shell: &Shell, id: &str, days: u64) {
    let path = shell.store().join("snapshots").join(id).join("manifest.age");
    let file = std::fs::File::options().write(true).open(path).expect("a manifest");
    file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400)).expect("set its date");
}

fn newest(shell: &Shell) -> String {
    let folder = std::fs::read_dir(shell.store().join("snapshots")).expect("list");
    folder.flatten().map(|entry| entry.file_name().into_string().expect("UTF-8")).max().expect("one")
}

#[test]
fn the_last_snapshot_is_an_alarm_until_somebody_decides() {
    let shell = shell();
    // Nothing yet, though the schedule expects some.
    shell.run(&["snapshots"]).expect_code(1).says("there is no snapshot");
    shell.run(&["snapshot"]).expect_code(0);
    shell.run(&["snapshots"]).expect_code(0);
    shell.run(&["doctor"]).expect_code(0);
    shell.run(&["prune"]).expect_code(0);
    let id = newest(&shell);
    age(&shell, &id, 36);
    shell.run(&["snapshots"]).expect_code(1).says("is the schedule running?").says(&id);
    shell.run(&["doctor"]).expect_code(1).says("is the schedule running?");
    for confirm in [&[][..], &["--confirm"]] {
        let ended = shell.run(&[&["prune"], confirm].concat());
        ended.expect_code(8).says(&format!("snapshot {id}")).says("lethe hold add").says("--discard");
    }
    assert_eq!(newest(&shell), id, "nobody deletes it silently");
    // Somebody answers for it.
    let hold = ["hold", "add", "--snapshot", &id, "--until", "2100-01-01", "--approved-by", "legal"];
    shell.run(&hold).expect_code(2);
    shell.run(&[&hold[..], &["--reason", " "]].concat()).expect_code(2).says("it needs a reason");
    shell.run(&[&hold[..4], &hold[6..], &["--until", "2020-01-01", "--reason", "r"]].concat()).expect_code(2);
    let held = shell.run(&[&hold[..], &["--reason", "order 12"]].concat());
    held.expect_code(0).says("longer than the 35 days");
    shell.run(&["prune", "--confirm"]).expect_code(0).says("held until 2100-01-02");
    shell.run(&["snapshots"]).expect_code(1).says("held");
    let listed = shell.run(&["hold", "list"]);
    listed.expect_code(0).says("order 12");
    let hold_id = listed.out.split_whitespace().next().expect("an id");
    shell.run(&["hold", "remove", hold_id]).expect_code(0);
    shell.run(&["prune"]).expect_code(8);
    // A new one is the answer.
    shell.run(&["snapshot"]).expect_code(0);
    shell.run(&["prune", "--confirm"]).expect_code(0).says("receipt: reports/prune/");
    assert!(!shell.store().join("snapshots").join(&id).join("manifest.age").exists());
    shell.run(&["snapshots"]).expect_code(0);
    // Or to let the last one go by its name.
    let id = newest(&shell);
    shell.run(&["prune", "--discard", &id]).expect_code(2).says("not one that stays only because");
    age(&shell, &id, 36);
    shell.run(&["prune", "--confirm", "--discard", &id]).expect_code(0).says("goes");
    shell.run(&["snapshots"]).expect_code(1).says("none yet");
}

/// Somebody with a snapshot host's keys fills the store: an alarm, and no reason to let a real one go.
#[test]
fn more_snapshots_than_usual_are_an_alarm_and_let_nothing_go() {
    let shell = shell();
    shell.run(&["snapshot"]).expect_code(0);
    let real = newest(&shell);
    shell.run(&["snapshots"]).expect_code(0);
    let folder = shell.store().join("snapshots");
    for number in 0..73 {
        let fake = folder.join(format!("20990101T000000Z-{number:06x}"));
        std::fs::create_dir(&fake).expect("make");
        std::fs::copy(folder.join(&real).join("manifest.age"), fake.join("manifest.age")).expect("copy");
    }
    shell
        .run(&["doctor"])
        .expect_code(1)
        .says("74 snapshots were finished in the last day, and 24 are usual");
    shell.run(&["prune", "--confirm"]).expect_code(0);
    assert!(folder.join(&real).join("manifest.age").exists());
}

#[test]
fn a_setting_that_would_break_the_promise_is_none() {
    let shell = shell();
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    for keep in ["36 days", "3 days", "soon", "-1 days", "1 hour"] {
        std::fs::write(&path, format!("{settings}\n[retention]\nkeep = \"{keep}\"\n")).expect("write");
        shell.run(&["prune"]).expect_code(2).says("keep");
    }
    std::fs::write(&path, format!("{settings}\n[retention]\nkeep = \"7 days\"\n")).expect("write");
    shell.run(&["snapshot"]).expect_code(0);
    let first = newest(&shell);
    shell.run(&["snapshot"]).expect_code(0);
    age(&shell, &first, 8);
    shell.run(&["prune"]).expect_code(0).says(&format!("goes   {first}"));
}
