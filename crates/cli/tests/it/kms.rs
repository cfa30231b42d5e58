use std::path::Path;
use std::process::Command;

use lethe_testkit::kms::KmsServer;
use lethe_testkit::s3::{ACCESS_KEY, ACCOUNT, Policy, Principal, SECRET_KEY};

use crate::shell::{Ended, Shell, files};

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A repository whose identity is sealed by [`KEY`], and nowhere else.
struct Sealed {
    shell: Shell,
    kms: KmsServer,
    plain: String,
}

impl Sealed {
    async fn new() -> Self {
        let sealed = Self { shell: Shell::new(), kms: KmsServer::start().await, plain: String::new() };
        sealed.kms.create_key(KEY, &[]);
        sealed
            .shell
            .server
            .sql("source", "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1)");
        sealed.shell.snapshot().expect_code(0);
        sealed.run(&["keys", "seal", "--kms-key", KEY]).expect_code(0).says("identity_kms = {");
        let plain = std::fs::read_to_string(sealed.path("lethe.key")).expect("read");
        std::fs::remove_file(sealed.path("lethe.key")).expect("remove");
        sealed.name(KEY);
        Self { plain: plain.lines().last().expect("a line").to_owned(), ..sealed }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.shell.folder.path().join(name)
    }

    /// Has `lethe.toml` name a key instead of a file.
    fn name(&self, key: &str) {
        let path = self.path("lethe.toml");
        let text = std::fs::read_to_string(&path).expect("read");
        let lines = text.lines().map(|line| {
            if line.starts_with("identity_") {
                format!("identity_kms = {{ ciphertext_file = \"lethe.key.kms\", key_id = \"{key}\" }}")
            } else {
                line.to_owned()
            }
        });
        std::fs::write(path, lines.collect::<Vec<_>>().join("\n")).expect("write");
    }

