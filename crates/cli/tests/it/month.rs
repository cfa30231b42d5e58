//! More than a month of days: each with a snapshot, an erasure, a prune and a drill, and one of them with a damaged chunk.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use lethe_engine::drill::{self, DrillEvidence, DrillOptions, Pick, Where};
use lethe_engine::health;
use lethe_engine::ledger::{NewEntry, append};
use lethe_engine::progress::Progress;
use lethe_engine::prune::{self, PruneOptions};
use lethe_engine::restore::RestoreOptions;
use lethe_engine::{Identities, Keys, Repository, reports};
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys as Erased, Kind, SubjectRef};
use lethe_format::report::ReportKind;
use lethe_rules::target_label::TargetLabel;
use lethe_store::{ObjectName, ObjectStore, S3Store};
use lethe_testkit::s3::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};
use lethe_tests::s3_settings::s3_settings;
use lethe_tests::world::World;
use roaring::RoaringTreemap;
use serde_json::Value;

use crate::shell::{Ended, Shell};

const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE orders (id serial PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, note text);
    INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 100) i;
    INSERT INTO orders (user_id, note) SELECT i % 100 + 1, 'note' FROM generate_series(1, 300) i;";

const DAYS: i64 = 36;
const PLANTED: i64 = 20;

struct Month {
    shell: Shell,
    s3: S3Server,
    store: Arc<S3Store>,
    repository: Repository,
}

impl Month {
    async fn new() -> Self {
        let (shell, s3) = (Shell::new(), S3Server::start().await);
        shell.server.sql("source", SHOP);
        s3.create_bucket("backups");
        let settings = s3_settings(&s3);
        let store = Arc::new(S3Store::connect("backups", "production", &settings).await.expect("connect"));
        let init = ["init", "--store", "s3://backups/production", "--directory", "s3"];
        Shell::ended(&mut with_s3(&shell, &s3, &init)).expect_code(0);
        let identities = Identities::read(&shell.folder.path().join("s3/lethe.key")).expect("a key");
        let keys = Keys { identities: Some(identities), naming_key: None };
        let repository = Repository::open(store.clone(), &keys).await.expect("open");
        Self { shell, s3, store, repository }
    }

    /// As whoever is called to look would type it.
    fn lethe(&self, arguments: &[&str]) -> Ended {
        let arguments = [arguments, &["--config", "s3/lethe.toml"]].concat();
        Shell::ended(&mut with_s3(&self.shell, &self.s3, &arguments))
    }
}

fn with_s3(shell: &Shell, s3: &S3Server, arguments: &[&str]) -> Command {
    let mut command = shell.command(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", shell.folder.path());
    command.env("LETHE_S3_ENDPOINT", s3.endpoint()).env("LETHE_S3_REGION", REGION);
    command.env("LETHE_S3_PATH_STYLE", "true");
    command
}

fn system(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millisecond().unsigned_abs())
}

