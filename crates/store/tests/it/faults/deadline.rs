use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use lethe_store::{
    Address, BucketFacts, Doomed, NotDeleted, ObjectInfo, ObjectReader, Operation, Page, UploadInfo,
    VersionInfo, WaysOut,
};
use tokio::time::Instant;

use super::*;

/// A store of which only reading is asked, and that only ever fails.
#[derive(Debug, Default)]
struct Hopeless {
    /// It does not even answer.
    silent: bool,
    calls: AtomicUsize,
}

impl Hopeless {
    async fn fail<T>(&self) -> Result<T, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.silent {
            std::future::pending::<()>().await;
        }
        Err(Error::Failed {
            store: self.url(),
            operation: Operation::Get,
            name: "object".to_owned(),
            retryable: true,
            cause: "out of order".into(),
        })
    }
}

#[async_trait]
impl ObjectStore for Hopeless {
    fn url(&self) -> String {
        "test://hopeless".to_owned()
    }

    fn address(&self) -> Address {
        Address::Directory("/hopeless".into())
    }

    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error> {
        self.fail().await
    }

    async fn ways_out(&self) -> Result<Option<WaysOut>, Error> {
        self.fail().await
    }

    async fn put(&self, _: &ObjectName, _: Bytes) -> Result<(), Error> {
        self.fail().await
    }

    async fn put_if_absent(&self, _: &ObjectName, _: Bytes) -> Result<(), Error> {
        self.fail().await
    }

    async fn get(&self, _: &ObjectName) -> Result<ObjectReader, Error> {
        self.fail().await
    }

    async fn get_range(&self, _: &ObjectName, _: Range<u64>, _: Option<&str>) -> Result<ObjectReader, Error> {
        self.fail().await
    }

    async fn head(&self, _: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        self.fail().await
    }

    async fn list_page(&self, _: &str, _: Option<&str>) -> Result<Page, Error> {
        self.fail().await
    }

    async fn list(&self, _: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        self.fail().await
    }

    async fn delete(&self, _: &ObjectName) -> Result<(), Error> {
        self.fail().await
    }

    async fn versions_page(&self, _: &str, _: Option<&str>) -> Result<Option<Page<VersionInfo>>, Error> {
        self.fail().await
    }

    async fn versions(&self, _: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        self.fail().await
    }

    async fn get_version(&self, _: &ObjectName, _: &str) -> Result<ObjectReader, Error> {
        self.fail().await
    }

    async fn delete_version(&self, _: &ObjectName, _: &str) -> Result<(), Error> {
        self.fail().await
    }

    async fn delete_batch(&self, _: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        self.fail().await
    }

    async fn uploads_page(&self, _: &str, _: Option<&str>) -> Result<Option<Page<UploadInfo>>, Error> {
        self.fail().await
    }

    async fn abort_upload(&self, _: &UploadInfo) -> Result<(), Error> {
        self.fail().await
    }

    async fn date(&self) -> Result<SystemTime, Error> {
        self.fail().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_is_tried_for_five_minutes_and_no_longer() {
    let hopeless = Arc::new(Hopeless::default());
    let store = ResilientStore::new(hopeless.clone(), RetryPolicy::default());
    let before = Instant::now();
    let error = store.get(&name("object")).await.expect_err("gives up");
    let Error::GaveUp { attempts, tried, cause, .. } = &error else { panic!("{error:?}") };
    assert_eq!(before.elapsed().as_secs(), 300);
    assert_eq!(tried.as_secs(), 300);
    assert_eq!(*attempts as usize, hopeless.calls.load(Ordering::SeqCst));
    // With waits of ten seconds on average, from the eighth on.
    assert!((20..200).contains(attempts), "{attempts}");
    assert!(matches!(**cause, Error::Failed { .. }), "{cause:?}");
    let expected = format!("get object in test://hopeless: given up after {attempts} attempts in 300 s");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_failure_after_thirty_seconds() {
    let hopeless = Arc::new(Hopeless { silent: true, ..Hopeless::default() });
    let store = ResilientStore::new(hopeless.clone(), RetryPolicy::default());
    let error = store.head(&name("object")).await.expect_err("gives up");
    let Error::GaveUp { tried, cause, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(**cause, Error::Stalled { waited, .. } if waited == Duration::from_secs(30)));
    // The first attempt does not count, and the last one begins when the time is over.
    assert!((330..=360).contains(&tried.as_secs()), "{tried:?}");
    assert!((8..=14).contains(&hopeless.calls.load(Ordering::SeqCst)));
}

#[tokio::test(start_paused = true)]
async fn every_operation_gives_up() {
    let store = ResilientStore::new(Arc::new(Hopeless::default()), RetryPolicy::default());
    let object = name("object");
    let errors = [
        store.put(&object, Bytes::new()).await.expect_err("put"),
        store.put_if_absent(&object, Bytes::new()).await.expect_err("put if absent"),
        store.get_range(&object, 0..1, None).await.expect_err("get range"),
        store.list_page("", None).await.expect_err("list page"),
        names(&store, "").await.expect_err("list"),
        store.delete(&object).await.expect_err("delete"),
        store.versions("").await.expect_err("versions"),
        store.get_version(&object, "1").await.expect_err("get version"),
        store.delete_version(&object, "1").await.expect_err("delete version"),
        store.delete_batch(&[]).await.expect_err("delete batch"),
        lethe_store::uploads(&store, "").await.expect_err("uploads"),
        store.date().await.expect_err("date"),
    ];
    for error in errors {
        assert!(matches!(error, Error::GaveUp { .. }), "{error:?}");
    }
}
