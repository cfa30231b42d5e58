use std::collections::BTreeMap;

use lethe_format::archive::Archive;
use lethe_format::archive::ddl::{Statement, Step, check, statements};

use super::archive::EVERYTHING;
use super::archive_bytes::{DATA, NONE, POST_DATA, PRE_DATA, Written, archive};

fn everything() -> Vec<(Archive, Vec<Statement>)> {
    let read = |bytes| {
        let archive = Archive::read(bytes).unwrap();
        let statements = statements(&archive);
        (archive, statements)
    };
    EVERYTHING.map(read).into()
}

fn find<'a>(statements: &'a [Statement], object: &str) -> &'a Statement {
    let mut found = statements.iter().filter(|statement| statement.object == object);
    found.next().unwrap_or_else(|| panic!("there is a statement for {object}"))
}

fn owner(statement: &Statement) -> Option<String> {
    statement.owner.as_ref().map(|owner| owner.sql.clone() + &owner.role)
}

fn steps(entries: &[Written]) -> Vec<(i64, Step)> {
    statements(&archive(entries)).iter().map(|statement| (statement.dump_id, statement.step)).collect()
}

#[test]
fn nothing_runs_before_what_it_needs() {
    for (archive, statements) in everything() {
        let places: BTreeMap<i64, (usize, Step)> = statements
            .iter()
            .enumerate()
            .map(|(place, statement)| (statement.dump_id, (place, statement.step)))
            .collect();
        assert_eq!(places.len(), statements.len());
        for entry in &archive.entries {
            let Some((place, step)) = places.get(&entry.dump_id) else { continue };
            for (needed, needed_step) in entry.dependencies.iter().filter_map(|id| places.get(id)) {
                assert!(needed < place, "{} {} needs what comes later", entry.desc, entry.tag);
                assert!(*step != Step::Index || *needed_step < Step::Index, "{} {}", entry.desc, entry.tag);
            }
        }
    }
}

#[test]
fn only_the_session_and_the_database_are_left_out() {
    for (archive, statements) in everything() {
        let run: Vec<i64> = statements.iter().map(|statement| statement.dump_id).collect();
        let left_out = archive.entries.iter().filter(|entry| !run.contains(&entry.dump_id));
        let mut left_out: Vec<String> =
            left_out.map(|entry| format!("{} {}", entry.desc, entry.tag)).collect();
        left_out.sort();
        let expected = [
            "ACL DATABASE everything",
            "COMMENT DATABASE everything",
            "DATABASE PROPERTIES everything",
            "DATABASE everything",
            "ENCODING ENCODING",
            "SEARCHPATH SEARCHPATH",
            "STDSTRINGS STDSTRINGS",
        ];
        assert_eq!(left_out, expected);
    }
}

