use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use lethe_store::{
    Checksums, DirectoryStore, Doomed, Error, ObjectName, ObjectStore, ResilientStore, RetryPolicy,
};

use crate::s3;

fn name(text: &str) -> ObjectName {
    ObjectName::new(text).expect("a name")
}

async fn read(store: &dyn ObjectStore, object: &str) -> Bytes {
    store.get(&name(object)).await.expect("get").read_to_bytes(1 << 30).await.expect("read")
}

async fn names(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let infos: Vec<_> = store.list(prefix).await.expect("list").try_collect().await.expect("page");
    infos.into_iter().map(|info| info.name.to_string()).collect()
}

pub(crate) async fn all(store: &dyn ObjectStore) {
    whole_objects(store).await;
    put_if_absent(store).await;
    racing_writers(store).await;
    ranges(store).await;
    listings(store).await;
    a_large_object(store).await;
    nobody_sees_half_an_object(store).await;
    what_a_pruner_asks(store).await;
}

async fn what_a_pruner_asks(store: &dyn ObjectStore) {
    let date = store.date().await.expect("a date");
    let apart = date.duration_since(std::time::SystemTime::now()).unwrap_or_else(|error| error.duration());
    assert!(apart.as_secs() < 60, "{date:?}");
    assert_eq!(lethe_store::uploads(store, "").await.expect("uploads").unwrap_or_default(), []);
    let names: Vec<String> = (0..1000).map(|number| format!("doomed/<&>/{number}")).collect();
    for name_of in &names[..3] {
        store.put(&name(name_of), Bytes::from_static(b"x")).await.expect("put");
    }
    store.put(&name("doomed/stays"), Bytes::from_static(b"x")).await.expect("put");
    let doomed: Vec<Doomed> =
        names.iter().map(|name_of| Doomed { name: name(name_of), version: None }).collect();
    // Also what is not there.
    match store.delete_batch(&doomed).await.expect("delete") {
        Some(left) => assert_eq!(left, []),
        None => {
            for name_of in &names[..3] {
                store.delete(&name(name_of)).await.expect("delete");
            }
        }
    }
    assert_eq!(self::names(store, "doomed/").await, ["doomed/stays"]);
    store.delete(&name("doomed/stays")).await.expect("delete");
}

async fn whole_objects(store: &dyn ObjectStore) {
    let object = name("a/b c/ü ☃+%&=?#.age");
    assert!(matches!(store.get(&object).await, Err(Error::NotFound { .. })));
    assert_eq!(store.head(&object).await.expect("head"), None);
    store.put(&object, Bytes::from_static(b"one")).await.expect("put");
    assert_eq!(read(store, object.as_str()).await, "one");
    store.put(&object, Bytes::from_static(b"second")).await.expect("replace");
    assert_eq!(read(store, object.as_str()).await, "second");
    let info = store.head(&object).await.expect("head").expect("is there");
    assert_eq!((info.len, &info.name), (6, &object));
    assert!(info.modified.elapsed().is_ok_and(|age| age.as_secs() < 3600), "the store's own date");
    let error = store.get(&object).await.expect("get").read_to_bytes(5).await.expect_err("a limit");
    assert!(matches!(error, Error::TooLarge { len: 6, limit: 5, .. }), "{error}");
    store.put(&name("empty"), Bytes::new()).await.expect("put nothing");
    assert_eq!(read(store, "empty").await, "");
    for _ in 0..2 {
        store.delete(&object).await.expect("delete, also what is gone");
    }
    assert!(matches!(store.get(&object).await, Err(Error::NotFound { .. })));
}

async fn put_if_absent(store: &dyn ObjectStore) {
    let object = name("once");
    store.put_if_absent(&object, Bytes::from_static(b"first")).await.expect("the first");
    let error = store.put_if_absent(&object, Bytes::from_static(b"second")).await.expect_err("the second");
    assert!(matches!(error, Error::AlreadyExists { .. }) && !error.is_retryable(), "{error}");
    assert_eq!(read(store, "once").await, "first");
    store.delete(&object).await.expect("delete");
    store.put_if_absent(&object, Bytes::from_static(b"third")).await.expect("the name is free again");
}

