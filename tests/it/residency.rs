//! Real host names, a real S3 protocol, and what becomes of stores that are elsewhere.

use std::sync::Arc;
use std::time::Duration;

use lethe_engine::Error;
use lethe_engine::residency::{Examined, Residency};
use lethe_rules::residency::{Profile, WayOut};
use lethe_rules::store_fitness::Use;
use lethe_store::{ObjectStore, RetryPolicy, S3Settings, StoreEncryption};
use lethe_testkit::s3::{
    ACCESS_KEY, BucketSettings, Fault, Kind, Misbehaviour, Pretend, Replication, Requests, S3Server,
    SECRET_KEY, Seen,
};
use lethe_tests::compare::assert_same_rows;
use lethe_tests::oracle;
use lethe_tests::world::World;

const URL: &str = "s3://backups/production";
const FRANKFURT: &str = "https://s3.eu-central-1.amazonaws.com";
const FALKENSTEIN: &str = "https://fsn1.your-objectstorage.com";

/// As if the server stood at an endpoint.
fn at(server: &S3Server, endpoint: &str) -> (S3Settings, Pretend) {
    let pretend = server.pretend();
    let settings = S3Settings {
        region: Some("eu-central-1".to_owned()),
        endpoint: Some(endpoint.to_owned()),
        path_style: true,
        credentials: Some((ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())),
        http: Some(pretend.client()),
        ..S3Settings::default()
    };
    (settings, pretend)
}

fn policy() -> RetryPolicy {
    RetryPolicy {
        first_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(5),
        deadline: Duration::from_millis(100),
        ..RetryPolicy::default()
    }
}

fn residency(profile: Profile) -> Residency {
    Residency { profile, ..Residency::default() }
}

async fn server() -> S3Server {
    let server = S3Server::start().await;
    server.create_bucket("backups");
    server
}

async fn open(settings: &S3Settings, profile: Profile) -> Result<(Arc<dyn ObjectStore>, Vec<String>), Error> {
    residency(profile).open_store(URL, settings, policy(), Use::Ledger).await
}

