//! What `verify` finds, what it says of it, and that it reads everything once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lethe_engine::progress::Progress;
use lethe_engine::restore::Wanted;
use lethe_engine::verify::{Kind, Part, VerifyOptions, VerifyReport, verify};
use lethe_engine::{ExitCode, Keys, Repository};
use lethe_store::DirectoryStore;
use lethe_tests::search::files;
use lethe_tests::world::World;

/// Two tables of equal shape, one that changes between the snapshots, one of wide rows, large objects.
const SOURCE: &str = "
    CREATE TABLE one (id int PRIMARY KEY, name text);
    CREATE TABLE two (id int PRIMARY KEY, name text);
    CREATE TABLE odd (id int PRIMARY KEY, type regclass);
    INSERT INTO one SELECT i, 'first ' || i FROM generate_series(1, 30000) i;
    INSERT INTO two SELECT i, 'other ' || i FROM generate_series(1, 30000) i;
    INSERT INTO odd SELECT i, 'pg_class' FROM generate_series(1, 100) i;
    SELECT lo_from_bytea(0, 'some bytes');";

async fn world() -> World {
    let world = World::new().await;
    world.server.sql("source", SOURCE);
    world.snapshot().await.expect("snapshot");
    world.server.sql("source", "UPDATE two SET name = 'changed' WHERE id = 1");
    world.snapshot().await.expect("snapshot");
    world.erase_integers("one", [1, 2]).await;
    world
}

fn options(read_data: Option<Part>) -> VerifyOptions {
    VerifyOptions { snapshot: None, read_data, jobs: 3, memory: 16 << 20 }
}

async fn check(world: &World, options: &VerifyOptions) -> VerifyReport {
    let last_seen = world.last_seen();
    verify(&world.repository, options, &last_seen, &Progress::default()).await.expect("verify")
}

fn store(world: &World) -> PathBuf {
    world.folder.path().join("store")
}

/// Chunks, the largest first.
fn chunks(world: &World) -> Vec<PathBuf> {
    let mut chunks = files(&store(world).join("chunks"));
    chunks.sort_by_key(|path| std::cmp::Reverse(path.metadata().expect("metadata").len()));
    chunks
}

