//! What a store says about itself. Facts only: what follows from them is decided elsewhere.

use std::path::PathBuf;

/// Where requests go, known without sending one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    Directory(PathBuf),
    /// After every source of settings has been asked: flags, files, environment, profile.
    S3 {
        scheme: String,
        /// Without the bucket's name, which some styles of addressing put in front.
        host: String,
        port: Option<u16>,
        bucket: String,
    },
}

/// An answer, or that the store refused to give one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told<T> {
    Yes(T),
    No {
        /// The HTTP status.
        status: u16,
        /// S3's code.
        code: Option<String>,
    },
}

/// What the store of a bucket says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketFacts {
    /// The header `x-amz-bucket-region` of HeadBucket.
    pub region: Option<String>,
    /// The constraint of GetBucketLocation, as it is.
    pub location: Told<Option<String>>,
    /// The destinations of the rules that are enabled.
    pub replication: Told<Vec<Destination>>,
    /// The KMS key of the default encryption.
    pub kms_key: Told<Option<String>>,
    /// Whether KMS encrypts what comes without an encryption of its own.
    pub encrypts_by_kms: bool,
    pub versioning: Told<Versioning>,
    pub mfa_delete: bool,
    /// Days for which Object Lock keeps every new object; a year has 366.
    pub default_retention: Told<Option<u32>>,
    /// The bucket's policy, in IAM's JSON.
    pub policy: Told<Option<String>>,
    /// True if all four parts of the public access block are on.
    pub public_access_blocked: Told<bool>,
    /// The lifecycle rules that are enabled, and apply to objects without tags.
    pub lifecycle: Told<Vec<LifecycleRule>>,
}

/// Where the store of a bucket sends reports of it and messages about it. Objects are sent by replication alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaysOut {
    /// Where the log of requests is written.
    pub logging: Told<Vec<Destination>>,
    /// Where lists of all objects are written, by the inventories that are enabled.
    pub inventories: Told<Vec<Destination>>,
    /// Where storage class analyses are written.
    pub analytics: Told<Vec<Destination>>,
    pub events: Told<EventTargets>,
}

/// Who is told when an object is written or deleted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EventTargets {
    /// Of topics, queues and functions.
    pub arns: Vec<String>,
    pub event_bridge: bool,
}

/// What becomes of objects by their age.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LifecycleRule {
    pub id: String,
    /// Of the keys that it applies to.
    pub prefix: String,
    /// True if it applies to some sizes of objects alone.
    pub by_size: bool,
    pub expires_current: bool,
    /// Days after which what was replaced goes.
    pub expires_noncurrent: Option<u32>,
    pub removes_delete_markers: bool,
    /// Days.
    pub aborts_uploads_after: Option<u32>,
    pub moves: bool,
}

/// A bucket that the store itself writes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    /// Its name or its ARN, as the setting has it.
    pub bucket: String,
    /// The header of HeadBucket; none if there was none.
    pub region: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Versioning {
    #[default]
    Never,
    Enabled,
    Suspended,
}
