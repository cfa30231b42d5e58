//! What is known to be wrong before a restore begins: a server that lacks what the snapshot needs, chunks that are not there,
//! rows that broke their own foreign key already. All of it is named.

use lethe_engine::{Error, ExitCode};
use lethe_rules::objection::{Code, Objection};
use lethe_testkit::pg::{PgServer, bin_dir};
use lethe_tests::world::World;

/// What speaks against a restore, of which nothing is written.
async fn objections(world: &World, target: &PgServer, database: &str) -> Vec<Objection> {
    let refused = world.restore(target, database).await.expect_err("refused");
    let untouched = "SELECT to_regnamespace('lethe') IS NULL";
    assert_eq!(target.sql(database, untouched), "t", "something is written: {refused:?}");
    match refused {
        Error::Refused(objections) | Error::Incomplete { objects: objections, .. } => objections,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_named(objections: &[Objection], code: Code, object: &str, hint: &str) {
    let named = objections.iter().find(|found| found.code == code && found.object.contains(object));
    let Some(named) = named else { panic!("{code:?} of {object}: {objections:?}") };
    assert!(named.hint.as_deref().is_some_and(|said| said.contains(hint)), "{named:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_tablespaces_that_a_server_lacks_are_all_named() {
    let world = World::new().await;
    let place = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::chown(place.path(), Some(owner(&world.server)), None).expect("chown");
    world.server.sql("postgres", &format!("CREATE TABLESPACE fast LOCATION '{}'", place.path().display()));
    world.server.sql(
        "source",
        "CREATE ROLE owner_here; CREATE ROLE reader_here;
         CREATE TABLE users (id int PRIMARY KEY) TABLESPACE fast; ALTER TABLE users OWNER TO owner_here;
         GRANT SELECT ON users TO reader_here;",
    );
    world.snapshot().await.expect("snapshot");
    let target = PgServer::start(bin_dir());
    let found = objections(&world, &target, "restored").await;
    assert_named(&found, Code::MissingRole, "owner_here", "--no-owner");
    assert_named(&found, Code::MissingRole, "reader_here", "--no-acl");
    assert_named(&found, Code::MissingTablespace, "fast", "create it");
}

fn owner(server: &PgServer) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(server.data_dir()).expect("a data directory").uid()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_that_is_older_than_the_snapshots_is_refused() {
    let world = World::new().await;
    world.server.sql("source", "CREATE EXTENSION hstore SCHEMA public; CREATE TABLE t (a public.hstore)");
    world.snapshot().await.expect("snapshot");
    world.restore(&world.server, "same").await.expect("the same version");
    let set = |version: &str| {
        let sql = format!("UPDATE pg_extension SET extversion = '{version}' WHERE extname = 'hstore'");
        world.server.sql("source", &sql);
    };
    set("1.0");
    world.snapshot().await.expect("snapshot");
    world.restore(&world.server, "newer").await.expect("a newer version");
    // Also where the numbers are not compared as text.
    set("1.100");
    world.snapshot().await.expect("snapshot");
    let found = objections(&world, &world.server, "older").await;
    assert_named(&found, Code::ExtensionTooOld, "hstore", "install");
    assert!(found[0].problem.contains("1.100"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_missing_are_all_named() {
    let world = World::new().await;
    for table in ["a", "b", "c", "d"] {
        world.server.sql(
            "source",
            &format!("CREATE TABLE {table} AS SELECT md5('{table}' || i) FROM generate_series(1, 100) i"),
        );
    }
    world.snapshot().await.expect("snapshot");
    let mut chunks: Vec<_> = files(&world.folder.path().join("store/chunks"));
    chunks.sort();
    assert!(chunks.len() >= 4, "{chunks:?}");
    for chunk in &chunks[..2] {
        std::fs::remove_file(chunk).expect("remove");
    }
    let whole = std::fs::read(&chunks[2]).expect("read");
    std::fs::write(&chunks[2], &whole[..whole.len() - 1]).expect("write");
    let found = objections(&world, &world.server, "restored").await;
    let mut named: Vec<&str> = found.iter().map(|objection| objection.object.as_str()).collect();
    named.sort_unstable();
    let store = world.folder.path().join("store");
    let expected: Vec<String> = chunks[..3]
        .iter()
        .map(|chunk| chunk.strip_prefix(&store).expect("in the store").display().to_string())
        .collect();
    assert_eq!(named, expected);
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_broke_their_key_before_end_with_its_name_and_a_way_on() {
    let world = World::new().await;
    world.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE orders (id int, buyer int CONSTRAINT my_key REFERENCES users);
         INSERT INTO users VALUES (1); SET session_replication_role = replica; INSERT INTO orders VALUES (1, 424242)",
    );
    world.snapshot().await.expect("snapshot");
    let error = world.restore(&world.server, "restored").await.expect_err("orphans");
    assert_eq!(error.exit_code(), ExitCode::Verification, "{error:?}");
    assert!(error.to_string().contains("my_key"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("NOT VALID")), "{error:?}");
    assert!(!format!("{error:?}").contains("424242"), "{error:?}");
    // What the hint says: mended where it is, the same command comes to its end.
    world.server.sql("restored", "DELETE FROM orders WHERE buyer NOT IN (SELECT id FROM users)");
    world.restore_into(&world.server, "restored").await.expect("restore");
}
