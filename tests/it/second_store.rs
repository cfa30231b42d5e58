use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use lethe_engine::copy::{self, Behind, CopyOptions, CopyReport, Which, behind};
use lethe_engine::ledger::{self, LastSeen, NewEntry};
use lethe_engine::progress::Progress;
use lethe_engine::prune::{self, PruneOptions};
use lethe_engine::restore::snapshot_ids;
use lethe_engine::verify::{Part, VerifyOptions, verify};
use lethe_engine::{Error, Repository, Stores};
use lethe_format::catalog::QualifiedName;
use lethe_format::layout;
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use lethe_rules::retention::Retention;
use lethe_store::{DirectoryStore, ObjectName, ObjectStore};
use lethe_tests::compare::assert_same_rows;
use lethe_tests::failing_store::{FailingStore, Trouble};
use lethe_tests::intercepted_store::InterceptedStore;
use lethe_tests::memory_store::MemoryStore;
use lethe_tests::oracle;
use lethe_tests::retention::store_snapshot;
use lethe_tests::world::World;

const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE orders (id int PRIMARY KEY, buyer int REFERENCES users ON DELETE CASCADE, what text);
    INSERT INTO users SELECT i, md5(i::text) FROM generate_series(1, 300) i;
    INSERT INTO orders SELECT i, i % 300 + 1, md5(i::text) FROM generate_series(1, 2000) i;";

/// A source with a repository whose second place is the given store.
async fn world(second: Arc<dyn ObjectStore>) -> World {
    let mut world = World::new().await;
    world.server.sql("source", SHOP);
    world.repository = world.repository.with_copy_in(Stores { data: second.clone(), ledger: second });
    world
}

fn directory(world: &Path) -> Arc<dyn ObjectStore> {
    Arc::new(DirectoryStore::open(world.join("second")).expect("a store"))
}

/// Entries of the ledger, and those of them that the second place lacks.
async fn lacks(repository: &Repository) -> (usize, usize) {
    let place = |of: &Repository| Stores { data: of.store().clone(), ledger: of.ledger_store().clone() };
    let second = repository.copy().expect("a copy");
    let Behind { entries, missing_entries, .. } =
        behind(&place(repository), &place(&second)).await.expect("look");
    (entries, missing_entries)
}

async fn copy(repository: &Repository, which: Which) -> Result<CopyReport, Error> {
    let options = CopyOptions { jobs: 2, retention: Retention::default(), which };
    copy::run(repository, &options, Timestamp::now(), &Progress::default()).await
}

/// Whether everything that a repository holds is whole, with every row.
async fn is_whole(repository: &Repository, folder: &Path) -> bool {
    verifies(repository, folder, Some(Part::WHOLE)).await
}

/// The same of snapshots that nobody could restore, since they are of no database.
async fn is_there(repository: &Repository, folder: &Path) -> bool {
    verifies(repository, folder, None).await
}

