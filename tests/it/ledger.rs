//! A ledger that cannot be trusted stops a restore with exit code 4, before anything is written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lethe_engine::ledger::{Freshness, NewEntry};
use lethe_engine::progress::Progress;
use lethe_engine::{Error, ExitCode, ledger};
use lethe_format::catalog::QualifiedName;
use lethe_format::ids::Digest;
use lethe_format::ledger::{Expiry, Head, Keys, Kind, SubjectRef};
use lethe_rules::objection::Code;
use lethe_tests::world::World;

async fn world() -> World {
    let world = World::new().await;
    world.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 10) i");
    world.erase_integers("users", [1]).await;
    world.erase_integers("users", [2]).await;
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [3]).await;
    world
}

fn entry(world: &World, seq: u64) -> PathBuf {
    world.folder.path().join(format!("store/ledger/{seq:020}"))
}

fn body(world: &World, seq: u64) -> PathBuf {
    let prefix = format!("{seq:020}-");
    let folder = std::fs::read_dir(world.folder.path().join("store/ledger")).expect("read");
    let found = folder.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    found.expect("a body").path()
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("read");
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(path, bytes).expect("write");
}

/// Restores into a new database and expects the ledger to be refused, and the database to stay empty.
async fn refused(world: &World, case: &str) {
    world.server.create_database(case);
    let error = world.restore_into(&world.server, case).await.expect_err(case);
    assert!(matches!(error, Error::Ledger { .. }), "{case}: {error:?}");
    assert_eq!(error.exit_code(), ExitCode::Ledger, "{case}");
    assert_eq!(
        world.server.sql(case, "SELECT count(*) FROM pg_class WHERE relname IN ('users', 'restore')"),
        "0",
        "{case}"
    );
}

/// What somebody with access to the store may do.
type Tampering = fn(&World);

