//! Who can open a repository, before and after it was changed.

use std::sync::Arc;

use jiff::Timestamp;
use lethe_engine::key_ring::{Change, plan_change, report};
use lethe_engine::ledger::{self, LastSeen, NewEntry};
use lethe_engine::progress::Progress;
use lethe_engine::verify::{Part, VerifyOptions, verify};
use lethe_engine::{Error, ExitCode, Identities, Keys, NamingKey, Repository};
use lethe_format::catalog::QualifiedName;
use lethe_format::layout;
use lethe_format::ledger::{Keys as TombstoneKeys, Kind, SubjectRef};
use lethe_store::{ObjectName, ObjectStore, S3Store};
use lethe_testkit::s3::S3Server;
use lethe_tests::compare::assert_same_rows;
use lethe_tests::memory_store::{Fault, MemoryStore};
use lethe_tests::oracle;
use lethe_tests::s3_settings::s3_settings;
use lethe_tests::world::World;

struct People {
    naming_key: NamingKey,
    one: Identities,
    two: Identities,
}

impl People {
    fn new() -> Self {
        Self {
            naming_key: NamingKey::from_bytes(rand::random()),
            one: Identities::generate(),
            two: Identities::generate(),
        }
    }

    async fn create(&self, store: &Arc<dyn ObjectStore>) -> Repository {
        let recipients = self.one.recipients();
        Repository::create(store.clone(), recipients, &self.naming_key, Timestamp::now())
            .await
            .expect("create");
        self.open(store, &self.one).await.expect("open")
    }

    async fn open(&self, store: &Arc<dyn ObjectStore>, identities: &Identities) -> Result<Repository, Error> {
        let keys = Keys { identities: Some(identities.clone()), naming_key: Some(self.naming_key.clone()) };
        Repository::open(store.clone(), &keys).await
    }

    fn add(&self) -> Change {
        Change::Add(self.two.recipients())
    }

    fn remove(&self) -> Change {
        Change::Remove(self.one.recipients())
    }
}

async fn change(repository: &Repository, change: &Change) -> Result<(), Error> {
    plan_change(repository, change, Timestamp::now())?.carry_out(repository).await
}

/// Opens everything: every chunk, every body of the ledger.
async fn opens_everything(repository: &Repository, world: &World) -> ExitCode {
    let options = VerifyOptions { snapshot: None, read_data: Some(Part::WHOLE), jobs: 2, memory: 16 << 20 };
    let report =
        verify(repository, &options, &world.last_seen(), &Progress::default()).await.expect("verify");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    report.exit_code()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_added_opens_what_is_stored_and_whoever_is_removed_opens_nothing_new() {
    let mut world = World::new().await;
    let people = People::new();
    let store = world.repository.store().clone();
    for object in ["repository.json", &layout::key_ring(0)] {
        store.delete(&ObjectName::new(object).expect("a name")).await.expect("delete");
    }
    let ledger = world.folder.path().join("store/ledger");
    std::fs::remove_dir_all(ledger).expect("remove");
    world.repository = people.create(&store).await;
    world.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users SELECT i, 'name ' || i FROM generate_series(1, 5000) i");
    let first = world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [1]).await;
    assert!(matches!(people.open(&store, &people.two).await, Err(Error::Decrypt { .. })));

    // Added: everything opens at once, and nothing had to be written again.
    change(&world.repository, &people.add()).await.expect("add");
    let two = people.open(&store, &people.two).await.expect("open");
    assert_eq!(opens_everything(&two, &world).await, ExitCode::Done);
    world.repository = two;
    let again = world.snapshot().await.expect("snapshot");
    assert_eq!(again.reused_chunks, first.chunks, "an added recipient costs no upload");

    // Removed: nothing of the ring opens, and the next snapshot shares nothing.
    change(&world.repository, &people.remove()).await.expect("remove");
    assert!(matches!(people.open(&store, &people.one).await, Err(Error::Decrypt { .. })));
    world.repository = people.open(&store, &people.two).await.expect("open");
    assert_eq!(opens_everything(&world.repository, &world).await, ExitCode::Done);
    let before = report(&world.repository).await.expect("report");
    assert_eq!((before.current_snapshots, before.older_snapshots.len(), before.data_keys), (0, 2, 2));
    let after = world.snapshot().await.expect("snapshot");
    assert_eq!((after.reused_chunks, after.chunks), (0, first.chunks), "all of it is uploaded again");
    assert_eq!(world.snapshot().await.expect("snapshot").reused_chunks, first.chunks, "and then shared");
    let after = report(&world.repository).await.expect("report");
    assert_eq!((after.current_snapshots, after.older_snapshots.len()), (2, 2));
    world.erase_integers("users", [2]).await;
    world.restore(&world.server, "restored").await.expect("restore");
    oracle::delete(&world.server, "source", "oracle", "DELETE FROM users WHERE id <= 2").expect("delete");
    assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::default());
    let people = People::new();
    let repository = people.create(&store).await;
    let plan = |change: &Change| plan_change(&repository, change, Timestamp::now());
    for wrong in
        [people.remove(), Change::Remove(people.two.recipients()), Change::Add(people.one.recipients())]
    {
        assert!(matches!(plan(&wrong), Err(Error::Usage(_))), "{wrong:?}");
    }
    assert_eq!(plan(&Change::Rewrap).expect("plan").warnings.len(), 1, "one recipient is too few");
    assert!(plan(&people.add()).expect("plan").warnings.is_empty());
    // Two at once: the second one has planned by a ring that is not the newest any more.
    let (one, two) = (plan(&people.add()).expect("plan"), plan(&Change::Rewrap).expect("plan"));
    one.carry_out(&repository).await.expect("add");
    let error = two.carry_out(&repository).await.expect_err("late");
    assert!(error.to_string().contains("somebody else has changed"), "{error}");
    people.open(&store, &people.two).await.expect("the first one counts");
}

