-- A made-up company: 5,000 users and what belongs to them, some 200,000 rows. Every user's profile holds a random
-- token that stands nowhere else, so that it can be looked for in the server's files afterwards.
CREATE TABLE tenants (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES tenants,
    email text NOT NULL UNIQUE,
    profile text NOT NULL,
    invited_by bigint REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    placed_at timestamptz NOT NULL,
    total numeric(12, 2) NOT NULL CHECK (total >= 0)
);
CREATE TABLE order_items (
    order_id uuid REFERENCES orders ON DELETE CASCADE,
    line int,
    article text NOT NULL,
    price numeric(12, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE comments (
    id bigserial PRIMARY KEY,
    author_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    answers bigint REFERENCES comments ON DELETE CASCADE,
    body text NOT NULL
);
CREATE TABLE events (
    id bigserial,
    user_id bigint REFERENCES users ON DELETE CASCADE,
    at timestamptz NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE events_spring PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE events_autumn PARTITION OF events FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE INDEX ON orders (user_id);
CREATE INDEX ON comments (author_id);
CREATE INDEX ON comments (answers);
CREATE INDEX ON events (user_id);

SELECT setseed(0.42);
INSERT INTO tenants SELECT i, 'Customer ' || i FROM generate_series(1, 50) i;
INSERT INTO users (tenant_id, email, profile, invited_by, created_at)
SELECT i % 50 + 1, 'user' || i || '.' || left(md5(i || 'mail' || random()), 12) || '@example.org',
       'token-' || md5(i || 'profile' || random()), CASE WHEN i > 100 THEN (random() * (i - 2))::int + 1 END,
       timestamptz '2026-01-01' + i * interval '1 hour'
FROM generate_series(1, 5000) i;
INSERT INTO orders SELECT gen_random_uuid(), (random() * 4999)::int + 1, timestamptz '2026-03-01' + i * interval '5 minutes', (random() * 500)::numeric(12, 2)
FROM generate_series(1, 30000) i;
INSERT INTO order_items SELECT o.id, l, 'article ' || (random() * 900)::int, (random() * 90)::numeric(12, 2)
FROM orders o, generate_series(1, 3) l;
INSERT INTO comments (author_id, answers, body)
SELECT (random() * 4999)::int + 1, CASE WHEN i > 200 AND random() < 0.6 THEN (random() * (i - 2))::int + 1 END, 'Comment number ' || i || ' ' || repeat('words ', i % 9)
FROM generate_series(1, 25000) i;
INSERT INTO events (user_id, at, data)
SELECT (random() * 4999)::int + 1, timestamptz '2026-02-01' + i * interval '6 minutes', jsonb_build_object('page', '/p/' || i % 300, 'took', random())
FROM generate_series(1, 50000) i;
ANALYZE;
