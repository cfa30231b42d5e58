//! Access keys that may do what their policies say, and which permission each request needs. Source: "Required permissions
//! for Amazon S3 API operations" of the Amazon S3 User Guide.

use hyper::Request;

use super::deletion::Doomed;
use super::front::{asks, bucket_of, key_of, operation, parameter};
use super::iam::{Asked, Policy, is_allowed};

/// The account that all buckets and principals belong to.
pub const ACCOUNT: &str = "111122223333";

/// Somebody who is limited by policies.
#[derive(Clone, Debug)]
pub struct Principal {
    pub access_key: String,
    pub secret_key: String,
    /// `arn:aws:iam::111122223333:role/lethe-snapshot`
    pub arn: String,
    pub policies: Vec<Policy>,
}

impl Principal {
    /// A role of [`ACCOUNT`] with keys made from its name.
    #[must_use]
    pub fn role(name: &str, policies: Vec<Policy>) -> Self {
        Self {
            access_key: format!("KEY{}", name.to_ascii_uppercase().replace('-', "")),
            secret_key: format!("secret-of-{name}"),
            arn: format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            policies,
        }
    }

    /// Whether a request may be carried out. `of_bucket` is the bucket's own policy; `is_there` tells whether the object
    /// exists: who may not list must not find out that one does not.
    pub(super) fn may<B>(
        &self,
        request: &Request<B>,
        secure: bool,
        of_bucket: Option<&Policy>,
        is_there: bool,
    ) -> bool {
        let mut policies = self.policies.clone();
        policies.extend(of_bucket.cloned());
        let may = |asked: &Asked| is_allowed(&policies, asked);
        let asked = asked(request).map(|asked| self.in_context(asked, request, secure));
        let list = Asked::new("s3:ListBucket", &format!("arn:aws:s3:::{}", bucket_of(request)));
        let list = self.in_context(list, request, secure);
        let reads = matches!(operation(request), "GetObject" | "HeadObject");
        asked.is_some_and(|asked| may(&asked)) && (!reads || is_there || may(&list))
    }

    /// Whether one of the objects of a DeleteObjects may be deleted.
    pub(super) fn may_delete<B>(
        &self,
        request: &Request<B>,
        doomed: &Doomed,
        secure: bool,
        of_bucket: Option<&Policy>,
    ) -> bool {
        let mut policies = self.policies.clone();
        policies.extend(of_bucket.cloned());
        let resource = format!("arn:aws:s3:::{}/{}", bucket_of(request), doomed.key);
        is_allowed(&policies, &self.in_context(Asked::new(doomed.permission(), &resource), request, secure))
    }

    fn in_context<B>(&self, asked: Asked, request: &Request<B>, secure: bool) -> Asked {
        let region = credential(request).and_then(|parts| parts.get(2).cloned()).unwrap_or_default();
        asked
            .with("aws:PrincipalArn", &self.arn)
            .with("aws:SecureTransport", secure)
            .with("aws:RequestedRegion", region)
            .with("s3:ResourceAccount", ACCOUNT)
    }
}

/// Access key, date, region, service and an end word, of the request's signature.
fn credential<B>(request: &Request<B>) -> Option<Vec<String>> {
    let header = request.headers().get("authorization")?.to_str().ok()?;
    let scope = header.split("Credential=").nth(1)?.split(',').next()?;
    Some(scope.split('/').map(str::to_owned).collect())
}

pub(super) fn access_key<B>(request: &Request<B>) -> Option<String> {
    credential(request)?.into_iter().next()
}

pub(super) fn permission<B>(request: &Request<B>) -> Option<String> {
    asked(request).map(|asked| asked.action)
}

/// What a request asks for; none if that is not known here, which nobody may do then.
fn asked<B>(request: &Request<B>) -> Option<Asked> {
    let (bucket, key) = (bucket_of(request), key_of(request));
    let of_bucket = format!("arn:aws:s3:::{bucket}");
    let of_object = format!("arn:aws:s3:::{bucket}/{key}");
    let versioned = asks(request, "versionId");
    let (action, resource) = match operation(request) {
        "GetObject" | "HeadObject" if versioned => ("s3:GetObjectVersion", of_object),
        "GetObject" | "HeadObject" => ("s3:GetObject", of_object),
        "PutObject" => ("s3:PutObject", of_object),
        "DeleteObject" if versioned => ("s3:DeleteObjectVersion", of_object),
        "DeleteObject" => ("s3:DeleteObject", of_object),
        "HeadBucket" | "ListObjectsV2" => ("s3:ListBucket", of_bucket),
        "ListObjectVersions" => ("s3:ListBucketVersions", of_bucket),
        "ListMultipartUploads" => ("s3:ListBucketMultipartUploads", of_bucket),
        "AbortMultipartUpload" => ("s3:AbortMultipartUpload", of_object),
        "GetBucketLocation" => ("s3:GetBucketLocation", of_bucket),
        "GetBucketReplication" => ("s3:GetReplicationConfiguration", of_bucket),
        "GetBucketEncryption" => ("s3:GetEncryptionConfiguration", of_bucket),
        "GetBucketVersioning" => ("s3:GetBucketVersioning", of_bucket),
        "GetObjectLockConfiguration" => ("s3:GetBucketObjectLockConfiguration", of_bucket),
        "GetBucketPolicy" => ("s3:GetBucketPolicy", of_bucket),
        "GetBucketLogging" => ("s3:GetBucketLogging", of_bucket),
        "ListBucketInventoryConfigurations" => ("s3:GetInventoryConfiguration", of_bucket),
        "ListBucketAnalyticsConfigurations" => ("s3:GetAnalyticsConfiguration", of_bucket),
        "GetBucketNotificationConfiguration" => ("s3:GetBucketNotification", of_bucket),
        "GetBucketLifecycleConfiguration" => ("s3:GetLifecycleConfiguration", of_bucket),
        "GetPublicAccessBlock" => ("s3:GetBucketPublicAccessBlock", of_bucket),
        _ => return None,
    };
    let mut asked = Asked::new(action, &resource);
    if matches!(operation(request), "ListObjectsV2" | "ListObjectVersions" | "ListMultipartUploads")
        && let Some(prefix) = parameter(request, "prefix")
    {
        asked = asked.with("s3:prefix", prefix);
    }
    for (header, condition) in [
        ("if-none-match", "s3:if-none-match"),
        ("x-amz-server-side-encryption", "s3:x-amz-server-side-encryption"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-aws-kms-key-id"),
    ] {
        if let Some(value) = request.headers().get(header).and_then(|value| value.to_str().ok()) {
            asked = asked.with(condition, value);
        }
    }
    Some(asked)
}
