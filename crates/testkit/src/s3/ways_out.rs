//! Where a bucket says that it sends reports and messages.

use super::front::Canned;

/// By default nowhere.
#[derive(Clone, Debug, Default)]
pub struct WaysOut {
    /// The bucket that the log of requests is written to.
    pub logging: Option<String>,
    /// ARNs of the buckets that inventories are written to, and whether they are enabled. Each has a page of its own.
    pub inventories: Vec<(String, bool)>,
    /// ARNs of the buckets that analyses are written to; empty for one that is written nowhere. Each has a page of its own.
    pub analytics: Vec<String>,
    pub topics: Vec<String>,
    pub queues: Vec<String>,
    pub functions: Vec<String>,
    pub event_bridge: bool,
}

impl WaysOut {
    pub(super) fn answer(&self, operation: &str, from: Option<&str>) -> Option<Canned> {
        match operation {
            "GetBucketLogging" => Some(self.logging()),
            "ListBucketInventoryConfigurations" => {
                let one = |(arn, enabled): &(String, bool)| {
                    format!(
                        "<InventoryConfiguration><Id>i</Id><IsEnabled>{enabled}</IsEnabled><Destination><S3BucketDestination><Bucket>{arn}</Bucket><Format>CSV</Format></S3BucketDestination></Destination><IncludedObjectVersions>All</IncludedObjectVersions><Schedule><Frequency>Daily</Frequency></Schedule></InventoryConfiguration>"
                    )
                };
                Some(page("ListInventoryConfigurationsResult", &self.inventories, from, one))
            }
            "ListBucketAnalyticsConfigurations" => {
                let one = |arn: &String| {
                    let export = format!(
                        "<DataExport><OutputSchemaVersion>V_1</OutputSchemaVersion><Destination><S3BucketDestination><Format>CSV</Format><Bucket>{arn}</Bucket></S3BucketDestination></Destination></DataExport>"
                    );
                    let export = if arn.is_empty() { "" } else { &export };
                    format!(
                        "<AnalyticsConfiguration><Id>a</Id><StorageClassAnalysis>{export}</StorageClassAnalysis></AnalyticsConfiguration>"
                    )
                };
                Some(page("ListBucketAnalyticsConfigurationResult", &self.analytics, from, one))
            }
            "GetBucketNotificationConfiguration" => Some(self.events()),
            _ => None,
        }
    }

    fn logging(&self) -> Canned {
        let enabled = self.logging.as_ref().map(|bucket| {
            format!(
                "<LoggingEnabled><TargetBucket>{bucket}</TargetBucket><TargetPrefix></TargetPrefix></LoggingEnabled>"
            )
        });
        Canned::ok(format!("<BucketLoggingStatus>{}</BucketLoggingStatus>", enabled.unwrap_or_default()))
    }

    fn events(&self) -> Canned {
        let all = |configuration: &str, target: &str, arns: &[String]| -> String {
            let one = |arn: &String| {
                format!(
                    "<{configuration}><{target}>{arn}</{target}><Event>s3:ObjectCreated:*</Event></{configuration}>"
                )
            };
            arns.iter().map(one).collect()
        };
        let topics = all("TopicConfiguration", "Topic", &self.topics);
        let queues = all("QueueConfiguration", "Queue", &self.queues);
        let functions = all("CloudFunctionConfiguration", "CloudFunction", &self.functions);
        let bridge = if self.event_bridge { "<EventBridgeConfiguration/>" } else { "" };
        Canned::ok(format!(
            "<NotificationConfiguration>{topics}{queues}{functions}{bridge}</NotificationConfiguration>"
        ))
    }
}

/// One of them, and where the next one is.
fn page<T>(root: &str, all: &[T], from: Option<&str>, one: impl Fn(&T) -> String) -> Canned {
    let from: usize = from.and_then(|from| from.parse().ok()).unwrap_or(0);
    let shown = all.get(from).map(one).unwrap_or_default();
    let next = from + 1;
    let more = if next < all.len() {
        format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{next}</NextContinuationToken>")
    } else {
        "<IsTruncated>false</IsTruncated>".to_owned()
    };
    Canned::ok(format!("<{root}>{shown}{more}</{root}>"))
}
