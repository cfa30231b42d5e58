use lethe_store::{Checksums, Destination, EventTargets, ObjectStore as _, Told, WaysOut};
use lethe_testkit::s3::Misbehaviour;

use crate::s3;

fn to(bucket: &str, region: Option<&str>) -> Destination {
    Destination { bucket: bucket.to_owned(), region: region.map(str::to_owned) }
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_out_are_what_the_bucket_says() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    let nothing = WaysOut {
        logging: Told::Yes(Vec::new()),
        inventories: Told::Yes(Vec::new()),
        analytics: Told::Yes(Vec::new()),
        events: Told::Yes(EventTargets::default()),
    };
    assert_eq!(store.ways_out().await.expect("ways out"), Some(nothing));
    server.create_bucket("far");
    server.configure("far", |bucket| {
        bucket.region = "us-east-1".to_owned();
        bucket.head_status = 403;
    });
    let arn = |name: &str| format!("arn:aws:s3:::{name}");
    server.configure(s3::BUCKET, |bucket| {
        bucket.ways_out.logging = Some("far".to_owned());
        bucket.ways_out.inventories =
            vec![(arn("far"), true), (arn("off"), false), (arn("far"), true), (arn("gone"), true)];
        bucket.ways_out.analytics = vec![String::new(), arn("far"), String::new()];
        bucket.ways_out.topics = vec!["topic".to_owned()];
        bucket.ways_out.queues = vec!["queue".to_owned()];
        bucket.ways_out.functions = vec!["one".to_owned(), "two".to_owned()];
        bucket.ways_out.event_bridge = true;
    });
    let far = Some("us-east-1");
    let expected = WaysOut {
        logging: Told::Yes(vec![to("far", far)]),
        inventories: Told::Yes(vec![to(&arn("far"), far), to(&arn("gone"), None)]),
        analytics: Told::Yes(vec![to(&arn("far"), far)]),
        events: Told::Yes(EventTargets {
            arns: ["topic", "queue", "one", "two"].map(str::to_owned).to_vec(),
            event_bridge: true,
        }),
    };
    assert_eq!(store.ways_out().await.expect("ways out"), Some(expected), "of all pages");
}

/// An answer to another question is none, and no reason to ask again.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lists_instead_does_not_know_the_question() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    server.misbehave(Misbehaviour::CephListsInstead);
    server.configure(s3::BUCKET, |bucket| {
        bucket.refused = vec![("GetBucketNotificationConfiguration", 403, "AccessDenied")];
    });
    let found = store.ways_out().await.expect("ways out").expect("of a bucket");
    let unknown = Told::No { status: 501, code: Some("NotImplemented".to_owned()) };
    assert_eq!((found.inventories, found.analytics), (unknown.clone(), unknown));
    assert_eq!(found.events, Told::No { status: 403, code: Some("AccessDenied".to_owned()) });
    assert_eq!(found.logging, Told::Yes(Vec::new()));
}
