//! A store that lets something else happen just before an object is written if it is absent, or before the n-th of these writes: a
//! race that is always lost.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use lethe_store::{
    Address, BucketFacts, Doomed, Error, NotDeleted, ObjectInfo, ObjectName, ObjectReader, ObjectStore, Page,
    UploadInfo, VersionInfo, WaysOut,
};

type Before = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

#[derive(Clone)]
pub struct InterceptedStore {
    inner: Arc<dyn ObjectStore>,
    /// What is to happen, and the writes that come before it.
    before: Arc<Mutex<Option<(usize, Before)>>>,
    /// What is to happen before it is next asked for an object without reading it.
    before_head: Arc<Mutex<Option<Before>>>,
}

impl std::fmt::Debug for InterceptedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InterceptedStore({:?})", self.inner)
    }
}

impl InterceptedStore {
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, before: Arc::default(), before_head: Arc::default() }
    }

    /// Lets this happen before the next put-if-absent, once.
    pub fn before_next(&self, before: Before) {
        self.before_nth(0, before);
    }

    /// Lets this happen after `writes` more of them, once.
    pub fn before_nth(&self, writes: usize, before: Before) {
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = Some((writes, before));
    }

    /// Lets this happen before the next look for an object, once.
    pub fn before_next_head(&self, before: Before) {
        *self.before_head.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    }

    /// True while what was given is still to happen.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.before.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

#[async_trait]
impl ObjectStore for InterceptedStore {
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
        self.inner.put(name, body).await
    }

    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        let due = {
            let mut waiting = self.before.lock().unwrap_or_else(PoisonError::into_inner);
            match waiting.as_mut() {
                Some((0, _)) => waiting.take(),
                Some((writes, _)) => {
                    *writes -= 1;
                    None
                }
                None => None,
            }
        };
        if let Some((_, before)) = due {
            before().await;
        }
        self.inner.put_if_absent(name, body).await
    }

    async fn get(&self, name: &ObjectName) -> Result<ObjectReader, Error> {
        self.inner.get(name).await
    }

    async fn get_range(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        self.inner.get_range(name, range, etag).await
    }

    async fn head(&self, name: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        let before = self.before_head.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            before().await;
        }
        self.inner.head(name).await
    }

    async fn list_page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        self.inner.list_page(prefix, cursor).await
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        self.inner.list(prefix).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Error> {
        self.inner.delete(name).await
    }

    async fn versions_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<VersionInfo>>, Error> {
        self.inner.versions_page(prefix, cursor).await
    }

    async fn versions(&self, prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        self.inner.versions(prefix).await
    }

    async fn get_version(&self, name: &ObjectName, version: &str) -> Result<ObjectReader, Error> {
        self.inner.get_version(name, version).await
    }

    async fn delete_version(&self, name: &ObjectName, version: &str) -> Result<(), Error> {
        self.inner.delete_version(name, version).await
    }

    async fn delete_batch(&self, doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        self.inner.delete_batch(doomed).await
    }

    async fn uploads_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<UploadInfo>>, Error> {
        self.inner.uploads_page(prefix, cursor).await
    }

    async fn abort_upload(&self, upload: &UploadInfo) -> Result<(), Error> {
        self.inner.abort_upload(upload).await
    }

    async fn date(&self) -> Result<SystemTime, Error> {
        self.inner.date().await
    }
}
