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
    assert!(ended.out.lines().any(|line| line == r#"{"type":"ready"}"#), "{}", ended.out);
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

/// As `docs/ERASURE.md` has it.
#[test]
fn references_of_the_settings_are_followed_and_said() {
    let shell = Shell::new();
    shell.server.sql(
        "source",
        "CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE);
         CREATE TABLE comments (owner_type text, owner_id bigint); CREATE TABLE newsletters (email text); CREATE TABLE invoices (user_id bigint);
         CREATE TABLE teams (member_ids int[]); CREATE TABLE events (payload jsonb); CREATE TABLE activities (subject text);
         INSERT INTO teams VALUES ('{1,2,3}'), ('{2}'); INSERT INTO activities VALUES ('user:2'), ('user:3'), ('team:2');
         INSERT INTO events VALUES ('{\"participants\": [{\"user_id\": 2}, {\"user_id\": \"3\"}]}');
         INSERT INTO users SELECT i, i || '@example.org' FROM generate_series(1, 3) i;
         INSERT INTO comments VALUES ('User', 2), ('Post', 2), ('User', 3);
         INSERT INTO newsletters SELECT email FROM users; INSERT INTO invoices SELECT id FROM users",
    );
    let settings = shell.folder.path().join("lethe.toml");
    let plain = std::fs::read_to_string(&settings).expect("read");
    let rule = |from: &str, to: &str, more: &str| {
        format!("\n[[reference]]\nfrom = \"public.{from}\"\nto = \"public.{to}\"\n{more}\n")
    };
    let rules = [
        rule(
            "comments(owner_id)",
            "users(id)",
            "on_erase = \"drop\"\nwhen = { column = \"owner_type\", equals = \"User\" }",
        ),
        rule("newsletters(email)", "users(email)", "on_erase = \"null\""),
        rule("invoices(user_id)", "users(id)", "on_erase = \"keep\"\nbecause = \"the law asks for it\""),
        rule("teams(member_ids)", "users(id)", "element = true\non_erase = \"remove\""),
        rule(
            "events(payload)",
            "users(id)",
            "path = \"$.participants[*].user_id\"\non_erase = \"remove\"\nremove = \"object\"",
        ),
        rule("activities(subject)", "users(id)", "text = \"user:{}\"\non_erase = \"drop\""),
    ];
    std::fs::write(&settings, format!("{plain}{}", rules.concat())).expect("write");
    shell.snapshot().expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "public.users", "--id", "2"]).expect_code(0);
    shell.server.create_database("restored");
    let restored = shell.restore("restored");
    restored.expect_code(0);
    assert!(
        restored.out.contains(
            "public.invoices(user_id) → public.users(id): rows of erased people stay, because the law asks for it"
        ),
        "{}",
        restored.out
    );
    let rows = "SELECT (SELECT string_agg(owner_type || owner_id, ' ') FROM comments), (SELECT count(*) FROM newsletters WHERE email IS NULL), (SELECT count(*) FROM invoices)";
    assert_eq!(shell.server.sql("restored", rows), "Post2 User3|1|3");
    let inside = "SELECT (SELECT string_agg(member_ids::text, ' ') FROM teams), (SELECT payload FROM events), (SELECT string_agg(subject, ' ') FROM activities)";
    assert_eq!(
        shell.server.sql("restored", inside),
        "{1,3} {}|{\"participants\": [{\"user_id\": \"3\"}]}|user:3 team:2"
    );

    for (wrong, said) in [
        (rule("comments(owner_id)", "users(id)", "on_erase = \"keep\""), "keep needs a reason"),
        (
            rule("comments(owner_id)", "users(id, email)", "on_erase = \"drop\""),
            "1 columns cannot refer to 2",
        ),
        (rule("comments", "users(id)", "on_erase = \"drop\""), "names no schema or no columns"),
        (rules[1].repeat(2), "is there twice"),
        (
            rule("events(payload)", "users(id)", "path = \"$.*\"\non_erase = \"drop\""),
            "a path is $, then any of",
        ),
        (rule("teams(member_ids)", "users(id)", "on_erase = \"remove\""), "remove needs element"),
        (rule("activities(subject)", "users(id)", "text = \"user:\"\non_erase = \"drop\""), "once"),
        (
            rule("activities(subject)", "users(id)", "remove = \"value\"\non_erase = \"drop\""),
            "goes with on_erase",
        ),
    ] {
        std::fs::write(&settings, format!("{plain}{wrong}")).expect("write");
        let refused = shell.restore("restored");
        refused.expect_code(2);
        assert!(refused.err.contains(said), "{}", refused.err);
    }
}

#[test]
fn a_snapshot_of_a_standby_is_like_one_of_its_primary() {
    let shell = Shell::new();
    shell.server.sql("source", SHOP);
    let standby = shell.server.standby(&[]);
    shell.run(&["snapshot", "--from", &standby.url("source")]).expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "public.users", "--id", "1"]).expect_code(0);
    shell.server.create_database("restored");
    shell.restore("restored").expect_code(0).says("ready: applications can connect");
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM orders"), "495");
}
