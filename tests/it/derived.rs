//! What tells of other rows: the server's own derived data is made from what was loaded; what an application keeps up itself is named.

use lethe_engine::restore::RestoreOptions;
use lethe_format::catalog::QualifiedName;
use lethe_format::reference::{Inside, OnErase, Reference, TableColumns};
use lethe_tests::world::World;

const SCHEMA: &str = "
    CREATE TABLE users (id int PRIMARY KEY, last_name text, posts_count int, badges_count int, visits_count int, score int, last_post_at timestamptz, discount numeric);
    CREATE TABLE forums (id int PRIMARY KEY, title text, post_count int, search tsvector);
    CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, forum_id int REFERENCES forums, body text,
        words int GENERATED ALWAYS AS (length(body)) STORED, tsv tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED,
        search_text text, comments_count int) PARTITION BY RANGE (id);
    CREATE TABLE posts_1 PARTITION OF posts FOR VALUES FROM (1) TO (100);
    CREATE TABLE posts_2 PARTITION OF posts FOR VALUES FROM (100) TO (1000);
    CREATE TABLE badges (id int PRIMARY KEY, user_id int REFERENCES users);
    CREATE TABLE visits (id int PRIMARY KEY, user_id int);
    CREATE TABLE settings (id int PRIMARY KEY, search text, total_count int);
    CREATE MATERIALIZED VIEW by_user AS SELECT user_id, count(*), max(body) FROM posts GROUP BY 1;
    CREATE MATERIALIZED VIEW of_that AS SELECT count(*) FROM by_user;
    INSERT INTO users SELECT i, 'Name ' || i, 5, 0, 1, 1, now(), 0 FROM generate_series(1, 40) i;
    INSERT INTO forums VALUES (1, 'a', 200, 'x');
    INSERT INTO posts (id, user_id, forum_id, body, search_text, comments_count) SELECT i, i % 40 + 1, 1, 'canary-of-' || i % 40 + 1, 's', 0 FROM generate_series(1, 200) i;
    INSERT INTO visits SELECT i, i FROM generate_series(1, 40) i;
    REFRESH MATERIALIZED VIEW by_user; REFRESH MATERIALIZED VIEW of_that;";

#[tokio::test(flavor = "multi_thread")]
async fn derived_data_is_made_anew_or_named() {
    let world = World::new().await;
    world.server.sql("source", SCHEMA);
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [7]).await;
    let side = |table: &str, column: &str| TableColumns {
        table: QualifiedName::new("public", table),
        columns: vec![column.to_owned()],
    };
    let visits = Reference {
        from: side("visits", "user_id"),
        inside: Inside::default(),
        to: side("users", "id"),
        when: None,
        on_erase: OnErase::Null,
    };
    let options = RestoreOptions { references: vec![visits], ..World::options() };
    world.server.create_database("restored");
    let report = world.restore_with(&world.server, "restored", options).await.expect("restore");
    let named: Vec<String> = report
        .may_be_stale
        .iter()
        .map(|stale| format!("{}.{} {:?}", stale.table, stale.column, stale.why))
        .collect();
    // Nobody lost a badge, `discount` counts nothing, and nothing refers to `settings`. `words` and `tsv` are the server's.
    let expected = [
        "public.forums.post_count Counter",
        "public.forums.search Search",
        "public.posts.search_text Search",
        "public.users.last_post_at Counter",
        "public.users.posts_count Counter",
        "public.users.score Counter",
    ];
    assert_eq!(named, expected);

    world.server.sql("postgres", "CREATE DATABASE oracle TEMPLATE source");
    world.server.sql("oracle", "DELETE FROM users WHERE id = 7; REFRESH MATERIALIZED VIEW by_user; REFRESH MATERIALIZED VIEW of_that");
    for query in [
        "SELECT * FROM by_user ORDER BY 1",
        "SELECT * FROM of_that",
        "SELECT id, words, tsv FROM posts ORDER BY 1",
        "SELECT count(*) FROM by_user WHERE max = 'canary-of-7'",
    ] {
        assert_eq!(world.server.sql("restored", query), world.server.sql("oracle", query), "{query}");
    }
    // Where nobody is erased, nothing is stale.
    let world = World::new().await;
    world.server.sql("source", SCHEMA);
    world.snapshot().await.expect("snapshot");
    assert_eq!(world.restore(&world.server, "whole").await.expect("restore").may_be_stale, []);
}