async fn verifies(repository: &Repository, folder: &Path, read_data: Option<Part>) -> bool {
    let options = VerifyOptions { snapshot: None, read_data, jobs: 2, memory: 64 << 20 };
    let last_seen = LastSeen::new(&folder.join("verifies"), repository.id());
    let report = verify(repository, &options, &last_seen, &Progress::default()).await.expect("verify");
    report.findings.is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_restores_what_the_original_would_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = world(directory(folder.path())).await;
    world.snapshot().await.expect("snapshot");
    world.server.sql("source", "UPDATE orders SET what = 'new' WHERE id > 1990");
    world.snapshot().await.expect("snapshot");
    let report = copy(&world.repository, Which::Missing).await.expect("copy");
    assert_eq!((report.ledger_entries, report.snapshots.len(), report.in_both), (1, 2, 2));
    assert!(report.chunks > 2 && report.bytes > 0);
    // From now on the second place hears of everybody who is erased, without being asked to.
    world.erase_integers("users", 1..=10).await;
    let again = copy(&world.repository, Which::Missing).await.expect("copy");
    assert_eq!((again.ledger_entries, again.snapshots.len(), again.chunks, again.in_both), (0, 0, 0, 2));
    let second = world.repository.copy().expect("a copy");
    assert!(is_whole(&second, folder.path()).await);
    // The first place is gone.
    std::fs::remove_dir_all(world.folder.path().join("store")).expect("remove");
    world.repository = second;
    world.restore(&world.server, "restored").await.expect("restore");
    oracle::delete(&world.server, "source", "oracle", "DELETE FROM users WHERE id <= 10").expect("delete");
    assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_fails_anywhere_is_completed_by_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut tried, mut untouched) = (0, 0);
    let world = world(directory(folder.path())).await;
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", 1..=10).await;
    for trouble in [Trouble::Error, Trouble::LostAnswer] {
        for number in 0.. {
            let place = folder.path().join(format!("{trouble:?}-{number}"));
            let failing = FailingStore::new(directory(&place));
            let stores = Stores { data: Arc::new(failing.clone()), ledger: Arc::new(failing.clone()) };
            let repository = world.repository.clone().with_copy_in(stores);
            failing.fail_at(number, trouble);
            let result = copy(&repository, Which::Missing).await;
            let was_untouched = failing.heal();
            let second = repository.copy().expect("a copy");
            // What has a manifest is whole, whatever else is there.
            if !snapshot_ids(&second).await.expect("list").is_empty() {
                assert!(is_whole(&second, &place).await, "{trouble:?} at {number}: {result:?}");
            }
            copy(&repository, Which::Missing)
                .await
                .unwrap_or_else(|error| panic!("{trouble:?} at {number}: {error:?}"));
            assert_eq!(snapshot_ids(&second).await.expect("list").len(), 1);
            assert!(is_whole(&second, &place).await, "{trouble:?} at {number}");
            tried += 1;
            if was_untouched {
                result.expect("nothing was in its way");
                untouched += 1;
                break;
            }
        }
    }
    assert!(tried > 60 && untouched == 2, "{tried} {untouched}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_second_place_has_missed_is_brought_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let failing = FailingStore::new(directory(folder.path()));
    let world = world(Arc::new(failing.clone())).await;
    copy(&world.repository, Which::Missing).await.expect("copy");
    failing.fail_at(0, Trouble::Error);
    // On the ledger all the same.
    world.erase_integers("users", [1]).await;
    assert!(!failing.heal(), "it was tried");
    assert_eq!(lacks(&world.repository).await, (2, 1));
    // The next entry brings it along.
    world.erase_integers("users", [2]).await;
    assert_eq!(lacks(&world.repository).await, (3, 0));
}

/// Takes the newest entry off a ledger, as somebody would who wants to be forgotten to have been forgotten.
fn take_back(store: &Path) {
    let ledger = store.join("ledger");
    let mut names: Vec<_> =
        std::fs::read_dir(&ledger).expect("list").flatten().map(|entry| entry.path()).collect();
    names.retain(|path| !path.to_string_lossy().ends_with(".age"));
    std::fs::remove_file(names.iter().max().expect("entries")).expect("remove");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_taken_back_is_given_away_by_its_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = world(directory(folder.path())).await;
    world.snapshot().await.expect("snapshot");
    copy(&world.repository, Which::Missing).await.expect("copy");
    world.erase_integers("users", 1..=10).await;
    take_back(&world.folder.path().join("store"));
    // A host that has seen nothing of it would believe it.
    std::fs::remove_dir_all(world.folder.path().join("state")).expect("another host");
    let refused = world.restore(&world.server, "restored").await.expect_err("it contradicts");
    assert!(matches!(refused, Error::Contradiction { here: 0, there: 1, .. }), "{refused:?}");
    assert_eq!(refused.exit_code() as u8, 4);
    assert_eq!(world.server.sql("restored", "SELECT count(*) FROM pg_class WHERE relname = 'users'"), "0");
    let refused = copy(&world.repository, Which::Missing).await.expect_err("it contradicts");
    assert!(matches!(refused, Error::Contradiction { .. }), "{refused:?}");
    // Somebody has found out why, and brings it back.
    assert_eq!(copy::bring_back(&world.repository).await.expect("bring back"), 1);
    let report = world.restore_into(&world.server, "restored").await.expect("restore");
    let theirs = world.server.sql("source", "SELECT 10 + count(*) FROM orders WHERE buyer <= 10");
    assert_eq!(report.rows.dropped.to_string(), theirs);
}

