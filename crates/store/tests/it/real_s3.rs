use lethe_store::{
    Checksums, Error, EventTargets, ObjectStore as _, ResilientStore, RetryPolicy, S3Settings, S3Store, Told,
    Versioning, probe,
};

use crate::conformance;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: make test-s3"))
}

async fn store(bucket: &str, prefix: &str) -> S3Store {
    let settings = S3Settings {
        region: Some(variable("LETHE_TEST_S3_REGION")),
        endpoint: Some(variable("LETHE_TEST_S3_ENDPOINT")),
        path_style: true,
        checksums: Checksums::WhenRequired,
        ..S3Settings::default()
    };
    S3Store::connect(&variable(bucket), prefix, &settings).await.expect("connect")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: make test-s3"]
async fn real_s3_conforms() {
    let store = store("LETHE_TEST_S3_BUCKET", "conformance").await;
    conformance::all(&ResilientStore::new(std::sync::Arc::new(store), RetryPolicy::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: make test-s3"]
async fn real_s3_tells_what_the_guard_asks() {
    for (bucket, versioning) in
        [("LETHE_TEST_S3_BUCKET", Versioning::Never), ("LETHE_TEST_S3_VERSIONED_BUCKET", Versioning::Enabled)]
    {
        let facts = store(bucket, "facts").await.bucket_facts().await.expect("facts").expect("of a bucket");
        assert_eq!(facts.versioning, Told::Yes(versioning));
        assert_eq!((facts.mfa_delete, facts.default_retention), (false, Told::Yes(None)));
        assert_eq!(facts.policy, Told::Yes(None));
        let region = variable("LETHE_TEST_S3_REGION");
        assert!(
            matches!(&facts.location, Told::Yes(Some(place)) if *place == region),
            "{:?}",
            facts.location
        );
        assert!(facts.region.is_none_or(|header| header == region));
    }
}

/// Ceph answers with a list of objects where it does not know the question.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: make test-s3"]
async fn real_s3_tells_what_the_doctor_asks() {
    let store = store("LETHE_TEST_S3_BUCKET", "ways_out").await;
    let found = store.ways_out().await.expect("ways out").expect("of a bucket");
    assert_eq!((found.logging, found.events), (Told::Yes(Vec::new()), Told::Yes(EventTargets::default())));
    let not_known = || Told::No { status: 501, code: Some("NotImplemented".to_owned()) };
    for told in [found.inventories, found.analytics] {
        assert!(told == Told::Yes(Vec::new()) || told == not_known(), "{told:?}");
    }
}

/// Amazon passes with both buckets, Ceph with the one that was never versioned.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a real S3 server: make test-s3"]
async fn real_s3_is_probed() {
    probe(&store("LETHE_TEST_S3_BUCKET", "probed").await, "x").await.expect("one writer wins");
    let versioned = store("LETHE_TEST_S3_VERSIONED_BUCKET", "probed").await;
    let is_ceph = versioned.bucket_facts().await.expect("facts").is_some_and(|facts| facts.region.is_none());
    let probed = probe(&versioned, "x").await;
    assert_eq!(matches!(probed, Err(Error::NoPutIfAbsent { .. })), is_ceph, "{probed:?}");
    assert_eq!(versioned.versions("").await.expect("versions"), Some(Vec::new()), "nothing is left");
}