fn about_objects(server: &S3Server) -> Vec<Seen> {
    server.take_seen().into_iter().filter(Seen::is_about_objects).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_elsewhere_are_refused_before_any_object_is_asked_for() {
    type Change = fn(&mut BucketSettings);
    let cases: [(&str, Change, Option<Misbehaviour>); 12] = [
        ("no header", |_| {}, Some(Misbehaviour::NoRegionHeader)),
        ("London", |bucket| bucket.region = "eu-west-2".to_owned(), None),
        ("Virginia", |bucket| bucket.region = "us-east-1".to_owned(), None),
        ("Zurich", |bucket| bucket.region = "eu-central-2".to_owned(), None),
        ("Dublin", |bucket| bucket.region = "eu-west-1".to_owned(), None),
        (
            "moved",
            |bucket| {
                bucket.region = "us-east-1".to_owned();
                bucket.head_status = 301;
            },
            None,
        ),
        ("two answers", |bucket| bucket.location = Some(None), None),
        ("two answers again", |bucket| bucket.location = Some(Some("EU".to_owned())), None),
        (
            "replicated away",
            |bucket| bucket.replication = Replication::To(vec![("arn:aws:s3:::copy".to_owned(), true)]),
            None,
        ),
        (
            "replicated to nobody knows where",
            |bucket| bucket.replication = Replication::To(vec![("arn:aws:s3:::gone".to_owned(), true)]),
            None,
        ),
        (
            "untold replication",
            |bucket| bucket.replication = Replication::Refused { status: 403, code: "AccessDenied" },
            None,
        ),
        (
            "a key that is everywhere",
            |bucket| bucket.kms_key = Some("arn:aws:kms:eu-central-1:1:key/mrk-1".to_owned()),
            None,
        ),
    ];
    for (what, change, misbehaviour) in cases {
        let server = server().await;
        server.create_bucket("copy");
        server.configure("copy", |bucket| bucket.region = "us-east-1".to_owned());
        server.configure("backups", change);
        if let Some(misbehaviour) = misbehaviour {
            server.misbehave(misbehaviour);
        }
        let (settings, pretend) = at(&server, FRANKFURT);
        let error = open(&settings, Profile::De).await.expect_err(what);
        assert!(matches!(error, Error::Store(lethe_store::Error::Residency { .. })), "{what}: {error:?}");
        assert_eq!(error.exit_code() as u8, 5, "{what}");
        assert!(error.hint().is_some(), "{what}");
        assert_eq!(about_objects(&server), [], "{what}");
        assert_eq!(pretend.hosts(), [FRANKFURT], "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_elsewhere_are_not_asked_at_all() {
    for endpoint in [
        "https://s3.us-east-1.amazonaws.com",
        "https://s3.eu-west-2.amazonaws.com",
        "https://s3.amazonaws.com",
        "https://s3-accelerate.amazonaws.com",
        "https://s3.dualstack.eu-central-1.amazonaws.com",
        "https://hel1.your-objectstorage.com",
        "https://fsn1.your-objectstorage.com.example.org",
        "https://storage.example",
    ] {
        let server = server().await;
        let (settings, pretend) = at(&server, endpoint);
        let error = open(&settings, Profile::De).await.expect_err(endpoint);
        assert_eq!(error.exit_code() as u8, 5, "{endpoint}: {error:?}");
        assert_eq!((server.take_seen(), pretend.hosts()), (Vec::new(), Vec::new()), "{endpoint}");
    }
}

/// The SDK makes the host from the region, with the bucket in front.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdks_own_endpoints_are_checked_too() {
    for (region, profile, host) in [
        ("eu-central-1", Profile::De, Some("s3.eu-central-1.amazonaws.com")),
        ("eusc-de-east-1", Profile::Eu, Some("s3.eusc-de-east-1.amazonaws.eu")),
        ("eusc-de-east-1", Profile::De, None),
        ("eu-north-1", Profile::Eu, Some("s3.eu-north-1.amazonaws.com")),
        ("us-east-1", Profile::Eu, None),
        ("eu-west-2", Profile::Eu, None),
        ("aws-global", Profile::Eu, None),
    ] {
        for path_style in [false, true] {
            let server = server().await;
            server.configure("backups", |bucket| bucket.region = region.to_owned());
            let (settings, pretend) = at(&server, "");
            let settings =
                S3Settings { region: Some(region.to_owned()), endpoint: None, path_style, ..settings };
            let opened = open(&settings, profile).await;
            match host {
                None => {
                    let error = opened.expect_err(region);
                    assert_eq!(error.exit_code() as u8, 5, "{region}: {error:?}");
                    assert!(pretend.hosts().is_empty());
                }
                // The test's server knows buckets in the path alone.
                Some(host) if path_style => {
                    opened.expect(region);
                    assert_eq!(pretend.hosts(), [format!("https://{host}")]);
                }
                Some(host) => {
                    let _ = opened;
                    assert_eq!(pretend.hosts(), [format!("https://backups.{host}")]);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let server = server().await;
    let (settings, pretend) = at(&server, FRANKFURT);
    let (store, _) = open(&settings, Profile::De).await.expect("open");
    let name = lethe_store::ObjectName::new("object").expect("a name");
    store.put(&name, "x".into()).await.expect("put");
    let _ = server.take_seen();
    server.inject(Fault::WrongRegion, Requests::all());
    let errors = [
        store.put(&name, "y".into()).await.expect_err("put"),
        store.get(&name).await.expect_err("get"),
        store.delete(&name).await.expect_err("delete"),
    ];
    assert!(errors.iter().all(|error| matches!(error, lethe_store::Error::WrongRegion { .. })), "{errors:?}");
    assert_eq!((server.take_seen().len(), pretend.hosts()), (3, vec![FRANKFURT.to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_that_cannot_be_emptied_in_time_are_refused() {
    type Change = fn(&mut BucketSettings);
    let cases: [(Change, Use, bool); 5] = [
        (|bucket| bucket.lock_days = Some(40), Use::Data, false),
        (|bucket| bucket.lock_days = Some(30), Use::Ledger, true),
        (|bucket| bucket.mfa_delete = true, Use::Data, false),
        (|bucket| bucket.versioning = Some("Suspended"), Use::Ledger, false),
        (|bucket| bucket.versioning = Some("Suspended"), Use::Data, true),
    ];
    for (change, purpose, allowed) in cases {
        let server = server().await;
        server.configure("backups", change);
        let (settings, _) = at(&server, FRANKFURT);
        let opened = residency(Profile::De).open_store(URL, &settings, policy(), purpose).await;
        assert_eq!(opened.is_ok(), allowed, "{opened:?}");
        if let Err(error) = opened {
            assert!(matches!(error, Error::Store(lethe_store::Error::Unfit { .. })), "{error:?}");
            assert_eq!((error.exit_code() as u8, about_objects(&server)), (3, Vec::new()));
            assert!(error.hint().is_some());
        }
    }
}

async fn examined(store: &Arc<dyn ObjectStore>, purpose: Use, encryption: StoreEncryption) -> Examined {
    residency(Profile::De).examine(store.as_ref(), purpose, encryption).await.expect("examine")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_does_not_guard_the_ledger_is_found() {
    use StoreEncryption::ByBucket;
    let server = server().await;
    server.configure("backups", |bucket| bucket.public_access_block = Some([true; 4]));
    let (settings, _) = at(&server, FRANKFURT);
    let (store, _) = open(&settings, Profile::De).await.expect("open");
    let found = examined(&store, Use::Ledger, ByBucket).await;
    assert_eq!(found.place.map(|place| place.code), Some("eu-central-1"));
    assert_eq!(found.findings.len(), 4, "{:?}", found.findings);
    let recommended = found.recommended_policy.expect("statements");
    assert!(recommended.contains("arn:aws:s3:::backups/production/ledger/?"));
    server.configure("backups", |bucket| bucket.policy = Some(recommended));
    let found = examined(&store, Use::Ledger, ByBucket).await;
    assert_eq!((found.findings, found.recommended_policy), (Vec::new(), None));
    let open = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}}"#;
    server.configure("backups", |bucket| bucket.policy = Some(open.to_owned()));
    let found = examined(&store, Use::Data, ByBucket).await;
    let expected = "s3://backups/production: the bucket's policy lets everybody in".to_owned();
    assert_eq!(found.ways_out, [WayOut::Elsewhere(expected)]);
}

/// Reports, messages and principals, one by one: what leads elsewhere, what nobody knows, and what is fine.
#[tokio::test(flavor = "multi_thread")]
async fn every_way_out_of_a_bucket_is_looked_at() {
    type Change = fn(&mut BucketSettings);
    let inventory = "an inventory of the bucket goes to arn:aws:s3:::";
    let denied: [(&str, &str); 5] = [
        ("GetBucketLogging", "allow s3:GetBucketLogging"),
        ("ListBucketInventoryConfigurations", "allow s3:GetInventoryConfiguration"),
        ("ListBucketAnalyticsConfigurations", "allow s3:GetAnalyticsConfiguration"),
        ("GetBucketNotificationConfiguration", "allow s3:GetBucketNotification"),
        ("GetBucketPolicy", "allow s3:GetBucketPolicy"),
    ];
    // True for what leads elsewhere.
    let cases: [(Change, bool, &str); 13] = [
        (
            |bucket| bucket.ways_out.inventories = vec![("arn:aws:s3:::far".to_owned(), true)],
            true,
            &format!("{inventory}far: us-east-1"),
        ),
        (
            |bucket| bucket.ways_out.inventories = vec![("arn:aws:s3:::gone".to_owned(), true)],
            false,
            &format!("{inventory}gone, and where that is cannot be found out"),
        ),
        (
            |bucket| bucket.ways_out.inventories = vec![("no ARN: at all".to_owned(), true)],
            false,
            "cannot be found out",
        ),
        (|bucket| bucket.ways_out.logging = Some("far".to_owned()), true, "requests goes to far: us-east-1"),
        (|bucket| bucket.ways_out.logging = Some("gone".to_owned()), false, "requests goes to gone, and"),
        (
            |bucket| bucket.ways_out.analytics = vec!["arn:aws:s3:::far".to_owned()],
            true,
            "an analysis of the bucket goes to arn:aws:s3:::far: us-east-1",
        ),
        (
            |bucket| bucket.ways_out.topics = vec!["arn:aws:sns:us-east-1:111122223333:t".to_owned()],
            true,
            "events go to arn:aws:sns:us-east-1:111122223333:t: us-east-1",
        ),
        (
            |bucket| bucket.ways_out.queues = vec!["arn:aws:sqs:eu-west-2:111122223333:q".to_owned()],
            true,
            "London",
        ),
        (
            |bucket| bucket.ways_out.functions = vec!["arn:aws:lambda:eu-west-1:1:function:f".to_owned()],
            true,
            "profile de",
        ),
        (|bucket| bucket.ways_out.event_bridge = true, false, "EventBridge"),
        (|bucket| bucket.policy = Some(allowing("444455556666")), true, "account 444455556666, which is not"),
        (
            |bucket| bucket.policy = Some(allowing("arn:aws:iam::444455556666:role/x")),
            true,
            "arn:aws:iam::444455556666:role/x of account 444455556666",
        ),
        (|bucket| bucket.policy = Some("{".to_owned()), false, "is none that is understood"),
    ];
    let server = server().await;
    for (name, region) in [("far", "us-east-1"), ("near", "eu-central-1")] {
        server.create_bucket(name);
        server.configure(name, |bucket| bucket.region = region.to_owned());
    }
    let (settings, _) = at(&server, FRANKFURT);
    let (store, _) = open(&settings, Profile::De).await.expect("open");
    let found = async || {
        let ours = Residency { accounts: vec!["111122223333".to_owned()], ..Residency::default() };
        let examined = ours.examine(store.as_ref(), Use::Data, StoreEncryption::ByBucket).await;
        examined.expect("examine").ways_out
    };
    assert_eq!(found().await, []);
    for (change, leads_elsewhere, text) in cases {
        server.configure("backups", |bucket| *bucket = BucketSettings::default());
        server.configure("backups", change);
        let found = found().await;
        let [way] = &found[..] else { panic!("{text}: {found:?}") };
        assert_eq!(matches!(way, WayOut::Elsewhere(_)), leads_elsewhere, "{way:?}");
        assert!(way.text().starts_with("s3://backups/production: ") && way.text().contains(text), "{way:?}");
    }
    for (operation, text) in denied {
        server.configure("backups", |bucket| *bucket = BucketSettings::default());
        server.configure("backups", |bucket| bucket.refused = vec![(operation, 403, "AccessDenied")]);
        let found = found().await;
        assert!(
            matches!(&found[..], [WayOut::Unknown(way)] if way.contains("AccessDenied") && way.ends_with(text)),
            "{operation}: {found:?}"
        );
    }
    server.configure("backups", |bucket| {
        *bucket = BucketSettings::default();
        bucket.policy = Some(allowing("111122223333"));
        let near = "arn:aws:s3:::near".to_owned();
        bucket.ways_out.logging = Some("near".to_owned());
        bucket.ways_out.inventories = vec![(near.clone(), true), ("arn:aws:s3:::far".to_owned(), false)];
        bucket.ways_out.analytics = vec![near, String::new()];
        bucket.ways_out.topics = vec!["arn:aws:sns:eu-central-1:111122223333:t".to_owned()];
    });
    assert_eq!(found().await, [], "reports that stay where they may be, and what is not enabled");
}

/// At Hetzner what does not exist is no way out, and where a topic sends messages on is told by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn hetzner_knows_fewer_ways_out() {
    let server = server().await;
    server.behave_like(Kind::Hetzner);
    let (settings, _) = at(&server, FALKENSTEIN);
    let (store, _) = open(&settings, Profile::De).await.expect("open");
    assert_eq!(examined(&store, Use::Data, StoreEncryption::ByBucket).await.ways_out, []);
    server.configure("backups", |bucket| {
        bucket.refused =
            vec![("GetBucketLogging", 405, "MethodNotAllowed"), ("GetBucketPolicy", 501, "NotImplemented")];
        bucket.ways_out.topics = vec!["arn:aws:sns:fsn1::t".to_owned()];
    });
    let found = examined(&store, Use::Data, StoreEncryption::ByBucket).await.ways_out;
    assert!(matches!(&found[..], [WayOut::Unknown(way)] if way.contains("arn:aws:sns:fsn1::t")), "{found:?}");
}

/// Only who asks for the ways out pays for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_does_not_look_at_the_ways_out() {
    let server = server().await;
    let (settings, _) = at(&server, FRANKFURT);
    open(&settings, Profile::De).await.expect("open");
    let operations: Vec<&str> = server.take_seen().into_iter().map(|seen| seen.operation).collect();
    assert!(operations.contains(&"GetBucketPolicy"), "{operations:?}");
    for way_out in ["Logging", "Inventory", "Analytics", "Notification", "Other"] {
        assert!(!operations.iter().any(|operation| operation.contains(way_out)), "{operations:?}");
    }
}

fn allowing(principal: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "{principal}"}}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::backups/*"}}]}}"#
    )
}

/// What the doctor finds in the settings of a bucket with data, one by one.
#[tokio::test(flavor = "multi_thread")]
async fn missing_safety_nets_are_found() {
    const RULES: &str = "<Rule><ID>net</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>";
    let kms = || StoreEncryption::Kms { key: "arn:aws:kms:eu-central-1:111122223333:key/abc".to_owned() };
    let server = server().await;
    let (settings, _) = at(&server, FRANKFURT);
    let (store, _) = open(&settings, Profile::De).await.expect("open");
    let findings = async |encryption| {
        let found = examined(&store, Use::Data, encryption).await;
        found.findings.join("; ")
    };
    let all = findings(kms()).await;
    for part in ["public access block", "ends unfinished uploads", "what KMS has not encrypted"] {
        assert!(all.contains(part), "{part}: {all}");
    }
    assert!(!findings(StoreEncryption::ByBucket).await.contains("KMS"));
    server.configure("backups", |bucket| {
        bucket.public_access_block = Some([true, true, true, false]);
        bucket.lifecycle = Some(RULES.to_owned());
        bucket.policy = Some(
            r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::backups/*",
                "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}}}"#
                .to_owned(),
        );
    });
    let left = findings(kms()).await;
    assert!(left.contains("public access block") && !left.contains(';'), "{left}");
    server.configure("backups", |bucket| bucket.public_access_block = Some([true; 4]));
    assert_eq!(findings(kms()).await, "");
    // Versions are kept: more nets are needed.
    server.configure("backups", |bucket| bucket.versioning = Some("Enabled"));
    assert_eq!(findings(kms()).await.matches("no lifecycle rule").count(), 4);
}

/// Not only for the doctor: snapshots would be losing chunks that they still name.
#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_that_deletes_backups_is_a_warning_of_every_start() {
    let server = server().await;
    let expiring = "<Rule><ID>old</ID><Status>Enabled</Status><Filter><Prefix>production/chunks/</Prefix></Filter><Expiration><Days>35</Days></Expiration></Rule>";
    server.configure("backups", |bucket| bucket.lifecycle = Some(expiring.to_owned()));
    for endpoint in [FRANKFURT, "http://127.0.0.1:1"] {
        let (settings, _) = at(&server, endpoint);
        let (_, warnings) = open(&settings, Profile::De).await.expect("open");
        let warned = warnings.iter().any(|warning| warning.contains("rule old deletes production/chunks/"));
        assert!(warned, "{endpoint}: {warnings:?}");
    }
}

/// What the store is asked to encrypt with; nothing is asked of one that may not be asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_encrypts_with_a_key_of_its_own_place() {
    let kms = |key: &str| StoreEncryption::Kms { key: key.to_owned() };
    let right = "arn:aws:kms:eu-central-1:111122223333:key/abc";
    for (endpoint, encryption, allowed) in [
        (FRANKFURT, StoreEncryption::ByBucket, true),
        (FRANKFURT, StoreEncryption::Aes256, true),
        (FRANKFURT, kms(right), true),
        (FRANKFURT, kms("arn:aws:kms:us-east-1:111122223333:key/abc"), false),
        (FRANKFURT, kms("arn:aws:kms:eu-central-1:111122223333:key/mrk-abc"), false),
        (FRANKFURT, kms("alias/mine"), false),
        (FALKENSTEIN, StoreEncryption::ByBucket, true),
        (FALKENSTEIN, StoreEncryption::Aes256, false),
        (FALKENSTEIN, kms(right), false),
    ] {
        let server = server().await;
        let (settings, _) = at(&server, endpoint);
        if endpoint == FALKENSTEIN {
            server.behave_like(Kind::Hetzner);
        }
        let settings = S3Settings { encryption: encryption.clone(), ..settings };
        let opened = open(&settings, Profile::De).await;
        assert_eq!(opened.is_ok(), allowed, "{endpoint} {encryption:?}: {opened:?}");
        let Ok((store, _)) = opened else {
            assert_eq!(server.take_seen(), [], "{endpoint} {encryption:?}");
            continue;
        };
        let name = lethe_store::ObjectName::new("chunks/x").expect("a name");
        store.put_if_absent(&name, "x".into()).await.expect("put");
        let seen = server.take_seen();
        let put = seen.iter().find(|seen| seen.operation == "PutObject").expect("a PUT");
        let expected = match &encryption {
            StoreEncryption::ByBucket => None,
            StoreEncryption::Aes256 => Some("AES256".to_owned()),
            StoreEncryption::Kms { key } => Some(format!("aws:kms {key}")),
        };
        assert_eq!(put.encryption, expected);
    }
}

/// A snapshot and a restore through every product, under the name of a place that has it. Where the ledger cannot live in
/// the bucket, it lives in one of its own.
#[tokio::test(flavor = "multi_thread")]
async fn every_product_works_or_is_refused() {
    let mut world = World::new().await;
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY, name text);
         CREATE TABLE orders (id int PRIMARY KEY, buyer int REFERENCES users ON DELETE CASCADE);
         INSERT INTO users SELECT i, 'user ' || md5(i::text) FROM generate_series(1, 2000) i;
         INSERT INTO orders SELECT i, i % 2000 + 1 FROM generate_series(1, 6000) i;",
    );
    oracle::delete(&world.server, "source", "oracle", "DELETE FROM users WHERE id <= 10").expect("delete");
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        for versioned in [false, true] {
            let server = server().await;
            if versioned {
                server.create_versioned_bucket("backups");
            }
            server.create_bucket("ledger");
            server.behave_like(kind);
            let tells_region = !kind.misbehaviours().contains(&Misbehaviour::NoRegionHeader);
            let (settings, pretend) = at(&server, if tells_region { FRANKFURT } else { FALKENSTEIN });
            let germany = residency(Profile::De);
            let data = germany.open_store(URL, &settings, policy(), Use::Data).await;
            let (data, warnings) = data.expect("it is in Germany");
            assert_eq!(warnings, Vec::<String>::new(), "{kind:?}");
            if versioned && !tells_region {
                // Known by its name, so at every start.
                let error = open(&settings, Profile::De).await.expect_err("everyone wins");
                assert!(matches!(error, Error::Store(lethe_store::Error::Unfit { .. })), "{error:?}");
            }
            let first = World::try_repository(data.clone(), data.clone()).await;
            assert_eq!(first.is_ok(), kind.can_keep_a_ledger(versioned), "{kind:?} {versioned}: {first:?}");
            let repository = match first {
                Ok(repository) => repository,
                Err(error) => {
                    let refused = matches!(error, Error::Store(lethe_store::Error::NoPutIfAbsent { .. }));
                    assert!(refused && error.exit_code() as u8 == 3, "{kind:?}: {error:?}");
                    assert!(server.objects("backups").is_empty(), "{kind:?}: nothing is left behind");
                    let ledger_url = "s3://ledger/production";
                    let ledger = germany.open_store(ledger_url, &settings, policy(), Use::Ledger).await;
                    let ledger = ledger.expect("also in Germany").0;
                    let second = World::try_repository(data, ledger).await;
                    assert_eq!(second.is_ok(), kind.can_keep_a_ledger(false), "{kind:?}: {second:?}");
                    let Ok(repository) = second else { continue };
                    repository
                }
            };
            world.repository = repository;
            world.snapshot().await.expect("snapshot");
            world.erase_integers("users", 1..=10).await;
            let database = format!("restored_{number}_{versioned}");
            let report = world.restore(&world.server, &database).await.expect("restore");
            assert_eq!(report.rows.dropped, 40, "{kind:?}");
            assert_same_rows((&world.server, "oracle"), (&world.server, &database));
            assert_eq!(pretend.hosts().len(), 1, "{kind:?}: {:?}", pretend.hosts());
            let conditional = server
                .take_seen()
                .into_iter()
                .any(|seen| seen.operation == "DeleteObject" && seen.if_match.is_some());
            assert!(!conditional, "Lethe asks for no conditional delete, which many ignore");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_changed_is_found_without_its_checksums() {
    let server = server().await;
    server.behave_like(Kind::Hetzner);
    let (settings, _) = at(&server, FALKENSTEIN);
    let (store, _) = open(&settings, Profile::De).await.expect("open");
    let mut world = World::new().await;
    world.repository = World::repository(store).await;
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 100)",
    );
    world.snapshot().await.expect("snapshot");
    server.inject(Fault::WrongBytes { at: 300 }, Requests::all().of("GetObject"));
    let error = world.restore(&world.server, "restored").await.expect_err("damaged");
    assert_ne!(error.exit_code() as u8, 0, "{error:?}");
    assert_eq!(
        world.server.sql("restored", "SELECT count(*) FROM pg_class WHERE relname = 'users'"),
        "0",
        "nothing was loaded"
    );
}

/// Half-way through a snapshot the bucket turns out to be elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_stops_before_the_next_write() {
    let server = server().await;
    let (settings, _) = at(&server, FRANKFURT);
    let residency = Residency { recheck: Duration::ZERO, ..Residency::default() };
    let (store, _) = residency.open_store(URL, &settings, policy(), Use::Ledger).await.expect("open");
    let mut world = World::new().await;
    world.repository = World::repository(store).await;
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 100)",
    );
    let before = server.objects("backups").len();
    server.configure("backups", |bucket| bucket.region = "us-east-1".to_owned());
    let _ = server.take_seen();
    let error = world.snapshot().await.expect_err("refused");
    assert_eq!(error.exit_code() as u8, 5, "{error:?}");
    assert_eq!((about_objects(&server), server.objects("backups").len()), (Vec::new(), before));
}
