//! Where secrets are not: in arguments, in what other programs are given, in anything that is printed, in core dumps.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use lethe_testkit::s3::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};

use crate::shell::Shell;

const PASSWORD: &str = "canary-password";

/// The secrets of a shell's repository, and the password.
fn canaries(shell: &Shell) -> Vec<String> {
    let read = |name: &str| std::fs::read_to_string(shell.folder.path().join(name)).expect("read");
    let identity = read("lethe.key").lines().last().expect("a line").to_owned();
    vec![identity, read("lethe.naming-key").trim().to_owned(), PASSWORD.to_owned()]
}

#[track_caller]
fn holds_none(what: &str, text: &str, canaries: &[String]) {
    for canary in canaries {
        assert!(!text.contains(canary.as_str()), "{what} holds a secret ({} characters)", canary.len());
    }
}

/// A `pg_dump` that notes what it and its parent can see of each other, and then does its work.
fn watching_pg_dump(shell: &Shell) -> std::path::PathBuf {
    let folder = shell.folder.path().join("bin");
    std::fs::create_dir(&folder).expect("a folder");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" != --version ]; then\n  cd {}\n  tr '\\0' '\\n' < /proc/$PPID/cmdline > parent-cmdline\n  \
         tr '\\0' '\\n' < /proc/$$/cmdline > child-cmdline\n  env > child-environ\n  cp /proc/$PPID/limits parent-limits\n  \
         cp /proc/self/limits child-limits\nfi\nexec {}/pg_dump \"$@\"\n",
        folder.display(),
        shell.server.bin().display()
    );
    let path = folder.join("pg_dump");
    std::fs::write(&path, script).expect("write");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    folder
}

#[test]
fn secrets_are_in_no_argument_no_other_program_and_no_output() {
    let shell = Shell::new();
    shell.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1)");
    let (canaries, bin) = (canaries(&shell), watching_pg_dump(&shell));
    shell.server.create_database("target");
    let identity = canaries[0].clone();
    for arguments in [
        &["snapshot", "--from", &shell.server.url("source")][..],
        &["snapshots"],
        &["tombstone", "add", "--subject", "public.users", "--id", "7"],
        &["tombstone", "verify"],
        &["verify", "--read-data"],
        &["keys", "list"],
        &["keys", "rewrap", "--confirm"],
        &["restore", "--into", &shell.server.url("target")],
        &["snapshot", "--from", "postgres://nobody@127.0.0.1:1/x"],
    ] {
        for output in ["human", "json"] {
            let mut command = shell.command(arguments);
            command.args(["--output", output]).env("LETHE_IDENTITY", &identity).env("PGPASSWORD", PASSWORD);
            command.env("LETHE_PG_BIN", &bin).env("RUST_LOG", "trace").env("AWS_SECRET_ACCESS_KEY", PASSWORD);
            let ended = Shell::ended(&mut command);
            holds_none(&format!("the output of {arguments:?}"), &(ended.out + &ended.err), &canaries);
        }
    }
    let seen = |name: &str| std::fs::read_to_string(bin.join(name)).expect("pg_dump has run");
    for name in ["parent-cmdline", "child-cmdline"] {
        holds_none(name, &seen(name), &canaries);
    }
    let environ = seen("child-environ");
    holds_none("pg_dump's environment", &environ.replace(&format!("PGPASSWORD={PASSWORD}\n"), ""), &canaries);
    assert!(environ.contains("PGPASSWORD"), "pg_dump needs that one");
    for name in ["parent-limits", "child-limits"] {
        let limits = seen(name);
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        let numbers: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
        assert_eq!(numbers, ["0", "0"], "{name}");
    }
}

#[test]
fn an_identity_comes_from_a_file_a_command_or_a_variable() {
    let shell = Shell::new();
    let identity = canaries(&shell).remove(0);
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let with = |line: &str| {
        let others: Vec<&str> = settings.lines().filter(|line| !line.contains("identity_file")).collect();
        std::fs::write(&path, format!("{line}\n{}", others.join("\n"))).expect("write");
        shell.run(&["tombstone", "verify"])
    };
    with("identity_file = \"lethe.key\"").expect_code(0);
    with("identity_command = \"cat lethe.key\"").expect_code(0);
    let ended = with("identity_command = \"echo canary-of-a-command; false\"");
    ended.expect_code(2).says("identity_command ended");
    holds_none("the error", &(ended.out + &ended.err), &["canary-of-a-command".to_owned()]);
    let ended = with("identity_command = \"echo canary-of-a-command\"");
    ended.expect_code(1).says("no age identity");
    holds_none("the error", &(ended.out + &ended.err), &["canary-of-a-command".to_owned()]);
    with("identity_command = \"true\"").expect_code(1).says("no identity");
    with("identity_file = \"x\"\nidentity_command = \"y\"").expect_code(2).says("more than one of");
    with("").expect_code(0).says("0 people");
    shell.run(&["verify"]).expect_code(0).says("that needs an identity");
    shell.run(&["keys", "rewrap"]).expect_code(1).says("needs an identity");
    let mut command = shell.command(&["tombstone", "verify"]);
    Shell::ended(command.env("LETHE_IDENTITY", identity)).expect_code(0);
    for mode in [0o640, 0o604, 0o644] {
        let key = shell.folder.path().join("lethe.naming-key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).expect("chmod");
        shell.run(&["snapshots"]).expect_code(1).says("chmod 600");
    }
}

/// What the kernel would write of a process that crashes.
#[test]
fn a_crash_leaves_no_core() {
    use std::os::unix::process::ExitStatusExt as _;
    let shell = Shell::new();
    shell.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY)");
    let bin = shell.folder.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) {}.99'; else echo x > started; sleep 60; fi\n",
        shell.server.major()
    );
    std::fs::write(bin.join("pg_dump"), script).expect("write");
    std::fs::set_permissions(bin.join("pg_dump"), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let mut command = shell.command(&["snapshot", "--from", &shell.server.url("source")]);
    command.env("LETHE_PG_BIN", &bin).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("start lethe");
    let started = shell.folder.path().join("started");
    for _ in 0..200 {
        if started.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(started.exists(), "it came as far as pg_dump");
    let status = std::process::Command::new("kill").args(["-ABRT", &child.id().to_string()]).status();
    assert!(status.expect("kill").success());
    let ended = child.wait().expect("wait");
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(6), false));
}

/// The store's secrets as well, at the most talkative level.
#[tokio::test(flavor = "multi_thread")]
async fn the_stores_secrets_are_not_logged() {
    let s3 = S3Server::start().await;
    s3.create_bucket("backups");
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lethe"));
    command.args(["init", "--store", "s3://backups/x"]).current_dir(folder.path()).env_clear();
    command.env("LETHE_S3_ENDPOINT", s3.endpoint()).env("LETHE_S3_REGION", REGION);
    command.env("LETHE_S3_PATH_STYLE", "true").env("RUST_LOG", "trace");
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    command.env("AWS_SESSION_TOKEN", "canary-session-token").env("AWS_EC2_METADATA_DISABLED", "true");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let text = tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().expect("start lethe");
        let mut text = String::new();
        child.stderr.take().expect("stderr").read_to_string(&mut text).expect("read");
        child.stdout.take().expect("stdout").read_to_string(&mut text).expect("read");
        child.wait().expect("wait");
        text
    });
    let text = text.await.expect("run");
    assert!(text.contains("backups"), "it says something: {text}");
    holds_none("the log", &text, &[SECRET_KEY.to_owned(), "canary-session-token".to_owned()]);
}
