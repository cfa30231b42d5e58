use std::net::TcpListener;
use std::process::Command;

use lethe_testkit::s3::{ACCESS_KEY, BucketSettings, Kind, S3Server, SECRET_KEY, Seen};

use crate::shell::{Ended, Shell, files};

/// A company's folder, and an S3 server on this machine.
struct World {
    shell: Shell,
    s3: S3Server,
}

impl World {
    async fn new() -> Self {
        let world = Self { shell: Shell::new(), s3: S3Server::start().await };
        world.s3.create_bucket("backups");
        world.shell.server.sql(
            "source",
            "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 100)",
        );
        world
    }

    /// With the server's credentials, and no settings of AWS but these.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.shell.command(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", self.shell.folder.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Shell::ended(&mut self.command(arguments))
    }

    fn init(&self) -> Ended {
        let mut command = self.command(&["init", "--store", "s3://backups/production", "--directory", "s3"]);
        command.env("LETHE_S3_ENDPOINT", self.s3.endpoint()).env("LETHE_S3_REGION", "eu-central-1");
        Shell::ended(command.env("LETHE_S3_PATH_STYLE", "true"))
    }

    fn settings(&self, more: &str) {
        let path = self.shell.folder.path().join("s3/lethe.toml");
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::write(path, format!("{text}{more}\n")).expect("write");
    }

    fn about_objects(&self) -> Vec<Seen> {
        self.s3.take_seen().into_iter().filter(Seen::is_about_objects).collect()
    }
}

