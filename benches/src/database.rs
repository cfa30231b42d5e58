//! The database: users, orders, order items, events with jsonb; 11 indexes, 3 foreign keys.

use lethe_testkit::pg::PgServer;

/// Makes the database `source` and returns its size in bytes.
pub(crate) fn create(server: &PgServer, users: u32) -> u64 {
    server.create_database("source");
    server.sql("source", &script(users));
    server.sql("postgres", "SELECT pg_database_size('source')").parse().expect("a size")
}

fn script(users: u32) -> String {
    format!(
        "CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL, name text NOT NULL, created_at timestamptz NOT NULL, balance numeric(12,2) NOT NULL);
         CREATE TABLE orders (id uuid PRIMARY KEY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, placed_at timestamptz NOT NULL, total numeric(12,2) NOT NULL, state text NOT NULL);
         CREATE TABLE order_items (id bigint PRIMARY KEY, order_id uuid NOT NULL REFERENCES orders ON DELETE CASCADE, article bigint NOT NULL, quantity int NOT NULL, price numeric(12,2) NOT NULL);
         CREATE TABLE events (id bigint PRIMARY KEY, user_id bigint REFERENCES users ON DELETE CASCADE, at timestamptz NOT NULL, data jsonb NOT NULL);
         INSERT INTO users SELECT i, 'user' || i || '@example.org', 'Name ' || md5(i::text), timestamptz '2024-01-01' + i * interval '1 minute', i % 1000 FROM generate_series(1, {users}) i;
         INSERT INTO orders SELECT md5('o' || i)::uuid, i % {users} + 1, timestamptz '2024-06-01' + i * interval '1 second', i % 5000, (ARRAY['new','paid','sent'])[i % 3 + 1] FROM generate_series(1, {users} * 10) i;
         INSERT INTO order_items SELECT i, md5('o' || (i % ({users} * 10) + 1))::uuid, i % 90000, i % 7 + 1, (i % 9000) / 100.0 FROM generate_series(1, {users} * 40) i;
         INSERT INTO events SELECT i, i % {users} + 1, timestamptz '2024-06-01' + i * interval '1 second', jsonb_build_object('page', '/p/' || i % 5000, 'ms', i % 997, 'agent', md5((i % 40)::text)) FROM generate_series(1, {users} * 40) i;
         CREATE UNIQUE INDEX ON users (email); CREATE INDEX ON users (created_at);
         CREATE INDEX ON orders (user_id); CREATE INDEX ON orders (placed_at);
         CREATE INDEX ON order_items (order_id); CREATE INDEX ON events (user_id); CREATE INDEX ON events (at);
         VACUUM ANALYZE;"
    )
}

/// Ids of the users that are erased: one of 200.
pub(crate) fn erased(users: u32) -> impl Iterator<Item = u32> {
    (1..=users).filter(|id| id % 200 == 7)
}
