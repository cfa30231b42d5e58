use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use lethe_store::{
    Address, BucketFacts, Checksums, Error, Guard, GuardedStore, LifecycleRule, ObjectName, ObjectStore,
    ResilientStore, RetryPolicy, Told, Versioning,
};
use lethe_testkit::s3::{Fault, Replication, Requests, S3Server, Seen};

use crate::s3;

/// Allows the region `eu-central-1`, unless it was told to allow nothing.
#[derive(Debug, Default)]
struct Frankfurt {
    closed: AtomicBool,
}

fn refused(store: &str) -> Error {
    Error::Residency { store: store.to_owned(), problem: "no".to_owned(), hint: "never".to_owned() }
}

impl Guard for Frankfurt {
    fn admit(&self, store: &str, address: &Address) -> Result<(), Error> {
        let Address::S3 { scheme, host, bucket, .. } = address else { return Err(refused(store)) };
        assert_eq!((scheme.as_str(), host.as_str(), bucket.as_str()), ("http", "127.0.0.1", s3::BUCKET));
        if self.closed.load(Ordering::SeqCst) { Err(refused(store)) } else { Ok(()) }
    }

    fn judge(&self, store: &str, _: &Address, facts: Option<&BucketFacts>) -> Result<Vec<String>, Error> {
        match facts.and_then(|facts| facts.region.as_deref()) {
            Some("eu-central-1") => Ok(vec!["a warning".to_owned()]),
            _ => Err(refused(store)),
        }
    }
}

const EVERY: Duration = Duration::from_secs(900);

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).expect("a name")
}

async fn world(every: Duration) -> (S3Server, GuardedStore) {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    let resilient = Arc::new(ResilientStore::new(Arc::new(store), RetryPolicy::default()));
    let (store, warnings) =
        GuardedStore::open(resilient, Arc::new(Frankfurt::default()), every).await.expect("open");
    assert_eq!(warnings, ["a warning"]);
    (server, store)
}

