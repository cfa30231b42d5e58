use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use lethe_store::{Checksums, Error, ObjectName, ObjectStore, ResilientStore, RetryPolicy};
use lethe_testkit::s3::{Fault, Requests, S3Server, Seen};

use crate::s3;

/// Bodies that break off, stall, or are not what they should be.
mod bodies;
/// How long a store is tried, in paused time.
mod deadline;
/// Failures that pass by, and failures that stay.
mod refusals;
/// Everything at once, at random.
mod seeded;
/// Fewer requests at once while the store asks for it.
mod throttling;
/// Histories, in versioned buckets.
mod versions;
/// Writes whose answer was lost.
mod writes;

/// Waits of at most five milliseconds. What a store says in time, it may say slowly: the machine may be busy.
fn policy() -> RetryPolicy {
    RetryPolicy {
        first_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(5),
        ..RetryPolicy::default()
    }
}

async fn world() -> (S3Server, ResilientStore) {
    world_with(policy()).await
}

async fn world_with(policy: RetryPolicy) -> (S3Server, ResilientStore) {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    (server, ResilientStore::new(Arc::new(store), policy))
}

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).expect("a name")
}

/// Bytes that differ from place to place.
fn content(len: usize) -> Bytes {
    (0..len as u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

async fn read(store: &dyn ObjectStore, object: &str) -> Result<Bytes, Error> {
    store.get(&name(object)).await?.read_to_bytes(1 << 30).await
}

async fn names(store: &dyn ObjectStore, prefix: &str) -> Result<Vec<String>, Error> {
    store.list(prefix).await?.map_ok(|info| info.name.to_string()).try_collect().await
}

fn of<'a>(seen: &'a [Seen], operation: &str) -> Vec<&'a Seen> {
    seen.iter().filter(|seen| seen.operation == operation).collect()
}