const CONFIG: [&str; 2] = ["--config", "s3/lethe.toml"];

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_on_a_server_like_hetzners() {
    let world = World::new().await;
    world.s3.behave_like(Kind::Hetzner);
    world.init().expect_code(1).says("XAmzContentSHA256Mismatch");
    std::fs::remove_dir_all(world.shell.folder.path().join("s3")).expect("remove");
    world.shell.server.create_database("restored");
    std::fs::write(
        world.shell.folder.path().join("first.toml"),
        format!(
            "[s3]\nregion = \"fsn1\"\nendpoint = \"{}\"\npath_style = true\nchecksums = \"when_required\"\n",
            world.s3.endpoint()
        ),
    )
    .expect("write");
    let init = ["init", "--store", "s3://backups/x", "--directory", "s3", "--config", "first.toml"];
    world.run(&init).expect_code(0).says("is on this machine");
    world.settings("checksums = \"when_required\"");
    let (from, into) = (world.shell.server.url("source"), world.shell.server.url("restored"));
    world.run(&[&["snapshot", "--from", &from], &CONFIG[..]].concat()).expect_code(0);
    let add = ["tombstone", "add", "--subject", "public.users", "--id", "7"];
    world.run(&[&add[..], &CONFIG[..]].concat()).expect_code(0);
    world.run(&[&["restore", "--into", &into], &CONFIG[..]].concat()).expect_code(0);
    assert_eq!(world.shell.server.sql("restored", "SELECT count(*) FROM users"), "99");
    world.run(&[&["doctor"], &CONFIG[..]].concat()).expect_code(0).says("one wins, twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_elsewhere_ends_every_command_with_5() {
    let world = World::new().await;
    world.init().expect_code(0);
    let (from, into) = (world.shell.server.url("source"), world.shell.server.url("restored"));
    world.shell.server.create_database("restored");
    world.run(&[&["snapshot", "--from", &from], &CONFIG[..]].concat()).expect_code(0);
    world.s3.configure("backups", |bucket| bucket.region = "eu-west-2".to_owned());
    let _ = world.s3.take_seen();
    for command in [
        &["snapshot", "--from", &from][..],
        &["snapshots"],
        &["tombstone", "add", "--subject", "public.users", "--id", "1"],
        &["tombstone", "verify"],
        &["tombstone", "heartbeat"],
        &["tombstone", "capture", "run", "--from", &from],
        &["restore", "--into", &into],
        &["restore", "--into", &into, "--dry-run"],
        &["prune"],
        &["doctor"],
        &["init", "--store", "s3://backups/other", "--directory", "other"],
    ] {
        let ended = world.run(&[command, &CONFIG[..]].concat());
        ended.expect_code(5).says("London, United Kingdom").says("hint: nothing was read or written");
    }
    assert_eq!(world.about_objects(), []);
    assert_eq!(
        world.shell.server.sql("restored", "SELECT count(*) FROM pg_class WHERE relname = 'users'"),
        "0"
    );
    assert!(!world.shell.folder.path().join("other").exists(), "no key for a repository that is none");
}

/// Each way out by itself: 5 if it leads elsewhere, 1 if nobody knows where it leads, and it is named either way.
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_every_way_out_of_a_bucket() {
    type Change = fn(&mut BucketSettings);
    const FOREIGN: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "s3:GetObject", "Resource": "*"}}"#;
    let cases: [(Change, i32, &str); 12] = [
        (|_| {}, 0, "on this machine"),
        (
            |bucket| bucket.ways_out.inventories = vec![("arn:aws:s3:::far".to_owned(), true)],
            5,
            "an inventory of the bucket goes to arn:aws:s3:::far: us-east-1 (Northern Virginia, United States)",
        ),
        (
            |bucket| bucket.ways_out.inventories = vec![("arn:aws:s3:::gone".to_owned(), true)],
            1,
            "arn:aws:s3:::gone, and where that is cannot be found out",
        ),
        (|bucket| bucket.ways_out.logging = Some("far".to_owned()), 5, "requests goes to far: us-east-1"),
        (
            |bucket| bucket.ways_out.topics = vec!["arn:aws:sns:us-east-1:111122223333:t".to_owned()],
            5,
            "the bucket's events go to arn:aws:sns:us-east-1:111122223333:t: us-east-1",
        ),
        (|bucket| bucket.ways_out.event_bridge = true, 1, "EventBridge"),
        (|bucket| refuse(bucket, "GetBucketLogging"), 1, "allow s3:GetBucketLogging"),
        (
            |bucket| refuse(bucket, "ListBucketInventoryConfigurations"),
            1,
            "allow s3:GetInventoryConfiguration",
        ),
        (
            |bucket| refuse(bucket, "ListBucketAnalyticsConfigurations"),
            1,
            "allow s3:GetAnalyticsConfiguration",
        ),
        (|bucket| refuse(bucket, "GetBucketNotificationConfiguration"), 1, "allow s3:GetBucketNotification"),
        (|bucket| refuse(bucket, "GetBucketPolicy"), 1, "allow s3:GetBucketPolicy"),
        (
            |bucket| bucket.policy = Some(FOREIGN.to_owned()),
            1,
            "account 444455556666: is it yours? Put it under accounts",
        ),
    ];
    let world = World::new().await;
    world.init().expect_code(0);
    world.s3.create_bucket("far");
    world.s3.configure("far", |bucket| bucket.region = "us-east-1".to_owned());
    let doctor = || world.run(&[&["doctor"], &CONFIG[..]].concat());
    for (change, code, text) in cases {
        world.s3.configure("backups", |bucket| *bucket = BucketSettings::default());
        world.s3.configure("backups", change);
        let ended = doctor();
        ended.expect_code(code).says(text).says("one wins, twice");
        assert!(code == 0 || ended.out.contains(text) && ended.err.contains(text), "{}", ended.err);
    }
    // What leads elsewhere counts more than what is not known, and both are in the list.
    world.s3.configure("backups", |bucket| {
        bucket.policy = None;
        bucket.ways_out.event_bridge = true;
        bucket.ways_out.logging = Some("far".to_owned());
    });
    let ended = doctor();
    ended.expect_code(5).says("hint: end it");
    assert!(ended.out.contains("EventBridge") && ended.err.contains("goes to far"), "{}", ended.err);
    world.s3.configure("backups", |bucket| {
        *bucket = BucketSettings::default();
        bucket.policy = Some(FOREIGN.to_owned());
    });
    let path = world.shell.folder.path().join("s3/lethe.toml");
    let text = std::fs::read_to_string(&path).expect("read");
    let ours = |accounts: &str| {
        let section = format!("{text}\n[residency]\naccounts = [{accounts}]\n");
        std::fs::write(&path, section).expect("write");
        doctor()
    };
    ours("\"111122223333\"").expect_code(5).says("account 444455556666, which is not one of accounts");
    ours("\"111122223333\", \"444455556666\", \"p1234567\"").expect_code(0);
    ours("\"1111-2222-3333\"").expect_code(2).says("is no account");
}

