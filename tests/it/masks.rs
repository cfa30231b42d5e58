//! Masks of every type that has one, as binary and as text rows: the server takes each value, and nothing of the old ones is left.
#![allow(clippy::print_stdout, reason = "a failing run must show its seed")]

use std::collections::BTreeSet;

use lethe_engine::ledger::NewEntry;
use lethe_engine::restore::RestoreOptions;
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use lethe_rules::anonymise::{ColumnMask, MaskRule, Replacement, TableMask};
use lethe_testkit::pg::{PgServer, bin_dir, bin_dirs};
use lethe_tests::world::World;

/// A column, its type, and a value of it in row `i`; each is NULL in some rows.
const COLUMNS: [(&str, &str, &str); 38] = [
    ("m", "mood", "(enum_range(NULL::mood))[1 + (random() * 2)::int]"),
    ("lasts", "interval", "random() * interval '900 days' - interval '1 year 3 mons'"),
    ("r4", "int4range", "int4range(-i, i * 7 + 1, '[]')"),
    ("r8", "int8range", "int8range(i::bigint << 33, NULL)"),
    ("rn", "numrange", "numrange(i / 7.0, i + 1, '(]')"),
    ("rd", "daterange", "daterange(current_date - i, current_date + 1)"),
    ("rt", "tsrange", "tsrange(now()::timestamp, now()::timestamp + i * interval '1 s')"),
    ("rz", "tstzrange", "tstzrange(now() - i * interval '1 h', 'infinity')"),
    ("m4", "int4multirange", "int4multirange(int4range(i, i + 2), int4range(i + 9, i + 12))"),
    ("m8", "int8multirange", "int8multirange(int8range(i, i + 2))"),
    ("mn", "nummultirange", "nummultirange(numrange(i, i + 2))"),
    ("md", "datemultirange", "datemultirange(daterange(current_date, current_date + i))"),
    ("mt", "tsmultirange", "'{}'::tsmultirange"),
    ("mz", "tstzmultirange", "tstzmultirange(tstzrange(now(), NULL))"),
    ("raw", "bytea", "decode(md5(i::text), 'hex')"),
    ("b5", "bit(5)", "(i % 32)::bit(5)"),
    ("b71", "bit(71)", "repeat('10', 40)::bit(71)"),
    ("vb", "bit varying", "(i % 64)::bit(6)::varbit"),
    ("vb7", "bit varying(7)", "(i % 8)::bit(3)::varbit"),
    (
        "ai",
        "int[]",
        "CASE i % 4 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY[i, NULL, 17] WHEN 2 THEN '[0:1][3:4]={{1,2},{3,NULL}}' ELSE ARRAY[17] END",
    ),
    ("ab", "bigint[]", "ARRAY[i, i % 300 + 1]"),
    ("at", "text[]", r#"ARRAY['canary-' || md5('t' || i), E'canary {"\\} ' || i, '', 'NULL', NULL]"#),
    ("av", "varchar(3)[]", "ARRAY['abc', left(md5(i::text), 2)]"),
    ("ac", "char(4)[]", "ARRAY['x', left(md5(i::text), 3)]"),
    ("an", "numeric(5,2)[]", "ARRAY[i / 7.0, NULL]"),
    ("ad", "date[]", "ARRAY[current_date - i]"),
    ("au", "uuid[]", "ARRAY[md5(i::text)::uuid, md5('u' || i)::uuid]"),
    ("al", "boolean[]", "ARRAY[i % 2 = 0, NULL, true]"),
    ("az", "timestamptz[]", "ARRAY[now() - i * interval '1 day']"),
    ("aj", "jsonb[]", "ARRAY[jsonb_build_object('k', 'canary-' || md5('j' || i))]"),
    ("as", "interval[]", "ARRAY[i * interval '1 min']"),
    ("ar", "int4range[]", "ARRAY[int4range(i, i + 1)]"),
    ("dom", "numbers", "ARRAY[i, i + 1]"),
    ("spot", "spot", r#"ROW(i, 'canary "' || md5('s' || i), now(), NULL)::spot"#),
    ("net", "cidr", "'192.168.0.0/16'::cidr"),
    ("mac", "macaddr", "('08:00:2b:01:02:' || lpad(to_hex(i % 256), 2, '0'))::macaddr"),
    ("cost", "money", "i::money"),
    ("opens", "timetz", "'12:00+02'::timetz + i * interval '1 s'"),
];
/// Makes its table one that is stored as text.
const MOODS: (&str, &str, &str) = ("moods", "mood[]", "ARRAY['fine', 'gone', NULL]::mood[]");
const TABLES: [(&str, bool); 2] = [("plain", false), ("odd", true)];

fn columns(as_text: bool) -> Vec<(&'static str, &'static str, &'static str)> {
    COLUMNS.into_iter().chain(as_text.then_some(MOODS)).collect()
}

fn script(seed: u64) -> String {
    let mut script = format!(
        r"CREATE TYPE mood AS ENUM ('fine', E'so so \\ ''', 'gone'); CREATE DOMAIN numbers AS int[];
         CREATE TYPE spot AS (x int, label text, at timestamptz, b boolean);
         CREATE TABLE person (id bigint PRIMARY KEY); INSERT INTO person SELECT generate_series(1, 300);
         SELECT setseed({}::float8 / 1000000);",
        seed % 1_000_000
    );
    for (table, as_text) in TABLES {
        let (mut definitions, mut values) = (String::new(), String::new());
        for (name, type_name, value) in columns(as_text) {
            definitions += &format!(", \"{name}\" {type_name}");
            values += &format!(", CASE WHEN random() < 0.9 THEN {value} END");
        }
        script += &format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, person_id bigint{definitions});
             INSERT INTO {table} SELECT i, i % 300 + 1{values} FROM generate_series(1, 250) i;"
        );
    }
    script
}

