use aws_sdk_s3::config::SharedHttpClient;

use crate::{Address, Error};

/// How to reach S3. What is not set comes from the SDK's own chain: environment, profile, instance metadata.
#[derive(Clone, Default)]
pub struct S3Settings {
    pub region: Option<String>,
    /// For servers other than Amazon's: `https://fsn1.your-objectstorage.com`. Plain `http` only for this machine.
    pub endpoint: Option<String>,
    /// `https://host/bucket` instead of `https://bucket.host`.
    pub path_style: bool,
    pub checksums: Checksums,
    pub encryption: StoreEncryption,
    /// The profile of the AWS configuration files whose credentials are used, whatever the environment holds: for a second store
    /// of another provider, which has other ones.
    pub profile: Option<String>,
    /// Access key and secret key, instead of those of the chain. Meant for tests: production uses the chain.
    pub credentials: Option<(String, String)>,
    /// Instead of the one that speaks TLS with the system's roots. Meant for tests, which pretend to be other hosts.
    pub http: Option<SharedHttpClient>,
}

/// `Debug` shows no credentials.
impl std::fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3Settings({:?}, {:?})", self.region, self.endpoint)
    }
}

/// What the store is asked to encrypt objects with, besides Lethe's own encryption.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum StoreEncryption {
    /// Nothing is asked: the bucket's default.
    #[default]
    ByBucket,
    /// SSE-S3: a key that the store keeps.
    Aes256,
    /// SSE-KMS: the key with this ARN.
    Kms { key: String },
}

/// When the SDK adds its own checksums to requests and checks those of answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Checksums {
    /// As the server needs it: `WhenRequired` for Hetzner's, which refuses the newer ones, else `WhenSupported`.
    #[default]
    ByEndpoint,
    WhenSupported,
    /// For servers that do not know the newer checksums.
    WhenRequired,
}

impl Checksums {
    pub(super) fn at(self, address: &Address) -> Self {
        match (self, address) {
            (Self::ByEndpoint, Address::S3 { host, .. }) if host.ends_with(".your-objectstorage.com") => {
                Self::WhenRequired
            }
            (Self::ByEndpoint, _) => Self::WhenSupported,
            (chosen, _) => chosen,
        }
    }
}

/// Data leaves this machine over TLS only.
pub(super) fn check_endpoint(endpoint: &str) -> Result<(), Error> {
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