async fn racing_writers(store: &dyn ObjectStore) {
    for round in 0..5 {
        let object = name(&format!("race/{round}"));
        let bodies: Vec<Bytes> =
            (0..20).map(|writer| Bytes::from(format!("writer {writer} ").repeat(5000))).collect();
        let outcomes = join_all(bodies.iter().map(|body| store.put_if_absent(&object, body.clone()))).await;
        let winners: Vec<usize> = (0..20).filter(|writer| outcomes[*writer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "one of 20 writers");
        assert_eq!(read(store, object.as_str()).await, bodies[winners[0]], "the object is the winner's");
    }
}

async fn ranges(store: &dyn ObjectStore) {
    let object = name("range");
    store.put(&object, Bytes::from_static(b"0123456789")).await.expect("put");
    let part = |range, etag: Option<String>| {
        let object = &object;
        async move { store.get_range(object, range, etag.as_deref()).await?.read_to_bytes(100).await }
    };
    let etag = store.head(&object).await.expect("head").expect("is there").etag;
    assert_eq!(part(2..5, etag.clone()).await.expect("part"), "234");
    assert_eq!(part(8..10, None).await.expect("end"), "89");
    assert_eq!(part(0..10, None).await.expect("whole"), "0123456789");
    assert_eq!(part(3..3, None).await.expect("nothing"), "");
    store.put(&object, Bytes::from_static(b"9876543210")).await.expect("replace");
    assert!(matches!(part(2..5, etag).await, Err(Error::Changed { .. })), "another object by now");
}

async fn listings(store: &dyn ObjectStore) {
    let mut expected: Vec<String> =
        (0..2500).map(|number| format!("list/{:02}/{number}", number % 7)).collect();
    for page in expected.chunks(100) {
        for put in join_all(
            page.iter().map(|object| async move { store.put(&name(object), Bytes::from_static(b"x")).await }),
        )
        .await
        {
            put.expect("put");
        }
    }
    expected.sort();
    assert_eq!(names(store, "list/").await, expected, "several pages, in order");
    assert_eq!(
        names(store, "list/03/1").await.len(),
        expected.iter().filter(|name| name.starts_with("list/03/1")).count()
    );
    assert!(names(store, "list/none").await.is_empty());
    assert!(names(store, "lis").await.len() == 2500, "a prefix need not end at a slash");
}

async fn a_large_object(store: &dyn ObjectStore) {
    let body: Bytes =
        (0..64_u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    store.put(&name("large"), body.clone()).await.expect("put");
    let reader = store.get(&name("large")).await.expect("get");
    assert_eq!(reader.len, body.len() as u64);
    let mut at = 0;
    let mut pieces = reader.body;
    while let Some(piece) = pieces.try_next().await.expect("piece") {
        assert!(piece.len() <= 1 << 20, "a stream, not the whole object");
        assert!(body[at..at + piece.len()] == piece);
        at += piece.len();
    }
    assert_eq!(at, body.len());
    store.delete(&name("large")).await.expect("delete");
}

async fn nobody_sees_half_an_object(store: &dyn ObjectStore) {
    let object = name("torn");
    let body = |byte: u8| Bytes::from(vec![byte; 300_000]);
    store.put(&object, body(b'a')).await.expect("put");
    let writes = async {
        for byte in b'a'..=b'p' {
            store.put(&object, body(byte)).await.expect("put");
        }
    };
    let reads = async {
        for _ in 0..30 {
            let seen = read(store, "torn").await;
            assert!(
                seen.len() == 300_000 && seen.iter().all(|byte| *byte == seen[0]),
                "one writer's bytes alone"
            );
        }
    };
    tokio::join!(writes, reads);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    all(&DirectoryStore::open(folder.path()).expect("open")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_with_checksums_conforms() {
    let (_server, store) = s3::store(Checksums::WhenSupported).await;
    all(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_without_checksums_conforms() {
    let (_server, store) = s3::store(Checksums::WhenRequired).await;
    all(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_that_retries_conforms() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = DirectoryStore::open(folder.path()).expect("open");
    all(&ResilientStore::new(Arc::new(directory), RetryPolicy::default())).await;
    let (_server, s3) = s3::store(Checksums::WhenSupported).await;
    all(&ResilientStore::new(Arc::new(s3), RetryPolicy::default())).await;
}