fn refuse(bucket: &mut BucketSettings, operation: &'static str) {
    bucket.refused = vec![(operation, 403, "AccessDenied")];
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_checked_wherever_it_comes_from() {
    let world = World::new().await;
    let profile = world.shell.folder.path().join("aws-config");
    let services = "[default]\nregion = eu-central-1\nservices = other\n[services other]\ns3 =\n  endpoint_url = https://storage.example\n";
    let plain = "[default]\nregion = eu-central-1\nendpoint_url = https://storage.example\n";
    let dual = "[default]\nregion = eu-central-1\nuse_dualstack_endpoint = true\n";
    let fips = "[default]\nregion = eu-central-1\nuse_fips_endpoint = true\n";
    let cases: [(&str, &str, &str); 11] = [
        ("AWS_ENDPOINT_URL", "https://storage.example", ""),
        ("AWS_ENDPOINT_URL_S3", "https://storage.example", ""),
        ("AWS_ENDPOINT_URL_S3", "https://s3.eu-central-1.amazonaws.com.storage.example", ""),
        ("LETHE_S3_ENDPOINT", "https://s3.us-east-1.amazonaws.com", ""),
        ("AWS_REGION", "us-east-1", ""),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", ""),
        ("AWS_USE_FIPS_ENDPOINT", "true", ""),
        ("IRRELEVANT", "", services),
        ("IRRELEVANT", "", plain),
        ("IRRELEVANT", "", dual),
        ("IRRELEVANT", "", fips),
    ];
    for (name, value, file) in cases {
        std::fs::write(&profile, file).expect("write");
        let mut command =
            world.command(&["init", "--store", "s3://backups/production", "--directory", "elsewhere"]);
        command.env("AWS_CONFIG_FILE", &profile).env("AWS_REGION", "eu-central-1").env(name, value);
        Shell::ended(&mut command).expect_code(5).says("hint: nothing was read or written").says("endpoint");
    }
    let mut command = world.command(&["init", "--store", "s3://backups/x", "--directory", "elsewhere"]);
    command.env("AWS_REGION", "eu-central-1").env("AWS_ENDPOINT_URL_S3", "http://storage.example");
    Shell::ended(&mut command).expect_code(2).says("plain http");
    assert!(!world.shell.folder.path().join("elsewhere").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_is_asked() {
    let world = World::new().await;
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    proxy.set_nonblocking(true).expect("nonblocking");
    let address = format!("http://{}", proxy.local_addr().expect("an address"));
    world.init().expect_code(0);
    let mut command = world.command(&[&["doctor"], &CONFIG[..]].concat());
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env(name, &address);
    }
    Shell::ended(&mut command).expect_code(0);
    assert!(proxy.accept().is_err(), "nobody connected");
}

#[test]
fn a_server_needs_a_label() {
    let shell = Shell::new();
    shell.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY)");
    shell.snapshot().expect_code(0);
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let with = |more: &str| std::fs::write(&path, format!("{settings}\n{more}\n")).expect("write");
    let target = |place: &str| {
        format!("[[target]]\nhost = \"db.invalid\"\nresidency = \"{place}\"\nlabel = \"staging\"")
    };
    let restore = || shell.run(&["restore", "--into", "postgres://me@db.invalid/shop"]);
    restore().expect_code(5).says("nothing says where the server db.invalid is").says("[[target]]");
    for (place, text) in [("hel1", "profile de"), ("eu-west-2", "outside"), ("mars", "no list")] {
        with(&target(place));
        restore().expect_code(5).says(text);
        shell.run(&["doctor"]).expect_code(5).says(text);
    }
    // Allowed: it is tried, and there is no such host.
    with(&target("fsn1"));
    restore().expect_code(1).says("db.invalid");
    shell.run(&["doctor"]).expect_code(0).says("for staging");
    shell.run(&["snapshots"]).expect_code(0).says("warning: file://");
    assert_eq!(shell.run(&["snapshots", "--quiet"]).expect_code(0).err, "");
    with(&format!("{}\n[residency]\nprofile = \"eu\"", target("hel1")));
    restore().expect_code(1).says("residency profile is eu");
    // A source is only read.
    with(&target("hel1"));
    shell.run(&["snapshot", "--from", "postgres://me@db.invalid/shop"]).expect_code(1).says("does not allow");
    with("[residency]\nprofile = \"us\"");
    restore().expect_code(2).says("no residency profile");
    with("[[target]]\nhost = \"x\"\nresidency = \"fsn1\"\nlabel = \"Test\"");
    restore().expect_code(2).says("a label is a small letter");
}

#[test]
fn a_ledger_may_have_a_store_of_its_own() {
    let shell = Shell::new();
    shell.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 9)",
    );
    let url = |name: &str| format!("file://{}", shell.folder.path().join(name).display());
    let init = ["init", "--store", &url("data"), "--ledger-url", &url("own"), "--directory", "two"];
    shell.run(&init).expect_code(0).says("with its ledger in");
    let run = |arguments: &[&str]| shell.run(&[arguments, &["--config", "two/lethe.toml"]].concat());
    run(&["snapshot", "--from", &shell.server.url("source")]).expect_code(0);
    run(&["tombstone", "add", "--subject", "public.users", "--id", "7"]).expect_code(0);
    run(&["tombstone", "verify"]).expect_code(0).says("1 people erased");
    run(&["prune", "--confirm"]).expect_code(0);
    let of_ledger = |path: &std::path::PathBuf| {
        path.components().any(|part| ["ledger", "keys", "audit"].iter().any(|name| part.as_os_str() == *name))
    };
    let (data, own) = (files(&shell.folder.path().join("data")), files(&shell.folder.path().join("own")));
    assert!(!data.iter().any(of_ledger) && own.iter().all(of_ledger), "{data:?} {own:?}");
    let of_log = |path: &std::path::PathBuf| path.components().any(|part| part.as_os_str() == "audit");
    let rest = own.iter().filter(|path| !of_log(path)).count();
    assert_eq!(rest, 4, "the key ring, genesis, an entry and its body: {own:?}");
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    run(&["restore", "--into", &into]).expect_code(0);
    assert_eq!(shell.server.sql("restored", "SELECT count(*) FROM users"), "8");
    let data = files(&shell.folder.path().join("data"));
    assert!(!data.iter().any(of_ledger), "{data:?}");
    // Whoever does not know where it is restores nothing, and appends nothing.
    let path = shell.folder.path().join("two/lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let without: Vec<&str> = settings.lines().filter(|line| !line.contains("ledger_url")).collect();
    std::fs::write(&path, without.join("\n")).expect("write");
    shell.server.create_database("again");
    run(&["restore", "--into", &shell.server.url("again")]).expect_code(4).says("ledger_url");
    run(&["tombstone", "add", "--subject", "public.users", "--id", "8"]).expect_code(4);
    assert_eq!(files(&shell.folder.path().join("data")), data);
}