fn name(table: &str) -> QualifiedName {
    QualifiedName::new("public", table)
}

fn random(table: &str, columns: impl IntoIterator<Item = &'static str>) -> TableMask {
    let column = |name: &'static str| ColumnMask {
        name: name.to_owned(),
        replacement: Replacement::Random,
        group: None,
    };
    TableMask { table: name(table), columns: columns.into_iter().map(column).collect(), by_label: false }
}

fn seed() -> u64 {
    let seed = std::env::var("LETHE_SEED")
        .map_or_else(|_| rand::random::<u64>() >> 44, |text| text.parse().expect("a number"));
    println!("seed {seed} (replay with LETHE_SEED={seed})");
    seed
}

fn names(as_text: bool) -> Vec<&'static str> {
    columns(as_text).into_iter().map(|(name, ..)| name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_takes_a_random_value_of_every_type_and_arrays_keep_their_shape() {
    for bin in bin_dirs() {
        let world = World::on(PgServer::start(&bin)).await;
        world.server.sql("source", &script(seed()));
        world.snapshot().await.expect("snapshot");
        let all = |as_text: bool| names(as_text).into_iter().chain(["person_id"]);
        let mut masks: Vec<TableMask> =
            TABLES.into_iter().map(|(table, as_text)| random(table, all(as_text))).collect();
        masks.push(random("person", ["id"]));
        let mut options = World::options();
        options.label = Some("staging".parse().expect("a label"));
        options.anonymise.everybody = masks;
        world.server.create_database("restored");
        world.restore_with(&world.server, "restored", options).await.expect("restored");
        for (table, as_text) in TABLES {
            look_at(&world, table, as_text);
        }
        for column in ["raw", "au", "lasts", "spot", "aj", "r8", "m4"] {
            let values = |database: &str| -> BTreeSet<String> {
                let sql = format!("SELECT {column}::text FROM plain WHERE {column} IS NOT NULL");
                world.server.sql(database, &sql).lines().map(str::to_owned).collect()
            };
            assert!(values("restored").is_disjoint(&values("source")), "{column} holds an old value");
        }
    }
}

fn look_at(world: &World, table: &str, as_text: bool) {
    let both = |sql: &str| (world.server.sql("source", sql), world.server.sql("restored", sql));
    let all = format!("SELECT count({table}::text), count(id) FROM {table}");
    assert_eq!(world.server.sql("restored", &all), "250|250");
    for (column, type_name, _) in columns(as_text) {
        let same = |what: &str, sql: String| {
            let (source, restored) = both(&sql);
            assert_eq!(source, restored, "{table}.{column}: {what}");
        };
        // One of a few values is thrown for each row, as a truth value is.
        if column != "m" {
            same("NULLs", format!("SELECT count(\"{column}\") FROM {table}"));
        }
        if type_name.ends_with("[]") || column == "dom" {
            let nulls = format!("(SELECT count(*) FILTER (WHERE e IS NULL) FROM unnest(\"{column}\") e)");
            let shape = format!(
                "SELECT string_agg(coalesce(array_dims(\"{column}\"), cardinality(\"{column}\")::text, '-') || ' ' || {nulls}, ' ' ORDER BY id) FROM {table}"
            );
            same("shape", shape);
        } else if type_name.contains("range") {
            let empty = format!("SELECT count(*) FROM {table} WHERE isempty(\"{column}\")");
            assert_eq!(world.server.sql("restored", &empty), "0", "{table}.{column}");
        }
    }
    let canaries = format!("SELECT count(*) FROM {table} WHERE {table}::text LIKE '%canary%'");
    assert_eq!(world.server.sql("restored", &canaries), "0");
    // The elements are masked as the keys of the same type are.
    for join in ["ab", "ai"] {
        let (source, restored) =
            both(&format!("SELECT count(*) FROM {table} t, unnest(t.{join}) e JOIN person p ON p.id = e"));
        assert_eq!(source, restored);
        assert_ne!(source, "0");
    }
    let (source, restored) = both(&format!(
        "SELECT count(DISTINCT ai), count(DISTINCT au), count(DISTINCT r4), count(DISTINCT m) FROM {table}"
    ));
    let of =
        |text: &str| text.split('|').map(|count| count.parse::<i64>().expect("a count")).collect::<Vec<_>>();
    assert_eq!(of(&source)[..2], of(&restored)[..2]);
    assert!(of(&restored)[2] > 200 && of(&restored)[3] == 3, "{restored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_people_who_are_anonymised_take_random_values_of_every_type_too() {
    let world = World::on(PgServer::start(bin_dir())).await;
    world.server.sql("source", &script(seed()));
    world.snapshot().await.expect("snapshot");
    let subject = SubjectRef { name: None, table: name("person"), columns: None };
    let keys = Keys::Integers((1..=100).collect());
    world.append(NewEntry::about(Kind::Anonymised, subject.clone(), keys)).await;
    let rule = |(table, as_text): (&str, bool)| MaskRule {
        subject: subject.clone(),
        table: name(table),
        via: Some(vec!["person_id".to_owned()]),
        columns: names(as_text).into_iter().map(|name| (name.to_owned(), Replacement::Random)).collect(),
    };
    let mut options = RestoreOptions { ..World::options() };
    options.anonymise.masks = TABLES.into_iter().map(rule).collect();
    world.server.create_database("restored");
    world.restore_with(&world.server, "restored", options).await.expect("restored");
    for (table, _) in TABLES {
        let left =
            format!("SELECT count(*) FROM {table} WHERE {table}::text LIKE '%canary%' AND person_id <= 100");
        assert_eq!(world.server.sql("restored", &left), "0");
        assert_ne!(world.server.sql("source", &left), "0");
        // How long an array was is nobody's business any more.
        let lengths = format!(
            "SELECT string_agg(DISTINCT cardinality(\"at\")::text, ',') FROM {table} WHERE person_id <= 100"
        );
        assert_eq!(world.server.sql("restored", &lengths), "0,1,2,3");
        let others = format!(
            "SELECT md5(string_agg({table}::text, '' ORDER BY id)) FROM {table} WHERE person_id > 100"
        );
        assert_eq!(world.server.sql("restored", &others), world.server.sql("source", &others));
    }
}
