//! An S3 server for the demo: makes a bucket, prints how to reach it as shell settings, and runs until it is ended.
#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use lethe_testkit::s3::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};

#[tokio::main]
async fn main() {
    let bucket = std::env::args().nth(1).unwrap_or_else(|| "lethe".to_owned());
    let server = S3Server::start().await;
    server.create_bucket(&bucket);
    println!(
        "export LETHE_S3_ENDPOINT={} LETHE_S3_PATH_STYLE=true LETHE_S3_REGION={REGION}",
        server.endpoint()
    );
    println!("export AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY}");
    println!("# READY");
    std::future::pending::<()>().await;
}
