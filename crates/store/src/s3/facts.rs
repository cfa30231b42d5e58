//! What a bucket's store says about it. Sources: HeadBucket, GetBucketLocation, GetBucketReplication, GetBucketEncryption,
//! GetBucketVersioning, GetObjectLockConfiguration, GetBucketPolicy, GetPublicAccessBlock and
//! GetBucketLifecycleConfiguration of the Amazon S3 API Reference.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{
    BucketVersioningStatus, ExpirationStatus, LifecycleRule as Rule, MfaDeleteStatus, ReplicationRuleStatus,
    ServerSideEncryption,
};

use super::S3Store;
use super::failure::{Meaning, meaning_of, status};
use crate::bucket_facts::{BucketFacts, Destination, LifecycleRule, Told, Versioning};
use crate::{Error, ObjectStore as _, Operation};

const REGION: &str = "x-amz-bucket-region";

/// More than a year has, so that a retention is never taken for shorter than it is.
const DAYS_OF_A_YEAR: u32 = 366;

impl S3Store {
    pub(super) async fn facts(&self) -> Result<BucketFacts, Error> {
        // First and alone: a bucket that is not there has no other properties.
        let region = self.region_of(&self.bucket).await?;
        let (
            (location, replication, (kms_key, encrypts_by_kms)),
            ((versioning, mfa_delete), default_retention),
            (policy, public_access_blocked, lifecycle),
        ) = tokio::try_join!(
            async { tokio::try_join!(self.location(), self.replication(), self.encryption()) },
            async { tokio::try_join!(self.versioning(), self.default_retention()) },
            async { tokio::try_join!(self.policy(), self.public_access_blocked(), self.lifecycle()) },
        )?;
        Ok(BucketFacts {
            region,
            location,
            replication,
            kms_key,
            encrypts_by_kms,
            versioning,
            mfa_delete,
            default_retention,
            policy,
            public_access_blocked,
            lifecycle,
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

    async fn replication(&self) -> Result<Told<Vec<Destination>>, Error> {
        let answer = self.client.get().get_bucket_replication().bucket(&self.bucket).send().await;
        let destinations = self.told(answer, &["ReplicationConfigurationNotFoundError"], |output| {
            let rules = output.replication_configuration().map(|rules| rules.rules()).unwrap_or_default();
            let enabled = rules.iter().filter(|rule| *rule.status() != ReplicationRuleStatus::Disabled);
            // A rule without a destination is none that could be looked up.
            let arns = enabled.map(|rule| rule.destination().map_or("", |to| to.bucket()).to_owned());
            arns.collect::<Vec<String>>()
        })?;
        self.looked_up(destinations).await
    }

    /// Buckets by their names or ARNs, with their regions.
    pub(super) async fn looked_up(&self, named: Told<Vec<String>>) -> Result<Told<Vec<Destination>>, Error> {
        let named = match named {
            Told::Yes(named) => named,
            Told::No { status, code } => return Ok(Told::No { status, code }),
        };
        let mut found = Vec::new();
        for named in named {
            // arn:aws:s3:::bucket; whatever else it is, where it leads is not known.
            let bucket = match named.split(':').collect::<Vec<_>>()[..] {
                ["arn", _, "s3", "", "", bucket] | [bucket] => bucket,
                _ => "",
            };
            let region = if bucket.is_empty() || bucket.contains('/') {
                None
            } else {
                match self.region_of(bucket).await {
                    Err(Error::NoBucket { .. }) => None,
                    region => region?,
                }
            };
            found.push(Destination { bucket: named, region });
        }
        Ok(Told::Yes(found))
    }

    /// The key, and whether there is one: Amazon's own is not named.
    async fn encryption(&self) -> Result<(Told<Option<String>>, bool), Error> {
        let answer = self.client.get().get_bucket_encryption().bucket(&self.bucket).send().await;
        let mut by_kms = false;
        let key = self.told(answer, &["ServerSideEncryptionConfigurationNotFoundError"], |output| {
            let rules = output.server_side_encryption_configuration().map(|rules| rules.rules());
            let defaults = rules
                .unwrap_or_default()
                .iter()
                .filter_map(|rule| rule.apply_server_side_encryption_by_default())
                .filter(|default| *default.sse_algorithm() != ServerSideEncryption::Aes256);
            let keys: Vec<_> = defaults.map(|default| default.kms_master_key_id()).collect();
            by_kms = !keys.is_empty();
            keys.into_iter().flatten().next().map(str::to_owned)
        })?;
        Ok((key, by_kms))
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

    async fn public_access_blocked(&self) -> Result<Told<bool>, Error> {
        let answer = self.client.get().get_public_access_block().bucket(&self.bucket).send().await;
        self.told(answer, &["NoSuchPublicAccessBlockConfiguration"], |output| {
            output.public_access_block_configuration().is_some_and(|block| {
                [
                    block.block_public_acls(),
                    block.ignore_public_acls(),
                    block.block_public_policy(),
                    block.restrict_public_buckets(),
                ]
                .into_iter()
                .all(|part| part == Some(true))
            })
        })
    }

    async fn lifecycle(&self) -> Result<Told<Vec<LifecycleRule>>, Error> {
        let answer = self.client.get().get_bucket_lifecycle_configuration().bucket(&self.bucket).send().await;
        self.told(answer, &["NoSuchLifecycleConfiguration"], |output| {
            output.rules().iter().filter_map(lifecycle_rule).collect()
        })
    }

    /// What an answer says; an error with one of the codes says that there is nothing.
    pub(super) fn told<O, E, T: Default>(
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

/// None for a rule that does nothing to Lethe's objects, which have no tags.
fn lifecycle_rule(rule: &Rule) -> Option<LifecycleRule> {
    let filter = rule.filter();
    let and = filter.and_then(|filter| filter.and());
    let wants_tags =
        filter.is_some_and(|filter| filter.tag().is_some()) || and.is_some_and(|and| !and.tags().is_empty());
    if *rule.status() != ExpirationStatus::Enabled || wants_tags {
        return None;
    }
    #[allow(deprecated, reason = "old rules still have it there")]
    let old_prefix = rule.prefix();
    let prefix =
        filter.and_then(|filter| filter.prefix()).or(and.and_then(|and| and.prefix())).or(old_prefix);
    let by_size = filter.is_some_and(|filter| {
        filter.object_size_greater_than().is_some() || filter.object_size_less_than().is_some()
    }) || and
        .is_some_and(|and| and.object_size_greater_than().is_some() || and.object_size_less_than().is_some());
    let days = |days: Option<i32>| days.and_then(|days| u32::try_from(days).ok());
    let expiration = rule.expiration();
    Some(LifecycleRule {
        id: rule.id().unwrap_or("without a name").to_owned(),
        prefix: prefix.unwrap_or("").to_owned(),
        by_size,
        expires_current: expiration
            .is_some_and(|expiration| expiration.days().is_some() || expiration.date().is_some()),
        expires_noncurrent: days(
            rule.noncurrent_version_expiration().and_then(|expiration| expiration.noncurrent_days()),
        ),
        removes_delete_markers: expiration
            .is_some_and(|expiration| expiration.expired_object_delete_marker() == Some(true)),
        aborts_uploads_after: days(
            rule.abort_incomplete_multipart_upload().and_then(|abort| abort.days_after_initiation()),
        ),
        moves: !rule.transitions().is_empty() || !rule.noncurrent_version_transitions().is_empty(),
    })
}
