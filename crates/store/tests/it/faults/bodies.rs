use lethe_testkit::s3::Misbehaviour;

use super::*;

const LEN: usize = 1 << 20;

/// A server with one object of a megabyte.
async fn with_object(policy: RetryPolicy) -> (S3Server, ResilientStore, Bytes) {
    let (server, store) = world_with(policy).await;
    let body = content(LEN);
    store.put(&name("object"), body.clone()).await.expect("put");
    let _ = server.take_seen();
    (server, store, body)
}

/// `bytes=5-9` begins at 5.
fn first_byte(seen: &Seen) -> Option<u64> {
    seen.range.as_deref()?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_goes_on_at_its_byte() {
    let (server, store, body) = with_object(policy()).await;
    for at in [0, 1, 65_536, 300_000, LEN as u64 - 1] {
        for fault in [Fault::ResetMidBody { at }, Fault::ShortBody { at }] {
            server.recover();
            server.inject(fault, Requests::nth(1).of("GetObject"));
            assert_eq!(read(&store, "object").await.expect("get"), body, "{fault:?}");
            let seen = server.take_seen();
            let [first, second] = &seen[..] else { panic!("{fault:?}: {seen:?}") };
            assert_eq!((first.range.as_ref(), first.if_match.as_ref()), (None, None));
            // A reset may overtake bytes that were sent before it.
            assert!(first_byte(second).is_some_and(|first| first <= at), "{fault:?}: {second:?}");
            assert!(second.if_match.is_some(), "of the same object only");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_is_not_asked_for_again() {
    let (server, store, body) = with_object(policy()).await;
    server.inject(Fault::ShortBody { at: 600_000 }, Requests::nth(1).of("GetObject"));
    assert_eq!(read(&store, "object").await.expect("get"), body);
    assert_eq!(first_byte(&server.take_seen()[1]), Some(600_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_break_off_often() {
    let (server, store, body) = with_object(policy()).await;
    server.inject(Fault::ShortBody { at: 100_000 }, Requests::all().of("GetObject"));
    assert_eq!(read(&store, "object").await.expect("get"), body);
    assert_eq!(server.take_seen().len(), LEN.div_ceil(100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_may_be_refused_too() {
    let (server, store, body) = with_object(policy()).await;
    server.inject(Fault::ResetMidBody { at: 400_000 }, Requests::nth(1).of("GetObject"));
    server.inject(Fault::SlowDown, Requests::nth(2).of("GetObject"));
    server.inject(Fault::LostAnswer, Requests::nth(3).of("GetObject"));
    assert_eq!(read(&store, "object").await.expect("get"), body);
    assert_eq!(server.take_seen().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_an_object_goes_on_as_well() {
    let (server, store, body) = with_object(policy()).await;
    server.inject(Fault::ShortBody { at: 1000 }, Requests::nth(1).of("GetObject"));
    let part = store.get_range(&name("object"), 500_000..700_000, None).await.expect("get");
    assert_eq!(part.len, 200_000);
    assert_eq!(part.read_to_bytes(200_000).await.expect("read"), body.slice(500_000..700_000));
    let ranges: Vec<_> = server.take_seen().into_iter().filter_map(|seen| seen.range).collect();
    assert_eq!(ranges, ["bytes=500000-699999", "bytes=501000-699999"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_is_left_after_the_idle_timeout() {
    let policy = RetryPolicy { idle_timeout: Duration::from_millis(300), ..policy() };
    let (server, store, body) = with_object(policy).await;
    server.inject(Fault::StallMidBody { at: 200_000 }, Requests::nth(1).of("GetObject"));
    assert_eq!(read(&store, "object").await.expect("get"), body);
    assert_eq!(first_byte(&server.take_seen()[1]), Some(200_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_is_asked_for_again() {
    let policy = RetryPolicy { idle_timeout: Duration::from_millis(300), ..policy() };
    let (server, store, body) = with_object(policy).await;
    server.inject(Fault::Slow(Duration::from_secs(3600)), Requests::first(2).of("GetObject"));
    assert_eq!(read(&store, "object").await.expect("get"), body);
    assert!(server.take_seen().len() >= 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_merely_slow_is_left_in_peace() {
    let (server, store, body) = with_object(policy()).await;
    server.inject(Fault::Slow(Duration::from_millis(50)), Requests::all());
    assert_eq!(read(&store, "object").await.expect("get"), body);
    assert_eq!(server.take_seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_two_objects_are_never_mixed() {
    for misbehaviour in [None, Some(Misbehaviour::IgnoresIfMatchOnGet)] {
        let (server, store, _) = with_object(policy()).await;
        if let Some(misbehaviour) = misbehaviour {
            server.misbehave(misbehaviour);
        }
        server.inject(Fault::ShortBody { at: 200_000 }, Requests::nth(1).of("GetObject"));
        let reader = store.get(&name("object")).await.expect("get");
        store.put(&name("object"), Bytes::from(vec![0; LEN])).await.expect("replace");
        let error = reader.read_to_bytes(LEN as u64).await.expect_err("another object by now");
        assert!(matches!(error, Error::Changed { .. }), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_does_not_go_on() {
    let (server, store, _) = with_object(policy()).await;
    server.inject(Fault::ShortBody { at: 200_000 }, Requests::nth(1).of("GetObject"));
    let reader = store.get(&name("object")).await.expect("get");
    store.delete(&name("object")).await.expect("delete");
    let error = reader.read_to_bytes(LEN as u64).await.expect_err("gone");
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_found_where_the_store_vouches_for_the_right_ones() {
    let (server, store, body) = with_object(policy()).await;
    server.inject(Fault::WrongBytes { at: 500_000 }, Requests::nth(1).of("GetObject"));
    let error = read(&store, "object").await.expect_err("a checksum that does not hold");
    assert!(matches!(error, Error::Corrupt { .. }) && error.is_retryable(), "{error:?}");
    assert_eq!(server.take_seen().len(), 1, "what was passed on cannot be taken back");
    assert_eq!(read(&store, "object").await.expect("the next time"), body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_a_limit() {
    let (server, store, _) = with_object(policy()).await;
    let reader = store.get(&name("object")).await.expect("get");
    let error = reader.read_to_bytes(LEN as u64 - 1).await.expect_err("a limit");
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    assert_eq!(server.take_seen().len(), 1);
}
