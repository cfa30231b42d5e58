use super::*;

async fn versioned() -> (S3Server, ResilientStore) {
    let server = S3Server::start().await;
    server.create_versioned_bucket(s3::BUCKET);
    let store = s3::connect(&server, Checksums::WhenSupported).await;
    (server, ResilientStore::new(Arc::new(store), policy()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_goes_on_at_the_page_that_failed() {
    let (server, store) = versioned().await;
    for round in 0..25 {
        for number in 0..100 {
            let object = name(&number.to_string());
            if round % 5 == 4 {
                store.delete(&object).await.expect("delete");
            } else {
                store.put(&object, content(round)).await.expect("put");
            }
        }
    }
    let calm = store.versions("").await.expect("versions").expect("a history");
    assert_eq!(calm.len(), 2500);
    for history in calm.chunk_by(|one, other| one.name == other.name) {
        let numbers: Vec<u64> =
            history.iter().map(|version| version.version.parse().expect("a number")).collect();
        assert!(numbers.len() == 25 && numbers.is_sorted_by(|one, other| one > other), "{numbers:?}");
        assert_eq!(history.iter().filter(|version| version.is_delete_marker).count(), 5);
    }
    for fault in [Fault::SlowDown, Fault::ResetMidBody { at: 1000 }, Fault::ExpiredCredentials] {
        server.recover();
        let _ = server.take_seen();
        server.inject(fault, Requests::nth(2).of("ListObjectVersions"));
        let stormy = store.versions("").await.expect("versions").expect("a history");
        assert!(stormy == calm, "{fault:?}");
        assert_eq!(server.take_seen().len(), 4, "{fault:?}: three pages, one of them twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_goes_on_with_its_own_bytes() {
    let (server, store) = versioned().await;
    let (first, second) = (content(300_000), Bytes::from(vec![0; 300_000]));
    store.put(&name("object"), first.clone()).await.expect("put");
    store.put(&name("object"), second).await.expect("replace");
    let history = store.versions("object").await.expect("versions").expect("a history");
    let earliest = history.last().expect("two of them").version.clone();
    let _ = server.take_seen();
    server.inject(Fault::ShortBody { at: 100_000 }, Requests::nth(1).of("GetObject"));
    server.inject(Fault::ResetMidBody { at: 200_000 }, Requests::nth(2).of("GetObject"));
    let reader = store.get_version(&name("object"), &earliest).await.expect("get");
    assert!(reader.read_to_bytes(300_000).await.expect("read") == first);
    assert_eq!(server.take_seen().len(), 3);
    server.inject(Fault::SlowDown, Requests::first(2).of("DeleteObject"));
    store.delete_version(&name("object"), &earliest).await.expect("delete");
    assert_eq!(store.versions("object").await.expect("versions").map(|history| history.len()), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_not_told_is_none() {
    let (server, store) = versioned().await;
    server.inject(Fault::AccessDenied, Requests::first(1));
    assert_eq!(store.versions("").await.expect("versions"), None);
    server.inject(Fault::ClockSkew, Requests::first(1));
    assert!(matches!(store.versions("").await, Err(Error::ClockSkew { .. })));
}
