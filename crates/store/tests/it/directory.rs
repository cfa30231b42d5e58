use std::os::unix::fs::PermissionsExt as _;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use lethe_store::{DirectoryStore, ObjectName, ObjectStore};

#[tokio::test]
async fn what_a_crash_leaves_is_never_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = DirectoryStore::open(folder.path()).expect("open");
    store.put(&ObjectName::new("a/b").expect("a name"), Bytes::from_static(b"x")).await.expect("put");
    std::fs::create_dir_all(folder.path().join(".lethe-tmp")).expect("make");
    std::fs::write(folder.path().join(".lethe-tmp/4711-0"), b"half").expect("write");
    let listed: Vec<_> = store.list("").await.expect("list").try_collect().await.expect("page");
    assert_eq!(listed.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), ["a/b"]);
}

#[tokio::test]
async fn nobody_else_may_read_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("store");
    let store = DirectoryStore::open(&root).expect("open");
    store.put(&ObjectName::new("a/b").expect("a name"), Bytes::from_static(b"x")).await.expect("put");
    let mode =
        |path: &str| std::fs::metadata(root.join(path)).expect("metadata").permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("a"), mode("a/b")), (0o700, 0o700, 0o600));
}

#[test]
fn names_cannot_lead_out() {
    for wrong in ["", "/", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\0b", "a\nb"] {
        assert!(ObjectName::new(wrong).is_err(), "{wrong:?}");
    }
    assert!(ObjectName::new("x".repeat(1001)).is_err());
}
