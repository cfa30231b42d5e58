//! Versioned buckets.

use std::time::SystemTime;

use aws_sdk_s3::primitives::DateTime;

use super::failure::status;
use super::{S3Store, system_time};
use crate::{Error, ObjectName, ObjectReader, ObjectStore as _, Operation, Page, VersionInfo};

impl S3Store {
    /// A bucket that was never versioned has one version, `null`, of every object. Servers that do not know the call,
    /// and policies that forbid it, tell nothing.
    pub(super) async fn history_page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<Option<Page<VersionInfo>>, Error> {
        let request = self.client.get().list_object_versions().bucket(&self.bucket);
        let mut request = request.prefix(format!("{}{prefix}", self.prefix));
        if let Some((version, key)) = cursor.and_then(|cursor| cursor.split_once('\n')) {
            let version = Some(version.to_owned()).filter(|version| !version.is_empty());
            request = request.key_marker(key).set_version_id_marker(version);
        }
        let page = match request.send().await {
            Ok(page) => page,
            Err(error) => {
                let untold = matches!(status(&error), Some(403 | 405 | 501));
                let error = self.error(Operation::List, prefix, error);
                // Also a wrong clock and expired credentials are a 403, and say nothing of the history.
                if untold && matches!(error, Error::Denied { .. } | Error::Failed { .. }) {
                    tracing::warn!(store = %self.url, "the store does not tell the history of its objects");
                    return Ok(None);
                }
                return Err(error);
            }
        };
        let versions = page.versions().iter().filter_map(|version| {
            let len = version.size().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
            self.version(version.key()?, version.version_id()?, version.last_modified(), Some(len))
        });
        let markers = page.delete_markers().iter().filter_map(|marker| {
            self.version(marker.key()?, marker.version_id()?, marker.last_modified(), None)
        });
        let infos = versions.chain(markers).collect();
        if page.is_truncated() != Some(true) {
            return Ok(Some(Page { infos, next: None }));
        }
        let key = page.next_key_marker().unwrap_or("");
        let next = format!("{}\n{key}", page.next_version_id_marker().unwrap_or(""));
        if key.is_empty() || cursor == Some(&next) {
            let problem = "the store does not say where the next page of its history begins";
            return Err(Error::failed(&self.url, Operation::List, prefix, problem));
        }
        Ok(Some(Page { infos, next: Some(next) }))
    }

    pub(super) async fn read_version(&self, name: &ObjectName, version: &str) -> Result<ObjectReader, Error> {
        let request = self.client.get().get_object().bucket(&self.bucket).key(self.key(name));
        let output = request.version_id(version).send().await.map_err(|error| match status(&error) {
            Some(404) => self.not_found(name),
            _ => self.error(Operation::Get, name, error),
        })?;
        Ok(ObjectReader {
            name: name.clone(),
            store: self.url(),
            len: output.content_length().and_then(|len| u64::try_from(len).ok()).unwrap_or(0),
            etag: output.e_tag().map(str::to_owned),
            body: self.body(name, output.body),
        })
    }

    pub(super) async fn remove_version(&self, name: &ObjectName, version: &str) -> Result<(), Error> {
        let request = self.client.get().delete_object().bucket(&self.bucket).key(self.key(name));
        match request.version_id(version).send().await {
            Err(error) if status(&error) != Some(404) => Err(self.error(Operation::Delete, name, error)),
            _ => Ok(()),
        }
    }

    fn version(
        &self,
        key: &str,
        version: &str,
        modified: Option<&DateTime>,
        len: Option<u64>,
    ) -> Option<VersionInfo> {
        let name = ObjectName::new(key.strip_prefix(&self.prefix)?).ok()?;
        Some(VersionInfo {
            name,
            version: version.to_owned(),
            is_delete_marker: len.is_none(),
            len: len.unwrap_or(0),
            modified: modified.map_or(SystemTime::UNIX_EPOCH, system_time),
        })
    }
}
