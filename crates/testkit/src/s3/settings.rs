//! What a bucket says of itself, whether it is true or not.

use super::REGION;
use super::front::Canned;
use super::ways_out::WaysOut;

/// The settings of one bucket. By default it is in [`REGION`], is not replicated, and keeps nothing for anybody.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    /// Where HeadBucket says that it is, unless the server never says.
    pub region: String,
    /// What GetBucketLocation says, if not the same; none is what it says of `us-east-1`.
    pub location: Option<Option<String>>,
    /// The status of HeadBucket's answer: 200, 301 or 403.
    pub head_status: u16,
    pub replication: Replication,
    pub kms_key: Option<String>,
    /// `Enabled` or `Suspended`, if it is not what the bucket does.
    pub versioning: Option<&'static str>,
    pub mfa_delete: bool,
    /// Object Lock's default retention.
    pub lock_days: Option<u32>,
    /// IAM's JSON.
    pub policy: Option<String>,
    /// The four parts of the public access block.
    pub public_access_block: Option<[bool; 4]>,
    /// The rules of the lifecycle configuration, `<Rule>…</Rule>…`.
    pub lifecycle: Option<String>,
    pub ways_out: WaysOut,
    /// Operations that are refused, with status and code.
    pub refused: Vec<(&'static str, u16, &'static str)>,
}

/// What GetBucketReplication answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Replication {
    None,
    /// ARNs of destinations, and whether the rule is enabled.
    To(Vec<(String, bool)>),
    Refused {
        status: u16,
        code: &'static str,
    },
}

impl Default for BucketSettings {
    fn default() -> Self {
        Self {
            region: REGION.to_owned(),
            location: None,
            head_status: 200,
            replication: Replication::None,
            kms_key: None,
            versioning: None,
            mfa_delete: false,
            lock_days: None,
            policy: None,
            public_access_block: None,
            lifecycle: None,
            ways_out: WaysOut::default(),
            refused: Vec::new(),
        }
    }
}

impl BucketSettings {
    /// The answer to an operation; none if the service has to give it. `from` is where a page begins.
    pub(super) fn answer(&self, operation: &str, tells_region: bool, from: Option<&str>) -> Option<Canned> {
        if let Some((_, status, code)) = self.refused.iter().find(|(refused, ..)| *refused == operation) {
            return Some(Canned::error(*status, code));
        }
        match operation {
            "HeadBucket" => {
                let region = tells_region.then(|| self.region.clone());
                Some(Canned { status: self.head_status, region, xml: String::new() })
            }
            "GetBucketLocation" => Some(self.location(tells_region)),
            "GetBucketReplication" => Some(self.replication()),
            "GetBucketEncryption" => Some(self.encryption()),
            "GetObjectLockConfiguration" => Some(self.object_lock()),
            "GetBucketPolicy" => Some(match &self.policy {
                Some(policy) => Canned::ok(policy.clone()),
                None => Canned::error(404, "NoSuchBucketPolicy"),
            }),
            "GetPublicAccessBlock" => Some(self.public_access_block()),
            "GetBucketLifecycleConfiguration" => Some(match &self.lifecycle {
                Some(rules) => {
                    Canned::ok(format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>"))
                }
                None => Canned::error(404, "NoSuchLifecycleConfiguration"),
            }),
            "GetBucketVersioning" if self.versioning.is_some() || self.mfa_delete => {
                let status = self.versioning.unwrap_or("Enabled");
                let mfa = if self.mfa_delete { "<MfaDelete>Enabled</MfaDelete>" } else { "" };
                Some(Canned::ok(format!(
                    "<VersioningConfiguration><Status>{status}</Status>{mfa}</VersioningConfiguration>"
                )))
            }
            _ => self.ways_out.answer(operation, from),
        }
    }

    /// A server that never tells a region is of the kind whose locations have no names either.
    fn location(&self, tells_region: bool) -> Canned {
        let told = match (&self.location, tells_region) {
            (Some(told), _) => told.clone(),
            (None, true) => Some(self.region.clone()).filter(|region| region != "us-east-1"),
            (None, false) => None,
        };
        Canned::ok(match told {
            Some(name) => format!("<LocationConstraint>{name}</LocationConstraint>"),
            None => "<LocationConstraint/>".to_owned(),
        })
    }

    fn replication(&self) -> Canned {
        match &self.replication {
            Replication::None => Canned::error(404, "ReplicationConfigurationNotFoundError"),
            Replication::Refused { status, code } => Canned::error(*status, code),
            Replication::To(destinations) => {
                let rule = |(arn, enabled): &(String, bool)| {
                    let status = if *enabled { "Enabled" } else { "Disabled" };
                    format!(
                        "<Rule><Status>{status}</Status><Destination><Bucket>{arn}</Bucket></Destination></Rule>"
                    )
                };
                let rules: String = destinations.iter().map(rule).collect();
                Canned::ok(format!(
                    "<ReplicationConfiguration><Role>role</Role>{rules}</ReplicationConfiguration>"
                ))
            }
        }
    }

    fn encryption(&self) -> Canned {
        let Some(key) = &self.kms_key else {
            return Canned::error(404, "ServerSideEncryptionConfigurationNotFoundError");
        };
        Canned::ok(format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{key}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        ))
    }

    fn public_access_block(&self) -> Canned {
        let Some([acls, ignored, policy, restricted]) = self.public_access_block else {
            return Canned::error(404, "NoSuchPublicAccessBlockConfiguration");
        };
        Canned::ok(format!(
            "<PublicAccessBlockConfiguration><BlockPublicAcls>{acls}</BlockPublicAcls><IgnorePublicAcls>{ignored}</IgnorePublicAcls><BlockPublicPolicy>{policy}</BlockPublicPolicy><RestrictPublicBuckets>{restricted}</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
        ))
    }

    fn object_lock(&self) -> Canned {
        let Some(days) = self.lock_days else {
            return Canned::error(404, "ObjectLockConfigurationNotFoundError");
        };
        Canned::ok(format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>{days}</Days></DefaultRetention></Rule></ObjectLockConfiguration>"
        ))
    }
}
