use std::os::unix::fs::PermissionsExt as _;

use crate::shell::{Shell, files};

const USERS: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE codes (id uuid PRIMARY KEY);
    INSERT INTO users SELECT i, 'canary-' || i FROM generate_series(1, 100) i;";

fn shell() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", USERS);
    shell.snapshot().expect_code(0);
    shell
}

fn chunk(shell: &Shell) -> std::path::PathBuf {
    files(&shell.store().join("chunks"))
        .into_iter()
        .max_by_key(|path| path.metadata().expect("metadata").len())
        .expect("a chunk")
}

fn is_empty(shell: &Shell, database: &str) -> bool {
    shell.server.sql(database, "SELECT count(*) FROM pg_class WHERE relname IN ('users', 'restore')") == "0"
}

#[test]
fn init_overwrites_nothing() {
    let shell = Shell::new();
    let before = files(shell.folder.path());
    shell.run(&["init", "--store", &shell.store_url()]).expect_code(2).says("already there");
    shell
        .run(&["init", "--store", &shell.store_url(), "--directory", "elsewhere"])
        .expect_code(1)
        .says("is not empty")
        .says("hint:");
    shell
        .run(&["init", "--store", "ftp://x", "--directory", "elsewhere"])
        .expect_code(2)
        .says("s3://bucket/prefix");
    shell
        .run(&["init", "--store", &shell.store_url(), "--directory", "e", "--recipient", "age1nonsense"])
        .expect_code(2);
    assert_eq!(files(shell.folder.path()), before, "nothing was written");
}

#[test]
fn keys_that_are_none_are_refused_without_being_shown() {
    let shell = shell();
    let before = files(&shell.store());
    let add = |arguments: &[&str]| shell.run(&[&["tombstone", "add"], arguments].concat());
    let write = |text: &[u8]| std::fs::write(shell.folder.path().join("ids"), text).expect("write");
    for wrong in ["canary@example.org", "1.5", "99999999999999999999"] {
        let ended = add(&["--subject", "public.users", "--id", wrong]);
        ended.expect_code(2).says("not valid");
        assert!(!ended.err.contains(wrong) && !ended.out.contains(wrong), "the id is shown: {}", ended.err);
    }
    add(&["--subject", "public.codes", "--id", "7"]).expect_code(2).says("uuid");
    add(&["--subject", "public.users", "--id", "1\t2"]).expect_code(2).says("the key has 1 columns");
    add(&["--subject", "public.nobody", "--id", "1"])
        .expect_code(2)
        .says("unknown subject")
        .says("public.nobody");
    add(&["--subject", "public.users(nothing)", "--id", "1"]).expect_code(2).says("no column nothing");
    add(&["--subject", "user", "--id", "1"]).expect_code(2).says("unknown subject user").says("schema.table");
    add(&["--subject", "public.users"]).expect_code(2);
    write(b"");
    add(&["--subject", "public.users", "--ids-file", "ids"]).expect_code(2).says("no key at all");
    write(b"1\n\n2\n");
    add(&["--subject", "public.users", "--ids-file", "ids"]).expect_code(2).says("line 2");
    write(b"1\n2\n\xff\n");
    add(&["--subject", "public.users", "--ids-file", "ids"]).expect_code(2).says("line 3").says("UTF-8");
    add(&["--subject", "public.users", "--ids-file", "missing"]).expect_code(2).says("missing");
    assert_eq!(files(&shell.store()), before, "nothing was written");
}

#[test]
fn passwords_are_not_taken_from_the_command_line() {
    let shell = shell();
    let url = shell.server.url("source").replace("postgres@", "postgres:canary@");
    let ended = shell.run(&["snapshot", "--from", &url]);
    ended.expect_code(2).says("PGPASSWORD");
    assert!(!ended.err.contains("canary"));
    let mut command = shell.command(&["snapshot"]);
    Shell::ended(command.env("LETHE_FROM", &url)).expect_code(0);
}

#[test]
fn damage_is_found_before_anything_is_written() {
    let shell = shell();
    let path = chunk(&shell);
    let whole = std::fs::read(&path).expect("read");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    shell.server.create_database("removed");
    std::fs::remove_file(&path).expect("remove");
    shell.restore("removed").expect_code(6).says("missing from the store");
    shell.server.create_database("truncated");
    std::fs::write(&path, &whole[..whole.len() - 1]).expect("write");
    shell.restore("truncated").expect_code(6).says("bytes");
    assert!(is_empty(&shell, "removed") && is_empty(&shell, "truncated"));
    // The right length and wrong bytes: found before a row of it is sent, and the database stays closed.
    shell.server.create_database("flipped");
    std::fs::write(&path, flipped).expect("write");
    let ended = shell.restore("flipped");
    ended.expect_code(6).says("not the ones that were stored");
    assert_eq!(shell.server.sql("flipped", "SELECT count(*) FROM users"), "0");
    assert!(!ended.err.contains("canary"));
    std::fs::write(&path, whole).expect("write");
    shell.restore("flipped").expect_code(0);
    assert_eq!(
        shell.server.sql("flipped", "SELECT count(*) FROM users"),
        "100",
        "it goes on where it stopped"
    );
}

