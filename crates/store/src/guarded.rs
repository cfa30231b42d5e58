//! A store that is used only as long as it may be: where it is and how it keeps things is looked at before the first
//! request for an object, and again from time to time.
//!
//! [`GuardedStore`] goes around [`crate::ResilientStore`], so that a look is retried like everything else, and a store that
//! cannot be looked at is not used. What is all right is the decision of a [`Guard`].

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::bucket_facts::{Address, BucketFacts, WaysOut};
use crate::object_store::{
    Doomed, NotDeleted, ObjectInfo, ObjectReader, ObjectStore, Page, UploadInfo, VersionInfo,
};
use crate::{Error, ObjectName, pages};

/// Decides whether a store may be used.
pub trait Guard: Debug + Send + Sync {
    /// By the address alone: nothing has been sent there.
    ///
    /// # Errors
    /// [`Error::Residency`].
    fn admit(&self, store: &str, address: &Address) -> Result<(), Error>;

    /// By what the store says of itself; none if it says nothing, as a directory. Returns warnings.
    ///
    /// # Errors
    /// [`Error::Residency`] or [`Error::Unfit`].
    fn judge(
        &self,
        store: &str,
        address: &Address,
        facts: Option<&BucketFacts>,
    ) -> Result<Vec<String>, Error>;
}

#[derive(Clone, Debug)]
pub struct GuardedStore {
    inner: Arc<dyn ObjectStore>,
    guard: Arc<dyn Guard>,
    /// How long a look is good for.
    every: Duration,
    /// When it was all right last, if it was looked at. Whoever finds it too long ago looks again, and everybody else waits.
    looked: Arc<Mutex<Option<Instant>>>,
}

impl GuardedStore {
    /// Looks at the store, and wraps it if it may be used. Also returns what the guard warns of.
    ///
    /// # Errors
    /// What the guard says, or the store's own errors. No object has been asked for.
    pub async fn open(
        inner: Arc<dyn ObjectStore>,
        guard: Arc<dyn Guard>,
        every: Duration,
    ) -> Result<(Self, Vec<String>), Error> {
        let warnings = look(inner.as_ref(), guard.as_ref()).await?;
        let looked = Arc::new(Mutex::new(Some(Instant::now())));
        Ok((Self { inner, guard, every, looked }, warnings))
    }

    /// The same without a look: the first request brings it, and its error. For a store that work may go on without. What the
    /// guard warns of is logged.
    ///
    /// # Errors
    /// What the guard says of the address alone.
    pub fn unseen(
        inner: Arc<dyn ObjectStore>,
        guard: Arc<dyn Guard>,
        every: Duration,
    ) -> Result<Self, Error> {
        guard.admit(&inner.url(), &inner.address())?;
        Ok(Self { inner, guard, every, looked: Arc::default() })
    }

    /// Looks again if the last look is too long ago. A refusal is not remembered: the next call looks again.
    async fn check(&self) -> Result<(), Error> {
        let mut looked = self.looked.lock().await;
        if looked.is_none_or(|looked| looked.elapsed() >= self.every) {
            let warnings = look(self.inner.as_ref(), self.guard.as_ref()).await?;
            if looked.is_none() {
                warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            }
            *looked = Some(Instant::now());
        }
        Ok(())
    }
}

async fn look(store: &dyn ObjectStore, guard: &dyn Guard) -> Result<Vec<String>, Error> {
    let (url, address) = (store.url(), store.address());
    guard.admit(&url, &address)?;
    let facts = store.bucket_facts().await?;
    guard.judge(&url, &address, facts.as_ref())
}

#[async_trait]
impl ObjectStore for GuardedStore {
    fn url(&self) -> String {
        self.inner.url()
    }

    fn address(&self) -> Address {
        self.inner.address()
    }

    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error> {
        self.inner.bucket_facts().await
    }

    async fn ways_out(&self) -> Result<Option<WaysOut>, Error> {
        self.inner.ways_out().await
    }

    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        self.check().await?;
        self.inner.put(name, body).await
    }

    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        self.check().await?;
        self.inner.put_if_absent(name, body).await
    }

    async fn get(&self, name: &ObjectName) -> Result<ObjectReader, Error> {
        self.check().await?;
        self.inner.get(name).await
    }

    async fn get_range(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        self.check().await?;
        self.inner.get_range(name, range, etag).await
    }

    async fn head(&self, name: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        self.check().await?;
        self.inner.head(name).await
    }

    async fn list_page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        self.check().await?;
        self.inner.list_page(prefix, cursor).await
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        Ok(pages::all(self.clone(), prefix))
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Error> {
        self.check().await?;
        self.inner.delete(name).await
    }

    async fn versions_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<VersionInfo>>, Error> {
        self.check().await?;
        self.inner.versions_page(prefix, cursor).await
    }

    async fn versions(&self, prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        pages::history(self, prefix).await
    }

    async fn get_version(&self, name: &ObjectName, version: &str) -> Result<ObjectReader, Error> {
        self.check().await?;
        self.inner.get_version(name, version).await
    }

    async fn delete_version(&self, name: &ObjectName, version: &str) -> Result<(), Error> {
        self.check().await?;
        self.inner.delete_version(name, version).await
    }

    async fn delete_batch(&self, doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        self.check().await?;
        self.inner.delete_batch(doomed).await
    }

    async fn uploads_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<UploadInfo>>, Error> {
        self.check().await?;
        self.inner.uploads_page(prefix, cursor).await
    }

    async fn abort_upload(&self, upload: &UploadInfo) -> Result<(), Error> {
        self.check().await?;
        self.inner.abort_upload(upload).await
    }

    async fn date(&self) -> Result<SystemTime, Error> {
        self.check().await?;
        self.inner.date().await
    }
}
