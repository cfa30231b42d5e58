use lethe_store::{Checksums, S3Settings, S3Store};
use lethe_testkit::s3::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};

pub(crate) const BUCKET: &str = "test-bucket";

/// A server with one bucket, and a store below a prefix of it.
pub(crate) async fn store(checksums: Checksums) -> (S3Server, S3Store) {
    let server = S3Server::start().await;
    server.create_bucket(BUCKET);
    let store = connect(&server, checksums).await;
    (server, store)
}

pub(crate) async fn connect(server: &S3Server, checksums: Checksums) -> S3Store {
    let settings = S3Settings {
        region: Some(REGION.to_owned()),
        endpoint: Some(server.endpoint()),
        path_style: true,
        checksums,
        credentials: Some((ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())),
        ..S3Settings::default()
    };
    S3Store::connect(BUCKET, "some/prefix", &settings).await.expect("connect")
}