#[test]
fn every_kind_has_its_step() {
    for (_, statements) in everything() {
        for (object, step) in [
            ("SCHEMA public", Step::PreData),
            ("TABLE public.users", Step::PreData),
            ("DEFAULT app.orders id", Step::PreData),
            ("TABLE ATTACH app.events_2025", Step::PreData),
            ("MATERIALIZED VIEW app.late", Step::PreData),
            ("CONSTRAINT public.users users_pkey", Step::Index),
            ("CONSTRAINT app.orders no_overlap", Step::Index),
            ("INDEX app.orders_by_user", Step::Index),
            ("INDEX app.early_once", Step::Index),
            ("CHECK CONSTRAINT app.orders amount_odd", Step::PostData),
            ("CHECK CONSTRAINT app.positive below_million", Step::PostData),
            ("STATISTICS app.orders_stats", Step::PostData),
            ("RULE app.by_key _RETURN", Step::PostData),
            ("FK CONSTRAINT app.orders orders_user_id_fkey", Step::ForeignKey),
            ("TRIGGER app.orders checked", Step::Trigger),
            ("POLICY public.users mine", Step::Late),
            ("ROW SECURITY public.users", Step::Late),
            ("PUBLICATION TABLE public.tables users", Step::Late),
            ("SUBSCRIPTION none", Step::Late),
            ("COMMENT public.TABLE users", Step::Late),
            ("ACL public.TABLE users", Step::Acl),
            ("ACL public.COLUMN users.note", Step::Acl),
            ("DEFAULT ACL app.DEFAULT PRIVILEGES FOR TABLES", Step::Acl),
            ("EVENT TRIGGER watch", Step::EventTrigger),
            ("COMMENT EVENT TRIGGER watch", Step::EventTrigger),
            // Partitions' keys and indexes are built in parallel, between those of the partitioned table and the attaching.
            ("CONSTRAINT app.events events_pkey", Step::PreData),
            ("CONSTRAINT app.events_rest events_rest_pkey", Step::PreData),
            ("INDEX app.events_user", Step::PreData),
            ("CONSTRAINT app.events_2025 events_2025_pkey", Step::Index),
            ("INDEX app.events_rest_0_user_id_idx", Step::Index),
            ("INDEX ATTACH app.events_rest_0_user_id_idx", Step::IndexAttach),
            // A function that needs a primary key, and an index that needs the function.
            ("FUNCTION app.late_constant(integer)", Step::PostData),
            ("INDEX app.child_by_late_function", Step::PostData),
        ] {
            assert_eq!(find(&statements, object).step, step, "{object}");
        }
    }
}

#[test]
fn tables_and_constraints_are_told_apart_whatever_their_names() {
    let odd = "Odd \"Schema".to_owned();
    for (_, statements) in everything() {
        for statement in &statements {
            let on_table = [Step::Index, Step::ForeignKey].contains(&statement.step);
            assert!(!on_table || statement.table.is_some(), "{}", statement.object);
        }
        let table = |object: &str| find(&statements, object).table.clone().unwrap();
        assert_eq!(table("INDEX app.orders_mood"), ("app".to_owned(), "orders".to_owned()));
        assert_eq!(table("INDEX app.late_once"), ("app".to_owned(), "late".to_owned()));
        assert_eq!(table("INDEX Odd \"Schema.Odd ON index"), (odd.clone(), "a b".to_owned()));
        // One tag for two constraints of two tables.
        let same = statements.iter().filter(|statement| statement.object == "CONSTRAINT Odd \"Schema.a b c");
        let same: Vec<_> =
            same.map(|statement| (statement.table.clone(), statement.constraint.as_deref())).collect();
        let on = |table: &str| Some((odd.clone(), table.to_owned()));
        assert_eq!(same, [(on("a"), Some("b c")), (on("a b"), Some("c"))]);
        let key = find(&statements, "FK CONSTRAINT Odd \"Schema.a b FK \" ON x");
        assert_eq!((key.table.clone(), key.constraint.as_deref()), (on("a b"), Some("FK \" ON x")));
        let key = find(&statements, "FK CONSTRAINT Odd \"Schema.a to a b");
        assert_eq!((key.table.clone(), key.constraint.as_deref()), (on("a"), Some("to a b")));
        assert!(key.sql.ends_with("REFERENCES \"Odd \"\"Schema\".\"a b\"(x) NOT VALID;\n"));
        let domain = find(&statements, "CHECK CONSTRAINT app.positive below_million");
        assert_eq!((&domain.table, &domain.constraint), (&None, &None));
    }
}