fn snapshot_file(world: &World, name: &str) -> PathBuf {
    files(&store(world).join("snapshots")).into_iter().find(|path| path.ends_with(name)).expect("a file")
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).expect("write");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_whole_is_read_in_full_once_in_any_number_of_parts() {
    let world = world().await;
    let listed = check(&world, &options(None)).await;
    assert_eq!((listed.exit_code(), listed.read, listed.findings.len()), (ExitCode::Done, None, 0));
    assert_eq!((listed.snapshots.len(), listed.unnamed.map(|unnamed| unnamed.chunks)), (2, Some(0)));
    let whole = check(&world, &options(Some(Part::WHOLE))).await;
    assert_eq!(whole.exit_code(), ExitCode::Done, "{:?}", whole.findings);
    let read = whole.read.expect("it read");
    // Each chunk once: what both snapshots share is not counted twice, what changed is there in both forms.
    assert_eq!(read.rows, 30_000 + 2 * 30_000 + 100 + 1);
    assert_eq!((read.chunks, read.stored_bytes), (listed.chunks, listed.stored_bytes));
    let (mut chunks, mut rows) = (0, 0);
    for number in 1..=3 {
        let part = format!("{number}/3").parse().expect("a part");
        let part = check(&world, &options(Some(part))).await.read.expect("it read");
        (chunks, rows) = (chunks + part.chunks, rows + part.rows);
    }
    assert_eq!((chunks, rows), (read.chunks, read.rows));
    let latest = VerifyOptions { snapshot: Some(Wanted::Latest), ..options(None) };
    let latest = check(&world, &latest).await;
    assert_eq!((latest.snapshots.len(), latest.unnamed), (1, None));
    assert!(latest.chunks < listed.chunks);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_is_found_with_the_tables_that_suffer_from_it() {
    let world = world().await;
    let (largest, whole) = (chunks(&world).remove(0), |path: &Path| std::fs::read(path).expect("read"));
    let good = whole(&largest);
    // Gone, and of another length: the listing tells.
    for (bytes, kind) in [(None, Kind::Missing), (Some(&good[..good.len() - 1]), Kind::Damaged)] {
        match bytes {
            None => std::fs::remove_file(&largest).expect("remove"),
            Some(bytes) => std::fs::write(&largest, bytes).expect("write"),
        }
        let report = check(&world, &options(None)).await;
        assert_eq!((report.exit_code(), report.findings.len()), (ExitCode::Damaged, 1));
        let finding = &report.findings[0];
        assert_eq!(finding.kind, kind);
        assert!(largest.ends_with(&finding.object), "{}", finding.object);
        let tables: Vec<_> = finding.affects.iter().flat_map(|affected| &affected.tables).collect();
        assert!(
            !tables.is_empty()
                && tables.iter().all(|table| **table == "public.one" || **table == "public.two")
        );
    }
    std::fs::write(&largest, &good).expect("write");
    // Of the right length, with one bit changed: only reading tells.
    flip(&largest);
    assert_eq!(check(&world, &options(None)).await.exit_code(), ExitCode::Done);
    let report = check(&world, &options(Some(Part::WHOLE))).await;
    assert_eq!((report.exit_code(), report.findings.len()), (ExitCode::Damaged, 1));
    assert!(report.findings[0].problem.contains("not the ones that were stored"));
    std::fs::write(&largest, &good).expect("write");
    // Two chunks of tables of equal shape change places.
    let pair = chunks(&world);
    let (one, two) = (whole(&pair[0]), whole(&pair[1]));
    std::fs::write(&pair[0], &two).expect("write");
    std::fs::write(&pair[1], &one).expect("write");
    let report = check(&world, &options(Some(Part::WHOLE))).await;
    assert_eq!((report.exit_code(), report.findings.len()), (ExitCode::Damaged, 2), "{:?}", report.findings);
    std::fs::write(&pair[0], one).expect("write");
    std::fs::write(&pair[1], two).expect("write");
    // The documents.
    for name in ["schema.age", "chunks", "manifest.age"] {
        let path = snapshot_file(&world, name);
        let good = whole(&path);
        flip(&path);
        let report = check(&world, &options(Some(Part::WHOLE))).await;
        assert_eq!(report.exit_code(), ExitCode::Damaged, "{name}");
        assert!(
            report.findings.iter().any(|finding| path.ends_with(&finding.object)),
            "{name}: {:?}",
            report.findings
        );
        assert!(
            report.findings.iter().all(|finding| finding.affects.len() == 1),
            "{name}: {:?}",
            report.findings
        );
        std::fs::write(&path, good).expect("write");
    }
    assert_eq!(check(&world, &options(Some(Part::WHOLE))).await.exit_code(), ExitCode::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_lacks_a_body_is_its_own_exit_code() {
    let world = world().await;
    let body = files(&store(&world).join("ledger"));
    let body = body.iter().find(|path| path.to_string_lossy().ends_with(".body.age")).expect("a body");
    std::fs::remove_file(body).expect("remove");
    std::fs::remove_file(chunks(&world).remove(0)).expect("remove");
    let report = check(&world, &options(None)).await;
    assert_eq!(report.exit_code(), ExitCode::Ledger);
    assert_eq!(report.findings.len(), 2, "the chunk is found all the same: {:?}", report.findings);
    assert_eq!(report.ledger_head, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_an_identity_checks_what_it_can() {
    let world = world().await;
    let keys =
        Keys { identities: None, naming_key: Some(world.repository.naming_key().expect("a key").clone()) };
    let store = DirectoryStore::open(store(&world)).expect("open");
    let repository = Repository::open(Arc::new(store), &keys).await.expect("open");
    let check = async |read| {
        verify(&repository, &options(read), &world.last_seen(), &Progress::default()).await.expect("verify")
    };
    let report = check(Some(Part::WHOLE)).await;
    assert_eq!(report.exit_code(), ExitCode::Done);
    assert_eq!(report.not_checked.len(), 2);
    let read = report.read.expect("it read");
    assert_eq!((read.chunks, read.rows), (report.chunks, 0));
    flip(&chunks(&world).remove(0));
    let report = check(Some(Part::WHOLE)).await;
    assert_eq!((report.exit_code(), report.findings.len()), (ExitCode::Damaged, 1));
    assert!(!report.findings[0].affects.is_empty());
    std::fs::remove_file(snapshot_file(&world, "schema.age")).expect("remove");
    assert_eq!(check(None).await.findings.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_no_snapshot_names_are_counted_and_are_no_finding() {
    let world = world().await;
    std::fs::remove_file(snapshot_file(&world, "manifest.age")).expect("remove");
    let report = check(&world, &options(None)).await;
    assert_eq!((report.exit_code(), report.snapshots.len()), (ExitCode::Done, 1));
    assert_eq!(report.unnamed.map(|unnamed| unnamed.chunks), Some(1));
}
