//! A store of which one operation fails, chosen by its number: the n-th since it was chosen, whatever it is.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use lethe_store::{
    Address, BucketFacts, Doomed, Error, NotDeleted, ObjectInfo, ObjectName, ObjectReader, ObjectStore,
    Operation, Page, UploadInfo, VersionInfo, WaysOut,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Nothing has happened, and there is an error.
    Error,
    /// It has happened, and the answer is an error all the same.
    LostAnswer,
    /// The middle byte of what is read is another one; only reads are counted.
    WrongByte,
    /// What is read ends in the middle, without an error; only reads are counted.
    Truncated,
}

#[derive(Clone, Debug)]
pub struct FailingStore {
    inner: Arc<dyn ObjectStore>,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    operations: u64,
    trouble: Option<(u64, Trouble)>,
}

impl FailingStore {
    #[must_use]
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// Counts from 0 again; the operation of this number has trouble.
    pub fn fail_at(&self, number: u64, trouble: Trouble) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) =
            Plan { operations: 0, trouble: Some((number, trouble)) };
    }

    /// Heals it. True if the trouble had not come yet.
    pub fn heal(&self) -> bool {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).trouble.take().is_some()
    }

    /// Operations that were counted since the trouble was chosen.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).operations
    }

    fn next(&self, reads: bool) -> Option<Trouble> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, trouble) = plan.trouble?;
        if !reads && matches!(trouble, Trouble::WrongByte | Trouble::Truncated) {
            return None;
        }
        let operation = plan.operations;
        plan.operations += 1;
        if operation != number {
            return None;
        }
        plan.trouble = None;
        Some(trouble)
    }

    fn error(&self, operation: Operation, name: impl ToString) -> Error {
        Error::Failed {
            store: self.inner.url(),
            operation,
            name: name.to_string(),
            retryable: true,
            cause: std::io::Error::other("injected").into(),
        }
    }

    async fn operate<T: Send>(
        &self,
        operation: Operation,
        name: &(impl ToString + Sync),
        act: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        match self.next(false) {
            None => act.await,
            Some(Trouble::LostAnswer) => {
                act.await?;
                Err(self.error(operation, name.to_string()))
            }
            Some(_) => Err(self.error(operation, name.to_string())),
        }
    }

    async fn read(
        &self,
        name: &ObjectName,
        act: impl Future<Output = Result<ObjectReader, Error>> + Send,
    ) -> Result<ObjectReader, Error> {
        let trouble = self.next(true);
        if matches!(trouble, Some(Trouble::Error | Trouble::LostAnswer)) {
            return Err(self.error(Operation::Get, name));
        }
        let mut reader = act.await?;
        let Some(trouble) = trouble else { return Ok(reader) };
        let mut bytes = Vec::new();
        while let Some(piece) = reader.body.next().await {
            bytes.extend_from_slice(&piece?);
        }
        let middle = bytes.len() / 2;
        match (trouble, bytes.get_mut(middle)) {
            (Trouble::WrongByte, Some(byte)) => *byte ^= 1,
            _ => bytes.truncate(middle),
        }
        Ok(ObjectReader { body: stream::iter([Ok(Bytes::from(bytes))]).boxed(), ..reader })
    }
}

#[async_trait]
impl ObjectStore for FailingStore {
    fn url(&self) -> String {
        self.inner.url()
    }

    fn address(&self) -> Address {
        self.inner.address()
    }

    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error> {
        self.operate(Operation::Look, &"the bucket", self.inner.bucket_facts()).await
    }

    async fn ways_out(&self) -> Result<Option<WaysOut>, Error> {
        self.operate(Operation::Look, &"the bucket", self.inner.ways_out()).await
    }

    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        self.operate(Operation::Put, name, self.inner.put(name, body)).await
    }

    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        self.operate(Operation::Put, name, self.inner.put_if_absent(name, body)).await
    }

    async fn get(&self, name: &ObjectName) -> Result<ObjectReader, Error> {
        self.read(name, self.inner.get(name)).await
    }

    async fn get_range(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        self.read(name, self.inner.get_range(name, range, etag)).await
    }

    async fn head(&self, name: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        self.operate(Operation::Head, name, self.inner.head(name)).await
    }

    async fn list_page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        self.operate(Operation::List, &prefix, self.inner.list_page(prefix, cursor)).await
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        self.operate(Operation::List, &prefix, self.inner.list(prefix)).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Error> {
        self.operate(Operation::Delete, name, self.inner.delete(name)).await
    }

    async fn versions_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<VersionInfo>>, Error> {
        self.operate(Operation::List, &prefix, self.inner.versions_page(prefix, cursor)).await
    }

    async fn versions(&self, prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        self.operate(Operation::List, &prefix, self.inner.versions(prefix)).await
    }

    async fn get_version(&self, name: &ObjectName, version: &str) -> Result<ObjectReader, Error> {
        self.read(name, self.inner.get_version(name, version)).await
    }

    async fn delete_version(&self, name: &ObjectName, version: &str) -> Result<(), Error> {
        self.operate(Operation::Delete, name, self.inner.delete_version(name, version)).await
    }

    /// One by one, since a batch may break off between any two of them.
    async fn delete_batch(&self, doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        let mut left = Vec::new();
        for one in doomed {
            let delete = self.inner.delete_batch(std::slice::from_ref(one));
            match self.operate(Operation::Delete, &one.name, delete).await? {
                Some(refused) => left.extend(refused),
                None => return Ok(None),
            }
        }
        Ok(Some(left))
    }

    async fn uploads_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<UploadInfo>>, Error> {
        self.operate(Operation::List, &prefix, self.inner.uploads_page(prefix, cursor)).await
    }

    async fn abort_upload(&self, upload: &UploadInfo) -> Result<(), Error> {
        self.operate(Operation::Delete, &upload.name, self.inner.abort_upload(upload)).await
    }

    async fn date(&self) -> Result<SystemTime, Error> {
        self.operate(Operation::Look, &"the clock", self.inner.date()).await
    }
}
