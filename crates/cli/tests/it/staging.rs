//! How staging is filled, as docs/STAGING.md says it.

use std::time::Duration;

use crate::shell::{Ended, Shell};

const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY, email varchar(50) NOT NULL UNIQUE, full_name text NOT NULL, phone text, birthday date, settings jsonb NOT NULL, avatar bytea,
        plan text DEFAULT 'free');
    CREATE TABLE mails (id bigserial PRIMARY KEY, user_id int REFERENCES users, recipient varchar(50) REFERENCES users (email) ON UPDATE CASCADE, sent timestamptz);
    INSERT INTO users SELECT i, 'canary' || i || '@x.org', 'canary ' || i, '555' || i, '1990-01-01'::date + i, '{\"nick\": \"canary\"}', '\\xca', 'free' FROM generate_series(1, 500) i;
    INSERT INTO mails (user_id, recipient, sent) SELECT i % 500 + 1, 'canary' || i % 500 + 1 || '@x.org', now() FROM generate_series(1, 60000) i;
    SELECT lo_from_bytea(0, 'canary');";

const SETTINGS: &str = "
[subject.user]
table = \"public.users\"

[[not_personal]]
columns = \"public.users(plan)\"
because = \"two words that everybody has\"
";

fn shell() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", SHOP);
    add(&shell, SETTINGS);
    shell.snapshot().expect_code(0);
    shell.server.create_database("staging");
    shell
}

fn add(shell: &Shell, more: &str) {
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, format!("{settings}\n{more}")).expect("write");
}

fn suggested(shell: &Shell) -> Ended {
    shell.run(&["coverage", "--suggest-masks", "--from", &shell.server.url("source")])
}

#[test]
fn what_is_suggested_fills_staging_with_nobody() {
    let shell = shell();
    let into = shell.server.url("staging");
    let mut unlabelled = shell.command(&["restore", "--into", &into]);
    unlabelled.env_remove("LETHE_LABEL");
    Shell::ended(&mut unlabelled)
        .expect_code(3)
        .says("nothing says what it is for")
        .says("--label production");
    let restore = ["restore", "--label", "staging", "--into", &into];
    shell.run(&restore).expect_code(3).says("nothing masks them").says("--suggest-masks").says("birthday");
    let masks = suggested(&shell);
    masks.expect_code(1).says("fake = \"email\"").says("7 columns");
    assert!(!masks.out.contains("canary") && !masks.out.contains("plan"), "{}", masks.out);
    add(&shell, &masks.out);
    suggested(&shell).expect_code(0).says("every column that may hold people's data has a mask");
    shell.run(&["tombstone", "add", "--subject", "user", "--id", "7"]).expect_code(0);
    shell.run(&[&restore[..], &["--dry-run"]].concat()).expect_code(0).says("everybody is masked: 7 columns");
    let ended = shell.run(&[&restore[..], &["--output", "json"]].concat());
    ended.expect_code(0);
    let summary = ended.out.lines().last().expect("a summary");
    for part in ["\"label\":\"staging\"", "\"masked\":{\"check\":{\"made\":", "\"columns\":7,\"rows\":60379}"]
    {
        assert!(summary.contains(part), "{part} is missing in {summary}");
    }
    let sql = |sql: &str| shell.server.sql("staging", sql);
    let nobody = "SELECT count(*) FROM users u WHERE u::text LIKE '%canary%'; SELECT count(*) FROM mails WHERE recipient LIKE 'canary%';
        SELECT count(*) FROM pg_largeobject_metadata; SELECT count(*), count(DISTINCT email) FROM users; SHOW lethe.label;
        SELECT count(*) FROM mails m JOIN users u ON u.id = m.user_id AND u.email = m.recipient";
    assert_eq!(sql(nobody), "0\n0\n0\n499|499\nstaging\n59880");
    shell.run(&["report", "restore"]).expect_code(0).says("What the database is for").says("staging<");
    // People as they are do not go where masked ones are, however it is asked for.
    sql("DROP TABLE mails, users");
    shell.run(&["restore", "--into", &into]).expect_code(3).says("its label is staging");
    // A drill looks at people as they are, in a server of its own.
    shell.run(&["drill", "--acknowledge", "large_objects"]).expect_code(0);
    shell.run(&["restore", "--into", &into, "--label", "Sta ging"]).expect_code(2).says("a label is");
}

#[test]
fn a_staging_restore_that_is_killed_goes_on_with_the_same_masks() {
    let shell = shell();
    add(&shell, &suggested(&shell).out);
    let into = shell.server.url("staging");
    let restore = ["restore", "--label", "staging", "--into", &into, "--jobs", "1"];
    let mut process = shell.spawn(&restore);
    let loaded =
        "SELECT CASE WHEN to_regclass('lethe.restored_chunks') IS NULL THEN 0 ELSE (xpath('/row/n/text()',
        query_to_xml('SELECT count(*) AS n FROM lethe.restored_chunks', false, true, '')))[1]::text::int END";
    for _ in 0..2000 {
        if shell.server.sql("staging", loaded) != "0" {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill().expect("kill");
    process.wait().expect("wait");
    let seed = "SELECT seed FROM lethe.restore";
    let before = shell.server.sql("staging", seed);
    assert_eq!(before.len(), 64, "it was killed in the middle");
    shell.run(&restore).expect_code(0);
    let joined = "SELECT count(*) FROM mails m JOIN users u ON u.id = m.user_id AND u.email = m.recipient; SELECT to_regnamespace('lethe') IS NULL";
    assert_eq!(shell.server.sql("staging", joined), "60000\nt");
}
