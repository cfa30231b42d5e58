-- One of nearly everything that PostgreSQL 14 and later have, with rows.
CREATE ROLE lethe_owner; CREATE ROLE lethe_reader; CREATE ROLE "odd Role";
CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION hstore SCHEMA public; CREATE EXTENSION pgcrypto SCHEMA public;
CREATE SCHEMA app AUTHORIZATION lethe_owner; CREATE SCHEMA "Odd ""Schema"" ☃";
CREATE TYPE app.mood AS ENUM ('sad', 'it''s ok', 'Ünï');
CREATE TYPE app.pair AS (a int, b text);
CREATE TYPE app.nested AS (p app.pair, m app.mood[]);
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN app.name AS text NOT NULL DEFAULT 'nobody' CHECK (length(VALUE) < 50);
CREATE TYPE app.float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE COLLATION app.german (provider = icu, locale = 'de-u-ks-level2', deterministic = false);
CREATE FUNCTION app.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE PROCEDURE app.nothing() LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE AGGREGATE app.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE CAST (app.pair AS text) WITH INOUT;
CREATE TEXT SEARCH CONFIGURATION app.plain (COPY = simple);

CREATE TABLE app.types (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    c_bool bool, c_bytea bytea, c_char "char", c_name name, c_int8 int8, c_int2 int2, c_int4 int4, c_text text, c_oid oid,
    c_tid tid, c_xid xid, c_cid cid, c_json json, c_xml xml, c_point point, c_lseg lseg, c_path path, c_box box, c_polygon polygon,
    c_line line, c_cidr cidr, c_float4 float4, c_float8 float8, c_circle circle, c_money money, c_macaddr macaddr, c_inet inet,
    c_macaddr8 macaddr8, c_bpchar char(5), c_varchar varchar(10), c_date date, c_time time, c_timestamp timestamp,
    c_timestamptz timestamptz, c_interval interval, c_timetz timetz, c_bit bit(3), c_varbit bit varying(9), c_numeric numeric,
    c_uuid uuid, c_pg_lsn pg_lsn, c_tsvector tsvector, c_tsquery tsquery, c_jsonb jsonb, c_jsonpath jsonpath, c_xid8 xid8,
    c_txid txid_snapshot, c_snapshot pg_snapshot, c_int4range int4range, c_numrange numrange, c_tsrange tsrange,
    c_tstzrange tstzrange, c_daterange daterange, c_int8range int8range, c_multi int4multirange, c_nummulti nummultirange,
    c_ints int[], c_texts text[][], c_dates date[], c_jsons jsonb[], c_vector int2vector, c_oids oidvector,
    c_mood app.mood, c_pair app.pair, c_positive app.positive, c_named app.name, c_own_range app.float_range,
    c_citext public.citext, c_hstore public.hstore, c_german text COLLATE app.german,
    g_twice int GENERATED ALWAYS AS (app.twice(c_int4)) STORED
);
INSERT INTO app.types (c_bool, c_bytea, c_char, c_name, c_int8, c_int2, c_int4, c_text, c_oid, c_tid, c_xid, c_cid, c_json, c_xml, c_point,
    c_lseg, c_path, c_box, c_polygon, c_line, c_cidr, c_float4, c_float8, c_circle, c_money, c_macaddr, c_inet, c_macaddr8, c_bpchar,
    c_varchar, c_date, c_time, c_timestamp, c_timestamptz, c_interval, c_timetz, c_bit, c_varbit, c_numeric, c_uuid, c_pg_lsn, c_tsvector,
    c_tsquery, c_jsonb, c_jsonpath, c_xid8, c_txid, c_snapshot, c_int4range, c_numrange, c_tsrange, c_tstzrange, c_daterange, c_int8range,
    c_multi, c_nummulti, c_ints, c_texts, c_dates, c_jsons, c_vector, c_oids, c_mood, c_pair, c_positive, c_named, c_own_range, c_citext,
    c_hstore, c_german)
