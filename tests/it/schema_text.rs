//! Erased people in the text of the schema: a canary in each place where a schema holds text.

use lethe_engine::Error;
use lethe_engine::restore::RestoreOptions;
use lethe_format::ledger::Keys;
use lethe_rules::objection::{Code, Objection};
use lethe_tests::world::World;

const SCHEMA: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE);
    CREATE TABLE accounts (id uuid PRIMARY KEY, name text);
    CREATE TABLE orders (id int PRIMARY KEY, user_id bigint REFERENCES users, total numeric(42, 5));
    INSERT INTO users SELECT i, 'person' || i || '@example.org' FROM generate_series(1, 60) i;
    INSERT INTO accounts VALUES ('550e8400-e29b-41d4-a716-446655440000', 'a'), ('650e8400-e29b-41d4-a716-446655440000', 'b');
    INSERT INTO orders SELECT i, i % 60 + 1, i FROM generate_series(1, 200) i;";

/// Where somebody can stand, and how the objection says where, without saying who.
const PLACES: &[(&str, &str)] = &[
    ("COMMENT ON TABLE orders IS 'not for user 42'", "COMMENT TABLE orders"),
    ("COMMENT ON COLUMN users.email IS 'ask person42@example.org'", "COMMENT COLUMN users.email"),
    ("ALTER TABLE orders ALTER user_id SET DEFAULT 42", "TABLE orders"),
    ("ALTER TABLE orders ADD CONSTRAINT odd CHECK (user_id <> 42 OR total > 0)", "orders"),
    ("CREATE VIEW plain AS SELECT * FROM orders WHERE user_id = 42", "VIEW plain"),
    ("CREATE VIEW orders_of_user_42 AS SELECT 1 AS x", "VIEW orders_of_user_…"),
    (
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM orders WHERE user_id IN (41, 42)",
        "MATERIALIZED VIEW kept",
    ),
    ("CREATE INDEX part ON orders (total) WHERE user_id = 42", "INDEX part"),
    ("CREATE POLICY hidden ON orders USING (user_id <> 42)", "POLICY orders hidden"),
    ("CREATE TYPE kind AS ENUM ('user 42', 'other')", "TYPE kind"),
    ("CREATE DOMAIN who AS text CHECK (VALUE <> 'person42@example.org')", "DOMAIN who"),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM orders WHERE user_id = 42 $$",
        "FUNCTION f()",
    ),
    (
        "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
      CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.user_id = 42) EXECUTE FUNCTION g()",
        "TRIGGER orders t",
    ),
    (
        "CREATE TABLE lists (user_id bigint, x int) PARTITION BY LIST (user_id);
      CREATE TABLE one PARTITION OF lists FOR VALUES IN (42)",
        "TABLE ATTACH one",
    ),
    ("CREATE TABLE \"data_550e8400-e29b-41d4-a716-446655440000\" (x int)", "TABLE data_…"),
    (
        "CREATE RULE r AS ON DELETE TO accounts WHERE old.id = '550E8400-E29B-41D4-A716-446655440000' DO INSTEAD NOTHING",
        "RULE accounts r",
    ),
    ("CREATE STATISTICS stat ON (CASE WHEN user_id = 42 THEN 1 END) FROM orders", "STATISTICS stat"),
    ("CREATE ROLE user_42; GRANT SELECT ON orders TO user_42", "ACL TABLE orders"),
    ("CREATE PUBLICATION news FOR TABLE orders WHERE (user_id <> 42)", "PUBLICATION TABLE news orders"),
];

async fn refused(world: &World, name: &str, options: RestoreOptions) -> Vec<Objection> {
    world.server.create_database(name);
    match world.restore_with(&world.server, name, options).await {
        Ok(_) => Vec::new(),
        Err(Error::Refused(objections)) => objections,
        Err(other) => panic!("{name}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_in_the_schema_is_found_in_every_place() {
    let world = World::new().await;
    world.server.sql("source", SCHEMA);
    // Numbers that are nobody's, addresses of the living, and what only looks like an address.
    world.server.sql(
        "source",
        "COMMENT ON TABLE users IS 'see page 42; ask person7@example.org'; CREATE SEQUENCE s START 42;
         CREATE VIEW fine AS SELECT * FROM orders WHERE id = 42 AND user_id = 7 AND total > 42;
         ALTER TABLE users ADD CHECK (email ~ '^[^@]+@[^@]+$');",
    );
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [42]).await;
    let gone = Keys::Tuples(vec![vec!["550e8400-e29b-41d4-a716-446655440000".to_owned()]]);
    world.erase("public", "accounts", None, gone).await;
    assert_eq!(refused(&world, "fine", World::options()).await, []);
    let mut missed = Vec::new();
    for (number, (statement, expected)) in PLACES.iter().enumerate() {
        world.server.sql("postgres", "CREATE DATABASE before TEMPLATE source");
        world.server.sql("source", statement);
        world.snapshot().await.expect("snapshot");
        let objections = refused(&world, &format!("refused{number}"), World::options()).await;
        let found: Vec<&Objection> = objections.iter().filter(|it| it.code == Code::SchemaText).collect();
        if !found.iter().any(|it| it.object.ends_with(expected)) {
            missed.push(format!("{statement}: {objections:?}"));
        }
        for objection in &objections {
            let said = format!("{objection:?}").to_lowercase();
            assert!(!said.contains("42") && !said.contains("550e8400"), "{said}");
        }
        world.server.sql("postgres", "DROP DATABASE source WITH (FORCE)");
        world.server.sql("postgres", "ALTER DATABASE before RENAME TO source");
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Somebody may answer for it; what becomes of rows does not change.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_with_it_can_be_answered_for() {
    let world = World::new().await;
    world.server.sql("source", SCHEMA);
    world.server.sql("source", PLACES[0].0);
    world.server.sql("source", PLACES[1].0);
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [42]).await;
    assert_eq!(refused(&world, "refused", World::options()).await.len(), 2);
    world.server.create_database("restored");
    let options = RestoreOptions { acknowledged: vec![Code::SchemaText], ..World::options() };
    let report = world.restore_with(&world.server, "restored", options).await.expect("restore");
    assert_eq!(report.acknowledged.len(), 2);
    assert_eq!(world.server.sql("restored", "SELECT count(*) FROM users WHERE id = 42"), "0");
}
