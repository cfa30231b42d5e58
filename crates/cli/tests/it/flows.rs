use crate::shell::Shell;

const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE orders (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, note text);
    INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 100) i;
    INSERT INTO orders (user_id, note) SELECT i % 100 + 1, 'note' FROM generate_series(1, 500) i;";

#[test]
fn the_main_job_with_json() {
    let shell = Shell::new();
    shell.server.sql("source", SHOP);
    shell.run(&["snapshot", "--from", &shell.server.url("source"), "--output", "json"]).expect_code(0);
    std::fs::write(shell.folder.path().join("ids"), "1\r\n2\n2\n3\n").expect("write");
    shell
        .run(&["tombstone", "add", "--subject", "public.users", "--ids-file", "ids"])
        .expect_code(0)
        .says("3 erased")
        .says("given more than once");
    shell
        .run(&["tombstone", "revoke", "--subject", "public.users", "--id", "3", "--request", "R-1"])
        .expect_code(0);
    shell.run(&["tombstone", "verify"]).expect_code(0).says("2 people erased");
    let list = shell.run(&["tombstone", "list", "--output", "json"]);
    assert_eq!(list.out.lines().count(), 4, "genesis, erased, revoked, summary");
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    shell.run(&["restore", "--into", &into, "--dry-run"]).expect_code(0).says("nothing was written");
    assert_eq!(
        shell.server.sql("restored", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        "0"
    );
    let ended = shell.run(&["restore", "--into", &into, "--output", "json"]);
    ended.expect_code(0);
    let last = ended.out.lines().last().expect("a summary");
    for part in [
        "\"type\":\"summary\"",
        "\"command\":\"restore\"",
        "\"rows\":{\"changed\":0,\"dropped\":12,\"late_removed\":0,\"loaded\":588,\"never_loaded\":12,\"read\":600}",
        "\"seconds\":{",
        "\"peak_rss\":",
        "\"ledger_head\":",
    ] {
        assert!(last.contains(part), "{part} is missing in {last}");
    }
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM users"), "98");
    let snapshots = shell.run(&["snapshots"]);
    snapshots.expect_code(0).says("source");
}

#[test]
fn a_host_that_only_takes_snapshots_cannot_read_them() {
    let shell = Shell::new();
    shell.server.sql("source", SHOP);
    shell.snapshot().expect_code(0);
    let settings = std::fs::read_to_string(shell.folder.path().join("lethe.toml")).expect("read");
    let without: Vec<&str> = settings.lines().filter(|line| !line.contains("identity_file")).collect();
    std::fs::write(shell.folder.path().join("lethe.toml"), without.join("\n")).expect("write");
    std::fs::remove_file(shell.folder.path().join("lethe.key")).expect("remove");
    shell.server.sql("source", "UPDATE users SET name = 'changed' WHERE id = 1");
    shell.snapshot().expect_code(0).says("1 shared with the snapshot before");
    shell
        .run(&["tombstone", "add", "--subject", "public.users", "--id", "1"])
        .expect_code(0)
        .says("not checked");
    shell.server.create_database("restored");
    shell.restore("restored").expect_code(1).says("needs an identity").says("hint:");
    shell.run(&["snapshots"]).expect_code(1);
}
