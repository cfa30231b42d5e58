//! What a bucket's store says about it. Sources: HeadBucket, GetBucketLocation, GetBucketReplication, GetBucketEncryption,
//! GetBucketVersioning, GetObjectLockConfiguration and GetBucketPolicy of the Amazon S3 API Reference.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    BucketVersioningStatus, MfaDeleteStatus, ReplicationRuleStatus, ServerSideEncryption,
};

use super::S3Store;
use super::failure::{Meaning, meaning_of, status};
use crate::bucket_facts::{BucketFacts, ReplicationDestination, Told, Versioning};
use crate::{Error, ObjectStore as _, Operation};

const REGION: &str = "x-amz-bucket-region";

/// More than a year has, so that a retention is never taken for shorter than it is.
const DAYS_OF_A_YEAR: u32 = 366;

impl S3Store {
    pub(super) async fn facts(&self) -> Result<BucketFacts, Error> {
        // First and alone: a bucket that is not there has no other properties.
        let region = self.region_of(&self.bucket).await?;
        let (location, replication, kms_key, (versioning, mfa_delete), default_retention, policy) = tokio::try_join!(
            self.location(),
            self.replication(),
            self.kms_key(),
            self.versioning(),
            self.default_retention(),
            self.policy()
        )?;
        Ok(BucketFacts {
            region,
            location,
            replication,
            kms_key,
            versioning,
            mfa_delete,
            default_retention,
            policy,
        })
    }

    /// The region that HeadBucket tells of a bucket, also in an answer that is a refusal.
    ///
    /// # Errors
    /// [`Error::NoBucket`] if there is none; failures that pass.
    async fn region_of(&self, bucket: &str) -> Result<Option<String>, Error> {
        let error = match self.client.get().head_bucket().bucket(bucket).send().await {
            Ok(output) => return Ok(output.bucket_region().map(str::to_owned)),
            Err(error) => error,
        };
        let header = error.raw_response().and_then(|answer| answer.headers().get(REGION)).map(str::to_owned);
        if self.passes(&error) {
            return Err(self.error(Operation::Look, bucket, error));
        }
        if status(&error) == Some(404) {
            return Err(Error::NoBucket { store: self.url(), bucket: bucket.to_owned() });
        }
        Ok(header)
    }

    async fn location(&self) -> Result<Told<Option<String>>, Error> {
        let answer = self.client.get().get_bucket_location().bucket(&self.bucket).send().await;
        self.told(answer, &[], |output| {
            let constraint = output.location_constraint().map(|constraint| constraint.as_str().to_owned());
            constraint.filter(|constraint| !constraint.is_empty())
        })
    }

    async fn replication(&self) -> Result<Told<Vec<ReplicationDestination>>, Error> {
        let answer = self.client.get().get_bucket_replication().bucket(&self.bucket).send().await;
        let destinations = self.told(answer, &["ReplicationConfigurationNotFoundError"], |output| {
            let rules = output.replication_configuration().map(|rules| rules.rules()).unwrap_or_default();
            let enabled = rules.iter().filter(|rule| *rule.status() != ReplicationRuleStatus::Disabled);
            // A rule without a destination is none that could be looked up.
            let arns = enabled.map(|rule| rule.destination().map_or("", |to| to.bucket()).to_owned());
            arns.collect::<Vec<String>>()
        })?;
        let arns = match destinations {
            Told::Yes(arns) => arns,
            Told::No { status, code } => return Ok(Told::No { status, code }),
        };
        let mut found = Vec::new();
        for arn in arns {
            // arn:aws:s3:::bucket; whatever else it is, where it leads is not known.
            let region = match arn.split(':').collect::<Vec<_>>()[..] {
                ["arn", _, "s3", "", "", bucket] if !bucket.is_empty() && !bucket.contains('/') => {
                    match self.region_of(bucket).await {
                        Err(Error::NoBucket { .. }) => None,
                        region => region?,
                    }
                }
                _ => None,
            };
            found.push(ReplicationDestination { bucket: arn, region });
        }
        Ok(Told::Yes(found))
    }

    async fn kms_key(&self) -> Result<Told<Option<String>>, Error> {
        let answer = self.client.get().get_bucket_encryption().bucket(&self.bucket).send().await;
        self.told(answer, &["ServerSideEncryptionConfigurationNotFoundError"], |output| {
            let rules = output.server_side_encryption_configuration().map(|rules| rules.rules());
            let defaults = rules
                .unwrap_or_default()
                .iter()
                .filter_map(|rule| rule.apply_server_side_encryption_by_default());
            let mut by_kms =
                defaults.filter(|default| *default.sse_algorithm() != ServerSideEncryption::Aes256);
            by_kms.find_map(|default| default.kms_master_key_id().map(str::to_owned))
        })
    }

    async fn versioning(&self) -> Result<(Told<Versioning>, bool), Error> {
        let answer = self.client.get().get_bucket_versioning().bucket(&self.bucket).send().await;
        let mfa_delete =
            answer.as_ref().is_ok_and(|output| output.mfa_delete() == Some(&MfaDeleteStatus::Enabled));
        let versioning = self.told(answer, &[], |output| match output.status() {
            None => Versioning::Never,
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
        })?;
        Ok((versioning, mfa_delete))
    }

    async fn default_retention(&self) -> Result<Told<Option<u32>>, Error> {
        let answer = self.client.get().get_object_lock_configuration().bucket(&self.bucket).send().await;
        let none = ["ObjectLockConfigurationNotFoundError", "ObjectLockConfigurationNotFound"];
        self.told(answer, &none, |output| {
            let rule = output.object_lock_configuration()?.rule()?;
            let retention = rule.default_retention()?;
            let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
            let years = number(retention.years()).map(|years| years.saturating_mul(DAYS_OF_A_YEAR));
            number(retention.days()).or(years)
        })
    }

    async fn policy(&self) -> Result<Told<Option<String>>, Error> {
        let answer = self.client.get().get_bucket_policy().bucket(&self.bucket).send().await;
        self.told(answer, &["NoSuchBucketPolicy"], |output| output.policy().map(str::to_owned))
    }

    /// What an answer says; an error with one of the codes says that there is nothing.
    fn told<O, E, T: Default>(
        &self,
        answer: Result<O, SdkError<E>>,
        nothing: &[&str],
        read: impl FnOnce(O) -> T,
    ) -> Result<Told<T>, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        match answer {
            Ok(output) => Ok(Told::Yes(read(output))),
            Err(error) if self.passes(&error) => Err(self.error(Operation::Look, "the bucket", error)),
            Err(error) if error.code().is_some_and(|code| nothing.contains(&code)) => {
                Ok(Told::Yes(T::default()))
            }
            Err(error) => {
                Ok(Told::No { status: status(&error).unwrap_or(0), code: error.code().map(str::to_owned) })
            }
        }
    }

    /// True for failures that say nothing about the bucket: they pass, or are this machine's.
    fn passes<E: ProvideErrorMetadata>(&self, error: &SdkError<E>) -> bool {
        status(error).is_none()
            || !matches!(meaning_of(error), Meaning::Denied | Meaning::Permanent | Meaning::WrongRegion)
    }
}
