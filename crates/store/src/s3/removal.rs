//! What a pruner asks of a bucket: many deletions by one request, uploads that nobody finished, and the store's clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::failure::status;
use super::{S3Store, system_time};
use crate::object_store::{Doomed, NotDeleted, ObjectStore as _, Page, UploadInfo};
use crate::{Error, ObjectName, Operation};

impl S3Store {
    /// Stores refuse the call in more than one way: some do not know it, others want a header that the SDK no longer
    /// sends (`MissingContentMD5`).
    pub(super) async fn remove_batch(&self, doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        let what = || doomed.first().map_or_else(String::new, |first| format!("{} and others", first.name));
        let mut delete = Delete::builder().quiet(true);
        for doomed in doomed {
            let object = ObjectIdentifier::builder().key(self.key(&doomed.name));
            let object = object.set_version_id(doomed.version.clone()).build();
            delete = delete
                .objects(object.map_err(|cause| Error::failed(&self.url, Operation::Delete, what(), cause))?);
        }
        let delete =
            delete.build().map_err(|cause| Error::failed(&self.url, Operation::Delete, what(), cause))?;
        let sent = self.client.get().delete_objects().bucket(&self.bucket).delete(delete).send().await;
        let output = match sent {
            Ok(output) => output,
            Err(error) => {
                let unknown = matches!(status(&error), Some(400 | 405 | 411 | 501));
                return match self.error(Operation::Delete, what(), error) {
                    Error::Failed { retryable: false, .. } if unknown => Ok(None),
                    error => Err(error),
                };
            }
        };
        let mut left = Vec::new();
        for error in output.errors() {
            let name = error.key().and_then(|key| ObjectName::new(key.strip_prefix(&self.prefix)?).ok());
            let code = error.code().unwrap_or("no code");
            let Some(name) = name else {
                let problem = format!("the store did not delete something that it was not asked for: {code}");
                return Err(Error::failed(&self.url, Operation::Delete, what(), problem));
            };
            let version = error.version_id().filter(|version| !version.is_empty()).map(str::to_owned);
            if !matches!(code, "NoSuchKey" | "NoSuchVersion") {
                let problem = format!("{code}: {}", error.message().unwrap_or("no message"));
                left.push(NotDeleted { doomed: Doomed { name, version }, problem });
            }
        }
        Ok(Some(left))
    }

    /// The cursor is the last upload's id and key.
    pub(super) async fn unfinished_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<UploadInfo>>, Error> {
        let request = self.client.get().list_multipart_uploads().bucket(&self.bucket);
        let mut request = request.prefix(format!("{}{prefix}", self.prefix));
        if let Some((id, key)) = cursor.and_then(|cursor| cursor.split_once('\n')) {
            request = request.key_marker(key).upload_id_marker(id);
        }
        let page = match request.send().await {
            Ok(page) => page,
            Err(error) => {
                let unknown = matches!(status(&error), Some(405 | 501));
                return match self.error(Operation::List, prefix, error) {
                    Error::Failed { .. } if unknown => Ok(None),
                    error => Err(error),
                };
            }
        };
        let uploads = page.uploads().iter().filter_map(|upload| {
            let name = ObjectName::new(upload.key()?.strip_prefix(&self.prefix)?).ok()?;
            let begun = upload.initiated().map_or(SystemTime::UNIX_EPOCH, system_time);
            Some(UploadInfo { name, id: upload.upload_id()?.to_owned(), begun })
        });
        let infos = uploads.collect();
        if page.is_truncated() != Some(true) {
            return Ok(Some(Page { infos, next: None }));
        }
        let key = page.next_key_marker().unwrap_or("");
        let next = format!("{}\n{key}", page.next_upload_id_marker().unwrap_or(""));
        if key.is_empty() || cursor == Some(&next) {
            let problem = "the store does not say where the next page of its uploads begins";
            return Err(Error::failed(&self.url, Operation::List, prefix, problem));
        }
        Ok(Some(Page { infos, next: Some(next) }))
    }

    pub(super) async fn abort(&self, upload: &UploadInfo) -> Result<(), Error> {
        let request = self.client.get().abort_multipart_upload().bucket(&self.bucket);
        match request.key(self.key(&upload.name)).upload_id(&upload.id).send().await {
            Err(error) if status(&error) != Some(404) => {
                Err(self.error(Operation::Delete, &upload.name, error))
            }
            _ => Ok(()),
        }
    }

    /// The header `Date` of an answer (RFC 9110, section 6.6.1).
    pub(super) async fn time(&self) -> Result<SystemTime, Error> {
        let date = DateHeader::default();
        let request = self.client.get().head_bucket().bucket(&self.bucket);
        request
            .customize()
            .interceptor(date.clone())
            .send()
            .await
            .map_err(|error| self.error(Operation::Look, &self.bucket, error))?;
        date.read().ok_or_else(|| {
            Error::failed(&self.url(), Operation::Look, &self.bucket, "its answers carry no date")
        })
    }
}

/// Notes the header of an answer.
#[derive(Clone, Debug, Default)]
struct DateHeader(Arc<Mutex<Option<String>>>);

impl DateHeader {
    fn read(&self) -> Option<SystemTime> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        SystemTime::try_from(DateTime::from_str(&text, DateTimeFormat::HttpDate).ok()?).ok()
    }
}

impl Intercept for DateHeader {
    fn name(&self) -> &'static str {
        "DateHeader"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let header = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = header;
        Ok(())
    }
}
