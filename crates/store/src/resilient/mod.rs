//! A store that is slow, full of other people's requests, or interrupted: the same calls, repeated until they succeed.
//!
//! [`ResilientStore`] wraps another store and is the only place that retries. What it does is a value,
//! [`RetryPolicy`]. All users of one wrapper share its limit of requests at once, which goes down when the store
//! throttles and comes back slowly.
//!
//! Repeated are failures that [`Error::is_retryable`], answers that do not come in time, and bodies that break off,
//! which go on at the byte where they stopped if the object still has the same ETag. Everything else is passed on as
//! it is. When the deadline is over, [`Error::GaveUp`] says how long was tried, and what went wrong last.

mod aimd;
mod attempts;
mod policy;
mod resume;
mod retries;
mod retry;
mod throttle;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use tokio::time::Instant;

use crate::object_store::{
    Doomed, NotDeleted, ObjectInfo, ObjectReader, ObjectStore, Page, UploadInfo, VersionInfo,
};
use crate::{Address, BucketFacts, Error, ObjectName, Operation, WaysOut, pages};
use attempts::Attempts;
pub use policy::RetryPolicy;
use resume::Origin;
pub use retries::retries;
use retry::Task;
use throttle::Throttle;

#[derive(Clone, Debug)]
pub struct ResilientStore {
    inner: Arc<dyn ObjectStore>,
    policy: Arc<RetryPolicy>,
    throttle: Throttle,
}

impl ResilientStore {
    /// Wraps a store that does not retry by itself.
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>, policy: RetryPolicy) -> Self {
        let throttle = Throttle::new(policy.max_concurrency);
        Self { inner, policy: Arc::new(policy), throttle }
    }

    /// How many requests are let through at once by now.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.throttle.limit()
    }

    /// A call whose whole answer comes at once, at most `limit` after it was sent.
    async fn whole<T, F>(
        &self,
        task: Task,
        limit: Duration,
        call: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
        T: Send,
    {
        let call = || self.in_time(&task, limit, call());
        let (value, _permit) = self.retry(&task, &mut Attempts::begin(Instant::now()), call).await?;
        Ok(value)
    }

    /// A call whose answer is a body.
    async fn body<F>(
        &self,
        name: &ObjectName,
        origin: Origin,
        call: impl Fn() -> F + Send + Sync,
    ) -> Result<ObjectReader, Error>
    where
        F: Future<Output = Result<ObjectReader, Error>> + Send,
    {
        let task = Task::new(Operation::Get, name);
        let call = || self.in_time(&task, self.policy.idle_timeout, call());
        let mut attempts = Attempts::begin(Instant::now());
        let (reader, permit) = self.retry(&task, &mut attempts, call).await?;
        Ok(self.resuming(reader, origin, permit, attempts))
    }
}

#[async_trait]
impl ObjectStore for ResilientStore {
    fn url(&self) -> String {
        self.inner.url()
    }

    fn address(&self) -> Address {
        self.inner.address()
    }

    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error> {
        let task = Task::new(Operation::Look, "the bucket");
        self.whole(task, self.policy.idle_timeout, || self.inner.bucket_facts()).await
    }

    async fn ways_out(&self) -> Result<Option<WaysOut>, Error> {
        let task = Task::new(Operation::Look, "the bucket");
        self.whole(task, self.policy.idle_timeout, || self.inner.ways_out()).await
    }

    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        let limit = self.policy.upload_timeout(body.len());
        self.whole(Task::new(Operation::Put, name), limit, || self.inner.put(name, body.clone())).await
    }

    /// An attempt that failed in any way but a clear refusal may have been carried out all the same. If a later one
    /// then finds an object there, it may be this writer's own: that is [`Error::OutcomeUnknown`], never
    /// [`Error::AlreadyExists`], and the caller reads it back.
    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        let limit = self.policy.upload_timeout(body.len());
        // True from when an attempt begins until it has been clearly refused, so also if it is cut off by its limit.
        let unsure = AtomicBool::new(false);
        let call = || async {
            let was_unsure = unsure.swap(true, Ordering::Relaxed);
            let put = self.inner.put_if_absent(name, body.clone()).await;
            match put {
                Err(error @ Error::AlreadyExists { .. }) if was_unsure => Err(Error::OutcomeUnknown {
                    store: self.url(),
                    name: name.clone(),
                    cause: Box::new(error),
                }),
                Err(error) => {
                    unsure.store(was_unsure || may_have_been_carried_out(&error), Ordering::Relaxed);
                    Err(error)
                }
                Ok(()) => Ok(()),
            }
        };
        self.whole(Task::new(Operation::Put, name), limit, call).await
    }

    async fn get(&self, name: &ObjectName) -> Result<ObjectReader, Error> {
        self.body(name, Origin::Current { start: 0 }, || self.inner.get(name)).await
    }

    async fn get_range(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        let origin = Origin::Current { start: range.start };
        self.body(name, origin, || self.inner.get_range(name, range.clone(), etag)).await
    }

    async fn head(&self, name: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        let task = Task::new(Operation::Head, name);
        self.whole(task, self.policy.idle_timeout, || self.inner.head(name)).await
    }

    async fn list_page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let task = Task::new(Operation::List, prefix);
        self.whole(task, self.policy.idle_timeout, || self.inner.list_page(prefix, cursor)).await
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        Ok(pages::all(self.clone(), prefix))
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Error> {
        let task = Task::new(Operation::Delete, name);
        self.whole(task, self.policy.idle_timeout, || self.inner.delete(name)).await
    }

    async fn versions_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<VersionInfo>>, Error> {
        let task = Task::new(Operation::List, prefix);
        self.whole(task, self.policy.idle_timeout, || self.inner.versions_page(prefix, cursor)).await
    }

    async fn versions(&self, prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        pages::history(self, prefix).await
    }

    async fn get_version(&self, name: &ObjectName, version: &str) -> Result<ObjectReader, Error> {
        self.body(name, Origin::Version(version.to_owned()), || self.inner.get_version(name, version)).await
    }

    async fn delete_version(&self, name: &ObjectName, version: &str) -> Result<(), Error> {
        let task = Task::new(Operation::Delete, name);
        self.whole(task, self.policy.idle_timeout, || self.inner.delete_version(name, version)).await
    }

    async fn delete_batch(&self, doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        let task = Task::new(Operation::Delete, format!("{} objects", doomed.len()));
        self.whole(task, self.policy.idle_timeout, || self.inner.delete_batch(doomed)).await
    }

    async fn uploads_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<UploadInfo>>, Error> {
        let task = Task::new(Operation::List, prefix);
        self.whole(task, self.policy.idle_timeout, || self.inner.uploads_page(prefix, cursor)).await
    }

    async fn abort_upload(&self, upload: &UploadInfo) -> Result<(), Error> {
        let task = Task::new(Operation::Delete, &upload.name);
        self.whole(task, self.policy.idle_timeout, || self.inner.abort_upload(upload)).await
    }

    async fn date(&self) -> Result<SystemTime, Error> {
        let task = Task::new(Operation::Look, "the clock");
        self.whole(task, self.policy.idle_timeout, || self.inner.date()).await
    }
}

/// False for answers that a store gives before it does anything. A 5xx is none of them: a proxy may have given it.
fn may_have_been_carried_out(error: &Error) -> bool {
    !matches!(
        error,
        Error::AlreadyExists { .. }
            | Error::Conflict { .. }
            | Error::ExpiredCredentials { .. }
            | Error::ClockSkew { .. }
            | Error::WrongRegion { .. }
            | Error::Denied { .. }
    )
}