/// The chunk that holds what this day brought, damaged in its middle; its name.
async fn damage(month: &Month, before: &[String]) -> String {
    let objects = month.s3.objects("backups");
    let (key, body) = objects
        .iter()
        .find(|(key, _)| key.contains("/chunks/") && !before.contains(key))
        .expect("a chunk of this day");
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let name = key.strip_prefix("production/").expect("below the prefix").to_owned();
    let object = ObjectName::new(&name).expect("a name");
    month.store.put(&object, bytes.into()).await.expect("put");
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_drills_finds_the_day_on_which_a_chunk_was_damaged() {
    let month = Month::new().await;
    let Month { shell, s3, repository, .. } = &month;
    let last_seen = lethe_engine::ledger::LastSeen::new(&shell.folder.path().join("state"), repository.id());
    let source = World::settings(&shell.server, "source");
    let options = DrillOptions {
        pick: Pick::Wanted,
        place: Where::Into(Box::new(World::settings(&shell.server, "postgres"))),
        restore: RestoreOptions {
            label: Some(TargetLabel::drill()),
            read_back_all: true,
            ..World::options()
        },
        assertions: Vec::new(),
        canaries: None,
        source: None,
        tolerance_percent: 5,
        at_most: Some(Duration::from_secs(600)),
    };
    let users = SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns: None };
    let begin = Timestamp::now() - SignedDuration::from_hours(24 * DAYS);
    let mut failed = Vec::new();
    let mut damaged = None;
    for day in 1..=DAYS {
        let now = begin + SignedDuration::from_hours(24 * day);
        s3.set_clock(system(now));
        // A changed table has a new chunk every day, so that what is damaged today is in no snapshot of tomorrow.
        shell.server.sql("source", &format!("INSERT INTO orders (user_id, note) VALUES (100, 'day {day}')"));
        let before: Vec<String> = s3.objects("backups").into_iter().map(|(key, _)| key).collect();
        let snapshot = lethe_engine::snapshot::SnapshotOptions {
            jobs: 1,
            level: 1,
            pg_bin: Some(shell.server.bin().to_owned()),
            references: Vec::new(),
            large_object_columns: Vec::new(),
            classification: None,
        };
        let taken =
            lethe_engine::snapshot::take_at(repository, &source, &snapshot, &Progress::default(), now).await;
        taken.expect("snapshot");
        let key = Erased::Integers(RoaringTreemap::from_iter([day.unsigned_abs()]));
        let entry = NewEntry::about(Kind::Erased, users.clone(), key);
        append(repository, &last_seen, entry, None, now).await.expect("erase");
        let pruning = PruneOptions::default();
        let plan = prune::plan(repository, &pruning, now).await.expect("plan");
        let (_, receipt) =
            prune::carry_out(repository, &plan, &pruning, &last_seen, now).await.expect("prune");
        assert!(receipt.left.is_empty() && receipt.remains.is_empty(), "day {day}: {receipt:?}");
        if day == PLANTED {
            damaged = Some(damage(&month, &before).await);
        }
        let drilled = drill::run_at(repository, &options, last_seen.clone(), &Progress::default(), now).await;
        drilled.stored.expect("evidence");
        let evidence = drilled.evidence;
        if !evidence.verdict.passed {
            failed.push(day);
        }
        if day == PLANTED {
            // Named in the evidence, and in what the monitoring is told.
            let name = damaged.clone().expect("a name");
            assert!(
                evidence.verdict.reasons.iter().any(|reason| reason.contains(&name)),
                "{:?}",
                evidence.verdict
            );
        } else {
            let of =
                |name: &str| evidence.facts.tables.iter().find(|table| table.table == name).expect("a table");
            let (people, orders) = (of("public.users"), of("public.orders"));
            assert_eq!(
                (people.manifest, people.dropped, people.found),
                (100, day.unsigned_abs(), 100 - day.unsigned_abs())
            );
            assert_eq!(orders.dropped, 3 * day.unsigned_abs(), "day {day}");
        }
        let health = health::look(repository, now).await.expect("look");
        let newest = health.drill.expect("a drill");
        assert_eq!(
            (newest.passed, health.good_drill.expect("one that passed").at == newest.at),
            (day != PLANTED, day != PLANTED)
        );
        if [PLANTED, PLANTED + 1].contains(&day) {
            let passed = if day == PLANTED { "lethe_drill_passed 0" } else { "lethe_drill_passed 1" };
            month.lethe(&["metrics"]).expect_code(0).says(passed);
            let text = if day == PLANTED { "wrong" } else { "ok" };
            let doctor = month.lethe(&["doctor", "--output", "json"]);
            let drills =
                doctor.out.lines().find(|line| line.contains("\"check\":\"drills\"")).expect("drills");
            assert!(drills.contains(&format!("\"verdict\":\"{text}\"")) || day != PLANTED, "{drills}");
        }
    }
    assert_eq!(failed, [PLANTED]);
    let kept = lethe_engine::restore::snapshot_ids(repository).await.expect("list").len();
    // The store's dates have whole seconds, so the oldest may be 34 days old or not quite.
    assert!([34, 35].contains(&kept), "34 days are kept: {kept}");

    // The history shows every day, and the one that failed.
    let all = reports::newest::<DrillEvidence>(repository, ReportKind::Drill, 100).await.expect("list");
    assert_eq!(all.reports.len(), usize::try_from(DAYS).expect("few"));
    let report = month.lethe(&["report", "drill", "--format", "json"]);
    let report: Value = serde_json::from_str(&report.expect_code(0).out).expect("JSON");
    let history = report["history"].as_array().unwrap_or_else(|| panic!("{report:#}"));
    let passed: Vec<bool> = history.iter().filter_map(|drill| drill["passed"].as_bool()).collect();
    assert_eq!(passed.len(), 30, "{history:#?}");
    assert_eq!(passed.iter().filter(|passed| !**passed).count(), 1);
}