#[test]
fn owners_are_given_back() {
    for (_, statements) in everything() {
        for (object, expected) in [
            ("TABLE Odd \"Schema.a", "ALTER TABLE \"Odd \"\"Schema\".\"a\" OWNER TO Odd \"Role"),
            ("SCHEMA app", "ALTER SCHEMA \"app\" OWNER TO app_owner"),
            ("SCHEMA public", "ALTER SCHEMA \"public\" OWNER TO app_owner"),
            ("FUNCTION app.double(bigint)", "ALTER FUNCTION app.double(n bigint) OWNER TO app_owner"),
            ("AGGREGATE app.total(integer)", "ALTER AGGREGATE app.total(integer) OWNER TO app_owner"),
            (
                "PROCEDURE app.nothing(integer)",
                "ALTER PROCEDURE app.nothing(INOUT n integer) OWNER TO app_owner",
            ),
            ("OPERATOR app.===", "ALTER OPERATOR app.=== (app.word, app.word) OWNER TO app_owner"),
            (
                "OPERATOR CLASS app.word_ops",
                "ALTER OPERATOR CLASS app.word_ops USING btree OWNER TO postgres",
            ),
            ("MATERIALIZED VIEW app.early", "ALTER MATERIALIZED VIEW \"app\".\"early\" OWNER TO app_owner"),
            ("FOREIGN TABLE app.remote", "ALTER FOREIGN TABLE \"app\".\"remote\" OWNER TO app_owner"),
            ("STATISTICS app.orders_stats", "ALTER STATISTICS \"app\".\"orders_stats\" OWNER TO app_owner"),
            ("PUBLICATION tables", "ALTER PUBLICATION \"tables\" OWNER TO postgres"),
            ("EVENT TRIGGER watch", "ALTER EVENT TRIGGER \"watch\" OWNER TO postgres"),
        ] {
            assert_eq!(owner(find(&statements, object)).as_deref(), Some(expected));
        }
        for object in [
            "INDEX app.orders_by_user",
            "CONSTRAINT public.users users_pkey",
            "ACL SCHEMA app",
            "COMMENT public.TABLE users",
            "CAST CAST (app.word AS inet)",
            "TABLE ATTACH app.events_2025",
            "USER MAPPING USER MAPPING app_reader SERVER far",
        ] {
            assert_eq!(owner(find(&statements, object)), None, "{object}");
        }
        // An identity's sequence goes with its column.
        let identity = find(&statements, "SEQUENCE public.users_id_seq");
        assert!(identity.sql.contains("ADD GENERATED ALWAYS AS IDENTITY"));
        assert_eq!(owner(identity).is_some(), identity.sql.contains("CREATE SEQUENCE"));
    }
}

#[test]
fn storage_is_set_around_the_statement() {
    for (archive, statements) in everything() {
        let orders = find(&statements, "TABLE app.orders");
        assert_eq!(orders.tablespace.as_deref(), Some("Odd space"));
        assert_eq!(orders.table_access_method.as_deref(), Some("heap"));
        assert_eq!(find(&statements, "TABLE app.other_heap").table_access_method.as_deref(), Some("heap2"));
        assert_eq!(find(&statements, "INDEX app.orders_by_user").tablespace.as_deref(), Some("Odd space"));
        assert_eq!(find(&statements, "SCHEMA app").tablespace, None);
        assert_eq!(find(&statements, "SCHEMA public").sql, "");
        if archive.version == (1, 16, 0) {
            let events = find(&statements, "TABLE app.am_events");
            assert_eq!(events.table_access_method, None);
            assert!(
                events.sql.ends_with("\nALTER TABLE \"app\".\"am_events\" SET ACCESS METHOD \"heap2\";\n")
            );
        }
    }
}

#[test]
fn data_and_what_is_about_it_do_not_run() {
    let left_out = [
        Written::new(1, "TABLE DATA", DATA, "x"),
        Written::new(2, "SEQUENCE SET", DATA, "x"),
        Written::new(3, "STATISTICS DATA", POST_DATA, "x"),
        Written::new(4, "STATISTICS DATA", NONE, "x"),
        Written::new(5, "MATERIALIZED VIEW DATA", POST_DATA, "x"),
        Written::new(6, "BLOB METADATA", PRE_DATA, "x"),
        Written::new(7, "COMMENT", NONE, "x").tag("LARGE OBJECT 5"),
        Written::new(8, "ACL", NONE, "x").tag("LARGE OBJECTS 5..9"),
        Written::new(9, "SECURITY LABEL", NONE, "x").tag("DATABASE shop"),
        Written::new(10, "TABLE", PRE_DATA, " \n"),
    ];
    assert_eq!(steps(&left_out), []);
    let kept = Written::new(11, "COMMENT", NONE, "x").tag("COLUMN database. DATABASE");
    assert_eq!(steps(&[kept]), [(11, Step::Late)]);
}