#[tokio::test(flavor = "multi_thread")]
async fn every_way_of_changing_it_is_found() {
    let tamperings: [(&str, Tampering); 12] = [
        ("all_removed", |world| {
            std::fs::remove_dir_all(world.folder.path().join("store/ledger")).expect("remove")
        }),
        ("genesis_removed", |world| std::fs::remove_file(entry(world, 0)).expect("remove")),
        ("middle_removed", |world| std::fs::remove_file(entry(world, 2)).expect("remove")),
        ("older_than_the_manifest", |world| {
            for seq in 2..=3 {
                std::fs::remove_file(entry(world, seq)).expect("remove");
                std::fs::remove_file(body(world, seq)).expect("remove");
            }
        }),
        ("header_flipped", |world| flip(&entry(world, 1))),
        ("header_truncated", |world| std::fs::write(entry(world, 2), b"{").expect("write")),
        ("header_emptied", |world| std::fs::write(entry(world, 2), b"").expect("write")),
        ("reordered", |world| {
            let (one, two) = (
                std::fs::read(entry(world, 1)).expect("read"),
                std::fs::read(entry(world, 2)).expect("read"),
            );
            std::fs::write(entry(world, 1), two).expect("write");
            std::fs::write(entry(world, 2), one).expect("write");
        }),
        ("of_an_unknown_version", |world| {
            let text = std::fs::read_to_string(entry(world, 3)).expect("read");
            std::fs::write(entry(world, 3), text.replace("\"version\":1", "\"version\":2")).expect("write");
        }),
        ("body_removed", |world| std::fs::remove_file(body(world, 1)).expect("remove")),
        ("body_flipped", |world| flip(&body(world, 2))),
        ("body_replaced", |world| {
            std::fs::copy(body(world, 1), body(world, 2)).expect("copy");
        }),
    ];
    for (case, tamper) in tamperings {
        let world = world().await;
        tamper(&world);
        refused(&world, case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_rolled_back_is_refused_by_a_host_that_has_seen_more() {
    let world = world().await;
    world.restore(&world.server, "first").await.expect("restore");
    // Newer than the manifest, older than what this host has seen: the cut-over entry of the restore is gone.
    std::fs::remove_file(entry(&world, 4)).expect("remove");
    refused(&world, "rolled_back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_writers_all_get_a_place_and_none_is_lost() {
    let world = World::new().await;
    futures_util::future::join_all((0..20).map(|id| world.erase_integers("users", [id]))).await;
    let ledger = ledger::read_verified(&world.repository).await.expect("verifies");
    assert_eq!(ledger.entries().len(), 21);
    let erased = ledger.erased();
    let [tombstones] = erased.as_slice() else { panic!("one subject") };
    assert!(tombstones.keys == Keys::Integers((0..20).collect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_ids_are_one_entry() {
    let world = World::new().await;
    world.erase_integers("users", (0..1_000_000).map(|id| id * 7)).await;
    let ledger = ledger::read_verified(&world.repository).await.expect("verifies");
    assert_eq!(ledger.erased()[0].keys.len(), 1_000_000);
    assert_eq!(ledger.entries().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_ledger_is_refused_unless_its_newest_entry_is_known_from_elsewhere() {
    let world = world().await;
    let aged = |known_head| {
        let mut options = World::options();
        options.freshness = Freshness { max_age: Some(Duration::ZERO), known_head };
        options
    };
    world.server.create_database("stale");
    let stale = world.restore_with(&world.server, "stale", aged(None)).await.expect_err("older than nothing");
    assert!(matches!(stale, Error::StaleLedger { seq: 3, .. }), "{stale:?}");
    assert_eq!(stale.exit_code(), ExitCode::Ledger);
    let wrong = Head { seq: 3, hash: Digest::of(b"another") };
    let refused =
        world.restore_with(&world.server, "stale", aged(Some(wrong))).await.expect_err("not that one");
    assert!(matches!(refused, Error::Ledger { seq: Some(3), .. }), "{refused:?}");
    let head = ledger::head(&world.repository).await.expect("a head");
    world.restore_with(&world.server, "stale", aged(Some(head))).await.expect("stated by somebody");
    let mut fresh = World::options();
    fresh.freshness.max_age = Some(Duration::from_secs(3600));
    world.server.create_database("fresh");
    world.restore_with(&world.server, "fresh", fresh).await.expect("young enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_rolled_back_is_not_continued() {
    let world = world().await;
    std::fs::remove_file(entry(&world, 3)).expect("remove");
    let last_seen = world.last_seen();
    let entry = NewEntry::of(Kind::Heartbeat);
    let refused = ledger::append(&world.repository, &last_seen, entry, None, jiff::Timestamp::now()).await;
    assert!(matches!(refused, Err(Error::Ledger { seq: Some(3), .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_expire_when_no_snapshot_needs_them_and_never_before() {
    let world = World::new().await;
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 10)",
    );
    let settled = |id: u64| {
        let subject = SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns: None };
        let entry = NewEntry::about(Kind::Erased, subject, Keys::Integers([id].into_iter().collect()));
        NewEntry { settled: true, ..entry }
    };
    world.snapshot().await.expect("snapshot");
    let first = world.newest_snapshot().await;
    world.server.sql("source", "DELETE FROM users WHERE id = 1");
    world.append(settled(1)).await;
    // Written ahead, and the deletion is not carried out before the next snapshot.
    world.erase_integers("users", [2]).await;
    world.snapshot().await.expect("snapshot");
    world.server.sql("source", "DELETE FROM users WHERE id = 2");
    let plan = world.prune_plan().await.expect("plan").ledger;
    assert_eq!((plan.expire, plan.kept), (vec![], 2), "the first snapshot holds both");

    let remove = |id: &lethe_format::ids::SnapshotId| {
        std::fs::remove_file(world.folder.path().join(format!("store/snapshots/{id}/manifest.age")))
            .expect("remove");
    };
    remove(&first);
    let plan = world.prune_plan().await.expect("plan");
    assert_eq!((&plan.ledger.expire, plan.ledger.kept), (&vec![1], 1), "the second one still holds 2");
    world.prune(&plan).await.expect("prune");
    assert!(
        !std::fs::read_dir(world.folder.path().join("store/ledger"))
            .expect("list")
            .flatten()
            .any(|found| { found.file_name().to_string_lossy().starts_with(&format!("{:020}-", 1)) })
    );
    world.restore(&world.server, "restored").await.expect("the chain still verifies");
    assert_eq!(world.server.sql("restored", "SELECT count(*) FROM users"), "8");

    let second = world.newest_snapshot().await;
    world.snapshot().await.expect("snapshot");
    remove(&second);
    let plan = world.prune_plan().await.expect("plan");
    assert_eq!((&plan.ledger.expire, plan.ledger.kept), (&vec![2], 0), "somebody looked, and 2 is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_needs_an_expired_entry_is_refused() {
    let world = world().await;
    // Somebody without a key may append that an entry has expired, and may remove its body.
    let expiry = Some(Expiry { entries: vec![3], gone_since: 3, checked: Vec::new() });
    world.append(NewEntry { expiry, ..NewEntry::of(Kind::Expired) }).await;
    world
        .restore(&world.server, "body_is_there")
        .await
        .expect("an expired entry counts while its body is there");
    assert_eq!(world.server.sql("body_is_there", "SELECT count(*) FROM users"), "7");
    std::fs::remove_file(body(&world, 3)).expect("remove");
    refused(&world, "body_is_gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_connect_before_the_cut_over() {
    let world = world().await;
    world.server.sql("postgres", "CREATE ROLE owner LOGIN; CREATE ROLE app LOGIN; CREATE ROLE member LOGIN; CREATE DATABASE restored OWNER owner");
    let may = |role: &str| {
        world
            .server
            .sql("postgres", &format!("SELECT has_database_privilege('{role}', 'restored', 'CONNECT')"))
    };
    assert_eq!((may("app"), may("owner")), ("t".to_owned(), "t".to_owned()));
    // As a superuser: even the owner has to wait.
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (url, probe) = (world.server.url("restored"), seen.clone());
    let progress = Progress::observed(Box::new(move |stage| {
        if ["load", "index", "cut over", "validate"].contains(&stage) {
            let connects = |role: &str| {
                let url = url.replace("postgres@", &format!("{role}@"));
                let out = std::process::Command::new("psql")
                    .args(["-Xqc", "SELECT 1", &url])
                    .output()
                    .expect("psql");
                out.status.success()
            };
            probe.lock().expect("a list").push((stage, connects("app"), connects("owner")));
        }
    }));
    world.restore_observed(&world.server, "restored", World::options(), &progress).await.expect("restored");
    let expected = [
        ("load", false, false),
        ("index", false, false),
        ("cut over", false, false),
        ("validate", true, true),
    ];
    assert_eq!(*seen.lock().expect("a list"), expected);
    assert_eq!((may("app"), may("owner")), ("t".to_owned(), "t".to_owned()));
    // As the owner: whoever may act as the owner cannot be kept out.
    world.server.sql(
        "postgres",
        "GRANT owner TO member; CREATE DATABASE of_owner OWNER owner; ALTER DATABASE source OWNER TO owner",
    );
    let settings =
        lethe_postgres::ConnectionSettings::parse(&world.server.url_as("owner", "of_owner"), &|_| None)
            .expect("settings");
    let options = lethe_engine::restore::RestoreOptions { no_owner: true, ..World::options() };
    let refused = lethe_engine::restore::prepare(
        &world.repository,
        &settings,
        options,
        world.last_seen(),
        &Progress::default(),
    )
    .await;
    let Err(Error::Refused(objections)) = refused else { panic!("{refused:?}") };
    assert!(
        objections
            .iter()
            .any(|found| found.code == Code::TargetNotClosed && found.problem.contains("member")),
        "{objections:?}"
    );
}

/// What another host appends after a roll-back is a valid chain, and another history.
#[tokio::test(flavor = "multi_thread")]
async fn a_fork_is_refused_by_a_host_that_has_seen_the_other_branch() {
    let world = world().await;
    world.restore(&world.server, "first").await.expect("restore");
    std::fs::remove_file(entry(&world, 4)).expect("remove");
    let elsewhere = ledger::LastSeen::new(&world.folder.path().join("elsewhere"), world.repository.id());
    let appended = NewEntry::of(Kind::Heartbeat);
    let now = jiff::Timestamp::now();
    let head = ledger::append(&world.repository, &elsewhere, appended, None, now).await.expect("append");
    assert_eq!(head.map(|head| head.seq), Some(4));
    ledger::read_verified(&world.repository).await.expect("the chain verifies");
    refused(&world, "forked").await;
}
