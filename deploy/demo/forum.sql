-- A made-up forum as many frameworks would have it: no foreign key says whose a row is. Posts have an author, comments belong to
-- users or to posts by a type and an id, newsletters know people by their address, rooms by an array of their ids, logs by an id
-- within a document. Texts hold a random token of
-- their author, which stands nowhere else.
CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, token text NOT NULL);
CREATE TABLE posts (id bigserial PRIMARY KEY, author_id bigint NOT NULL, body text);
CREATE TABLE comments (id bigserial PRIMARY KEY, owner_type text NOT NULL, owner_id bigint NOT NULL, body text);
CREATE TABLE newsletters (id bigserial PRIMARY KEY, email text NOT NULL, topic int);
CREATE TABLE rooms (id bigserial PRIMARY KEY, name text NOT NULL, member_ids bigint[] NOT NULL);
CREATE TABLE logs (id bigserial PRIMARY KEY, doc jsonb NOT NULL);
CREATE INDEX ON posts (author_id);
CREATE INDEX ON comments (owner_type, owner_id);

SELECT setseed(0.42);
INSERT INTO users (email, token)
SELECT 'user' || i || '.' || left(md5(i || 'mail' || random()), 12) || '@example.org', 'token-' || md5(i || 'forum' || random()) FROM generate_series(1, 2000) i;
INSERT INTO posts (author_id, body) SELECT u.id, 'Post by ' || u.token FROM users u, generate_series(1, 5) WHERE random() < 0.8;
INSERT INTO comments (owner_type, owner_id, body)
SELECT 'User', id, 'About ' || token FROM users UNION ALL SELECT 'Post', id, body FROM posts WHERE random() < 0.5;
INSERT INTO newsletters (email, topic) SELECT email, t FROM users, generate_series(1, 2) t WHERE random() < 0.5;
INSERT INTO rooms (name, member_ids) SELECT 'room ' || r, array_agg(1 + (r * 37 + m * 101) % 2000) FROM generate_series(1, 300) r, generate_series(1, 12) m GROUP BY r;
INSERT INTO logs (doc) SELECT jsonb_build_object('action', 'login', 'actor', jsonb_build_object('id', id, 'name', token), 'at', n) FROM users, generate_series(1, 2) n;
ANALYZE;