/// Written before it was turned round, the dependency between the indexes of a partition and of its table.
#[test]
fn archives_that_build_partitions_indexes_first_keep_their_order() {
    let entries = [
        Written::new(1, "INDEX", POST_DATA, "CREATE INDEX leaf ON app.leaf USING btree (x)"),
        Written::new(2, "INDEX", POST_DATA, "CREATE INDEX middle ON ONLY app.middle USING btree (x)")
            .needs(&["1"]),
        Written::new(3, "INDEX", POST_DATA, "CREATE INDEX top ON ONLY app.top USING btree (x)").needs(&["2"]),
        Written::new(4, "INDEX ATTACH", POST_DATA, "ALTER INDEX app.middle ATTACH PARTITION app.leaf")
            .needs(&["1", "2"]),
        Written::new(5, "INDEX ATTACH", POST_DATA, "ALTER INDEX app.top ATTACH PARTITION app.middle")
            .needs(&["2", "3"]),
    ];
    let expected = [
        (1, Step::Index),
        (2, Step::IndexAttach),
        (3, Step::IndexAttach),
        (4, Step::IndexAttach),
        (5, Step::IndexAttach),
    ];
    assert_eq!(steps(&entries), expected);
}

#[test]
fn what_cannot_be_scheduled_in_parallel_is_not() {
    let index = Written::new(1, "INDEX", POST_DATA, "CREATE INDEX a ON app.t USING btree (x)");
    let other = Written::new(2, "INDEX", POST_DATA, "CREATE INDEX b ON app.t USING btree (y)").needs(&["1"]);
    let strange =
        Written::new(3, "INDEX", POST_DATA, "/* not as pg_dump writes it */ CREATE INDEX c ON t (z)");
    let label = Written::new(4, "SECURITY LABEL", NONE, "SECURITY LABEL …").needs(&["5"]);
    let watch = Written::new(5, "EVENT TRIGGER", POST_DATA, "CREATE EVENT TRIGGER …");
    let expected = [
        (1, Step::Index),
        (2, Step::PostData),
        (3, Step::PostData),
        (5, Step::EventTrigger),
        (4, Step::EventTrigger),
    ];
    assert_eq!(steps(&[index, other, strange, watch, label]), expected);
}

fn checked(entry: Written) -> Result<(), String> {
    check(&statements(&archive(&[entry]))).map_err(|error| error.to_string())
}

#[test]
fn everything_that_pg_dump_writes_is_allowed() {
    for (_, statements) in everything() {
        assert_eq!(check(&statements), Ok(()));
    }
}

