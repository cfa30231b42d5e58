//! Amazon S3 and everything that speaks its protocol. Each call is one request: what fails is not sent again here.

pub(crate) mod client;
pub(crate) mod endpoint;
mod facts;
pub(crate) mod failure;
mod history;
mod read;
mod removal;
mod settings;
mod ways_out;

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::object_store::{
    Doomed, NotDeleted, ObjectInfo, ObjectReader, ObjectStore, Page, UploadInfo, VersionInfo,
};
use crate::{Address, BucketFacts, Error, ObjectName, Operation, WaysOut, pages};
use client::Renewable;
use failure::status;
pub use settings::{Checksums, S3Settings, StoreEncryption};

#[derive(Clone, Debug)]
pub struct S3Store {
    client: Renewable,
    address: Address,
    bucket: String,
    /// Empty, or ending in a slash.
    prefix: String,
    encryption: StoreEncryption,
    url: Arc<str>,
}

impl S3Store {
    /// Prepares a client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] for an endpoint that would send data in the clear.
    pub async fn connect(bucket: &str, prefix: &str, settings: &S3Settings) -> Result<Self, Error> {
        let url =
            if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") };
        let (client, address) = Renewable::connect(&url, bucket, settings).await?;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let encryption = settings.encryption.clone();
        Ok(Self { client, address, bucket: bucket.to_owned(), prefix, encryption, url: url.into() })
    }

    fn key(&self, name: &ObjectName) -> String {
        format!("{}{name}", self.prefix)
    }

    fn put_request(&self, name: &ObjectName) -> PutObjectFluentBuilder {
        let request = self.client.get().put_object().bucket(&self.bucket).key(self.key(name));
        match &self.encryption {
            StoreEncryption::ByBucket => request,
            StoreEncryption::Aes256 => request.server_side_encryption(ServerSideEncryption::Aes256),
            StoreEncryption::Kms { key } => {
                request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key)
            }
        }
    }

    fn not_found(&self, name: &ObjectName) -> Error {
        Error::NotFound { store: self.url(), name: name.clone() }
    }

    /// What a failed request means. If it is that the credentials have expired, the next request gets new ones.
    fn error<E>(&self, operation: Operation, name: impl ToString, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let error = failure::error(self.url(), operation, name.to_string(), error);
        if matches!(error, Error::ExpiredCredentials { .. }) {
            self.client.renew();
        }
        error
    }

    /// A listed object; one whose name Lethe could not have written is somebody else's and is passed over.
    fn listed(&self, object: &aws_sdk_s3::types::Object) -> Option<ObjectInfo> {
        let name = ObjectName::new(object.key()?.strip_prefix(&self.prefix)?).ok()?;
        Some(ObjectInfo {
            name,
            len: object.size().and_then(|len| u64::try_from(len).ok()).unwrap_or(0),
            modified: object.last_modified().map_or(SystemTime::UNIX_EPOCH, system_time),
            etag: object.e_tag().map(str::to_owned),
        })
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn url(&self) -> String {
        self.url.to_string()
    }

    fn address(&self) -> Address {
        self.address.clone()
    }

    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error> {
        self.facts().await.map(Some)
    }

    async fn ways_out(&self) -> Result<Option<WaysOut>, Error> {
        self.all_ways_out().await.map(Some)
    }

    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        self.put_request(name).body(ByteStream::from(body)).send().await.map_err(|error| {
            match status(&error) {
                Some(409) => Error::Conflict { store: self.url(), name: name.clone() },
                _ => self.error(Operation::Put, name, error),
            }
        })?;
        Ok(())
    }

    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        let request = self.put_request(name).if_none_match("*");
        request.body(ByteStream::from(body)).send().await.map_err(|error| match status(&error) {
            Some(412) => Error::AlreadyExists { store: self.url(), name: name.clone() },
            Some(409) => Error::Conflict { store: self.url(), name: name.clone() },
            _ => self.error(Operation::Put, name, error),
        })?;
        Ok(())
    }

    async fn get(&self, name: &ObjectName) -> Result<ObjectReader, Error> {
        self.get_part(name, None, None).await
    }

    async fn get_range(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        self.get_part(name, Some(range), etag).await
    }

    async fn head(&self, name: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        match self.client.get().head_object().bucket(&self.bucket).key(self.key(name)).send().await {
            Ok(output) => Ok(Some(ObjectInfo {
                name: name.clone(),
                len: output.content_length().and_then(|len| u64::try_from(len).ok()).unwrap_or(0),
                modified: output.last_modified().map_or(SystemTime::UNIX_EPOCH, system_time),
                etag: output.e_tag().map(str::to_owned),
            })),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(self.error(Operation::Head, name, error)),
        }
    }

    async fn list_page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let request = self.client.get().list_objects_v2().bucket(&self.bucket);
        let request = request.prefix(format!("{}{prefix}", self.prefix));
        let page = request.set_continuation_token(cursor.map(str::to_owned)).send().await;
        let page = page.map_err(|error| self.error(Operation::List, prefix, error))?;
        let infos = page.contents().iter().filter_map(|object| self.listed(object)).collect();
        let next = page.next_continuation_token().filter(|token| !token.is_empty());
        if next.is_some() && next == cursor {
            let problem = "the store answers every page with the same continuation token";
            return Err(Error::failed(&self.url, Operation::List, prefix, problem));
        }
        Ok(Page { infos, next: next.map(str::to_owned) })
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        Ok(pages::all(self.clone(), prefix))
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Error> {
        match self.client.get().delete_object().bucket(&self.bucket).key(self.key(name)).send().await {
            Err(error) if status(&error) != Some(404) => Err(self.error(Operation::Delete, name, error)),
            _ => Ok(()),
        }
    }

    async fn versions_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<VersionInfo>>, Error> {
        self.history_page(prefix, cursor).await
    }

    async fn versions(&self, prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        pages::history(self, prefix).await
    }

    async fn get_version(&self, name: &ObjectName, version: &str) -> Result<ObjectReader, Error> {
        self.read_version(name, version).await
    }

    async fn delete_version(&self, name: &ObjectName, version: &str) -> Result<(), Error> {
        self.remove_version(name, version).await
    }

    async fn delete_batch(&self, doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        self.remove_batch(doomed).await
    }

    async fn uploads_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<UploadInfo>>, Error> {
        self.unfinished_page(prefix, cursor).await
    }

    async fn abort_upload(&self, upload: &UploadInfo) -> Result<(), Error> {
        self.abort(upload).await
    }

    async fn date(&self) -> Result<SystemTime, Error> {
        self.time().await
    }
}

fn system_time(at: &DateTime) -> SystemTime {
    SystemTime::try_from(*at).unwrap_or(SystemTime::UNIX_EPOCH)
}