#[test]
fn manifests_that_are_none_are_refused() {
    let shell = shell();
    let manifest = files(&shell.store().join("snapshots"))
        .into_iter()
        .find(|path| path.ends_with("manifest.age"))
        .expect("a manifest");
    let whole = std::fs::read(&manifest).expect("read");
    shell.server.create_database("target");
    for len in [0, 10, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&manifest, &whole[..len]).expect("write");
        let ended = shell.restore("target");
        assert!([1, 6].contains(&ended.code), "{len}: {} {}", ended.code, ended.err);
        ended.says("manifest.age");
    }
    assert!(is_empty(&shell, "target"));
    std::fs::remove_file(&manifest).expect("remove");
    shell.restore("target").expect_code(1).says("no snapshot").says("lethe snapshots");
}

#[test]
fn a_repository_of_a_newer_version_is_refused() {
    let shell = shell();
    let path = shell.store().join("repository.json");
    let text = std::fs::read_to_string(&path).expect("read").replace("\"version\": 1", "\"version\": 2");
    std::fs::write(&path, text).expect("write");
    shell.run(&["snapshots"]).expect_code(6).says("format version 2").says("newer version of lethe");
    std::fs::remove_file(&path).expect("remove");
    shell.run(&["snapshots"]).expect_code(1).says("holds no repository");
}

#[test]
fn the_wrong_key_opens_nothing() {
    let shell = shell();
    let other = Shell::new();
    let key = other.folder.path().join("lethe.key");
    shell.server.create_database("target");
    let mut command = shell.command(&["restore", "--into", &shell.server.url("target")]);
    Shell::ended(command.env("LETHE_IDENTITY_FILE", &key))
        .expect_code(1)
        .says("cannot be decrypted")
        .says("recipients");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    let mut command = shell.command(&["snapshots"]);
    Shell::ended(command.env("LETHE_IDENTITY_FILE", &key)).expect_code(1).says("chmod 600");
    assert!(is_empty(&shell, "target"));
}

#[test]
fn targets_that_do_not_fit_are_refused_with_all_reasons_at_once() {
    let shell = shell();
    shell.server.sql("source", "CREATE ROLE somebody; ALTER TABLE users OWNER TO somebody");
    shell.snapshot().expect_code(0);
    shell.server.sql("postgres", "DROP ROLE IF EXISTS nobody_there; CREATE ROLE weak LOGIN; CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
    shell.server.sql("latin", "CREATE TABLE something ()");
    let ended = shell.restore("latin");
    ended.expect_code(3).says("is not empty").says("encoding").says("collation").says("objections");
    shell.server.create_database("target");
    shell
        .run(&["restore", "--into", &shell.server.url_as("weak", "target")])
        .expect_code(3)
        .says("does not own it");
    shell
        .run(&["restore", "--into", &shell.server.url("target"), "--role", "absent"])
        .expect_code(3)
        .says("role absent");
    shell.run(&["restore", "--into", &shell.server.url("missing")]).expect_code(1).says("createdb");
    shell.run(&["restore", "--into", &shell.server.url("target"), "--snapshot", "nonsense"]).expect_code(2);
    shell
        .run(&["restore", "--into", &shell.server.url("target"), "--snapshot", "@2001-01-01T00:00:00Z"])
        .expect_code(1)
        .says("no snapshot");
    assert!(is_empty(&shell, "target"));
    shell.run(&["restore", "--into", &shell.server.url("target"), "--no-owner"]).expect_code(0);
}

#[test]
fn an_anonymised_person_is_never_brought_back_as_they_were() {
    let shell = shell();
    shell
        .run(&["tombstone", "add", "--subject", "public.users", "--id", "1", "--kind", "anonymised"])
        .expect_code(0);
    shell.server.create_database("target");
    shell.restore("target").expect_code(3).says("anonymised");
    assert!(is_empty(&shell, "target"));
}

#[test]
fn settings_that_are_wrong_are_named() {
    let shell = Shell::new();
    let path = shell.folder.path().join("lethe.toml");
    std::fs::write(&path, "store = \"file:///x\"\nidentityfile = \"canary\"\n").expect("write");
    let ended = shell.run(&["snapshots"]);
    ended.expect_code(2).says("lethe.toml").says("identityfile");
    assert!(!ended.err.contains("canary"));
    std::fs::remove_file(&path).expect("remove");
    shell.run(&["snapshots"]).expect_code(2).says("--store URL");
    shell
        .run(&["restore", "--into", "postgres:///x", "--memory", "lots", "--store", &shell.store_url()])
        .expect_code(2)
        .says("256M");
}

/// It would not help to wait: nothing is sent that nobody can sign.
#[test]
fn a_host_without_credentials_is_told_so_at_once() {
    let shell = Shell::new();
    let mut command = shell.command(&["--store", "s3://backups/production", "snapshots"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("HOME", shell.folder.path()).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("LETHE_S3_REGION", "eu-central-1").current_dir(shell.store());
    let ended = Shell::ended(&mut command);
    ended.expect_code(2).says("there are no credentials").says("AWS_PROFILE");
    assert!(!ended.err.contains("given up after"), "{}", ended.err);
}
