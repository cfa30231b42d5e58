use lethe_store::{Checksums, DirectoryStore, Error, probe_put_if_absent};
use lethe_testkit::s3::{Misbehaviour, S3Server};

use crate::s3;

#[tokio::test(flavor = "multi_thread")]
async fn honest_stores_pass_and_are_left_clean() {
    let folder = tempfile::tempdir().expect("a folder");
    probe_put_if_absent(&DirectoryStore::open(folder.path()).expect("open"), "x").await.expect("a directory");
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    probe_put_if_absent(&store, "x").await.expect("s3");
    assert!(server.objects(s3::BUCKET).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_ignores_conditions_is_refused() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    server.misbehave(Misbehaviour::GarageIgnoresConditions);
    let error = probe_put_if_absent(&store, "x").await.expect_err("refused");
    assert!(matches!(error, Error::NoPutIfAbsent { .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("never versioned")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_versioned_bucket_where_everyone_wins_is_refused() {
    let server = S3Server::start().await;
    server.create_versioned_bucket(s3::BUCKET);
    let store = s3::connect(&server, Checksums::WhenSupported).await;
    probe_put_if_absent(&store, "x").await.expect("versioned and right");
    server.misbehave(Misbehaviour::CephVersionedEveryoneWins);
    assert!(matches!(probe_put_if_absent(&store, "x").await, Err(Error::NoPutIfAbsent { .. })));
}
