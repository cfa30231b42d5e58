use lethe_store::probe;

use super::*;

/// What is stored under a name below the store's prefix.
fn stored(server: &S3Server, object: &str) -> Option<Bytes> {
    let key = format!("some/prefix/{object}");
    server.objects(s3::BUCKET).into_iter().find_map(|(name, body)| (name == key).then_some(body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_was_lost_is_no_lost_race() {
    for fault in [Fault::LostAnswer, Fault::WrongAnswer] {
        let (server, store) = world().await;
        server.inject(fault, Requests::nth(1).of("PutObject"));
        let error = store.put_if_absent(&name("object"), content(100)).await.expect_err("who knows");
        assert!(matches!(error, Error::OutcomeUnknown { .. }) && !error.is_retryable(), "{error:?}");
        assert_eq!(server.take_seen().len(), 2, "{fault:?}");
        assert_eq!(stored(&server, "object"), Some(content(100)), "it was this writer's own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_may_have_happened_does_not_win_over_another_writer() {
    let (server, store) = world().await;
    store.put(&name("object"), content(5)).await.expect("the other writer");
    let _ = server.take_seen();
    server.inject(Fault::InternalError, Requests::nth(1).of("PutObject"));
    let error = store.put_if_absent(&name("object"), content(100)).await.expect_err("who knows");
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
    assert_eq!(stored(&server, "object"), Some(content(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_was_clearly_refused_is_a_lost_race() {
    let (server, store) = world().await;
    store.put(&name("object"), content(5)).await.expect("the other writer");
    let _ = server.take_seen();
    for fault in [Fault::Conflict, Fault::ExpiredCredentials] {
        server.inject(fault, Requests::first(2).of("PutObject"));
        let error = store.put_if_absent(&name("object"), content(100)).await.expect_err("it is there");
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
        assert_eq!(server.take_seen().len(), 3);
        server.recover();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_is_repeated_until_it_happens() {
    for fault in [Fault::SlowDown, Fault::InternalError, Fault::Conflict, Fault::ExpiredCredentials] {
        let (server, store) = world().await;
        server.inject(fault, Requests::first(4).of("PutObject"));
        store.put_if_absent(&name("object"), content(100)).await.expect("created");
        assert_eq!(server.take_seen().len(), 5);
        assert_eq!(stored(&server, "object"), Some(content(100)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_race_costs_one_request() {
    let (server, store) = world().await;
    store.put_if_absent(&name("object"), content(5)).await.expect("created");
    let _ = server.take_seen();
    let error = store.put_if_absent(&name("object"), content(6)).await.expect_err("it is there");
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error:?}");
    assert_eq!(server.take_seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_is_cut_off_by_its_limit_is_unknown() {
    let policy =
        RetryPolicy { idle_timeout: Duration::from_millis(300), slowest_upload: u64::MAX, ..policy() };
    let (server, store) = world_with(policy).await;
    store.put(&name("object"), content(5)).await.expect("the other writer");
    server.inject(Fault::Slow(Duration::from_secs(3600)), Requests::nth(1).of("PutObject"));
    let error = store.put_if_absent(&name("object"), content(6)).await.expect_err("who knows");
    assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_upload_is_sent_again_whole() {
    let (server, store) = world().await;
    let body = content(8 << 20);
    server.inject(Fault::LostAnswer, Requests::nth(1).of("PutObject"));
    server.inject(Fault::SlowDown, Requests::nth(2).of("PutObject"));
    store.put(&name("object"), body.clone()).await.expect("put");
    assert_eq!(server.take_seen().len(), 3);
    assert!(stored(&server, "object") == Some(body));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_store_passes_the_probe_on_a_bad_day() {
    for number in 1..=21 {
        let (server, store) = world().await;
        server.inject(Fault::LostAnswer, Requests::nth(number).of("PutObject"));
        server.inject(Fault::SlowDown, Requests::first(3));
        probe(&store, "x").await.expect("one winner");
        assert!(server.objects(s3::BUCKET).is_empty());
    }
}
