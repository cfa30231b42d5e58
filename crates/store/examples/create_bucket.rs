//! Creates a bucket for tests at the S3 server of LETHE_TEST_S3_ENDPOINT, with `versioned` as second argument a versioned
//! one, with `policy` one that has the policy of standard input. Lethe itself never creates a bucket.

mod client;

use std::error::Error;

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bucket = arguments.next().ok_or("which bucket?")?;
    let region = std::env::var("LETHE_TEST_S3_REGION")?;
    let client = client::connect().await?;
    let place = BucketLocationConstraint::from(region.as_str());
    let configuration = CreateBucketConfiguration::builder().location_constraint(place).build();
    client.create_bucket().bucket(&bucket).create_bucket_configuration(configuration).send().await?;
    let how = arguments.next();
    if how.as_deref() == Some("policy") {
        let policy = std::io::read_to_string(std::io::stdin())?;
        client.put_bucket_policy().bucket(&bucket).policy(policy).send().await?;
    }
    if how.as_deref() == Some("versioned") {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        client.put_bucket_versioning().bucket(&bucket).versioning_configuration(enabled).send().await?;
    }
    Ok(())
}
