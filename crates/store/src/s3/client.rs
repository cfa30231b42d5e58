//! The SDK's client, as Lethe wants it: it sends each request once, and leaves retrying to [`crate::ResilientStore`].

use std::sync::{Arc, PoisonError, RwLock};

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls;

use super::endpoint::{self, Pin};
use super::settings::{Checksums, S3Settings, check_endpoint};
use crate::{Address, Error};

/// What the SDK's own chain and these settings add up to. Without `http`, the client speaks TLS with the system's roots, and
/// knows of no proxy.
pub(crate) async fn load(
    region: Option<String>,
    endpoint: Option<&str>,
    profile: Option<&str>,
    credentials: Option<&(String, String)>,
    http: Option<SharedHttpClient>,
) -> SdkConfig {
    let http = http.unwrap_or_else(|| {
        aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https()
    });
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(profile) = profile {
        // The default chain asks the environment first, which has the credentials of the first store.
        let config = ProviderConfig::without_region().with_http_client(http);
        let provider =
            ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&config).build();
        loader = loader.profile_name(profile).credentials_provider(provider);
    }
    if let Some((key, secret)) = credentials {
        loader = loader.credentials_provider(Credentials::new(key, secret, None, None, "settings"));
    }
    loader.load().await
}

/// A client whose credentials can be asked for anew.
#[derive(Clone, Debug)]
pub(super) struct Renewable(Arc<RwLock<Client>>);

impl Renewable {
    /// A client for one bucket, and where it sends its requests. It sends none yet, and knows of no proxy.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] for an endpoint that would send data in the clear; if no region or endpoint is known.
    pub(super) async fn connect(
        url: &str,
        bucket: &str,
        settings: &S3Settings,
    ) -> Result<(Self, Address), Error> {
        if let Some(endpoint) = &settings.endpoint {
            check_endpoint(endpoint)?;
        }
        let S3Settings { region, endpoint, profile, credentials, http, .. } = settings;
        let (endpoint, profile) = (endpoint.as_deref(), profile.as_deref());
        let shared = load(region.clone(), endpoint, profile, credentials.as_ref(), http.clone()).await;
        let pin = Pin::default();
        let config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(settings.path_style)
            .accelerate(false)
            .interceptor(pin.clone())
            .retry_config(RetryConfig::disabled())
            // Downloads have the idle timeout of the retry policy, which knows how to go on where one stopped.
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().download_enabled(false).build(),
            )
            .build();
        let client = Client::from_conf(config);
        let address = endpoint::resolve(&client, &pin, url, bucket).await?;
        let (request, response) = match settings.checksums.at(&address) {
            Checksums::WhenRequired => {
                (RequestChecksumCalculation::WhenRequired, ResponseChecksumValidation::WhenRequired)
            }
            _ => (RequestChecksumCalculation::WhenSupported, ResponseChecksumValidation::WhenSupported),
        };
        let config = client.config().to_builder();
        let config = config.request_checksum_calculation(request).response_checksum_validation(response);
        Ok((Self::new(config.build()), address))
    }

    fn new(config: aws_sdk_s3::Config) -> Self {
        Self(Arc::new(RwLock::new(Client::from_conf(config))))
    }

    pub(super) fn get(&self) -> Client {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the credentials: the SDK keeps them for as long as their own date says, even if the store has refused
    /// them as expired. Connections are kept.
    pub(super) fn renew(&self) {
        let config = self.get().config().to_builder().identity_cache(IdentityCache::lazy().build()).build();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Client::from_conf(config);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_credential_types::provider::{ProvideCredentials, future};

    use super::*;

    #[derive(Debug, Default)]
    struct Counting(Arc<AtomicUsize>);

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.fetch_add(1, Ordering::SeqCst);
            future::ProvideCredentials::ready(Ok(Credentials::new("key", "secret", None, None, "test")))
        }
    }

    #[tokio::test]
    async fn credentials_are_asked_for_again_only_when_renewed() {
        let asked = Arc::new(AtomicUsize::new(0));
        let config = aws_sdk_s3::config::Builder::new()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            // Nobody listens there: what matters comes before a request is sent.
            .endpoint_url("http://127.0.0.1:1")
            .retry_config(RetryConfig::disabled())
            .credentials_provider(Counting(asked.clone()))
            .build();
        let renewable = Renewable::new(config);
        for expected in [1, 1, 2] {
            if expected == 2 {
                renewable.renew();
            }
            renewable
                .get()
                .get_object()
                .bucket("bucket")
                .key("key")
                .send()
                .await
                .expect_err("nobody listens");
            assert_eq!(asked.load(Ordering::SeqCst), expected);
        }
    }
}
