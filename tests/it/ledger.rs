//! A ledger that cannot be trusted stops a restore with exit code 4, before anything is written.

use std::path::{Path, PathBuf};

use lethe_engine::{Error, ExitCode, ledger};
use lethe_format::ledger::Keys;
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
