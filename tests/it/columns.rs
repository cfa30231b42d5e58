//! Columns that are erased as a whole.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use lethe_engine::Error;
use lethe_engine::ledger::{self, NewEntry};
use lethe_engine::progress::Progress;
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::Kind;
use lethe_rules::objection::Code;
use lethe_tests::compare::assert_same_rows;
use lethe_tests::world::World;

/// Rows in binary form, in text form (`page`), in partitions of which one has its columns in another order.
const SCHEMA: &str = "
    CREATE TABLE users (id int PRIMARY KEY, phone text, born date NOT NULL, mail text UNIQUE, nick text GENERATED ALWAYS AS (lower(mail)) STORED);
    CREATE TABLE pinned (id int PRIMARY KEY, phone varchar(20), page regclass);
    CREATE TABLE visits (id int, day date, ip inet, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
    CREATE TABLE visits_2 (note text, ip inet, day date NOT NULL, id int NOT NULL);
    ALTER TABLE visits ATTACH PARTITION visits_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
    CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users);
    INSERT INTO users SELECT i, '+45 ' || i, '1990-01-01', i || '@example.org' FROM generate_series(1, 500) i;
    INSERT INTO pinned SELECT i, '+46 ' || i, 'users' FROM generate_series(1, 100) i;
    INSERT INTO visits SELECT i, '2026-01-01'::date + i % 50, '10.0.0.1', 'n' FROM generate_series(1, 300) i;
    INSERT INTO orders SELECT i, i FROM generate_series(1, 200) i;";

fn columns(kind: Kind, table: &str, columns: &[&str]) -> NewEntry {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    NewEntry::about_columns(kind, QualifiedName::new("public", table), columns)
}

const EMPTIED: &str =
    "UPDATE users SET phone = NULL; UPDATE pinned SET phone = NULL; UPDATE visits SET ip = NULL";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_column_held_does_not_come_back() {
    let world = World::new().await;
    world.server.sql("source", SCHEMA);
    world.snapshot().await.expect("snapshot");
    world.append(columns(Kind::ColumnsErased, "users", &["phone", "gone_long_ago"])).await;
    world.append(columns(Kind::ColumnsErased, "pinned", &["phone"])).await;
    world.append(columns(Kind::ColumnsErased, "elsewhere", &["phone"])).await;
    world.append(NewEntry { settled: true, ..columns(Kind::ColumnsErased, "visits", &["ip"]) }).await;
    world.erase_integers("users", [7]).await;
    let report = world.restore(&world.server, "restored").await.expect("restore");
    world.server.sql("postgres", "CREATE DATABASE oracle TEMPLATE source");
    world.server.sql(
        "oracle",
        &format!("{EMPTIED}; DELETE FROM orders WHERE user_id = 7; DELETE FROM users WHERE id = 7"),
    );
    assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
    assert_eq!((report.rows.changed, report.rows.dropped), (499 + 100 + 300, 2));

    // A snapshot that was begun later: the one column was empty by then, the others may not have been.
    world.snapshot().await.expect("snapshot");
    world.restore(&world.server, "later").await.expect("restore");
    let ips = "SELECT count(ip) = 300 FROM visits";
    assert_eq!(world.server.sql("later", ips), "t");
    assert_eq!(world.server.sql("later", "SELECT count(phone) FROM users"), "0");
    world.append(columns(Kind::ColumnsRevoked, "users", &["phone"])).await;
    world.restore(&world.server, "revoked").await.expect("restore");
    assert_eq!(world.server.sql("revoked", "SELECT count(phone) FROM users"), "499");
    assert_eq!(world.server.sql("revoked", "SELECT count(phone) FROM pinned"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_takes_no_null_becomes_random_and_keys_are_an_objection() {
    let world = World::new().await;
    world.server.sql("source", SCHEMA);
    world.snapshot().await.expect("snapshot");
    world.append(columns(Kind::ColumnsErased, "users", &["born", "mail"])).await;
    world.restore(&world.server, "restored").await.expect("restore");
    let left =
        "SELECT count(*), count(*) FILTER (WHERE born = '1990-01-01'), count(mail), count(nick) FROM users";
    assert_eq!(world.server.sql("restored", left), "500|0|0|0");
    for (table, column) in [("users", "nick"), ("users", "id"), ("orders", "user_id"), ("visits", "day")] {
        world.append(columns(Kind::ColumnsErased, table, &[column])).await;
    }
    let error = world.restore(&world.server, "refused").await.expect_err("keys");
    let Error::Refused(objections) = error else { panic!("{error:?}") };
    let named = |column: &str| {
        objections.iter().any(|it| it.code == Code::MaskRefused && it.object.ends_with(column))
    };
    assert!(named("nick") && named("users.id") && named("user_id") && named("day"), "{objections:?}");
}

/// While rows are being loaded already.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_erased_during_a_restore_does_not_come_back_either() {
    for stage in ["load", "index", "cut over"] {
        let world = World::new().await;
        world.server.sql("source", SCHEMA);
        world.snapshot().await.expect("snapshot");
        let (repository, last_seen, done) =
            (world.repository.clone(), world.last_seen(), AtomicBool::new(false));
        let progress = Progress::observed(Box::new(move |at| {
            if at != stage || done.swap(true, Ordering::Relaxed) {
                return;
            }
            let append = async {
                for (table, column) in [("users", "phone"), ("pinned", "phone"), ("visits", "ip")] {
                    let entry = columns(Kind::ColumnsErased, table, &[column]);
                    ledger::append(&repository, &last_seen, entry, None, Timestamp::now())
                        .await
                        .expect("append");
                }
            };
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(append));
        }));
        world.server.create_database("restored");
        world
            .restore_observed(&world.server, "restored", World::options(), &progress)
            .await
            .unwrap_or_else(|error| panic!("{stage}: {error}"));
        world.server.sql("postgres", "CREATE DATABASE oracle TEMPLATE source");
        world.server.sql("oracle", EMPTIED);
        assert_same_rows((&world.server, "oracle"), (&world.server, "restored"));
    }
}