fn about_objects(server: &S3Server) -> Vec<Seen> {
    server.take_seen().into_iter().filter(Seen::is_about_objects).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_address_is_not_asked_at_all() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    let closed = Frankfurt { closed: AtomicBool::new(true) };
    let error = GuardedStore::open(Arc::new(store), Arc::new(closed), EVERY).await.expect_err("refused");
    assert!(matches!(error, Error::Residency { .. }) && error.hint().is_some(), "{error}");
    assert_eq!(server.take_seen(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_elsewhere_is_asked_for_no_object() {
    for (region, head_status) in [("us-east-1", 200), ("eu-west-2", 301), ("eu-west-2", 403)] {
        let (server, store) = s3::store(Checksums::WhenSupported).await;
        server.configure(s3::BUCKET, |bucket| {
            bucket.region = region.to_owned();
            bucket.head_status = head_status;
        });
        let guard = Arc::new(Frankfurt::default());
        let error = GuardedStore::open(Arc::new(store), guard, EVERY).await.expect_err("refused");
        assert!(matches!(error, Error::Residency { .. }), "{error}");
        assert_eq!(about_objects(&server), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_region_is_told_even_where_access_is_denied() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    for head_status in [200, 301, 400, 403] {
        server.configure(s3::BUCKET, |bucket| bucket.head_status = head_status);
        let facts = store.bucket_facts().await.expect("facts").expect("of a bucket");
        assert_eq!(facts.region.as_deref(), Some("eu-central-1"), "{head_status}");
    }
    server.misbehave(lethe_testkit::s3::Misbehaviour::NoRegionHeader);
    let facts = store.bucket_facts().await.expect("facts").expect("of a bucket");
    assert_eq!((facts.region, facts.location), (None, Told::Yes(None)));
}

const RULES: &str = "<Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>\
<Rule><ID>b</ID><Status>Enabled</Status><Filter><And><Prefix>x/</Prefix><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan></And></Filter><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration></Rule>\
<Rule><ID>c</ID><Status>Enabled</Status><Prefix>old/</Prefix><Expiration><Days>30</Days></Expiration><Transition><Days>7</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>\
<Rule><ID>d</ID><Status>Disabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule>\
<Rule><ID>e</ID><Status>Enabled</Status><Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter><Expiration><Days>30</Days></Expiration></Rule>";

#[tokio::test(flavor = "multi_thread")]
async fn facts_are_what_the_bucket_says() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    server.create_bucket("copy");
    server.configure("copy", |bucket| bucket.region = "us-east-1".to_owned());
    let plain = store.bucket_facts().await.expect("facts").expect("of a bucket");
    let expected = BucketFacts {
        region: Some("eu-central-1".to_owned()),
        location: Told::Yes(Some("eu-central-1".to_owned())),
        replication: Told::Yes(Vec::new()),
        kms_key: Told::Yes(None),
        encrypts_by_kms: false,
        versioning: Told::Yes(Versioning::Never),
        mfa_delete: false,
        default_retention: Told::Yes(None),
        policy: Told::Yes(None),
        public_access_blocked: Told::Yes(false),
        lifecycle: Told::Yes(Vec::new()),
    };
    assert_eq!(plain, expected);
    server.configure(s3::BUCKET, |bucket| {
        let arn = |name: &str| format!("arn:aws:s3:::{name}");
        bucket.replication = Replication::To(vec![
            (arn("copy"), true),
            (arn("nowhere"), true),
            (arn("disabled"), false),
            ("arn:aws:s3-outposts:us-east-1:1:outpost/x".to_owned(), true),
        ]);
        bucket.kms_key = Some("arn:aws:kms:eu-central-1:1:key/abc".to_owned());
        bucket.versioning = Some("Suspended");
        bucket.mfa_delete = true;
        bucket.lock_days = Some(40);
        bucket.policy = Some("{\"Statement\": []}".to_owned());
        bucket.public_access_block = Some([true, true, true, false]);
        bucket.lifecycle = Some(RULES.to_owned());
    });
    let facts = store.bucket_facts().await.expect("facts").expect("of a bucket");
    let Told::Yes(destinations) = facts.replication else { panic!("{:?}", facts.replication) };
    let regions: Vec<Option<&str>> = destinations.iter().map(|to| to.region.as_deref()).collect();
    assert_eq!(regions, [Some("us-east-1"), None, None], "of the rules that are enabled");
    assert_eq!(facts.kms_key, Told::Yes(Some("arn:aws:kms:eu-central-1:1:key/abc".to_owned())));
    assert_eq!((facts.versioning, facts.mfa_delete), (Told::Yes(Versioning::Suspended), true));
    assert_eq!(facts.default_retention, Told::Yes(Some(40)));
    assert_eq!(facts.policy, Told::Yes(Some("{\"Statement\": []}".to_owned())));
    assert!(facts.encrypts_by_kms && facts.public_access_blocked == Told::Yes(false));
    let rule = |id: &str, prefix: &str| LifecycleRule {
        id: id.to_owned(),
        prefix: prefix.to_owned(),
        ..LifecycleRule::default()
    };
    let expected = vec![
        LifecycleRule { aborts_uploads_after: Some(1), removes_delete_markers: true, ..rule("a", "") },
        LifecycleRule { expires_noncurrent: Some(3), by_size: true, ..rule("b", "x/") },
        LifecycleRule { expires_current: true, moves: true, ..rule("c", "old/") },
    ];
    assert_eq!(facts.lifecycle, Told::Yes(expected), "without the ones that are disabled or want a tag");
    server.configure(s3::BUCKET, |bucket| bucket.public_access_block = Some([true; 4]));
    let facts = store.bucket_facts().await.expect("facts").expect("of a bucket");
    assert_eq!(facts.public_access_blocked, Told::Yes(true));
    server.configure(s3::BUCKET, |bucket| {
        bucket.replication = Replication::Refused { status: 403, code: "AccessDenied" };
    });
    let facts = store.bucket_facts().await.expect("facts").expect("of a bucket");
    assert_eq!(facts.replication, Told::No { status: 403, code: Some("AccessDenied".to_owned()) });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_said_so() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    drop(store);
    let settings = lethe_store::S3Settings {
        region: Some("eu-central-1".to_owned()),
        endpoint: Some(server.endpoint()),
        path_style: true,
        credentials: Some((
            lethe_testkit::s3::ACCESS_KEY.to_owned(),
            lethe_testkit::s3::SECRET_KEY.to_owned(),
        )),
        ..lethe_store::S3Settings::default()
    };
    let store = lethe_store::S3Store::connect("missing", "", &settings).await.expect("connect");
    let error = store.bucket_facts().await.expect_err("no bucket");
    assert!(matches!(error, Error::NoBucket { .. }), "{error}");
}

/// Each operation of the trait, after the bucket has moved.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_moves_is_left_before_the_next_request() {
    let (server, store) = world(Duration::ZERO).await;
    store.put(&name("object"), Bytes::from_static(b"x")).await.expect("put");
    server.configure(s3::BUCKET, |bucket| bucket.region = "us-east-1".to_owned());
    let _ = server.take_seen();
    let object = name("object");
    let body = Bytes::from_static(b"y");
    let errors = [
        store.put(&object, body.clone()).await.expect_err("put"),
        store.put_if_absent(&object, body).await.expect_err("put if absent"),
        store.get(&object).await.expect_err("get"),
        store.get_range(&object, 0..1, None).await.expect_err("get a part"),
        store.head(&object).await.expect_err("head"),
        store.list_page("", None).await.expect_err("list a page"),
        store.list("").await.expect("lazy").try_next().await.expect_err("list"),
        store.delete(&object).await.expect_err("delete"),
        store.versions_page("", None).await.expect_err("list versions"),
        store.versions("").await.expect_err("list all versions"),
        store.get_version(&object, "1").await.expect_err("get a version"),
        store.delete_version(&object, "1").await.expect_err("delete a version"),
    ];
    assert!(errors.iter().all(|error| matches!(error, Error::Residency { .. })), "{errors:?}");
    assert_eq!(about_objects(&server), []);
    // It is back: nothing has to be restarted.
    server.configure(s3::BUCKET, |bucket| bucket.region = "eu-central-1".to_owned());
    store.get(&object).await.expect("get");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_good_for_a_while() {
    let (server, store) = world(EVERY).await;
    let looks =
        |server: &S3Server| server.take_seen().iter().filter(|seen| seen.operation == "HeadBucket").count();
    assert_eq!(looks(&server), 1);
    for number in 0..10 {
        store.put(&name(&number.to_string()), Bytes::from_static(b"x")).await.expect("put");
    }
    assert_eq!(looks(&server), 0);
    let (server, store) = world(Duration::from_millis(200)).await;
    let _ = server.take_seen();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (one, other) = (name("one"), name("other"));
    let (one, other) = tokio::join!(store.head(&one), store.head(&other));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(looks(&server), 1, "one looks, the other waits for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_is_repeated_and_then_refuses() {
    let (server, store) = s3::store(Checksums::WhenSupported).await;
    server.inject(Fault::SlowDown, Requests::first(3));
    let policy = RetryPolicy { first_delay: Duration::from_millis(1), ..RetryPolicy::default() };
    let resilient = Arc::new(ResilientStore::new(Arc::new(store), policy.clone()));
    let guard = Arc::new(Frankfurt::default());
    GuardedStore::open(resilient, guard.clone(), EVERY).await.expect("the store recovers");
    server.inject(Fault::SlowDown, Requests::all());
    let policy = RetryPolicy { deadline: Duration::from_millis(50), ..policy };
    let store = s3::connect(&server, Checksums::WhenSupported).await;
    let resilient = Arc::new(ResilientStore::new(Arc::new(store), policy));
    let _ = server.take_seen();
    let error = GuardedStore::open(resilient, guard, EVERY).await.expect_err("it does not");
    assert!(matches!(error, Error::GaveUp { .. }), "{error}");
    assert_eq!(about_objects(&server), []);
}
