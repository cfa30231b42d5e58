//! `lethe coverage --suggest`: what it writes is settings, and answers what can be answered.

use crate::shell::{Ended, Shell};

/// The company of the demo that has no foreign key.
const FORUM: &str = include_str!("../../../../deploy/demo/forum.sql");

/// Keys within texts, besides: some in a column, some in arrays and documents, some of rows that are no people.
const MORE: &str = "
    CREATE TABLE audits (id bigserial PRIMARY KEY, actor text, \"seenBy\" text[], payload json, amount int);
    INSERT INTO audits (actor, \"seenBy\", payload, amount)
    SELECT CASE WHEN n % 3 = 0 THEN 'cron job ' || n ELSE 'User:' || n END, ARRAY['gid://forum/User/' || n, 'nobody'],
           json_build_object('targets', json_build_array(json_build_object('ref', 'user#' || n), json_build_object('post_id', n)), 'at', n,
               'private name ' || n, json_build_object('id', n), 'mail', (SELECT email FROM users WHERE id = n)), n % 7
    FROM generate_series(1, 200) n;";

fn shell() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", FORUM);
    add(&shell, "[subject.user]\ntable = \"public.users\"\n");
    shell
}

fn add(shell: &Shell, more: &str) {
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, format!("{settings}\n{more}")).expect("write");
}

fn coverage(shell: &Shell, more: &[&str]) -> Ended {
    shell.run(&[&["coverage", "--from", &shell.server.url("source")], more].concat())
}

#[test]
fn what_is_suggested_for_the_forum_of_the_demo_answers_all_but_one_question() {
    let shell = shell();
    let suggested = coverage(&shell, &["--suggest"]);
    suggested.expect_code(1);
    for rule in [
        "from = \"public.posts(author_id)\"\nto = \"public.users(id)\"\non_erase = \"drop\"",
        "from = \"public.comments(owner_id)\"\nwhen = { column = \"owner_type\", equals = \"Post\" }\nto = \"public.posts(id)\"",
        "from = \"public.comments(owner_id)\"\nwhen = { column = \"owner_type\", equals = \"User\" }\nto = \"public.users(id)\"",
        "from = \"public.newsletters(email)\"\nto = \"public.users(email)\"",
        "from = \"public.rooms(member_ids)\"\nelement = true\nto = \"public.users(id)\"\non_erase = \"remove\"",
        "values are keys of public.users(id)\n[[reference]]\nfrom = \"public.logs(doc)\"\npath = \"$.actor.id\"\nto = \"public.users(id)\"\non_erase = \"remove\"",
        "# columns = \"public.rooms(name)\"",
    ] {
        assert!(suggested.out.contains(rule), "{rule} is missing in\n{}", suggested.out);
    }
    let rules = suggested.out.lines().filter(|line| *line == "[[reference]]").count();
    assert_eq!(rules, 6, "{}", suggested.out);
    assert!(
        !suggested.out.contains("@example.org") && !suggested.out.contains("token-"),
        "{}",
        suggested.out
    );
    add(&shell, &suggested.out);
    let covered = coverage(&shell, &[]);
    covered.expect_code(1).says("OPEN          public.rooms.name");
    assert_eq!(covered.out.lines().filter(|line| line.starts_with("OPEN")).count(), 1, "{}", covered.out);
    add(&shell, "[[not_personal]]\ncolumns = \"public.rooms(name)\"\nbecause = \"topics\"\n");
    coverage(&shell, &[]).expect_code(0);
    coverage(&shell, &["--suggest"]).expect_code(0);
    // Rules that a snapshot and an erasure can follow.
    shell.snapshot().expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "user", "--id", "7"]).expect_code(0);
    shell.server.create_database("restored");
    shell.run(&["restore", "--label", "production", "--into", &shell.server.url("restored")]).expect_code(0);
    let left = "SELECT count(*) FROM comments WHERE owner_type = 'User' AND owner_id = 7; SELECT count(*) FROM posts WHERE author_id = 7;
        SELECT count(*) FROM logs WHERE doc #>> '{actor,id}' = '7'; SELECT count(*) FROM rooms WHERE 7 = ANY (member_ids)";
    assert_eq!(shell.server.sql("restored", left), "0\n0\n0\n0");
}

#[test]
fn keys_within_texts_and_documents_are_suggested_without_showing_a_value() {
    let shell = shell();
    shell.server.sql("source", MORE);
    let suggested = coverage(&shell, &["--suggest"]);
    suggested.expect_code(1);
    for rule in [
        "from = \"public.audits(actor)\"\ntext = \"User:{}\"\nto = \"public.users(id)\"\non_erase = \"drop\"",
        "from = \"public.audits(\\\"seenBy\\\")\"\nelement = true\ntext = \"gid://forum/User/{}\"\nto = \"public.users(id)\"",
        "from = \"public.audits(payload)\"\npath = \"$.targets[*].ref\"\ntext = \"user#{}\"\nto = \"public.users(id)\"",
        "from = \"public.audits(payload)\"\npath = \"$.mail\"\nto = \"public.users(email)\"\non_erase = \"remove\"",
    ] {
        assert!(suggested.out.contains(rule), "{rule} is missing in\n{}", suggested.out);
    }
    assert!(!suggested.out.contains("private") && !suggested.out.contains("cron"), "{}", suggested.out);
    add(&shell, &suggested.out);
    let covered = coverage(&shell, &[]);
    let open: Vec<&str> = covered.out.lines().filter(|line| line.starts_with("OPEN")).collect();
    assert!(open.iter().all(|line| !line.contains("audits")), "{open:?}");
}