    fn command_as(&self, access_key: &str, secret_key: &str, arguments: &[&str]) -> Command {
        let mut command = self.shell.command(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", secret_key);
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", self.shell.folder.path());
        command.env("AWS_ENDPOINT_URL_KMS", self.kms.endpoint());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Shell::ended(&mut self.command_as(ACCESS_KEY, SECRET_KEY, arguments))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_identity_opens_the_backups_of_its_repository() {
    let sealed = Sealed::new().await;
    let file = std::fs::read(sealed.path("lethe.key.kms")).expect("read");
    assert!(!String::from_utf8_lossy(&file).contains(&sealed.plain), "it is not sealed");
    let _ = sealed.kms.take_asked();
    sealed.run(&["snapshots"]).expect_code(0).says("source");
    assert_eq!(sealed.kms.take_asked(), ["DescribeKey", "Decrypt"]);
    sealed.shell.server.create_database("restored");
    let mut command = sealed.command_as(
        ACCESS_KEY,
        SECRET_KEY,
        &["restore", "--into", &sealed.shell.server.url("restored")],
    );
    let ended = Shell::ended(command.env("RUST_LOG", "trace"));
    ended.expect_code(0);
    let mut secrets = sealed.kms.unsealed();
    secrets.push(sealed.plain.clone());
    for secret in &secrets {
        assert!(!ended.err.contains(secret) && !ended.out.contains(secret), "the identity is shown");
    }
    // An identity at hand goes before, and KMS is not asked.
    let _ = sealed.kms.take_asked();
    let mut command = sealed.command_as(ACCESS_KEY, SECRET_KEY, &["snapshots"]);
    Shell::ended(command.env("LETHE_IDENTITY", &sealed.plain)).expect_code(0);
    assert_eq!(sealed.kms.take_asked(), Vec::<String>::new());
    // Sealed again, from what is sealed; nothing is written over.
    sealed.run(&["keys", "seal", "--kms-key", KEY]).expect_code(1).says("lethe.key.kms");
    sealed.run(&["keys", "seal", "--kms-key", KEY, "--file", "again.kms"]).expect_code(0);
    std::fs::rename(sealed.path("again.kms"), sealed.path("lethe.key.kms")).expect("rename");
    sealed.run(&["snapshots"]).expect_code(0).says("source");
    // Another repository's id is another encryption context.
    let other = sealed.shell.folder.path().join("other");
    let url = format!("file://{}", other.join("store").display());
    sealed.run(&["init", "--store", &url, "--directory", "other"]).expect_code(0);
    sealed.run(&["snapshots", "--store", &url]).expect_code(1).says("InvalidCiphertextException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_be_elsewhere_is_not_used() {
    let sealed = Sealed::new().await;
    let before = files(sealed.shell.folder.path());
    for (key, copies, problem) in [
        ("arn:aws:kms:us-east-1:111122223333:key/abc", None, "Northern Virginia"),
        ("arn:aws:kms:eu-west-1:111122223333:key/abc", None, "profile de"),
        ("arn:aws:kms:eu-central-1:111122223333:alias/mine", None, "does not say where the key is"),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", None, "does not say where the key is"),
        ("arn:aws:kms:eu-central-1:111122223333:key/mrk-1", Some(&["us-east-1"][..]), "Northern Virginia"),
        ("arn:aws:kms:eu-central-1:111122223333:key/mrk-2", Some(&[]), "does not say where its copies are"),
        ("arn:aws:kms:eu-central-1:111122223333:key/unknown", None, "NotFoundException"),
    ] {
        if let Some(copies) = copies {
            sealed.kms.create_key(key, copies);
        }
        let _ = sealed.kms.take_asked();
        sealed.name(key);
        sealed.run(&["snapshots"]).expect_code(5).says(problem);
        sealed.run(&["keys", "seal", "--kms-key", key, "--file", "x.kms"]).expect_code(5).says(problem);
        let asked = sealed.kms.take_asked();
        assert!(asked.iter().all(|operation| operation == "DescribeKey"), "{key}: {asked:?}");
    }
    sealed.name(KEY);
    for endpoint in ["https://kms.us-east-1.amazonaws.com", "https://keys.example"] {
        let mut command = sealed.command_as(ACCESS_KEY, SECRET_KEY, &["snapshots"]);
        Shell::ended(command.env("AWS_ENDPOINT_URL_KMS", endpoint))
            .expect_code(5)
            .says(endpoint)
            .says("nothing was sent");
    }
    assert_eq!(files(sealed.shell.folder.path()), before, "nothing was written");
}

/// `deploy/iam/identity-kms.json`: opens what was sealed for this repository, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_policy_opens_the_identity_of_one_repository() {
    let sealed = Sealed::new().await;
    let text = std::fs::read_to_string(sealed.shell.store().join("repository.json")).expect("read");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/iam/fill.sh");
    let policy = |repository: &str| {
        let mut fill = Command::new(&script);
        fill.args(["identity-kms", &format!("kms_key={KEY}"), &format!("repository={repository}")]);
        let output =
            fill.args([&format!("account={ACCOUNT}"), "region=eu-central-1"]).output().expect("run fill.sh");
        Policy::parse(&String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let own = Principal::role("lethe-restore", vec![policy(document["id"].as_str().expect("an id"))]);
    let other = Principal::role("lethe-other", vec![policy("0123456789abcdef0123456789abcdef")]);
    sealed.kms.admit(own.clone());
    sealed.kms.admit(other.clone());
    let run = |who: &Principal, arguments: &[&str]| {
        Shell::ended(&mut sealed.command_as(&who.access_key, &who.secret_key, arguments))
    };
    run(&own, &["snapshots"]).expect_code(0).says("source");
    let ended = run(&other, &["snapshots"]);
    ended.expect_code(1).says("AccessDeniedException").says("encryption context");
    // Neither may seal another one.
    run(&own, &["keys", "seal", "--kms-key", KEY, "--file", "x.kms"])
        .expect_code(1)
        .says("AccessDeniedException");
    assert!(!sealed.path("x.kms").exists());
}

#[test]
fn one_source_of_an_identity_is_enough() {
    let shell = Shell::new();
    let path = shell.folder.path().join("lethe.toml");
    let text = std::fs::read_to_string(&path).expect("read");
    let more = format!("identity_kms = {{ ciphertext_file = \"x\", key_id = \"{KEY}\" }}\n{text}");
    std::fs::write(&path, more).expect("write");
    shell.run(&["snapshots"]).expect_code(2).says("more than one of identity_file");
}
