use std::path::PathBuf;
use std::sync::Arc;

use crate::{DirectoryStore, Error, ObjectStore, ResilientStore, RetryPolicy, S3Settings, S3Store};

/// Where a store is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreUrl {
    /// `s3://bucket/prefix`; the prefix may be empty and never ends in a slash.
    S3 { bucket: String, prefix: String },
    /// `file:///absolute/directory`.
    Directory(PathBuf),
}

impl StoreUrl {
    /// # Errors
    /// [`Error::InvalidUrl`] with what is wrong.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let invalid = |problem: &str| Error::InvalidUrl { url: url.to_owned(), problem: problem.to_owned() };
        if let Some(path) = url.strip_prefix("file://") {
            if !path.starts_with('/') || path.len() < 2 {
                return Err(invalid("a directory needs an absolute path after file://"));
            }
            if path.contains('%') || path.contains('?') {
                return Err(invalid("the path is taken as it stands; it may not hold % or ?"));
            }
            return Ok(Self::Directory(PathBuf::from(path)));
        }
        let Some(rest) = url.strip_prefix("s3://") else {
            return Err(invalid("it begins with neither s3:// nor file://"));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(allowed) {
            return Err(invalid("a bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots"));
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && crate::ObjectName::new(prefix).is_err() {
            return Err(invalid("the prefix is not a valid name"));
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// Opens the store at a URL. `s3` is used for `s3://` alone, which is retried as [`RetryPolicy::default`] says.
///
/// # Errors
/// [`Error::InvalidUrl`], or if the store cannot be reached.
pub async fn open(url: &str, s3: &S3Settings) -> Result<Arc<dyn ObjectStore>, Error> {
    open_with(url, s3, RetryPolicy::default()).await
}

/// As [`open`], with a policy of the caller's. A directory is never retried: its errors are the disk's.
///
/// # Errors
/// As [`open`].
pub async fn open_with(
    url: &str,
    s3: &S3Settings,
    policy: RetryPolicy,
) -> Result<Arc<dyn ObjectStore>, Error> {
    Ok(match StoreUrl::parse(url)? {
        StoreUrl::Directory(path) => Arc::new(DirectoryStore::open(path)?),
        StoreUrl::S3 { bucket, prefix } => {
            let store = Arc::new(S3Store::connect(&bucket, &prefix, s3).await?);
            Arc::new(ResilientStore::new(store, policy))
        }
    })
}
