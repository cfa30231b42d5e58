//! A client of the S3 server of LETHE_TEST_S3_ENDPOINT.

use std::error::Error;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

pub(crate) async fn connect() -> Result<Client, Box<dyn Error>> {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let shared = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new(std::env::var("LETHE_TEST_S3_REGION")?))
        .endpoint_url(std::env::var("LETHE_TEST_S3_ENDPOINT")?)
        .load()
        .await;
    Ok(Client::from_conf(Builder::from(&shared).force_path_style(true).build()))
}
