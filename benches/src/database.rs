//! The databases that are timed.

use clap::ValueEnum;
use lethe_testkit::pg::PgServer;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Shape {
    /// Users, orders, order items, events with jsonb; 11 indexes, 3 foreign keys
    Shop,
    /// Users and events, which are nearly all the bytes
    OneTable,
}

/// Makes the database `source` and returns its size in bytes.
pub(crate) fn create(server: &PgServer, shape: Shape, users: u32) -> u64 {
    server.create_database("source");
    let tables = match shape {
        Shape::Shop => format!("{}{}{}", user_table(users), order_tables(users), event_table(users, 40)),
        Shape::OneTable => format!("{}{}", user_table(users), event_table(users, 90)),
    };
    server.sql("source", &format!("{tables} VACUUM ANALYZE;"));
    server.sql("postgres", "SELECT pg_database_size('source')").parse().expect("a size")
}

fn user_table(users: u32) -> String {
    format!(
        "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, name text NOT NULL, created_at timestamptz NOT NULL, balance numeric(12,2) NOT NULL);
         INSERT INTO users SELECT i, 'user' || i || '@example.org', 'Name ' || md5(i::text), timestamptz '2024-01-01' + i * interval '1 minute', i % 1000 FROM generate_series(1, {users}) i;
         CREATE UNIQUE INDEX ON users (email); CREATE INDEX ON users (created_at);"
    )
}

fn order_tables(users: u32) -> String {
    format!(
        "CREATE TABLE orders (id uuid PRIMARY KEY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, placed_at timestamptz NOT NULL, total numeric(12,2) NOT NULL, state text NOT NULL);
         CREATE TABLE order_items (id bigint PRIMARY KEY, order_id uuid NOT NULL REFERENCES orders ON DELETE CASCADE, article bigint NOT NULL, quantity int NOT NULL, price numeric(12,2) NOT NULL);
         INSERT INTO orders SELECT md5('o' || i)::uuid, i % {users} + 1, timestamptz '2024-06-01' + i * interval '1 second', i % 5000, (ARRAY['new','paid','sent'])[i % 3 + 1] FROM generate_series(1, {users} * 10) i;
         INSERT INTO order_items SELECT i, md5('o' || (i % ({users} * 10) + 1))::uuid, i % 90000, i % 7 + 1, (i % 9000) / 100.0 FROM generate_series(1, {users} * 40) i;
         CREATE INDEX ON orders (user_id); CREATE INDEX ON orders (placed_at); CREATE INDEX ON order_items (order_id);"
    )
}

fn event_table(users: u32, each: u32) -> String {
    format!(
        "CREATE TABLE events (id bigint PRIMARY KEY, user_id bigint REFERENCES users ON DELETE CASCADE, at timestamptz NOT NULL, data jsonb NOT NULL);
         INSERT INTO events SELECT i, i % {users} + 1, timestamptz '2024-06-01' + i * interval '1 second', jsonb_build_object('page', '/p/' || i % 5000, 'ms', i % 997, 'agent', md5((i % 40)::text)) FROM generate_series(1, {users} * {each}) i;
         CREATE INDEX ON events (user_id); CREATE INDEX ON events (at);"
    )
}

/// Changes the newest 1 % of the rows of every table: those that lie in its last blocks.
pub(crate) fn change_the_newest_percent(server: &PgServer) {
    let tables = server.sql(
        "source",
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    );
    for table in tables.lines() {
        let column = match table {
            "users" => "balance = balance + 1",
            "orders" => "total = total + 1",
            "order_items" => "price = price + 1",
            _ => "at = at + interval '1 hour'",
        };
        server.sql(
            "source",
            &format!(
                "UPDATE {table} SET {column} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} ORDER BY ctid DESC LIMIT (SELECT reltuples::bigint / 100 FROM pg_class WHERE oid = '{table}'::regclass)))"
            ),
        );
    }
}

/// Ids of the users that are erased: one of 200.
pub(crate) fn erased(users: u32) -> impl Iterator<Item = u32> {
    (1..=users).filter(|id| id % 200 == 7)
}
