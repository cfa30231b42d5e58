use lethe_store::{Checksums, DirectoryStore, Error, ObjectStore as _, probe};
use lethe_testkit::s3::{Fault, Kind, Requests, S3Server};

use crate::s3;

#[tokio::test(flavor = "multi_thread")]
async fn honest_stores_pass_and_are_left_clean() {
    let folder = tempfile::tempdir().expect("a folder");
    probe(&DirectoryStore::open(folder.path()).expect("open"), "x").await.expect("a directory");
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    probe(&store, "x").await.expect("s3");
    assert!(server.objects(s3::BUCKET).is_empty());
}

/// Every product, with a bucket that was never versioned and with one that is.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_passes_only_if_one_writer_wins() {
    for kind in Kind::ALL {
        for versioned in [false, true] {
            let server = S3Server::start().await;
            server.behave_like(kind);
            if versioned {
                server.create_versioned_bucket(s3::BUCKET)
            } else {
                server.create_bucket(s3::BUCKET)
            }
            let store = s3::connect(&server, Checksums::WhenRequired).await;
            let probed = probe(&store, "x").await;
            assert_eq!(probed.is_ok(), kind.can_keep_a_ledger(versioned), "{kind:?} {versioned}: {probed:?}");
            if let Err(error) = probed {
                assert!(matches!(error, Error::NoPutIfAbsent { .. }), "{kind:?}: {error}");
                assert!(error.hint().is_some_and(|hint| hint.contains("ledger_url")));
            }
            assert!(server.objects(s3::BUCKET).is_empty());
            let left = store.versions("").await.expect("versions");
            assert!(
                left.is_none_or(|left| left.is_empty()),
                "{kind:?}: nothing is left, no delete marker either"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_lags_is_found() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    server.inject(Fault::Stale, Requests::first(1).of("ListObjectsV2"));
    let error = probe(&store, "x").await.expect_err("refused");
    assert!(matches!(error, Error::Unfit { .. }) && error.to_string().contains("not listed"), "{error}");
}
