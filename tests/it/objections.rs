//! What cannot be decided exactly, and what the server itself would refuse, is an objection that names it; nothing is
//! written. Each case is a schema, the subject that is erased, and what must be said.

use lethe_engine::Error;
use lethe_format::ledger::Keys;
use lethe_rules::objection::Code;
use lethe_tests::oracle;
use lethe_tests::world::World;

struct Case {
    name: &'static str,
    schema: &'static str,
    /// The table of which the row with this key is erased.
    erase: (&'static str, &'static str),
    code: Code,
    says: &'static str,
    /// Whether the server refuses the same deletion.
    server_refuses: bool,
}

const CASES: [Case; 14] = [
    Case {
        name: "citext",
        schema: "CREATE EXTENSION citext SCHEMA public; CREATE TABLE u (k public.citext PRIMARY KEY); INSERT INTO u VALUES ('a')",
        erase: ("u", "A"),
        code: Code::UndecidableEquality,
        says: "citext",
        server_refuses: false,
    },
    Case {
        name: "collation",
        schema: "CREATE COLLATION c (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                 CREATE TABLE u (k text COLLATE c PRIMARY KEY); INSERT INTO u VALUES ('a')",
        erase: ("u", "A"),
        code: Code::UndecidableEquality,
        says: "collation",
        server_refuses: false,
    },
    Case {
        name: "jsonb",
        schema: "CREATE TABLE u (k int PRIMARY KEY, j jsonb UNIQUE); CREATE TABLE c (j jsonb REFERENCES u (j));
                 INSERT INTO u VALUES (1, '1.0'); INSERT INTO c VALUES ('1.00')",
        erase: ("u", "1"),
        code: Code::UndecidableEquality,
        says: "jsonb",
        server_refuses: false,
    },
    Case {
        name: "not_null",
        schema: "CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE c (r int NOT NULL CONSTRAINT my_key REFERENCES u ON DELETE SET NULL);
                 INSERT INTO u VALUES (1), (2); INSERT INTO c VALUES (1)",
        erase: ("u", "1"),
        code: Code::ErasureRefused,
        says: "my_key",
        server_refuses: true,
    },
    Case {
        name: "check",
        schema: "CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE c (r int REFERENCES u ON DELETE SET NULL, CONSTRAINT my_check CHECK (r IS NOT NULL));
                 INSERT INTO u VALUES (1), (2); INSERT INTO c VALUES (1)",
        erase: ("u", "1"),
        code: Code::ErasureRefused,
        says: "my_check",
        server_refuses: true,
    },
    Case {
        name: "domain",
        schema: "CREATE DOMAIN d AS int NOT NULL; CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE c (r d REFERENCES u ON DELETE SET NULL);
                 INSERT INTO u VALUES (1), (2); INSERT INTO c VALUES (1)",
        erase: ("u", "1"),
        code: Code::ErasureRefused,
        says: "domain",
        server_refuses: true,
    },
    Case {
        name: "match_full",
        schema: "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE u (k int PRIMARY KEY);
                 CREATE TABLE c (a int REFERENCES u ON DELETE SET NULL, b int, CONSTRAINT pair FOREIGN KEY (a, b) REFERENCES t MATCH FULL);
                 INSERT INTO u VALUES (1); INSERT INTO t VALUES (1, 2); INSERT INTO c VALUES (1, 2)",
        erase: ("u", "1"),
        code: Code::ErasureRefused,
        says: "MATCH FULL",
        server_refuses: true,
    },
    Case {
        name: "default_gone",
        schema: "CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE c (r int DEFAULT 9 CONSTRAINT my_key REFERENCES u ON DELETE SET DEFAULT);
                 INSERT INTO u VALUES (1), (2); INSERT INTO c VALUES (1)",
        erase: ("u", "1"),
        code: Code::ErasureRefused,
        says: "my_key",
        server_refuses: true,
    },
    Case {
        name: "default_computed",
        schema: "CREATE SEQUENCE s; CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE c (r int DEFAULT nextval('s') REFERENCES u ON DELETE SET DEFAULT);
                 INSERT INTO u VALUES (1), (2); INSERT INTO c VALUES (2)",
        erase: ("u", "2"),
        code: Code::ErasureRefused,
        says: "constant",
        server_refuses: false,
    },
    Case {
        name: "order",
        schema: "CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE t (a int REFERENCES u ON DELETE CASCADE, b int, PRIMARY KEY (a, b));
                 CREATE TABLE c (a int CONSTRAINT nulls REFERENCES u ON DELETE SET NULL, b int, CONSTRAINT cascades FOREIGN KEY (a, b) REFERENCES t ON DELETE CASCADE);
                 INSERT INTO u VALUES (1); INSERT INTO t VALUES (1, 1); INSERT INTO c VALUES (1, 1)",
        erase: ("u", "1"),
        code: Code::OrderDependent,
        says: "foreign key cascades, foreign key nulls",
        server_refuses: false,
    },
    Case {
        name: "key_becomes_null",
        schema: "CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE t (a int UNIQUE REFERENCES u ON DELETE SET NULL);
                 CREATE TABLE c (r int CONSTRAINT keeps REFERENCES t (a));
                 INSERT INTO u VALUES (1); INSERT INTO t VALUES (1); INSERT INTO c VALUES (1)",
        erase: ("u", "1"),
        code: Code::ErasureRefused,
        says: "keeps",
        server_refuses: true,
    },
    Case {
        name: "partition_key",
        schema: "CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE c (r int REFERENCES u ON DELETE SET NULL) PARTITION BY LIST (r);
                 CREATE TABLE c1 PARTITION OF c FOR VALUES IN (1);
                 INSERT INTO u VALUES (1); INSERT INTO c VALUES (1)",
        erase: ("u", "1"),
        code: Code::ErasureRefused,
        says: "partition key",
        server_refuses: true,
    },
    Case {
        name: "generated_key",
        schema: "CREATE TABLE u (k int PRIMARY KEY); CREATE TABLE c (a int, r int GENERATED ALWAYS AS (a) STORED CONSTRAINT made REFERENCES u);
                 INSERT INTO u VALUES (1); INSERT INTO c VALUES (1)",
        erase: ("u", "1"),
        code: Code::UndecidableEquality,
        says: "made",
        server_refuses: false,
    },
    Case {
        name: "no_primary_key",
        schema: "CREATE TABLE u (k int); INSERT INTO u VALUES (1)",
        erase: ("u", "1"),
        code: Code::UnknownSubject,
        says: "no primary key",
        server_refuses: false,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decided_is_an_objection() {
    let mut server = World::new().await.server;
    for case in CASES {
        server.sql("postgres", "DROP DATABASE IF EXISTS source WITH (FORCE); DROP DATABASE IF EXISTS oracle; DROP DATABASE IF EXISTS restored");
        let world = World::on(server).await;
        world.server.sql("source", case.schema);
        world.snapshot().await.expect("snapshot");
        let (table, key) = case.erase;
        world.erase("public", table, None, Keys::Tuples(vec![vec![key.to_owned()]])).await;
        let result = world.restore(&world.server, "restored").await;
        let Err(Error::Refused(objections)) = result else { panic!("{}: {result:?}", case.name) };
        let found = objections.iter().any(|objection| {
            objection.code == case.code
                && (objection.to_string().contains(case.says) || objection.object.contains(case.says))
        });
        assert!(found, "{}: {objections:?}", case.name);
        assert_eq!(
            world.server.sql("restored", "SELECT count(*) FROM pg_class WHERE relname IN ('u', 'restore')"),
            "0"
        );
        let oracle = oracle::delete(
            &world.server,
            "source",
            "oracle",
            &format!("DELETE FROM {table} WHERE k = '{key}'"),
        );
        assert_eq!(oracle.is_err(), case.server_refuses, "{}: {oracle:?}", case.name);
        server = world.server;
    }
}
