//! How a test reaches the private S3 server.

use lethe_store::S3Settings;
use lethe_testkit::s3::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};

/// With its owner's keys.
#[must_use]
pub fn s3_settings(server: &S3Server) -> S3Settings {
    S3Settings {
        region: Some(REGION.to_owned()),
        endpoint: Some(server.endpoint()),
        path_style: true,
        credentials: Some((ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())),
        ..S3Settings::default()
    }
}
