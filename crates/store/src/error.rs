//! What can go wrong in a store. Every variant names the object and the operation; none holds content or a secret.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::ObjectName;

type Cause = Box<dyn StdError + Send + Sync>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{name} is not in {store}")]
    NotFound { store: String, name: ObjectName },
    #[error("{name} is already in {store}")]
    AlreadyExists { store: String, name: ObjectName },
    #[error("another writer is at {name} in {store}")]
    Conflict { store: String, name: ObjectName },
    #[error("{name} in {store} is no longer the object that was being read")]
    Changed { store: String, name: ObjectName },
    #[error("{name} in {store}: {read} bytes arrived where {expected} were announced")]
    WrongLength { store: String, name: ObjectName, expected: u64, read: u64 },
    #[error("{name} in {store} has {len} bytes, more than the {limit} that are allowed here")]
    TooLarge { store: String, name: ObjectName, len: u64, limit: u64 },
    #[error("{operation} {name} in {store}: access denied")]
    Denied {
        store: String,
        operation: Operation,
        name: String,
        #[source]
        cause: Cause,
    },
    #[error("{operation} {name} in {store}")]
    Failed {
        store: String,
        operation: Operation,
        name: String,
        /// Whether the same request may succeed later.
        retryable: bool,
        #[source]
        cause: Cause,
    },
    #[error("{operation} {name} in {store}: the store asks for fewer requests")]
    Throttled {
        store: String,
        operation: Operation,
        name: String,
        #[source]
        cause: Cause,
    },
    #[error("{operation} {name} in {store}: the credentials have expired")]
    ExpiredCredentials {
        store: String,
        operation: Operation,
        name: String,
        #[source]
        cause: Cause,
    },
    /// No request was sent: there is nothing to sign one with, however often it is tried.
    #[error("{operation} {name} in {store}: there are no credentials")]
    NoCredentials {
        store: String,
        operation: Operation,
        name: String,
        #[source]
        cause: Cause,
    },
    #[error("{operation} {name} in {store}: the clocks of this machine and of the store differ too much")]
    ClockSkew {
        store: String,
        operation: Operation,
        name: String,
        #[source]
        cause: Cause,
    },
    #[error("{operation} {name} in {store}: the bucket is somewhere else")]
    WrongRegion {
        store: String,
        operation: Operation,
        name: String,
        #[source]
        cause: Cause,
    },
    #[error("{operation} {name} in {store}: nothing came for {waited:?}")]
    Stalled { store: String, operation: Operation, name: String, waited: Duration },
    /// Every byte came, and together they are not what the store vouches for.
    #[error("{name} in {store}: its {len} bytes were changed on their way")]
    Corrupt {
        store: String,
        name: ObjectName,
        len: u64,
        #[source]
        cause: Box<Error>,
    },
    /// Retrying did not help; `cause` is what went wrong last.
    #[error("{operation} {name} in {store}: given up after {attempts} attempts in {} s", tried.as_secs())]
    GaveUp {
        store: String,
        operation: Operation,
        name: String,
        attempts: u32,
        /// From the first attempt to the end of the last.
        tried: Duration,
        #[source]
        cause: Box<Error>,
    },
    /// A put-if-absent whose earlier attempt may have been carried out found an object: its own or another writer's.
    #[error("{name} is in {store}, but whether this writer put it there is unknown")]
    OutcomeUnknown {
        store: String,
        name: ObjectName,
        #[source]
        cause: Box<Error>,
    },
    #[error("{store} lets more than one writer create the same object: {finding}")]
    NoPutIfAbsent { store: String, finding: String },
    /// The data may not be there.
    #[error("{store} may not be used: {problem}")]
    Residency { store: String, problem: String, hint: String },
    /// Its settings would break a promise.
    #[error("{store} cannot be used: {problem}")]
    Unfit { store: String, problem: String, hint: String },
    #[error("{store}: there is no bucket {bucket}")]
    NoBucket { store: String, bucket: String },
    #[error("{name:?} cannot be an object's name: {problem}")]
    InvalidName { name: String, problem: &'static str },
    #[error("{url:?} is not a store: {problem}")]
    InvalidUrl { url: String, problem: String },
}

impl Error {
    /// True if the same request may succeed when it is sent again; everything else is permanent.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Conflict { .. }
            | Self::WrongLength { .. }
            | Self::Throttled { .. }
            | Self::ExpiredCredentials { .. }
            | Self::Stalled { .. }
            | Self::Corrupt { .. } => true,
            Self::Failed { retryable, .. } => *retryable,
            _ => false,
        }
    }

    /// What the person in front of the screen can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Denied { operation: Operation::Seal | Operation::Unseal, .. } => {
                "check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID …) and the policy of the key: it opens a secret only with the encryption context that it was sealed with"
                    .to_owned()
            }
            Self::Denied { .. } => {
                "check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID …) and the policy of the bucket"
                    .to_owned()
            }
            Self::NoCredentials { .. } => {
                "name them as for every AWS program: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a second store has a profile of its own"
                    .to_owned()
            }
            Self::ExpiredCredentials { .. } => {
                "sign in again; credentials that renew themselves (a role, an SSO profile) last".to_owned()
            }
            Self::ClockSkew { .. } => "set this machine's clock, best by NTP".to_owned(),
            Self::WrongRegion { .. } => {
                "name the bucket's own region and endpoint (LETHE_S3_REGION, LETHE_S3_ENDPOINT)".to_owned()
            }
            Self::GaveUp { cause, .. } => cause.hint().unwrap_or_else(|| {
                "the store did not recover in time; run this again when it has".to_owned()
            }),
            Self::NoPutIfAbsent { .. } => {
                "the ledger cannot live here: on Ceph and Hetzner use a bucket that was never \
                 versioned (ledger_url in lethe.toml names one for the ledger alone); some servers \
                 ignore If-None-Match altogether"
                    .to_owned()
            }
            Self::Residency { hint, .. } | Self::Unfit { hint, .. } => hint.clone(),
            Self::NoBucket { .. } => {
                "create it, or check its name, the endpoint and the region under [s3] in lethe.toml"
                    .to_owned()
            }
            Self::InvalidUrl { .. } => "a store is s3://bucket/prefix or file:///directory".to_owned(),
            Self::Failed { operation: Operation::Connect, .. } => {
                "check the endpoint, the region and the network".to_owned()
            }
            _ => return None,
        })
    }

    pub(crate) fn failed(
        store: &str,
        operation: Operation,
        name: impl ToString,
        cause: impl Into<Cause>,
    ) -> Self {
        Self::Failed {
            store: store.to_owned(),
            operation,
            name: name.to_string(),
            retryable: false,
            cause: cause.into(),
        }
    }
}

/// What was being done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Connect,
    Put,
    Get,
    Head,
    List,
    Delete,
    Look,
    Seal,
    Unseal,
}

impl Operation {
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Put,
        Self::Get,
        Self::Head,
        Self::List,
        Self::Delete,
        Self::Look,
        Self::Seal,
        Self::Unseal,
    ];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect to",
            Self::Put => "put",
            Self::Get => "get",
            Self::Head => "look for",
            Self::List => "list",
            Self::Delete => "delete",
            Self::Look => "look at",
            Self::Seal => "seal",
            Self::Unseal => "unseal",
        })
    }
}