/// Between reading the first place and the second, an entry comes to both: nobody has done anything wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_beside_a_writer_sees_no_contradiction() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = directory(folder.path());
    let first = DirectoryStore::open(folder.path().join("first")).expect("a store");
    let original = World::repository(Arc::new(first)).await;
    let watched = InterceptedStore::new(plain.clone());
    let stores = Stores { data: Arc::new(watched.clone()), ledger: Arc::new(watched.clone()) };
    let repository = original.clone().with_copy_in(stores);
    copy(&repository, Which::Missing).await.expect("copy");
    let writing = |host: &str| -> futures_util::future::BoxFuture<'static, ()> {
        let writer = original.clone().with_copy_in(Stores { data: plain.clone(), ledger: plain.clone() });
        let last_seen = LastSeen::new(&folder.path().join(host), writer.id());
        Box::pin(async move {
            let entry = NewEntry::of(Kind::Heartbeat);
            ledger::append(&writer, &last_seen, entry, None, Timestamp::now()).await.expect("append");
        })
    };
    let last_seen = LastSeen::new(&folder.path().join("reader"), repository.id());
    let write = writing("one");
    watched.before_next_head(Box::new(move || write));
    let read = ledger::read_trusted(&repository, &last_seen).await.expect("read");
    assert_eq!(read.head().seq, 0, "it came after the first place was read");
    let write = writing("two");
    watched.before_next_head(Box::new(move || write));
    let copied = copy(&repository, Which::Missing).await.expect("copy");
    assert_eq!(copied.ledger_entries, 0, "the writer has brought it");
    assert_eq!(lacks(&repository).await, (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ledgers_that_were_both_written_to_are_joined_by_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = world(directory(folder.path())).await;
    copy(&world.repository, Which::Missing).await.expect("copy");
    let second = world.repository.copy().expect("a copy");
    let alone = world.repository.clone().with_copy_in(Stores {
        data: Arc::new(MemoryStore::default()),
        ledger: Arc::new(MemoryStore::default()),
    });
    for (host, repository) in [("one", &alone), ("two", &second)] {
        let last_seen = LastSeen::new(&folder.path().join(host), repository.id());
        let entry = NewEntry::of(Kind::Heartbeat);
        ledger::append(repository, &last_seen, entry, None, Timestamp::now()).await.expect("append");
    }
    for refused in [
        copy(&world.repository, Which::Missing).await.map(|_| ()),
        copy::bring_back(&world.repository).await.map(|_| ()),
        ledger::read_trusted(&world.repository, &LastSeen::new(&folder.path().join("three"), second.id()))
            .await
            .map(|_| ()),
    ] {
        assert!(matches!(refused, Err(Error::Contradiction { .. })), "{refused:?}");
    }
    let entries = |store: std::path::PathBuf| std::fs::read_dir(store.join("ledger")).expect("list").count();
    assert_eq!((entries(world.folder.path().join("store")), entries(folder.path().join("second"))), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_holds_anything_else_is_no_place_for_a_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = World::repository(directory(folder.path())).await;
    let world = world(directory(folder.path())).await;
    let refused = copy(&world.repository, Which::Missing).await.expect_err("another repository");
    assert!(matches!(refused, Error::OtherRepository { .. }), "{refused:?}");
    let strange = MemoryStore::default();
    let readme = ObjectName::new("readme").expect("a name");
    strange.put(&readme, "mine".into()).await.expect("put");
    let stores = Stores { data: Arc::new(strange.clone()), ledger: Arc::new(strange.clone()) };
    let refused = copy(&other.with_copy_in(stores), Which::Missing).await.expect_err("not empty");
    assert!(matches!(refused, Error::NotEmpty { .. }), "{refused:?}");
    assert_eq!(strange.dated().len(), 1, "nothing was written");
}

fn system(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(at.as_second().unsigned_abs())
}

/// Two stores with clocks, and a repository in both.
struct Two {
    first: MemoryStore,
    second: MemoryStore,
    repository: Repository,
    begun: Timestamp,
    folder: tempfile::TempDir,
}

impl Two {
    async fn new() -> Self {
        let (first, second) = (MemoryStore::default(), MemoryStore::default());
        let begun: Timestamp = "2026-11-23T00:00:00Z".parse().expect("a time");
        let stores = Stores { data: Arc::new(second.clone()), ledger: Arc::new(second.clone()) };
        for store in [&first, &second] {
            store.set_clock(system(begun));
        }
        let repository = World::repository(Arc::new(first.clone())).await.with_copy_in(stores);
        Self { first, second, repository, begun, folder: tempfile::tempdir().expect("a folder") }
    }

    fn day(&self, day: i64) -> Timestamp {
        let at = self.begun + SignedDuration::from_hours(24 * day);
        for store in [&self.first, &self.second] {
            store.set_clock(system(at));
        }
        at
    }

    async fn copy(&self, at: Timestamp) -> Result<CopyReport, Error> {
        let options = CopyOptions { jobs: 2, retention: Retention::default(), which: Which::Missing };
        copy::run(&self.repository, &options, at, &Progress::default()).await
    }

    async fn prune(repository: &Repository, folder: &Path, at: Timestamp) -> prune::Receipt {
        let (options, last_seen) = (PruneOptions::default(), LastSeen::new(folder, repository.id()));
        let plan = prune::plan(repository, &options, at).await.expect("plan");
        prune::carry_out(repository, &plan, &options, &last_seen, at).await.expect("carry out").1
    }

    async fn erase(&self, person: u64, at: Timestamp) {
        let subject = SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns: None };
        let keys = Keys::Integers([person].into_iter().collect());
        let entry = NewEntry { settled: true, ..NewEntry::about(Kind::Erased, subject, keys) };
        let last_seen = LastSeen::new(self.folder.path(), self.repository.id());
        ledger::append(&self.repository, &last_seen, entry, None, at).await.expect("append");
    }

    fn bodies(store: &MemoryStore) -> usize {
        store.dated().iter().filter(|(name, ..)| name.ends_with(".body.age")).count()
    }
}

/// A second store that was away for weeks gets what has not expired, and is pruned for itself.
#[tokio::test]
async fn a_store_that_was_away_is_filled_and_pruned_when_it_is_back() {
    let two = Two::new().await;
    let (zero, _) = store_snapshot(&two.repository, two.day(0), &["a", "b"]).await;
    two.copy(two.day(0)).await.expect("copy");
    let (ten, _) = store_snapshot(&two.repository, two.day(10), &["b", "c"]).await;
    let at = two.day(40);
    let (forty, _) = store_snapshot(&two.repository, at, &["c", "d"]).await;
    let second = two.repository.copy().expect("a copy");
    let report = two.copy(at).await.expect("copy");
    assert_eq!(
        report.snapshots,
        [forty.clone(), ten.clone()],
        "the newest first, and nothing that has expired"
    );
    let receipt = Two::prune(&second, two.folder.path(), at).await;
    assert_eq!(receipt.removed_snapshots, std::slice::from_ref(&zero));
    assert_eq!(receipt.removed_chunks, 1, "b is needed by the second snapshot");
    assert!(two.first.dated().iter().any(|(name, ..)| *name == layout::manifest(&zero)), "each for itself");
    assert!(is_there(&second, two.folder.path()).await);
    let receipt = Two::prune(&two.repository, two.folder.path(), at).await;
    assert_eq!(receipt.removed_snapshots, [zero]);
    assert_eq!(snapshot_ids(&two.repository).await.expect("list"), [ten, forty]);
}

/// An entry is needed as long as either store has a snapshot that may hold its people.
#[tokio::test]
async fn nobody_is_forgotten_whom_the_other_store_may_hold() {
    let two = Two::new().await;
    let (old, _) = store_snapshot(&two.repository, two.day(0), &["a"]).await;
    two.copy(two.day(0)).await.expect("copy");
    two.erase(7, two.day(1)).await;
    let at = two.day(34);
    store_snapshot(&two.repository, at, &["b"]).await;
    let second = two.repository.copy().expect("a copy");
    // The first store lets the old snapshot go, the second has it still.
    let receipt = Two::prune(&two.repository, two.folder.path(), at).await;
    assert_eq!((receipt.removed_snapshots, receipt.removed_ledger_bodies), (vec![old], 0));
    // Or nobody can tell whether it has.
    two.second.fail_after(0, lethe_tests::memory_store::Fault::Before);
    let plan = prune::plan(&two.repository, &PruneOptions::default(), at).await.expect("plan");
    assert_eq!(plan.ledger.expire, Vec::<u64>::new());
    two.second.heal();
    two.copy(at).await.expect("copy");
    Two::prune(&second, two.folder.path(), at).await;
    assert_eq!((Two::bodies(&two.first), Two::bodies(&two.second)), (1, 1));
    // Now no store has it: the entry expires in the first, and then in the second.
    assert_eq!(Two::prune(&two.repository, two.folder.path(), at).await.removed_ledger_bodies, 1);
    assert_eq!((Two::bodies(&two.first), Two::bodies(&two.second)), (0, 1));
    assert_eq!(Two::prune(&second, two.folder.path(), at).await.removed_ledger_bodies, 1);
    assert_eq!((Two::bodies(&two.first), Two::bodies(&two.second)), (0, 0));
    assert_eq!(lacks(&two.repository).await.1, 0);
    assert!(is_there(&two.repository, two.folder.path()).await && is_there(&second, two.folder.path()).await);
}

/// Before each write of the copy in turn the second store is pruned: of what the new snapshot shares with one that has expired
/// nothing may be missing in the end.
#[tokio::test]
async fn a_pruner_that_comes_in_between_takes_nothing_that_is_needed() {
    for number in 0.. {
        let two = Two::new().await;
        store_snapshot(&two.repository, two.day(0), &["a", "b"]).await;
        two.copy(two.day(0)).await.expect("copy");
        store_snapshot(&two.repository, two.day(20), &["a", "b", "c"]).await;
        let at = two.day(36);
        store_snapshot(&two.repository, at, &["a", "b", "d"]).await;
        let watched = InterceptedStore::new(Arc::new(two.second.clone()));
        let stores = Stores { data: Arc::new(watched.clone()), ledger: Arc::new(watched.clone()) };
        let repository = two.repository.clone().with_copy_in(stores);
        let second = two.repository.copy().expect("a copy");
        let (pruned, folder) = (second.clone(), two.folder.path().to_owned());
        let prune = async move {
            // Its last snapshot has expired: somebody lets it go.
            let last = snapshot_ids(&pruned).await.expect("list").into_iter().take(1).collect();
            let mut options = PruneOptions { discard: last, ..PruneOptions::default() };
            let plan = prune::plan(&pruned, &options, at).await.expect("plan");
            options.discard.clear();
            let last_seen = LastSeen::new(&folder, pruned.id());
            prune::carry_out(&pruned, &plan, &options, &last_seen, at).await.expect("prune");
        };
        watched.before_nth(number, Box::new(move || Box::pin(prune)));
        let options = CopyOptions { jobs: 2, retention: Retention::default(), which: Which::Missing };
        let copied = copy::run(&repository, &options, at, &Progress::default()).await.expect("copy");
        assert_eq!(copied.snapshots.len(), 2, "{number}");
        assert!(is_there(&second, two.folder.path()).await, "before write {number}");
        if watched.is_waiting() {
            assert!(number > 6, "{number} writes");
            break;
        }
    }
}
