use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lethe_engine::progress::Progress;
use lethe_engine::restore::RestoreOptions;
use lethe_engine::{Error, ExitCode};
use lethe_tests::world::World;

const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE orders (id int PRIMARY KEY, buyer int REFERENCES users ON DELETE CASCADE);
    CREATE TABLE visits (user_id int, note text);
    INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 500) i;
    INSERT INTO orders SELECT i, i % 500 + 1 FROM generate_series(1, 3000) i;";

/// Restores without user 7, and brings something of user 7 back into the target right when applications may connect, as an application
/// with a queue of its own would.
async fn restore_and_plant(
    world: &World,
    database: &str,
    sql: &str,
    read_back_all: bool,
) -> Result<(), Error> {
    world.server.create_database(database);
    let (url, sql, bin) = (world.server.url(database), sql.to_owned(), world.server.bin().join("psql"));
    let planted = Arc::new(AtomicBool::new(false));
    let seen = planted.clone();
    let progress = Progress::observed(Box::new(move |stage| {
        if stage == "ready" && !planted.swap(true, Ordering::SeqCst) {
            let status = std::process::Command::new(&bin)
                .args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", &sql])
                .status();
            assert!(status.expect("run psql").success());
        }
    }));
    let options = RestoreOptions { read_back_all, ..World::options() };
    let restored = world.restore_observed(&world.server, database, options, &progress).await;
    assert!(seen.load(Ordering::SeqCst), "it was planted: {restored:?}");
    restored.map(|_| ())
}

/// Whatever brought them back, somebody must be told at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_an_erased_person_that_comes_from_elsewhere_is_found_by_the_verification() {
    let world = World::new().await;
    world.server.sql("source", SHOP);
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [7]).await;
    let found = restore_and_plant(&world, "user", "INSERT INTO users VALUES (7, 'back')", false).await;
    let Err(error @ Error::Verification { .. }) = found else { panic!("{found:?}") };
    assert_eq!(error.exit_code(), ExitCode::Verification);
    assert_eq!(
        error.to_string(),
        "verify public.users: 1 rows of erased people, or with their keys, are in the restored database"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("keep applications away")));
    // Somebody else's row is nobody's business.
    restore_and_plant(&world, "living", "INSERT INTO users VALUES (1007, 'new')", false)
        .await
        .expect("verified");
}

/// A drill looks into every table that an erasure may touch, not into the subjects' own alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_also_finds_what_refers_to_an_erased_person() {
    let world = World::new().await;
    world.server.sql("source", SHOP);
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [7]).await;
    // The server itself would not have it, with the key in place.
    let plant = "ALTER TABLE orders DISABLE TRIGGER ALL; INSERT INTO orders VALUES (10000, 7); ALTER TABLE orders ENABLE TRIGGER ALL;
                 UPDATE pg_constraint SET convalidated = true WHERE conname = 'orders_buyer_fkey'";
    let found = restore_and_plant(&world, "drilled", plant, true).await;
    let Err(Error::Verification { object, .. }) = &found else { panic!("{found:?}") };
    assert!(object.contains("orders"), "{object}");
}
