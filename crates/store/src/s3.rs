//! Amazon S3 and everything that speaks its protocol.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_smithy_http_client::tls;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use crate::object_store::{ObjectInfo, ObjectReader, ObjectStore, VersionInfo};
use crate::{Error, ObjectName, Operation};

/// How to reach S3. What is not set comes from the SDK's own chain: environment, profile, instance metadata.
#[derive(Clone, Default)]
pub struct S3Settings {
    pub region: Option<String>,
    /// For servers other than Amazon's: `https://fsn1.your-objectstorage.com`. Plain `http` only for this machine.
    pub endpoint: Option<String>,
    /// `https://host/bucket` instead of `https://bucket.host`.
    pub path_style: bool,
    pub checksums: Checksums,
    /// Access key and secret key, instead of those of the chain. Meant for tests: production uses the chain.
    pub credentials: Option<(String, String)>,
}

/// `Debug` shows no credentials.
impl std::fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3Settings({:?}, {:?})", self.region, self.endpoint)
    }
}

/// When the SDK adds its own checksums to requests and checks those of answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Checksums {
    #[default]
    WhenSupported,
    /// For servers that do not know the newer checksums.
    WhenRequired,
}

#[derive(Clone, Debug)]
pub struct S3Store {
    client: Client,
    bucket: String,
    /// Empty, or ending in a slash.
    prefix: String,
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
        if let Some(endpoint) = &settings.endpoint {
            check_endpoint(endpoint)?;
        }
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint) = &settings.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some((key, secret)) = &settings.credentials {
            loader = loader.credentials_provider(Credentials::new(key, secret, None, None, "settings"));
        }
        let shared = loader.load().await;
        // An endpoint may also come from AWS_ENDPOINT_URL or a profile: the same rule holds for it.
        if let Some(endpoint) = shared.endpoint_url() {
            check_endpoint(endpoint)?;
        }
        let (request, response) = match settings.checksums {
            Checksums::WhenSupported => {
                (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported)
            }
            Checksums::WhenRequired => {
                (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired)
            }
        };
        let config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(settings.path_style)
            .request_checksum_calculation(request)
            .response_checksum_validation(response)
            .build();
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { client: Client::from_conf(config), bucket: bucket.to_owned(), prefix, url: url.into() })
    }

    fn key(&self, name: &ObjectName) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn get_part(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
        etag: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        // HTTP ranges name the last byte, and an empty one cannot be written.
        if range.as_ref().is_some_and(|range| range.start >= range.end) {
            let info = self.head(name).await?.ok_or_else(|| self.not_found(name))?;
            let body = stream::empty().boxed();
            return Ok(ObjectReader { name: name.clone(), store: self.url(), len: 0, etag: info.etag, body });
        }
        let request = self.client.get_object().bucket(&self.bucket).key(self.key(name));
        let request =
            request.set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end - 1)));
        let request = request.set_if_match(etag.map(str::to_owned));
        let output = request.send().await.map_err(|error| match status(&error) {
            Some(404) => self.not_found(name),
            Some(412) => Error::Changed { store: self.url(), name: name.clone() },
            _ => self.error(Operation::Get, name, error),
        })?;
        let found = output.e_tag().map(str::to_owned);
        // Some servers ignore If-Match on GET, so the answer's own ETag decides.
        if etag.is_some() && found.as_deref() != etag {
            return Err(Error::Changed { store: self.url(), name: name.clone() });
        }
        let len = output.content_length().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
        Ok(ObjectReader {
            name: name.clone(),
            store: self.url(),
            len,
            etag: found,
            body: self.body(name, output.body),
        })
    }

    fn body(&self, name: &ObjectName, body: ByteStream) -> BoxStream<'static, Result<Bytes, Error>> {
        let (store, name) = (self.url.clone(), name.clone());
        stream::unfold(Some(body), move |body| {
            let (store, name) = (store.clone(), name.clone());
            async move {
                let mut body = body?;
                match body.next().await? {
                    Ok(piece) => Some((Ok(piece), Some(body))),
                    Err(cause) => {
                        let error = Error::Failed {
                            store: store.to_string(),
                            operation: Operation::Get,
                            name: name.to_string(),
                            retryable: true,
                            cause: cause.into(),
                        };
                        Some((Err(error), None))
                    }
                }
            }
        })
        .boxed()
    }

    fn not_found(&self, name: &ObjectName) -> Error {
        Error::NotFound { store: self.url(), name: name.clone() }
    }

    fn error<E>(&self, operation: Operation, name: impl ToString, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let name = name.to_string();
        let (status, store) = (status(&error), self.url());
        let connecting = matches!(error, SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_));
        let retryable = match status {
            None => !matches!(error, SdkError::ConstructionFailure(_)),
            Some(status) => status >= 500 || status == 429 || status == 408,
        };
        let cause = describe(error);
        match status {
            Some(401 | 403) => Error::Denied { store, operation, name, cause },
            _ => {
                let operation = if connecting { Operation::Connect } else { operation };
                Error::Failed { store, operation, name, retryable, cause }
            }
        }
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    fn url(&self) -> String {
        self.url.to_string()
    }

    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        let request =
            self.client.put_object().bucket(&self.bucket).key(self.key(name)).body(ByteStream::from(body));
        request.send().await.map_err(|error| self.error(Operation::Put, name, error))?;
        Ok(())
    }

    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        let request = self.client.put_object().bucket(&self.bucket).key(self.key(name)).if_none_match("*");
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
        match self.client.head_object().bucket(&self.bucket).key(self.key(name)).send().await {
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

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        let request =
            self.client.list_objects_v2().bucket(&self.bucket).prefix(format!("{}{prefix}", self.prefix));
        let pages = request.into_paginator().send();
        let (store, prefix) = (self.clone(), prefix.to_owned());
        let pages = stream::unfold(Some(pages), move |pages| {
            let (store, prefix) = (store.clone(), prefix.clone());
            async move {
                let mut pages = pages?;
                match pages.next().await? {
                    Ok(page) => {
                        let infos: Vec<_> = page
                            .contents()
                            .iter()
                            .filter_map(|object| store.listed(object))
                            .map(Ok)
                            .collect();
                        Some((infos, Some(pages)))
                    }
                    Err(error) => Some((vec![Err(store.error(Operation::List, &prefix, error))], None)),
                }
            }
        });
        Ok(pages.flat_map(stream::iter).boxed())
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Error> {
        match self.client.delete_object().bucket(&self.bucket).key(self.key(name)).send().await {
            Err(error) if status(&error) != Some(404) => Err(self.error(Operation::Delete, name, error)),
            _ => Ok(()),
        }
    }

    /// A bucket that was never versioned has one version, `null`, of every object. Servers that do not know the call,
    /// and policies that forbid it, tell nothing.
    async fn versions(&self, prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        let (mut key_marker, mut version_marker) = (None, None);
        let mut found = Vec::new();
        loop {
            let request = self.client.list_object_versions().bucket(&self.bucket);
            let request = request.prefix(format!("{}{prefix}", self.prefix));
            let request = request.set_key_marker(key_marker).set_version_id_marker(version_marker);
            let page = match request.send().await {
                Ok(page) => page,
                Err(error) if matches!(status(&error), Some(403 | 405 | 501)) => {
                    tracing::warn!(store = %self.url, "the store does not tell the history of its objects");
                    return Ok(None);
                }
                Err(error) => return Err(self.error(Operation::List, prefix, error)),
            };
            found.extend(page.versions().iter().filter_map(|version| {
                let len = version.size().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
                self.version(version.key()?, version.version_id()?, version.last_modified(), Some(len))
            }));
            found.extend(page.delete_markers().iter().filter_map(|marker| {
                self.version(marker.key()?, marker.version_id()?, marker.last_modified(), None)
            }));
            if page.is_truncated() != Some(true) {
                break;
            }
            key_marker = page.next_key_marker().map(str::to_owned);
            version_marker = page.next_version_id_marker().map(str::to_owned);
        }
        // Each of the two lists is in this order already, and the sort keeps it.
        found.sort_by(|one: &VersionInfo, other| {
            one.name.as_str().cmp(other.name.as_str()).then_with(|| other.modified.cmp(&one.modified))
        });
        Ok(Some(found))
    }

    async fn get_version(&self, name: &ObjectName, version: &str) -> Result<ObjectReader, Error> {
        let request = self.client.get_object().bucket(&self.bucket).key(self.key(name)).version_id(version);
        let output = request.send().await.map_err(|error| match status(&error) {
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

    async fn delete_version(&self, name: &ObjectName, version: &str) -> Result<(), Error> {
        let request =
            self.client.delete_object().bucket(&self.bucket).key(self.key(name)).version_id(version);
        match request.send().await {
            Err(error) if status(&error) != Some(404) => Err(self.error(Operation::Delete, name, error)),
            _ => Ok(()),
        }
    }
}

impl S3Store {
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

/// Data leaves this machine over TLS only.
fn check_endpoint(endpoint: &str) -> Result<(), Error> {
    let invalid =
        |problem: &str| Err(Error::InvalidUrl { url: endpoint.to_owned(), problem: problem.to_owned() });
    if endpoint.starts_with("https://") {
        return Ok(());
    }
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return invalid("an endpoint begins with https://");
    };
    let authority = rest.split('/').next().unwrap_or("");
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        Ok(())
    } else {
        invalid("plain http is allowed to this machine only")
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// The service's code and message, or the chain of causes; never the request.
fn describe<E>(error: SdkError<E>) -> Box<dyn std::error::Error + Send + Sync>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = status(&error);
    match (error.code(), error.message(), status) {
        (Some(code), message, _) => format!("{code}: {}", message.unwrap_or("no message")).into(),
        (None, _, Some(status)) => format!("HTTP status {status}").into(),
        (None, _, None) => match error.into_source() {
            Ok(source) => source,
            Err(error) => error.to_string().into(),
        },
    }
}

fn system_time(at: &DateTime) -> SystemTime {
    SystemTime::try_from(*at).unwrap_or(SystemTime::UNIX_EPOCH)
}
