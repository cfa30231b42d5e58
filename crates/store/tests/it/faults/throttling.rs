use futures_util::future::join_all;

use super::*;

const MOST: usize = 32;

async fn read_all(store: &ResilientStore, objects: usize) {
    join_all((0..objects).map(|number| async move {
        let object = (number % 8).to_string();
        assert_eq!(read(store, &object).await.expect("get"), content(1000 + number % 8));
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_throttles_gets_fewer_requests_at_once() {
    for fault in [Fault::SlowDown, Fault::TooManyRequests] {
        let (server, store) = world_with(RetryPolicy { max_concurrency: MOST, ..policy() }).await;
        for number in 0..8 {
            store.put(&name(&number.to_string()), content(1000 + number)).await.expect("put");
        }
        let slow = Fault::Slow(Duration::from_millis(20));
        server.inject(slow, Requests::all());
        let _ = server.take_seen();
        read_all(&store, 100).await;
        let most = |seen: &[Seen]| seen.iter().map(|seen| seen.at_once).max().unwrap_or(0);
        let calm = server.take_seen();
        assert_eq!((calm.len(), store.concurrency()), (100, MOST));
        assert!((MOST / 2 + 1..=MOST).contains(&most(&calm)), "{}", most(&calm));

        // Three waves at least: of 32, of 16, of 8.
        server.recover();
        let storm = 64;
        server.inject(fault, Requests::first(storm));
        server.inject(slow, Requests::all());
        read_all(&store, 100).await;
        let seen = server.take_seen();
        assert_eq!(seen.len(), 100 + storm, "each refusal is one retry");
        assert!(most(&seen[storm..]) <= MOST / 2, "{} at once after the storm", most(&seen[storm..]));
        assert!(store.concurrency() < MOST);

        // With time it comes back.
        server.recover();
        while store.concurrency() < MOST {
            read_all(&store, 100).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_throttling_lowers_it() {
    let (server, store) = world_with(RetryPolicy { max_concurrency: MOST, ..policy() }).await;
    store.put(&name("0"), content(1000)).await.expect("put");
    server.inject(Fault::InternalError, Requests::first(5));
    server.inject(Fault::ResetMidBody { at: 10 }, Requests::first(10));
    assert_eq!(read(&store, "0").await.expect("get"), content(1000));
    assert_eq!(store.concurrency(), MOST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_not_read_counts_until_it_is_dropped() {
    let policy = RetryPolicy { max_concurrency: 1, idle_timeout: Duration::from_millis(300), ..policy() };
    let (_server, store) = world_with(policy).await;
    store.put(&name("0"), content(1000)).await.expect("put");
    let held = store.get(&name("0")).await.expect("get");
    assert_eq!(read(&store, "0").await.expect("it is let through all the same"), content(1000));
    assert_eq!(held.read_to_bytes(1000).await.expect("read"), content(1000));
}