SELECT i % 2 = 0, '\x00ff5c6e', 'x', 'a name', -9223372036854775808, -32768, i, E'tab\tline\nback\\slash \\N \\. Ünïcödé ☃ ' || i, 4294967295, '(1,2)', '7', '8',
    '{"a": [1, null, "\u00fc"]}', '<a b="c">d</a>', '(1.5,-2)', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '(2,2),(0,0)', '((0,0),(1,1),(1,0))',
    '{1,2,3}', '10.1.0.0/16', 'NaN', '-Infinity', '<(1,2),3>', 12.34, '08:00:2b:01:02:03', '2001:db8::1/64', '08:00:2b:01:02:03:04:05', 'ab', 'varying',
    '4713-01-01 BC', '24:00:00', 'infinity', '2024-02-29 12:34:56.789+02', '-1 year 2 mons -3 days 04:05:06.789', '12:34:56.789-07', B'101', B'1', 'NaN',
    'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '16/B374D848', 'a fat cat', 'fat & (cat | rat)', '{"b": 1.0, "a": [1e400, true]}', '$.a[*] ? (@ > 1)', '12', '10:20:10,14',
    '10:20:10,14', '[1,5)', '(,1.5]', 'empty', '[2024-01-01 00:00+00,)', '[2024-01-01,2024-02-01)', '[1,9223372036854775807)', '{[1,3),[5,7)}', '{[1.5,2.5]}',
    '[0:1]={1,NULL}', '{{a,"b c"},{"NULL",NULL}}', '{infinity,2024-01-01}', ARRAY['{"x": 1}'::jsonb], '1 2 3', '4 5', 'it''s ok', '(1,"a ""q"", b")', 7, 'n', '[1.5,2.5)',
    'CiText', 'a=>1, b=>NULL', 'Straße'
FROM generate_series(1, 300) i;
INSERT INTO app.types (c_named) VALUES ('all others are NULL');

CREATE TABLE app.as_text (id int PRIMARY KEY, class regclass, moods app.mood[], nested app.nested, pairs app.pair[], domains app.positive[], items aclitem);
INSERT INTO app.as_text SELECT i, 'app.types', '{sad,"it''s ok"}', '("(1,""x,y"")",{sad})', ARRAY[(1, E'a\tb')::app.pair], '{1,2}', 'lethe_owner=r/lethe_owner' FROM generate_series(1, 50) i;
CREATE TABLE app.no_columns (); INSERT INTO app.no_columns DEFAULT VALUES; INSERT INTO app.no_columns DEFAULT VALUES;
CREATE TABLE app.empty (a int, b text);
CREATE UNLOGGED TABLE app.unlogged (a int); INSERT INTO app.unlogged VALUES (1);
CREATE TABLE app.dropped (a int, gone text, b text DEFAULT 'b', c int); ALTER TABLE app.dropped DROP COLUMN gone;
INSERT INTO app.dropped SELECT i, 'x', i FROM generate_series(1, 10) i;
CREATE TABLE "Odd ""Schema"" ☃"."select" ("order" int PRIMARY KEY, "a b" text, "qu""ote" text, "semi;--" text, "ünï" text);
INSERT INTO "Odd ""Schema"" ☃"."select" VALUES (1, 'a', 'b', 'c', 'd');
COMMENT ON TABLE "Odd ""Schema"" ☃"."select" IS 'it''s a "comment" \ with everything';
COMMENT ON COLUMN app.types.c_text IS 'text';

