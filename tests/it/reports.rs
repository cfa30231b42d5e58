//! Evidence as it is stored.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use lethe_engine::{ExitCode, reports};
use lethe_format::layout;
use lethe_format::report::ReportKind;
use lethe_store::{ObjectName, ObjectStore as _};
use lethe_tests::memory_store::MemoryStore;
use lethe_tests::world::World;

#[tokio::test]
async fn reports_are_listed_in_time_and_none_is_taken_for_another() {
    let store = MemoryStore::default();
    let repository = World::repository(Arc::new(store.clone())).await;
    let at = |second: i64| Timestamp::from_second(1_795_434_545 + second).expect("a time");
    let later = reports::write(&repository, ReportKind::Drill, at(60), &"later").await.expect("write");
    let sooner = reports::write(&repository, ReportKind::Drill, at(0), &"sooner").await.expect("write");
    let other = reports::write(&repository, ReportKind::Prune, at(30), &"other").await.expect("write");

    let drills = reports::list(&repository, ReportKind::Drill).await.expect("list");
    assert_eq!(drills, [sooner, later.clone()]);
    let read = reports::read::<String>(&repository, ReportKind::Drill, &later).await.expect("read");
    assert_eq!((read.content.as_str(), read.at), ("later", at(60)));

    // Somebody with the store alone puts one report in the place of another, and makes one up.
    let name = |kind, id: &_| ObjectName::new(layout::report(kind, id)).expect("a name");
    let prune = store.get(&name(ReportKind::Prune, &other)).await.expect("get");
    let prune = prune.read_to_bytes(1 << 20).await.expect("read");
    for forged in [prune, Bytes::from_static(b"{}")] {
        store.put(&name(ReportKind::Drill, &later), forged).await.expect("put");
        let error = reports::read::<String>(&repository, ReportKind::Drill, &later).await;
        assert_eq!(error.expect_err("forged").exit_code(), ExitCode::Damaged);
    }
}