/// After a fault at any operation the repository opens with the old recipients or with the new ones, and the same
/// command, run again, comes to its end and leaves one ring.
#[tokio::test]
async fn a_crash_at_any_operation_leaves_a_repository_that_opens() {
    let mut interrupted = 0;
    for step in 0..12 {
        for fault in [Fault::Before, Fault::After] {
            let memory = MemoryStore::default();
            let store: Arc<dyn ObjectStore> = Arc::new(memory.clone());
            let people = People::new();
            let repository = people.create(&store).await;
            change(&repository, &people.add()).await.expect("add");
            let state = tempfile::tempdir().expect("a folder");
            let last_seen = LastSeen::new(state.path(), repository.id());
            let subject =
                SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns: None };
            let entry =
                NewEntry::about(Kind::Erased, subject, TombstoneKeys::Tuples(vec![vec!["a".to_owned()]]));
            ledger::append(&repository, &last_seen, entry, None, Timestamp::now()).await.expect("append");

            let repository = people.open(&store, &people.two).await.expect("open");
            memory.fail_after(step, fault);
            let ended = change(&repository, &people.remove()).await;
            memory.heal();
            interrupted += usize::from(ended.is_err());
            let repository = people.open(&store, &people.two).await.expect("whoever stays opens it");
            ledger::read_verified(&repository).await.expect("and reads the ledger");
            if repository.key_ring().recipients.len() == 2 {
                change(&repository, &people.remove()).await.expect("again");
            } else if ended.is_err() {
                change(&repository, &Change::Rewrap).await.expect("what is left is removed");
            }
            assert!(people.open(&store, &people.one).await.is_err(), "step {step}");
            let repository = people.open(&store, &people.two).await.expect("open");
            let report = report(&repository).await.expect("report");
            assert_eq!((report.left_over.len(), report.recipients.len()), (0, 1), "step {step}");
            ledger::read_verified(&repository).await.expect("the ledger");
        }
    }
    assert!(interrupted >= 4, "the faults must hit: {interrupted}");
}

/// On a versioned bucket a removed ring is removed in every version.
#[tokio::test(flavor = "multi_thread")]
async fn no_version_of_an_older_ring_is_left() {
    let s3 = S3Server::start().await;
    s3.create_versioned_bucket("backups");
    let settings = s3_settings(&s3);
    let store: Arc<dyn ObjectStore> =
        Arc::new(S3Store::connect("backups", "", &settings).await.expect("connect"));
    let people = People::new();
    let repository = people.create(&store).await;
    change(&repository, &people.add()).await.expect("add");
    // Somebody has removed a ring without its versions before.
    let repository = people.open(&store, &people.two).await.expect("open");
    store.put(&ObjectName::new(layout::key_ring(0)).expect("a name"), "old".into()).await.expect("put");
    store.delete(&ObjectName::new(layout::key_ring(0)).expect("a name")).await.expect("delete");
    change(&repository, &people.remove()).await.expect("remove");
    let left = store.versions(layout::KEYS).await.expect("list").expect("it keeps history");
    let names: Vec<&str> = left.iter().map(|version| version.name.as_str()).collect();
    assert_eq!(names, [layout::key_ring(2)]);
    people.open(&store, &people.two).await.expect("open");
}

/// Whoever may write to the store knows the recipients, and cannot make anybody encrypt to one of theirs.
#[tokio::test]
async fn a_forged_ring_is_refused_by_whoever_has_the_naming_key() {
    let store: Arc<dyn ObjectStore> = Arc::new(MemoryStore::default());
    let people = People::new();
    people.create(&store).await;
    let name = ObjectName::new(layout::key_ring(0)).expect("a name");
    let good = store.get(&name).await.expect("get").read_to_bytes(1 << 20).await.expect("read");
    let text = String::from_utf8(good.to_vec()).expect("text");
    let ours = people.open(&store, &people.one).await.expect("open").data_key().to_owned();
    let theirs = Identities::generate().recipients().remove(0).to_string();
    store.put(&name, text.replace(&ours, &theirs).into()).await.expect("put");
    let host = Keys { identities: None, naming_key: Some(people.naming_key.clone()) };
    for keys in [host.clone(), Keys { identities: Some(people.one.clone()), ..host.clone() }] {
        let error = Repository::open(store.clone(), &keys).await.expect_err("forged");
        assert_eq!(error.exit_code(), ExitCode::Damaged, "{error}");
        assert!(error.to_string().contains("who can open the backups"), "{error}");
    }
    // Without any key it opens, and nothing can be written.
    let repository = Repository::open(store.clone(), &Keys::default()).await.expect("open");
    assert!(repository.recipients().is_err());
    store.put(&name, good).await.expect("put");
    Repository::open(store, &host).await.expect("open");
}
