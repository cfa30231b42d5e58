use lethe_engine::Identities;

use crate::shell::{Shell, files};

#[test]
fn recipients_are_shown_added_and_removed_only_with_a_confirmation() {
    let shell = Shell::new();
    shell.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1)");
    shell.snapshot().expect_code(0);
    shell
        .run(&["keys", "list"])
        .expect_code(0)
        .says("its identity is here")
        .says("one recipient")
        .says("1 of 1 snapshots");
    let other = Identities::generate();
    let recipient = other.recipients().remove(0).to_string();
    let before = files(&shell.store());
    shell.run(&["keys", "add", "--recipient", &recipient]).expect_code(0).says("--confirm");
    assert_eq!(files(&shell.store()), before, "a look changes nothing");
    shell.run(&["keys", "add", "--recipient", "age1nonsense"]).expect_code(2).says("no age recipient");
    let secret = other.to_text(jiff::Timestamp::now());
    let secret = secret.lines().last().expect("a line");
    let ended = shell.run(&["keys", "add", "--recipient", secret]);
    ended.expect_code(2).says("the secret one");
    assert!(!ended.err.contains(secret), "the secret is shown");
    shell.run(&["keys", "add", "--recipient", &recipient, "--confirm"]).expect_code(0).says("done");
    let mut as_other = shell.command(&["snapshots"]);
    Shell::ended(as_other.env("LETHE_IDENTITY", secret)).expect_code(0).says("source");

    let old = std::fs::read_to_string(shell.folder.path().join("lethe.key")).expect("read");
    let old = old.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a recipient");
    let mut remove = shell.command(&["keys", "remove", "--recipient", old, "--confirm"]);
    Shell::ended(remove.env("LETHE_IDENTITY", secret)).expect_code(0).says("uploads everything");
    shell.run(&["snapshots"]).expect_code(1).says("cannot be decrypted").says("recipients");
    let mut rewrap = shell.command(&["keys", "rewrap", "--confirm"]);
    Shell::ended(rewrap.env("LETHE_IDENTITY", secret)).expect_code(0);
    let mut list = shell.command(&["keys", "list", "--output", "json"]);
    let ended = Shell::ended(list.env("LETHE_IDENTITY", secret));
    let last = ended.expect_code(0).out.lines().last().expect("a line");
    for part in ["\"generation\":3", "\"data_keys\":3", "\"command\":\"keys list\""] {
        assert!(last.contains(part), "{part} is missing in {last}");
    }
}
