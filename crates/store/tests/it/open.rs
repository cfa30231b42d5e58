use lethe_store::{Error, S3Settings, StoreUrl, open};

#[test]
fn urls_are_taken_apart() {
    let s3 =
        |bucket: &str, prefix: &str| StoreUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
    assert_eq!(StoreUrl::parse("s3://my-bucket").expect("parses"), s3("my-bucket", ""));
    assert_eq!(StoreUrl::parse("s3://my-bucket/a/b/").expect("parses"), s3("my-bucket", "a/b"));
    assert_eq!(
        StoreUrl::parse("file:///var/backups").expect("parses"),
        StoreUrl::Directory("/var/backups".into())
    );
    for wrong in [
        "",
        "my-bucket",
        "http://x",
        "s3://",
        "s3://UPPER",
        "s3://b/../c",
        "file://relative",
        "file:///",
        "file:///a%20b",
    ] {
        assert!(matches!(StoreUrl::parse(wrong), Err(Error::InvalidUrl { .. })), "{wrong}");
    }
}

#[tokio::test]
async fn nothing_is_sent_in_the_clear_over_a_network() {
    let settings =
        S3Settings { endpoint: Some("http://storage.example".to_owned()), ..S3Settings::default() };
    let error = open("s3://bucket", &settings).await.expect_err("plain http");
    assert!(matches!(error, Error::InvalidUrl { .. }), "{error}");
}
