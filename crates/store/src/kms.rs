//! A secret that AWS KMS keeps sealed. Source: Encrypt, Decrypt and DescribeKey of the AWS KMS API Reference.
//!
//! Where the service is that would be asked is known before anything is sent to it, and nothing is sent elsewhere.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_s3::config::{Credentials, SharedHttpClient};
use zeroize::Zeroizing;

use crate::s3::endpoint::{Origin, Pin, Question};
use crate::s3::{client, failure};
use crate::{Error, Operation, Told};

/// How to reach a key. What is not set comes from the SDK's own chain.
#[derive(Clone, Default)]
pub struct KmsSettings {
    /// Its ARN.
    pub key: String,
    /// The region in it.
    pub region: String,
    /// Access key and secret key, instead of those of the chain. Meant for tests.
    pub credentials: Option<(String, String)>,
    /// Instead of the one that speaks TLS with the system's roots. Meant for tests.
    pub http: Option<SharedHttpClient>,
}

/// `Debug` shows no credentials.
impl std::fmt::Debug for KmsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KmsSettings({})", self.key)
    }
}

/// A key of KMS, which never leaves it.
#[derive(Clone, Debug)]
pub struct KmsKey {
    client: Client,
    key: String,
    origin: Origin,
}

/// What a sealed secret belongs to: KMS opens it only for whoever says the same.
pub type Context<'a> = (&'a str, &'a str);

impl KmsKey {
    /// Prepares a client. Nothing is sent yet.
    ///
    /// # Errors
    /// If no endpoint is known.
    pub async fn connect(settings: &KmsSettings) -> Result<Self, Error> {
        let region = Some(settings.region.clone());
        let shared =
            client::load(region, None, None, settings.credentials.as_ref(), settings.http.clone()).await;
        let pin = Pin::default();
        let config = aws_sdk_kms::config::Builder::from(&shared)
            .interceptor(pin.clone())
            .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(60)).build())
            .build();
        let client = Client::from_conf(config);
        let question = Question::default();
        let nobody = Credentials::new("nobody", "nothing", None, None, "question");
        let asked = client
            .describe_key()
            .key_id(&settings.key)
            .customize()
            .config_override(aws_sdk_kms::config::Builder::new().credentials_provider(nobody))
            .interceptor(question.clone())
            .send()
            .await;
        let Some(origin) = question.answer().as_deref().and_then(Origin::parse) else {
            let cause = match asked {
                Err(error) => failure::describe(error),
                Ok(_) => "the SDK names no host".into(),
            };
            return Err(Error::failed(&settings.key, Operation::Connect, "KMS", cause));
        };
        pin.set(origin.clone());
        Ok(Self { client, key: settings.key.clone(), origin })
    }

    /// Scheme, host and port of the service that will be asked.
    #[must_use]
    pub fn address(&self) -> (&str, &str, Option<u16>) {
        (&self.origin.scheme, &self.origin.host, self.origin.port)
    }

    /// The regions that the key is in, if it is in several; none of them if it is in one alone.
    ///
    /// # Errors
    /// Failures that pass.
    pub async fn copies(&self) -> Result<Told<Vec<String>>, Error> {
        let error = match self.client.describe_key().key_id(&self.key).send().await {
            Err(error) => error,
            Ok(output) => {
                let several = output.key_metadata().and_then(|key| key.multi_region_configuration());
                let regions = several.into_iter().flat_map(|several| {
                    several.primary_key().into_iter().chain(several.replica_keys()).map(|copy| copy.region())
                });
                // A copy that does not say where it is may be anywhere.
                return Ok(Told::Yes(regions.map(|region| region.unwrap_or("").to_owned()).collect()));
            }
        };
        match failure::status(&error) {
            Some(status) if status < 500 => Ok(Told::No { status, code: error.code().map(str::to_owned) }),
            _ => Err(self.error(Operation::Look, error)),
        }
    }

    /// # Errors
    /// [`Error::Denied`], or what KMS says: it was sealed for something else, or by another key.
    pub async fn open(&self, sealed: &[u8], context: Context<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let request = self.client.decrypt().key_id(&self.key).ciphertext_blob(Blob::new(sealed));
        let output = request.encryption_context(context.0, context.1).send().await;
        let output = output.map_err(|error| self.error(Operation::Unseal, error))?;
        let plain = output.plaintext.map(Blob::into_inner).map(Zeroizing::new);
        plain.ok_or_else(|| {
            Error::failed(&self.key, Operation::Unseal, "a secret", "KMS answers with nothing")
        })
    }

    /// # Errors
    /// [`Error::Denied`], or what KMS says.
    pub async fn seal(&self, plain: &[u8], context: Context<'_>) -> Result<Vec<u8>, Error> {
        let request = self.client.encrypt().key_id(&self.key).plaintext(Blob::new(plain));
        let output = request.encryption_context(context.0, context.1).send().await;
        let output = output.map_err(|error| self.error(Operation::Seal, error))?;
        let sealed = output.ciphertext_blob.map(Blob::into_inner);
        sealed
            .ok_or_else(|| Error::failed(&self.key, Operation::Seal, "a secret", "KMS answers with nothing"))
    }

    fn error<E>(&self, operation: Operation, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        failure::error(self.key.clone(), operation, "a secret".to_owned(), error)
    }
}