CREATE TABLE app.measures (city text, at date, value numeric, PRIMARY KEY (city, at)) PARTITION BY LIST (city);
CREATE TABLE app.north PARTITION OF app.measures FOR VALUES IN ('oslo', 'bergen') PARTITION BY RANGE (at);
CREATE TABLE app.north_old PARTITION OF app.north FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE app.north_new (value numeric, at date NOT NULL, extra_dropped int, city text NOT NULL);
ALTER TABLE app.north_new DROP COLUMN extra_dropped;
ALTER TABLE app.north ATTACH PARTITION app.north_new FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);
CREATE TABLE app.south PARTITION OF app.measures DEFAULT;
CREATE INDEX ON app.measures (value);
INSERT INTO app.measures SELECT (ARRAY['oslo', 'bergen', 'roma'])[i % 3 + 1], date '2023-01-01' + i, i FROM generate_series(1, 900) i;

CREATE TABLE app.animal (name text PRIMARY KEY, legs int CHECK (legs >= 0));
CREATE TABLE app.dog (breed text) INHERITS (app.animal); CREATE TABLE app.puppy () INHERITS (app.dog);
INSERT INTO app.animal VALUES ('worm', 0); INSERT INTO app.dog VALUES ('rex', 4, 'x'); INSERT INTO app.puppy VALUES ('tiny', 4, 'y');

CREATE SEQUENCE app.odd AS int START 5 INCREMENT -3 MINVALUE -100 MAXVALUE 5 CYCLE; SELECT nextval('app.odd'), nextval('app.odd');
CREATE SEQUENCE app.untouched START 42;
CREATE VIEW app.summary AS SELECT city, count(*) FROM app.measures GROUP BY city;
CREATE MATERIALIZED VIEW app.sums AS SELECT city, sum(value) FROM app.measures GROUP BY city; CREATE UNIQUE INDEX ON app.sums (city);
CREATE MATERIALIZED VIEW app.sums_of_sums AS SELECT sum(sum) FROM app.sums;
CREATE MATERIALIZED VIEW app.not_filled AS SELECT 1 AS one WITH NO DATA;
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.b := 'stamped'; RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON app.dropped FOR EACH ROW EXECUTE FUNCTION app.stamp();
ALTER TABLE app.dropped ADD CONSTRAINT c_small CHECK (c < 1000) NOT VALID;
CREATE RULE ignore AS ON INSERT TO app.empty WHERE NEW.a < 0 DO INSTEAD NOTHING;
ALTER TABLE app.types ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON app.types FOR SELECT TO lethe_reader USING (c_bool);
CREATE STATISTICS app.related ON city, value FROM app.measures;
CREATE INDEX twice ON app.types (app.twice(c_int4)) WHERE c_bool;
CREATE INDEX gin ON app.types USING gin (c_jsonb);
ALTER TABLE app.types ADD CONSTRAINT apart EXCLUDE USING gist (c_box WITH &&) WHERE (id < 2);
CREATE PUBLICATION everything FOR TABLE app.types;
CREATE FUNCTION app.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION app.on_ddl();
CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE app.elsewhere (a int) SERVER far;
ALTER TABLE app.measures OWNER TO lethe_owner; ALTER VIEW app.summary OWNER TO lethe_owner; ALTER FUNCTION app.twice(int) OWNER TO lethe_owner;
GRANT SELECT ON app.types TO lethe_reader; GRANT SELECT (a), UPDATE (a) ON app.empty TO "odd Role" WITH GRANT OPTION;
GRANT USAGE ON SCHEMA app TO PUBLIC; GRANT EXECUTE ON FUNCTION app.twice(int) TO lethe_reader; REVOKE ALL ON FUNCTION app.stamp() FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO lethe_reader;

SELECT lo_from_bytea(1000001, '\x00ff'); SELECT lo_from_bytea(1000002, decode(repeat('00ff10', 900000), 'hex')); SELECT lo_create(1000003);
SELECT lo_from_bytea(1000004, convert_to(repeat('x', 1048576), 'UTF8'));
COMMENT ON LARGE OBJECT 1000001 IS 'a large object'; GRANT SELECT ON LARGE OBJECT 1000001 TO lethe_reader; ALTER LARGE OBJECT 1000002 OWNER TO lethe_owner;