#[test]
fn what_pg_dump_does_not_write_is_refused() {
    for definition in [
        "COPY app.t FROM PROGRAM 'id';\n",
        "CREATE TABLE app.t (id int); COPY app.t TO PROGRAM 'id';\n",
        "/* CREATE TABLE */ copy app.t from stdin;\n",
        "-- CREATE TABLE\nDO $$BEGIN RAISE 'x'; END$$;\n",
        "SELECT pg_catalog.pg_read_file('/etc/passwd');\n",
        "CREATE TABLE app.t (id int);\nCOMMIT;\n",
        "ROLLBACK",
        "ALTER SYSTEM SET archive_command = 'id';\n",
        "ALTER ROLE postgres SUPERUSER;\n",
        "CREATE DATABASE x;\n",
        "CREATE USER x SUPERUSER;\n",
        "CREATE TABLESPACE x LOCATION '/';\n",
        "SET standard_conforming_strings = off;\n",
        "SET ROLE postgres;\n",
        "LOAD '/tmp/evil.so';\n",
        "CALL app.evil();\n",
        "INSERT INTO app.t VALUES (1);\n",
        "DELETE FROM app.t;\n",
        "DROP TABLE app.t;\n",
        "WITH x AS (DELETE FROM app.t) SELECT 1;\n",
        "\\! id\n",
        "\\copy app.t from program 'id'\n",
        "\"CREATE\" TABLE x;\n",
        "(SELECT 1);\n",
        "CREATE TABLE app.t (name text DEFAULT 'open);\n",
        "CREATE FUNCTION app.begin() RETURNS atomic LANGUAGE sql AS ''; SELECT 1;\n",
        "CREATE FUNCTION app.f() RETURNS int BEGIN ATOMIC SELECT 1; END; SELECT 2;\n",
        "CREATE FUNCTION app.f() RETURNS int BEGIN ATOMIC SELECT 1 AS case; END; COPY app.t FROM PROGRAM 'id';\n",
        "CREATE FUNCTION app.f() RETURNS int BEGIN ATOMIC END; SELECT 1;\n",
        "CREATE FUNCTION app.f() RETURNS int BEGIN ATOMIC SELECT 1; COPY app.t FROM PROGRAM 'id'; END;\n",
        "CREATE FUNCTION app.f() RETURNS int BEGIN ATOMIC SELECT 1;\n",
        "CREATE TABLE app.begin atomic SELECT 1; SELECT 1;\n",
    ] {
        let problem = checked(Written::new(1, "TABLE", PRE_DATA, definition)).expect_err(definition);
        assert!(problem.contains("TABLE app.some tag"), "{problem}");
    }
}

#[test]
fn odd_names_and_texts_are_allowed() {
    for definition in [
        "CREATE TABLE app.\"a\"\"; DROP TABLE x; --\" (\"\\! id\" int);\n",
        "COMMENT ON TABLE app.t IS 'it''s; COPY x FROM PROGRAM ''id''';\n",
        "COMMENT ON TABLE app.t IS E'\\'; DO';\n",
        "CREATE FUNCTION app.f() RETURNS int LANGUAGE plpgsql AS $_$BEGIN DELETE FROM x; END$_$;\n",
        "CREATE RULE r AS ON INSERT TO app.t DO ALSO (DELETE FROM app.u; INSERT INTO app.v VALUES (1));\n",
        "CREATE FUNCTION app.f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; DELETE FROM app.t; END;\n",
        "SET SESSION AUTHORIZATION somebody;\nGRANT SELECT ON TABLE app.t TO x;\nRESET SESSION AUTHORIZATION;\n",
        "CREATE USER MAPPING FOR x SERVER y;\n",
        "ALTER DEFAULT PRIVILEGES FOR ROLE x GRANT SELECT ON TABLES TO y;\n",
    ] {
        assert_eq!(checked(Written::new(1, "TABLE", PRE_DATA, definition)), Ok(()), "{definition}");
    }
}

/// The name of a function that changes hands is taken from its DROP statement.
#[test]
fn a_change_of_owner_is_one_statement() {
    let function = |drop| {
        let entry = Written::new(
            1,
            "FUNCTION",
            PRE_DATA,
            "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS '';\n",
        );
        checked(Written { drop_statement: drop, ..entry })
    };
    assert_eq!(function("DROP FUNCTION app.f(integer, \"odd; type\");\n"), Ok(()));
    for drop in [
        "DROP FUNCTION app.f(); COPY app.t FROM PROGRAM 'id';\n",
        "DROP FUNCTION app.f() OWNER TO x; COPY app.t FROM PROGRAM 'id'; --\n",
        "DROP FUNCTION app.f('\n",
    ] {
        assert!(function(drop).is_err(), "{drop}");
    }
}
