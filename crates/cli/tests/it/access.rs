use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use lethe_engine::Identities;
use lethe_rules::bucket_policy::{LedgerPlace, gaps, lets_in_what_kms_has_not_encrypted};
use lethe_rules::lifecycle::{Contents, LifecycleRule, dangers, missing};
use lethe_rules::residency::outsiders::outsiders;
use lethe_testkit::s3::{
    ACCESS_KEY, ACCOUNT, Asked, Policy, Principal, REGION, S3Server, SECRET_KEY, Seen, is_allowed,
};

use crate::shell::{Ended, Shell};

/// The principals, and whether they hold an identity.
const ROLES: [(&str, bool); 7] = [
    ("doctor", false),
    ("erase", false),
    ("snapshot", false),
    ("verify", true),
    ("restore", true),
    ("keys", true),
    ("prune", false),
];

/// What `deploy/iam/fill.sh` prints.
fn filled(template: &str) -> String {
    filled_for(template, "backups")
}

fn filled_for(template: &str, bucket: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/iam/fill.sh");
    let mut command = Command::new(script);
    command.args([template, &format!("bucket={bucket}"), "prefix=production"]);
    command.args([format!("account={ACCOUNT}"), format!("region={REGION}")]);
    let output = command.output().expect("run fill.sh");
    assert!(output.status.success(), "{template}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn policy(role: &str) -> Policy {
    Policy::parse(&filled(role))
}

/// A repository in a bucket with the bucket's policy, and a principal for each role.
struct Company {
    shell: Shell,
    s3: S3Server,
}

impl Company {
    async fn new(versioned: bool) -> Self {
        let company = Self { shell: Shell::new(), s3: S3Server::start().await };
        if versioned {
            company.s3.create_versioned_bucket("backups");
        } else {
            company.s3.create_bucket("backups");
        }
        company.shell.server.sql(
            "source",
            "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 100)",
        );
        let mut init =
            company.command(ACCESS_KEY, SECRET_KEY, &["init", "--store", "s3://backups/production"]);
        init.args(["--directory", "s3"]).env("LETHE_S3_ENDPOINT", company.s3.endpoint());
        init.env("LETHE_S3_REGION", REGION).env("LETHE_S3_PATH_STYLE", "true");
        Shell::ended(&mut init).expect_code(0);
        let folder = company.shell.folder.path().join("s3");
        let settings = std::fs::read_to_string(folder.join("lethe.toml")).expect("read");
        let with_source = format!(
            "{settings}\n[subject.user]\ntable = \"public.users\"\n[snapshot]\nfrom = \"{}\"\n",
            company.shell.server.url("source")
        );
        let without: String = with_source
            .lines()
            .filter(|line| !line.starts_with("identity_file"))
            .fold(String::new(), |text, line| text + line + "\n");
        std::fs::write(folder.join("true.toml"), with_source).expect("write");
        std::fs::write(folder.join("false.toml"), without).expect("write");
        company.s3.configure("backups", |bucket| bucket.policy = Some(filled("bucket-policy")));
        for (role, _) in ROLES {
            company.s3.admit(Principal::role(&format!("lethe-{role}"), vec![policy(role)]));
        }
        let _ = company.s3.take_seen();
        company
    }

    fn command(&self, access_key: &str, secret_key: &str, arguments: &[&str]) -> Command {
        let mut command = self.shell.command(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env("AWS_ACCESS_KEY_ID", access_key).env("AWS_SECRET_ACCESS_KEY", secret_key);
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", self.shell.folder.path());
        command
    }

    fn run(&self, role: &str, with_identity: bool, arguments: &[&str]) -> Ended {
        let Principal { access_key, secret_key, .. } = Principal::role(&format!("lethe-{role}"), Vec::new());
        let mut command = self.command(&access_key, &secret_key, arguments);
        Shell::ended(command.args(["--config", &format!("s3/{with_identity}.toml")]))
    }

    /// With the keys of its own role, all of it must be allowed.
    #[track_caller]
    fn works(&self, role: &str, arguments: &[&str]) -> Ended {
        let holds_identity = ROLES.iter().any(|(name, holds)| *name == role && *holds);
        let ended = self.run(role, holds_identity, arguments);
        ended.expect_code(0);
        ended
    }

    fn reports(&self, kind: &str) -> usize {
        let objects = self.s3.objects("backups");
        objects.iter().filter(|(key, _)| key.contains(&format!("/reports/{kind}/"))).count()
    }

    fn ledger_bodies(&self) -> usize {
        let objects = self.s3.objects("backups");
        objects.iter().filter(|(key, _)| key.ends_with(".body.age")).count()
    }
}

/// Every request of every command, signed by the role that the command is for, against that role's policy and the
/// bucket's; and no policy allows what its commands do not need.
#[tokio::test(flavor = "multi_thread")]
async fn every_role_does_its_work_with_its_own_rights() {
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for versioned in [false, true] {
        let company = Company::new(versioned).await;
        company.works("doctor", &["doctor"]);
        company.works("doctor", &["doctor", "--record"]).says("reports/residency/");
        let add = ["tombstone", "add", "--subject", "public.users", "--id"];
        company.works("erase", &[&add[..], &["1001", "--already-deleted"]].concat());
        company.works("snapshot", &["snapshot"]);
        company.works("snapshot", &["snapshot"]).says("0 new chunks");
        company.works("erase", &[&add[..], &["7"]].concat());
        company.works("erase", &["tombstone", "heartbeat"]);
        company.run("erase", false, &["tombstone", "capture", "install", "--confirm"]).expect_code(0);
        company.shell.server.sql("source", "DELETE FROM users WHERE id = 8");
        company.works("erase", &["tombstone", "capture", "run"]);
        company.works("verify", &["verify", "--read-data"]).says("nothing is wrong");
        company.works("verify", &["snapshots"]);
        company.works("verify", &["tombstone", "verify"]).says("people erased");
        company.shell.server.create_database("restored");
        company.works("restore", &["restore", "--into", &company.shell.server.url("restored")]);
        company.works("restore", &["drill"]);
        assert_eq!(company.reports("restore"), 1, "a drill leaves no report of a restore");
        assert_eq!(company.reports("drill"), 1);
        company.works("verify", &["report", "restore"]).says("<h1>Report of a restore</h1>");
        company.works("verify", &["report", "drill"]).says("<h1>Report of a drill</h1>");
        company.works("doctor", &["report", "residency"]).says("<h1>Report on residency</h1>");
        assert_eq!(company.shell.server.sql("restored", "SELECT count(*) FROM users"), "98");
        assert_eq!(company.ledger_bodies(), 3);
        let long_ago = SystemTime::now() - Duration::from_secs(5 * 86_400);
        company.s3.leave_upload("backups", "production/chunks/unfinished", long_ago);
        company.works("prune", &["prune", "--confirm"]).says("done");
        assert_eq!(company.s3.uploads("backups").len(), 0);
        let listed = company.works("verify", &["snapshots", "--output", "json"]);
        let id = listed.out.split("\"snapshot\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let hold = ["hold", "add", "--until", "2100-01-01", "--reason", "r", "--approved-by", "a"];
        company.works("prune", &[&hold[..], &["--snapshot", id.expect("an id")]].concat());
        company.works("verify", &["snapshots"]).says("held");
        company.works("prune", &["hold", "list"]).says("until 2100-01-02");
        company.works("prune", &["report", "retention"]).says("<h1>Report on retention</h1>");
        assert_eq!(company.ledger_bodies(), 2, "nobody needs the first entry any more");
        let recipient = Identities::generate().recipients().remove(0).to_string();
        company.works("keys", &["keys", "add", "--recipient", &recipient, "--confirm"]);
        company.works("keys", &["keys", "rewrap", "--confirm"]);
        company.works("keys", &["keys", "list"]).says("age1");
        company.works("snapshot", &["snapshot"]);
        let seen = company.s3.take_seen();
        let denied: Vec<&Seen> = seen.iter().filter(|seen| seen.denied).collect();
        assert!(denied.is_empty(), "versioned {versioned}: {denied:#?}");
        used.extend(seen.into_iter().filter_map(|seen| Some((seen.access_key?, seen.permission?))));
    }
    for (role, _) in ROLES {
        let Principal { access_key, .. } = Principal::role(&format!("lethe-{role}"), Vec::new());
        for action in policy(role).allowed_actions() {
            let is_used = used.contains(&(access_key.clone(), action.clone()));
            // Reading an entry's first version is for a ledger that somebody has written over.
            let is_for_bad_days = action == "s3:GetObjectVersion";
            assert!(is_used || is_for_bad_days, "{role} may {action}, and never does so");
        }
    }
}

/// All but one come second again and again, and may not take back what they wrote for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn several_who_may_only_append_do_so_at_once() {
    let company = Company::new(false).await;
    let Principal { access_key, secret_key, .. } = Principal::role("lethe-erase", Vec::new());
    let mut running: Vec<_> = (1..=8)
        .map(|id| {
            let id = id.to_string();
            let add = ["tombstone", "add", "--subject", "user", "--id", &id, "--config", "s3/false.toml"];
            let mut command = company.command(&access_key, &secret_key, &add);
            // Hosts of their own, which know nothing of each other.
            command.env("LETHE_STATE_DIR", company.shell.folder.path().join(&id));
            command.stderr(std::process::Stdio::piped()).spawn().expect("start lethe")
        })
        .collect();
    for child in running.drain(..) {
        let output = child.wait_with_output().expect("wait");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let denied = company.s3.take_seen().iter().filter(|seen| seen.denied).count();
    assert!(denied > 0, "somebody was second");
    assert_eq!(company.ledger_bodies(), 8 + denied, "what was written for nothing stays");
    company.works("verify", &["tombstone", "verify"]).says("8 people erased");
}

/// Whatever keys a thief of a role also holds, its credentials are good for its own commands alone.
#[tokio::test(flavor = "multi_thread")]
async fn every_role_is_refused_the_rest() {
    let company = Company::new(true).await;
    let add = ["tombstone", "add", "--subject", "public.users", "--id", "7"];
    company.works(
        "erase",
        &["tombstone", "add", "--subject", "public.users", "--id", "1001", "--already-deleted"],
    );
    company.works("snapshot", &["snapshot"]);
    for (role, _) in ROLES {
        company.shell.server.create_database(role);
        let into = company.shell.server.url(role);
        for (command, arguments, allowed) in [
            ("snapshot", &["snapshot"][..], &["snapshot"][..]),
            ("add", &add[..], &["erase"]),
            ("restore", &["restore", "--into", &into], &["restore"]),
            ("verify", &["verify", "--read-data"], &["verify", "restore"]),
            ("rewrap", &["keys", "rewrap", "--confirm"], &["keys"]),
            ("prune", &["prune", "--confirm"], &["prune"]),
            ("doctor", &["doctor"], &["doctor"]),
        ] {
            if allowed.contains(&role) {
                continue;
            }
            let before = company.s3.objects("backups");
            let _ = company.s3.take_seen();
            let ended = company.run(role, true, arguments);
            assert_ne!(ended.code, 0, "{role} {command}: {}", ended.out);
            let denied = company.s3.take_seen().iter().any(|seen| seen.denied);
            assert!(denied, "{role} {command}: it failed for another reason: {}", ended.err);
            let after = company.s3.objects("backups");
            let lost = before.iter().find(|object| !after.contains(object));
            assert!(lost.is_none(), "{role} {command}: {lost:?} is gone or another");
        }
    }
    company.works("prune", &["prune", "--confirm"]);
    assert_eq!(company.ledger_bodies(), 0, "there was something to prune all the time");
}

/// A host that copies reads there and writes here, and holds no identity; one that erases appends in both. The second store has
/// credentials of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_store_is_written_to_with_rights_of_its_own() {
    let company = Company::new(true).await;
    company.s3.create_versioned_bucket("second");
    let folder = company.shell.folder.path().join("s3");
    for settings in ["true.toml", "false.toml"] {
        let text = std::fs::read_to_string(folder.join(settings)).expect("read");
        let second = format!(
            "[second_store]\nurl = \"s3://second/production\"\nendpoint = \"{}\"\nregion = \"{REGION}\"\npath_style = true\nprofile = \"second\"\nafter_snapshot = false\n",
            company.s3.endpoint()
        );
        std::fs::write(folder.join(settings), format!("{text}\n{second}")).expect("write");
    }
    let profile = |access_key: &str, secret_key: &str| {
        let text =
            format!("[second]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n");
        std::fs::create_dir_all(company.shell.folder.path().join(".aws")).expect("make");
        std::fs::write(company.shell.folder.path().join(".aws/credentials"), text).expect("write");
    };
    let principal = |template: &str| {
        let policy = Policy::parse(&filled_for(template, "second"));
        let principal = Principal::role(&format!("second-{template}"), vec![policy]);
        profile(&principal.access_key, &principal.secret_key);
        company.s3.admit(principal);
    };
    company.works("snapshot", &["snapshot"]);
    // The bucket's owner tries it out.
    profile(ACCESS_KEY, SECRET_KEY);
    company.run("verify", false, &["copy"]).expect_code(0).says("1 snapshots are in both");
    let _ = company.s3.take_seen();
    principal("erase");
    company.works("erase", &["tombstone", "add", "--subject", "public.users", "--id", "7"]);
    company.run("keys", true, &["keys", "rewrap", "--confirm"]).expect_code(0);
    company.works("snapshot", &["snapshot"]);
    principal("copy-into");
    company.run("verify", false, &["copy"]).expect_code(0).says("0 ledger entries, 1 snapshots");
    company.run("verify", false, &["copy", "--check"]).expect_code(0).says("0 chunks");
    let denied: Vec<Seen> = company.s3.take_seen().into_iter().filter(|seen| seen.denied).collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let rings = |bucket: &str| {
        company.s3.history(bucket).into_iter().filter(|(key, _)| key.contains("/keys/")).count()
    };
    assert_eq!(
        (rings("backups"), rings("second")),
        (1, 1),
        "what a removed recipient could open is gone in both"
    );
    // What was given for copying destroys nothing.
    company.run("verify", true, &["--second", "verify", "--read-data"]).expect_code(0);
    company.run("verify", true, &["--second", "prune", "--confirm"]).expect_code(3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_without_tls() {
    let company = Company::new(false).await;
    company.s3.pretend_insecure(true);
    for (role, _) in ROLES {
        let ended = company.run(role, true, &["snapshots"]);
        assert_ne!(ended.code, 0, "{role}: {}", ended.out);
    }
    assert!(company.s3.take_seen().iter().all(|seen| seen.denied));
}

/// The statement that wants everything encrypted by KMS, and a snapshot host that was told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_may_insist_on_kms() {
    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/abc";
    let company = Company::new(false).await;
    company.s3.configure("backups", |bucket| bucket.policy = Some(filled("bucket-policy-kms")));
    company.run("snapshot", false, &["snapshot"]).expect_code(1).says("AccessDenied");
    let path = company.shell.folder.path().join("s3/false.toml");
    let text = std::fs::read_to_string(&path).expect("read");
    let set = |lines: &str| {
        std::fs::write(&path, text.replace("[s3]\n", &format!("[s3]\n{lines}\n"))).expect("write")
    };
    set("sse = \"aes256\"");
    company.run("snapshot", false, &["snapshot"]).expect_code(1).says("AccessDenied");
    set(&format!("sse = \"kms\"\nsse_kms_key = \"{KEY}\""));
    company.works("snapshot", &["snapshot"]);
    for half in ["sse = \"kms\"", &format!("sse_kms_key = \"{KEY}\"")] {
        set(half);
        company.run("snapshot", false, &["snapshot"]).expect_code(2).says("go together");
    }
    assert!(!lets_in_what_kms_has_not_encrypted(Some(&filled("bucket-policy-kms")), "backups", "production"));
}

fn object(name: &str) -> String {
    format!("arn:aws:s3:::backups/production/{name}")
}

const ENTRY: &str = "ledger/00000000000000000042";
const BODY: &str = "ledger/00000000000000000042-00112233445566778899aabbccddeeff.body.age";
const CHUNK: &str = "chunks/ab/abcd-0123.zst.age";
const MANIFEST: &str = "snapshots/20261123T114905Z-6f3a1c/manifest.age";
const RESTORED: &str = "reports/restore/20261123T114905Z-6f3a1c.json";
const RECEIPT: &str = "reports/prune/20261123T114905Z-6f3a1c.json";
const RING: &str = "keys/00000000000000000003";

fn asked(action: &str, resource: &str) -> Asked {
    Asked::new(action, resource)
        .with("aws:SecureTransport", true)
        .with("aws:RequestedRegion", REGION)
        .with("s3:ResourceAccount", ACCOUNT)
        .with("aws:PrincipalArn", format!("arn:aws:iam::{ACCOUNT}:role/lethe-x"))
}

/// What no command does, and so no test of a command would find. `generous` is what somebody may have attached besides.
#[test]
fn policies_forbid_what_no_command_does() {
    let generous = Policy::parse(
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#,
    );
    let once = |asked: Asked| asked.with("s3:if-none-match", "*");
    for (role, _) in ROLES {
        let own = [policy(role)];
        let more = [policy(role), generous.clone()];
        for action in [
            "s3:PutLifecycleConfiguration",
            "s3:PutBucketPolicy",
            "s3:PutBucketVersioning",
            "s3:DeleteBucket",
            "s3:PutReplicationConfiguration",
            "s3:PutEncryptionConfiguration",
            "s3:PutBucketPublicAccessBlock",
        ] {
            assert!(!is_allowed(&more, &asked(action, "arn:aws:s3:::backups")), "{role} {action}");
        }
        for action in ["s3:BypassGovernanceRetention", "s3:PutObjectRetention", "s3:PutObjectAcl"] {
            assert!(!is_allowed(&more, &asked(action, &object(CHUNK))), "{role} {action}");
        }
        for action in ["s3:DeleteObject", "s3:DeleteObjectVersion"] {
            for (name, who) in [
                (CHUNK, "prune"),
                (MANIFEST, "prune"),
                (BODY, "prune"),
                (ENTRY, ""),
                (RING, "keys"),
                ("repository.json", ""),
            ] {
                // Whatever else is attached, nobody deletes what is not theirs.
                let may = is_allowed(&more, &asked(action, &object(name)));
                assert_eq!(may, role == who, "{role} {action} {name}");
                let may = is_allowed(&own, &asked(action, &object(name)));
                let does = role == who && action == "s3:DeleteObjectVersion";
                assert_eq!(may, does, "{role} {action} {name}");
            }
        }
        for name in [CHUNK, MANIFEST, BODY] {
            let may = is_allowed(&own, &asked("s3:GetObject", &object(name)));
            assert_eq!(may, ["verify", "restore"].contains(&role), "{role} reads {name}");
        }
        for (name, who) in [
            (CHUNK, &["snapshot"][..]),
            (MANIFEST, &["snapshot"]),
            (BODY, &["erase"]),
            (ENTRY, &["erase", "restore", "prune"]),
            (RING, &["keys"]),
            (RESTORED, &["restore", "prune"]),
            (RECEIPT, &["prune"]),
            ("repository.json", &[]),
        ] {
            let put = asked("s3:PutObject", &object(name));
            assert!(!is_allowed(&own, &put), "{role} replaces {name}");
            assert_eq!(is_allowed(&own, &once(put)), who.contains(&role), "{role} writes {name}");
        }
        let mine = once(asked("s3:ListBucket", "arn:aws:s3:::backups"));
        assert!(is_allowed(&own, &mine), "{role} lists");
        for (key, elsewhere) in [
            ("aws:SecureTransport", "false"),
            ("aws:RequestedRegion", "us-east-1"),
            ("s3:ResourceAccount", "444455556666"),
        ] {
            assert!(!is_allowed(&more, &mine.clone().with(key, elsewhere)), "{role} {key}");
        }
        for resource in
            ["arn:aws:s3:::backups/staging/repository.json", "arn:aws:s3:::other/production/repository.json"]
        {
            assert!(!is_allowed(&own, &asked("s3:GetObject", resource)), "{role} reads {resource}");
        }
    }
}

/// Somebody with all rights to production and everything else of the account: an application, or who has its keys.
#[test]
fn a_buckets_policy_stops_those_who_may_do_everything() {
    let everything = Policy::parse(
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#,
    );
    let of_bucket = filled("bucket-policy");
    let policies = [everything, Policy::parse(&of_bucket)];
    for action in ["s3:DeleteObject", "s3:DeleteObjectVersion"] {
        for name in [CHUNK, MANIFEST, BODY, ENTRY, RING, "repository.json"] {
            assert!(!is_allowed(&policies, &asked(action, &object(name))), "{action} {name}");
        }
        let pruner = format!("arn:aws:iam::{ACCOUNT}:role/lethe-prune");
        let as_pruner = |name| asked(action, &object(name)).with("aws:PrincipalArn", &pruner);
        assert!(is_allowed(&policies, &as_pruner(CHUNK)) && !is_allowed(&policies, &as_pruner(ENTRY)));
    }
    for name in [CHUNK, MANIFEST, BODY, ENTRY, RING, "repository.json"] {
        let put = asked("s3:PutObject", &object(name));
        assert!(!is_allowed(&policies, &put), "replace {name}");
        assert!(is_allowed(&policies, &put.with("s3:if-none-match", "*")), "write {name}");
    }
    for action in ["s3:PutLifecycleConfiguration", "s3:PutBucketPolicy", "s3:DeleteBucket"] {
        assert!(!is_allowed(&policies, &asked(action, "arn:aws:s3:::backups")), "{action}");
    }
    // The doctor's own rules find nothing missing in it.
    let ledger = LedgerPlace { bucket: "backups", prefix: "production" };
    assert_eq!(gaps(Some(&of_bucket), ledger), Vec::<String>::new());
    assert_eq!(gaps(Some(&filled("bucket-policy-ledger")), ledger), Vec::<String>::new());
    assert_eq!(outsiders(Some(&of_bucket), &[]), []);
}

/// The lifecycle that is recommended is what the doctor wants, and touches neither what is current nor the ledger.
#[test]
fn the_lifecycle_is_a_safety_net_and_no_danger() {
    let filled: serde_json::Value = serde_json::from_str(&filled("lifecycle")).expect("JSON");
    let days = |rule: &serde_json::Value, path: &str| {
        rule.pointer(path).and_then(serde_json::Value::as_u64).and_then(|days| u32::try_from(days).ok())
    };
    let rules: Vec<LifecycleRule> = filled["Rules"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|rule| LifecycleRule {
            id: rule["ID"].as_str().expect("an id").to_owned(),
            prefix: rule["Filter"]["Prefix"].as_str().expect("a prefix").to_owned(),
            expires_current: rule.pointer("/Expiration/Days").is_some(),
            expires_noncurrent: days(rule, "/NoncurrentVersionExpiration/NoncurrentDays"),
            removes_delete_markers: rule["Expiration"]["ExpiredObjectDeleteMarker"] == true,
            aborts_uploads_after: days(rule, "/AbortIncompleteMultipartUpload/DaysAfterInitiation"),
            ..LifecycleRule::default()
        })
        .collect();
    let contents = Contents { prefix: "production/", data: true, ledger: true, keeps_versions: true };
    assert_eq!(missing(&rules, contents, true), Vec::<String>::new());
    assert_eq!(dangers(&rules, contents), Vec::<String>::new());
}

#[test]
fn a_template_is_not_filled_by_half() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/iam/fill.sh");
    for arguments in
        [&["snapshot", "bucket=b"][..], &["snapshot", "bucket=b\"", "account=1", "region=x"], &["nothing"]]
    {
        let output = Command::new(&script).args(arguments).output().expect("run fill.sh");
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    }
}
