//! A store that could not be opened, where work may go on without it: every request fails with the reason.

use std::ops::Range;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::object_store::{
    Doomed, NotDeleted, ObjectInfo, ObjectReader, ObjectStore, Page, UploadInfo, VersionInfo,
};
use crate::{Address, BucketFacts, Error, ObjectName, Operation, WaysOut};

#[derive(Clone, Debug)]
pub struct AbsentStore {
    url: String,
    address: Address,
    reason: String,
}

impl AbsentStore {
    #[must_use]
    pub fn new(url: impl Into<String>, address: Address, reason: impl ToString) -> Self {
        Self { url: url.into(), address, reason: reason.to_string() }
    }

    fn absent<T>(&self) -> Result<T, Error> {
        Err(Error::failed(&self.url, Operation::Connect, "it", self.reason.clone()))
    }
}

#[async_trait]
impl ObjectStore for AbsentStore {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn address(&self) -> Address {
        self.address.clone()
    }

    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error> {
        self.absent()
    }

    async fn ways_out(&self) -> Result<Option<WaysOut>, Error> {
        self.absent()
    }

    async fn put(&self, _: &ObjectName, _: Bytes) -> Result<(), Error> {
        self.absent()
    }

    async fn put_if_absent(&self, _: &ObjectName, _: Bytes) -> Result<(), Error> {
        self.absent()
    }

    async fn get(&self, _: &ObjectName) -> Result<ObjectReader, Error> {
        self.absent()
    }

    async fn get_range(&self, _: &ObjectName, _: Range<u64>, _: Option<&str>) -> Result<ObjectReader, Error> {
        self.absent()
    }

    async fn head(&self, _: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        self.absent()
    }

    async fn list_page(&self, _: &str, _: Option<&str>) -> Result<Page, Error> {
        self.absent()
    }

    async fn list(&self, _: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        self.absent()
    }

    async fn delete(&self, _: &ObjectName) -> Result<(), Error> {
        self.absent()
    }

    async fn versions_page(&self, _: &str, _: Option<&str>) -> Result<Option<Page<VersionInfo>>, Error> {
        self.absent()
    }

    async fn versions(&self, _: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        self.absent()
    }

    async fn get_version(&self, _: &ObjectName, _: &str) -> Result<ObjectReader, Error> {
        self.absent()
    }

    async fn delete_version(&self, _: &ObjectName, _: &str) -> Result<(), Error> {
        self.absent()
    }

    async fn delete_batch(&self, _: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        self.absent()
    }

    async fn uploads_page(&self, _: &str, _: Option<&str>) -> Result<Option<Page<UploadInfo>>, Error> {
        self.absent()
    }

    async fn abort_upload(&self, _: &UploadInfo) -> Result<(), Error> {
        self.absent()
    }

    async fn date(&self) -> Result<SystemTime, Error> {
        self.absent()
    }
}
