use std::fmt;
use std::ops::Range;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use crate::{Address, BucketFacts, Error, ObjectName, WaysOut};

/// A place for objects.
///
/// The contract, which the conformance suite checks on every implementation:
///
/// - An object is seen whole or not at all. A put that fails, or whose process dies, leaves no part of an object under
///   its name; a reader sees the old content or the new one.
/// - When a put has returned, the object is durable and every later get, head and list sees it.
/// - [`put_if_absent`](Self::put_if_absent) is atomic: of any number of racing writers exactly one succeeds. An error
///   other than [`Error::AlreadyExists`] means *unknown*: the object may have been written, so the caller must read
///   it back before deciding. [`Error::OutcomeUnknown`] says so of an object that is there.
/// - A stream of bytes may end early only with an error. [`ObjectReader::len`] is the length that the store announced.
/// - [`Error::is_retryable`] tells whether the same call may succeed later; any method may then be called again.
/// - Dropping a future abandons the call: its effect is unknown.
#[async_trait]
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// The store's URL, for messages.
    fn url(&self) -> String;

    /// Where requests go; asks nobody.
    fn address(&self) -> Address;

    /// What the store says about itself, without touching an object; none if it has nothing to say.
    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error>;

    /// Where the store sends reports of its bucket and messages about it; none if it sends nothing. A look of its own:
    /// many requests, which not every command needs.
    async fn ways_out(&self) -> Result<Option<WaysOut>, Error>;

    /// Writes an object, replacing what is there.
    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<(), Error>;

    /// Writes an object unless one of that name is there.
    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error>;

    /// Reads an object in pieces; memory does not grow with its length.
    async fn get(&self, name: &ObjectName) -> Result<ObjectReader, Error>;

    /// Reads a part of an object. With an `etag`, only if the object is still the one that had it.
    async fn get_range(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        etag: Option<&str>,
    ) -> Result<ObjectReader, Error>;

    /// What is known of an object without reading it; none if it is not there.
    async fn head(&self, name: &ObjectName) -> Result<Option<ObjectInfo>, Error>;

    /// Some of the objects whose name begins with `prefix`, in the order of the bytes of their names: the first, or
    /// those after the page that gave `cursor`.
    async fn list_page(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, Error>;

    /// All of them.
    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error>;

    /// Deletes an object; one that is not there is no error. A store that keeps history keeps what was deleted.
    async fn delete(&self, name: &ObjectName) -> Result<(), Error>;

    /// Some of the versions below a prefix: the first, or those after the page that gave `cursor`. None if the store
    /// keeps no history, or does not tell.
    async fn versions_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<VersionInfo>>, Error>;

    /// Everything that was ever written or deleted below a prefix and is still kept: in the order of the names, and for
    /// each name the newest first. None if the store keeps no history, or does not tell.
    async fn versions(&self, prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error>;

    /// Reads one version of an object.
    async fn get_version(&self, name: &ObjectName, version: &str) -> Result<ObjectReader, Error>;

    /// Removes one version, or one delete marker, for good.
    async fn delete_version(&self, name: &ObjectName, version: &str) -> Result<(), Error>;

    /// Removes at most [`BATCH`] objects or versions by one request, and gives those that the store did not remove; what
    /// is not there is no error. None if the store does not know the call: then nothing was removed.
    async fn delete_batch(&self, doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error>;

    /// Some of the uploads below a prefix that were begun and neither finished nor aborted; they are stored, and in no
    /// listing. None if the store does not know the call.
    async fn uploads_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<UploadInfo>>, Error>;

    /// Removes what there is of an unfinished upload; one that is not there is no error.
    async fn abort_upload(&self, upload: &UploadInfo) -> Result<(), Error>;

    /// The time by the store's own clock, which also dates its objects.
    async fn date(&self) -> Result<SystemTime, Error>;
}

/// The most objects that one request removes (DeleteObjects of the Amazon S3 API Reference).
pub const BATCH: usize = 1000;

/// What is to be removed: an object, or one version of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Doomed {
    pub name: ObjectName,
    pub version: Option<String>,
}

/// What the store did not remove, and what it said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotDeleted {
    pub doomed: Doomed,
    pub problem: String,
}

/// An upload in parts that nobody has finished.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UploadInfo {
    pub name: ObjectName,
    /// The store's own name for the upload.
    pub id: String,
    pub begun: SystemTime,
}

/// One version of an object, or the mark that it was deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionInfo {
    pub name: ObjectName,
    /// The store's own name for the version.
    pub version: String,
    pub is_delete_marker: bool,
    /// Bytes; 0 for a delete marker.
    pub len: u64,
    pub modified: SystemTime,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectInfo {
    pub name: ObjectName,
    /// Bytes.
    pub len: u64,
    /// The store's own date.
    pub modified: SystemTime,
    /// Changes whenever the object does; never a hash of the content to be relied upon.
    pub etag: Option<String>,
}

/// A part of a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T = ObjectInfo> {
    pub infos: Vec<T>,
    /// Where the next page begins, in the store's own words; none after the last.
    pub next: Option<String>,
}

/// An object, or a part of one, on its way.
pub struct ObjectReader {
    pub name: ObjectName,
    pub store: String,
    /// Bytes that will come.
    pub len: u64,
    pub etag: Option<String>,
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectReader({}, {} bytes)", self.name, self.len)
    }
}

impl ObjectReader {
    /// Reads the whole body, which may have at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] before reading, [`Error::WrongLength`] if fewer or more bytes come than announced.
    pub async fn read_to_bytes(mut self, limit: u64) -> Result<Bytes, Error> {
        let too_large = usize::try_from(self.len).is_err() || self.len > limit;
        if too_large {
            return Err(Error::TooLarge { store: self.store, name: self.name, len: self.len, limit });
        }
        let mut bytes = BytesMut::with_capacity(self.len as usize);
        while let Some(piece) = self.body.next().await {
            let piece = piece?;
            if bytes.len() as u64 + piece.len() as u64 > self.len {
                return Err(self.wrong_length(bytes.len() as u64 + piece.len() as u64));
            }
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() as u64 == self.len {
            Ok(bytes.freeze())
        } else {
            Err(self.wrong_length(bytes.len() as u64))
        }
    }

    fn wrong_length(self, read: u64) -> Error {
        Error::WrongLength { store: self.store, name: self.name, expected: self.len, read }
    }
}
