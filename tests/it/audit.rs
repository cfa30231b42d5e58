use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use lethe_engine::audit::{AuditLog, Intent, read};
use lethe_engine::copy::{self, CopyOptions, Which};
use lethe_engine::ledger::LastSeen;
use lethe_engine::progress::Progress;
use lethe_engine::{Error, Repository, Stores};
use lethe_format::audit::checkpoint::SigningKey;
use lethe_format::audit::{Action, Facts, Phase};
use lethe_rules::audit::{Ending, stories};
use lethe_rules::retention::Retention;
use lethe_store::DirectoryStore;
use lethe_tests::failing_store::{FailingStore, Trouble};
use lethe_tests::memory_store::MemoryStore;
use lethe_tests::world::World;

fn key(repository: &Repository) -> SigningKey {
    SigningKey::new(repository.id(), &[9; 32])
}

fn seen(repository: &Repository, folder: &Path, host: &str) -> LastSeen {
    LastSeen::of_audit_log(&folder.join(host), repository.id())
}

fn log(repository: &Repository, folder: &Path, host: &str) -> AuditLog {
    let last_seen = seen(repository, folder, host);
    AuditLog::new(repository.clone(), last_seen, Some(key(repository)), "ada".to_owned(), host.to_owned())
}

async fn act(log: &AuditLog) -> Result<(), Error> {
    let began = log.begin(Intent::of(Action::Snapshot, true), Timestamp::UNIX_EPOCH).await?;
    began.done(Facts::default(), Timestamp::UNIX_EPOCH).await
}

/// Entries of a log that verifies, on a host that has seen nothing.
async fn entries(repository: &Repository) -> Result<usize, Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let key = key(repository).public();
    let log = read(repository, &seen(repository, folder.path(), "reader"), Some(&key)).await?;
    Ok(log.entries.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_write_at_once_make_one_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = World::repository(Arc::new(MemoryStore::default())).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let log = log(&repository, folder.path(), &format!("host-{writer}"));
            tokio::spawn(async move {
                for _ in 0..10 {
                    act(&log).await.expect("an entry");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer");
    }
    assert_eq!(entries(&repository).await.expect("read"), 160);
    let verified = read(&repository, &seen(&repository, folder.path(), "reader"), None).await.expect("read");
    let stories = stories(verified.entries.iter().map(|(entry, _)| &entry.header));
    assert_eq!(stories.len(), 80);
    assert!(stories.iter().all(|story| matches!(story.ending, Ending::Done { .. })), "each has its own end");
}

/// Operation number 0, 1, 2 … of the store fails, or its answer is lost: what was begun is on record, and what is on record verifies.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_fails_anywhere_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    for trouble in [Trouble::Error, Trouble::LostAnswer, Trouble::WrongByte, Trouble::Truncated] {
        let store = FailingStore::new(Arc::new(MemoryStore::default()));
        let repository = World::repository(Arc::new(store.clone())).await;
        let log = log(&repository, folder.path(), &format!("{trouble:?}"));
        act(&log).await.expect("an entry");
        let mut tried = 0;
        for number in 0.. {
            let before = entries(&repository).await.expect("read");
            store.fail_at(number, trouble);
            let done = act(&log).await;
            if store.heal() {
                done.expect("untouched");
                break;
            }
            tried += 1;
            let after = entries(&repository).await.expect("what is there verifies");
            match done {
                Ok(()) => assert_eq!(after, before + 2, "{trouble:?} {number}"),
                // The beginning may be there although its answer was lost: an action without an end, which was not done.
                Err(Error::NotLogged { .. }) => assert!(after <= before + 1, "{trouble:?} {number}"),
                Err(Error::EndNotLogged { .. }) => {
                    assert!((before + 1..=before + 2).contains(&after), "{trouble:?} {number}");
                }
                Err(other) => panic!("{trouble:?} {number}: {other:?}"),
            }
        }
        assert!(tried >= 2, "{trouble:?}: {tried}");
    }
}

fn in_two_places(repository: &Repository, second: &Path) -> Repository {
    let store = Arc::new(DirectoryStore::open(second).expect("a store"));
    repository.clone().with_copy_in(Stores { data: store.clone(), ledger: store })
}

async fn copy(repository: &Repository) -> Result<u64, Error> {
    let options = CopyOptions { jobs: 2, retention: Retention::default(), which: Which::Missing };
    let report = copy::run(repository, &options, Timestamp::now(), &Progress::default()).await?;
    Ok(report.audit_entries)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_store_has_the_same_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = DirectoryStore::open(folder.path().join("first")).expect("a store");
    let alone = World::repository(Arc::new(first)).await;
    act(&log(&alone, folder.path(), "one")).await.expect("before there was a second store");
    let both = in_two_places(&alone, &folder.path().join("second"));
    let second = both.copy().expect("a copy");
    assert_eq!(copy(&both).await.expect("copy"), 2);
    act(&log(&both, folder.path(), "one")).await.expect("an entry");
    assert_eq!(entries(&second).await.expect("read"), 4, "it follows by itself");
    // While it is away, it falls behind, and is brought up to date by the next entry.
    act(&log(&alone, folder.path(), "one")).await.expect("an entry");
    assert_eq!(entries(&second).await.expect("read"), 4);
    act(&log(&both, folder.path(), "one")).await.expect("an entry");
    assert_eq!(entries(&second).await.expect("read"), 8);
    // While the first is away, the second one is written to; nobody writes on before that was brought back.
    act(&log(&second, folder.path(), "two")).await.expect("an entry");
    for host in ["one", "two", "three"] {
        let refused = act(&log(&both, folder.path(), host)).await.expect_err("a fork");
        assert!(matches!(refused, Error::NotLogged { .. }), "{refused:?}");
    }
    assert!(matches!(copy(&both).await, Err(Error::AuditLog { .. })));
    copy::bring_back(&both).await.expect("bring back");
    assert_eq!(entries(&alone).await.expect("read"), 10);
    for host in ["one", "two", "three"] {
        act(&log(&both, folder.path(), host)).await.expect("an entry");
    }
    assert_eq!(entries(&second).await.expect("read"), 16);
    assert_eq!(copy(&both).await.expect("copy"), 0);
}

/// Whoever has no identity writes, reads what is plain, and opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_an_identity_writes_and_does_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryStore::default());
    let repository = World::repository(store.clone()).await;
    let keys = lethe_engine::Keys { identities: None, naming_key: repository.naming_key().ok().cloned() };
    let blind = Repository::open(store, &keys).await.expect("open");
    let log = log(&blind, folder.path(), "blind");
    act(&log).await.expect("an entry");
    let began = log.begin(Intent::of(Action::Prune, true), Timestamp::UNIX_EPOCH).await.expect("begin");
    began.failed(8, "something remains".to_owned(), Timestamp::UNIX_EPOCH).await.expect("end");
    let plain = read(&blind, &seen(&blind, folder.path(), "blind"), None).await.expect("read");
    assert!(plain.entries.iter().all(|(_, opened)| opened.is_none()));
    let opened = read(&repository, &seen(&blind, folder.path(), "blind"), None).await.expect("read");
    let (entry, opened) = opened.entries.last().expect("an entry");
    assert_eq!(entry.header.phase, Phase::Failed);
    let internal = &opened.as_ref().expect("opened").internal;
    assert_eq!((internal.operator.as_str(), internal.exit_code), ("ada", Some(8)));
}
