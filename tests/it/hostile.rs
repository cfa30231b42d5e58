//! Stores that somebody has prepared: every one is refused with its reason and its exit code, in little memory, before
//! anything is written, and nothing in it is ever run.

use lethe_engine::progress::Progress;
use lethe_engine::verify::{VerifyOptions, verify};
use lethe_engine::{Error, ExitCode};
use lethe_tests::compare::assert_same_schema;
use lethe_tests::forge::{Forge, bomb};
use lethe_tests::world::World;
use serde_json::{Value, json};

const SOURCE: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    CREATE TABLE orders (id int PRIMARY KEY, buyer int REFERENCES users ON DELETE CASCADE, what text);
    CREATE TABLE parted (id int, part int) PARTITION BY LIST (part);
    INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 100) i;
    INSERT INTO orders SELECT i, i, 'thing ' || i FROM generate_series(1, 100) i;";

async fn world() -> (World, Forge) {
    let world = World::new().await;
    world.server.sql("source", SOURCE);
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [1]).await;
    world.server.create_database("target");
    let forge = Forge::new(&world).await;
    (world, forge)
}

/// The restore ends with this exit code, and nothing is in the target.
async fn expect(world: &World, what: &str, code: ExitCode) -> Error {
    let error = world.restore_into(&world.server, "target").await.expect_err(what);
    assert_eq!(error.exit_code(), code, "{what}: {error}");
    let objects = "SELECT count(*) FROM pg_class WHERE relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)";
    assert_eq!(world.server.sql("target", objects), "0", "{what}: something was written");
    error
}

/// Peak resident memory of this process in MiB. Each test has a process of its own.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("read");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.split_whitespace().next().expect("a number").parse::<u64>().expect("a number") / 1024
}

type Change = fn(&mut Value);

fn chunk(manifest: &mut Value) -> &mut Value {
    &mut manifest["tables"][0]["chunks"][0]
}

const MANIFESTS: [(&str, Change); 34] = [
    ("a version that is not known", |m| m["version"] = json!(2)),
    ("no version", |m| m["version"] = json!(null)),
    ("a negative version", |m| m["version"] = json!(-1)),
    ("another repository", |m| m["repository"] = json!("00")),
    ("another snapshot", |m| m["snapshot"] = json!("20261123T114905Z-6f3a1c")),
    ("a snapshot outside of the store", |m| m["snapshot"] = json!("../../../etc/passwd")),
    ("an unknown field", |m| m["run"] = json!("id")),
    ("a chunk outside of the store", |m| chunk(m)["name"] = json!("../../../../../../etc/passwd")),
    ("an absolute chunk", |m| chunk(m)["name"] = json!("/etc/passwd")),
    ("an upload outside of the store", |m| chunk(m)["upload"] = json!("/../../../..")),
    ("a chunk in upper case", |m| chunk(m)["name"] = json!("A".repeat(64))),
    ("a length of all bits", |m| chunk(m)["plain_len"] = json!(u64::MAX)),
    ("a length that memory cannot hold", |m| chunk(m)["plain_len"] = json!(1_u64 << 50)),
    ("a negative length", |m| chunk(m)["plain_len"] = json!(-1)),
    ("a length that is no integer", |m| chunk(m)["plain_len"] = json!(1.5e3)),
    ("a length beyond 64 bits", |m| chunk(m)["plain_len"] = json!(1e30)),
    ("a stored length of all bits", |m| chunk(m)["stored"]["len"] = json!(u64::MAX)),
    ("rows of all bits", |m| chunk(m)["rows"] = json!(u64::MAX)),
    ("more rows than bytes", |m| chunk(m)["rows"] = json!(1_000_000)),
    ("no rows in some bytes", |m| chunk(m)["rows"] = json!(0)),
    ("one row too many", |m| chunk(m)["rows"] = json!(101)),
    ("one byte too few", |m| {
        chunk(m)["plain_len"] = json!(chunk(m)["plain_len"].as_u64().expect("a length") - 1)
    }),
    ("a table twice", |m| {
        let table = m["tables"][0].clone();
        m["tables"].as_array_mut().expect("tables").push(table);
    }),
    ("a table that is not in the catalog", |m| m["tables"][0]["table"] = json!(1)),
    ("a column that is not there", |m| m["tables"][0]["columns"] = json!([1, 7])),
    ("a column twice", |m| m["tables"][0]["columns"] = json!([1, 1])),
    ("a column too few", |m| m["tables"][0]["columns"] = json!([1])),
    ("rows of a partitioned table", |m| {
        for table in m["catalog"]["tables"].as_array_mut().expect("tables") {
            table["kind"] = json!("partitioned");
        }
    }),
    ("two tables of one number", |m| {
        for table in m["catalog"]["tables"].as_array_mut().expect("tables") {
            table["oid"] = json!(16384);
        }
    }),
    ("a name with a zero byte", |m| {
        m["catalog"]["tables"][0]["columns"][0]["name"] = json!("id\u{0}; DROP TABLE x")
    }),
    ("an empty name", |m| m["catalog"]["tables"][0]["name"]["name"] = json!("")),
    ("a foreign key without its table", |m| m["catalog"]["foreign_keys"][0]["parent"] = json!(1)),
    ("a foreign key without its column", |m| {
        m["catalog"]["foreign_keys"][0]["columns"][0]["child"] = json!(9)
    }),
    ("entries that the ledger cannot have", |m| m["ledger_seq_after"] = json!(u64::MAX)),
];

#[tokio::test(flavor = "multi_thread")]
async fn manifests_that_contradict_themselves_are_refused() {
    let (world, forge) = world().await;
    for (what, change) in MANIFESTS {
        let mut manifest = forge.manifest();
        change(&mut manifest);
        forge.write_manifest(&manifest);
        // What only the rows show is found when the first chunk arrives, in a database that stays closed.
        let from_rows = ["one row too many", "one byte too few"].contains(&what);
        if from_rows {
            world.server.create_database(&what.replace(' ', "_"));
            let error = world.restore_into(&world.server, &what.replace(' ', "_")).await.expect_err(what);
            assert_eq!(error.exit_code(), ExitCode::Damaged, "{what}: {error}");
        } else {
            // The column is the one that a foreign key is about: the closure objects.
            let refused = what == "a column too few";
            expect(&world, what, if refused { ExitCode::Refused } else { ExitCode::Damaged }).await;
        }
    }
    forge.repair();
    world.restore_into(&world.server, "target").await.expect("what was not changed is restored");
    assert!(peak_rss() < 200, "{} MiB", peak_rss());
}

/// Whoever may write to the bucket and knows the data key's public half, and nothing more: not a word of theirs is believed,
/// true or false.
#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_somebody_without_the_naming_key_is_refused() {
    let (world, forge) = world().await;
    let text = forge.manifest().to_string();
    let says = |error: &Error| assert!(error.to_string().contains("manifest.age"), "{error}");
    forge.write_manifest_vouched_by(text.as_bytes(), &[7; 32]);
    says(&expect(&world, "another naming key", ExitCode::Damaged).await);
    forge.write_manifest_compressed(&zstd::bulk::compress(text.as_bytes(), 3).expect("compress"));
    says(&expect(&world, "nobody vouches for it", ExitCode::Damaged).await);
    // The line of a true manifest, over another text: fewer rows than there were.
    let mut other = forge.manifest();
    chunk(&mut other)["rows"] = json!(1);
    forge.write_manifest_with_the_old_line(&other);
    says(&expect(&world, "another text", ExitCode::Damaged).await);
    let options = VerifyOptions { snapshot: None, read_data: None, jobs: 2, memory: 64 << 20 };
    let report =
        verify(&world.repository, &options, &world.last_seen(), &Progress::default()).await.expect("verify");
    assert_eq!(report.exit_code(), ExitCode::Damaged);
    forge.repair();
    world.restore_into(&world.server, "target").await.expect("the true one is restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_manifests_are_refused() {
    let (world, forge) = world().await;
    let whole = forge.manifest().to_string();
    let nested = |open: &str, close: &str| {
        format!("{{\"version\":1,\"tables\":{}{}", open.repeat(200_000), close.repeat(200_000))
    };
    for (what, text) in [
        ("nothing", String::new()),
        ("another type", "[]".to_owned()),
        ("half of it", whole[..whole.len() / 2].to_owned()),
        ("two of them", format!("{whole}{whole}")),
        ("deep lists", nested("[", "]")),
        ("deep objects", nested("{\"a\":", "}")),
        ("a long number", format!("{{\"version\":{}}}", "9".repeat(1_000_000))),
        ("a field twice", whole.replacen("{\"", "{\"version\":1,\"", 1)),
    ] {
        forge.write_manifest_text(text.as_bytes());
        expect(&world, what, ExitCode::Damaged).await;
    }
    forge.write_manifest_text(b"{\"version\":1,\"repository\":\"\xff\"}");
    expect(&world, "no UTF-8", ExitCode::Damaged).await;
    forge.write_manifest_compressed(b"no zstd at all");
    expect(&world, "no zstd", ExitCode::Damaged).await;
    assert!(peak_rss() < 200, "{} MiB", peak_rss());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_small_here_and_large_there_is_not_opened() {
    let (world, forge) = world().await;
    let gigabyte = bomb(b' ', 1 << 30, 21);
    assert!(gigabyte.len() < 200_000);
    forge.write_manifest_compressed(&gigabyte);
    let error = expect(&world, "a manifest of a gigabyte", ExitCode::Damaged).await;
    assert!(error.to_string().contains("decompresses to more"), "{error}");
    forge.write_schema_compressed(&gigabyte);
    expect(&world, "a schema of a gigabyte", ExitCode::Damaged).await;
    forge.repair();
    // A window of 128 MiB would be allocated at once.
    forge.write_manifest_compressed(&bomb(b' ', 200 << 20, 27));
    expect(&world, "a window of 128 MiB", ExitCode::Damaged).await;
    // A chunk that says what it is, and is not what the manifest says; and one that does not say it.
    forge.repair();
    forge.write_chunk_compressed(&zstd::bulk::compress(&vec![0; 512 << 20], 1).expect("compress"));
    let before = peak_rss();
    world.server.create_database("chunk");
    for compressed in [None, Some(gigabyte)] {
        if let Some(compressed) = compressed {
            forge.write_chunk_compressed(&compressed);
        }
        let error = world.restore_into(&world.server, "chunk").await.expect_err("a bomb");
        assert_eq!(error.exit_code(), ExitCode::Damaged, "{error}");
        // The chunk is the first of the first table; those of others may have been loaded meanwhile.
        assert_eq!(world.server.sql("chunk", "SELECT count(*) FROM orders"), "0");
    }
    let options = VerifyOptions {
        snapshot: None,
        read_data: Some("1/1".parse().expect("a part")),
        jobs: 2,
        memory: 64 << 20,
    };
    let report =
        verify(&world.repository, &options, &world.last_seen(), &Progress::default()).await.expect("verify");
    assert_eq!(report.exit_code(), ExitCode::Damaged);
    // The test's own 512 MiB are in the peak before.
    assert!(peak_rss() < before + 100, "{before} MiB and then {}", peak_rss());
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_a_gigabyte_take_little_memory() {
    let (world, forge) = world().await;
    forge.write_manifest_compressed(&bomb(b' ', 1 << 30, 21));
    expect(&world, "a manifest of a gigabyte", ExitCode::Damaged).await;
    forge.write_schema_compressed(&bomb(b'P', 1 << 30, 21));
    expect(&world, "a schema of a gigabyte", ExitCode::Damaged).await;
    assert!(peak_rss() < 150, "{} MiB", peak_rss());
}

/// The same text in the archive's place: what pg_dump wrote for a table, replaced by something to be run.
#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_would_run_something_is_refused() {
    let (world, forge) = world().await;
    let definition = b"CREATE TABLE public.users (\n    id integer NOT NULL,\n    name text\n);\n";
    let archive = forge.schema();
    let place = archive.windows(definition.len()).position(|window| window == definition).expect("the table");
    for (number, sql) in [
        // A server's working directory is its data directory.
        "COPY pg_am TO PROGRAM 'touch canary'".to_owned(),
        "DO $$BEGIN EXECUTE 'CREATE TABLE public.x()'; END$$".to_owned(),
        "\\! touch canary".to_owned(),
        "SELECT pg_reload_conf()".to_owned(),
        "CREATE TABLE public.users (); COMMIT; SELECT 1".to_owned(),
        "ALTER SYSTEM SET work_mem = '1GB'".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        // Of the same length, since the archive states it.
        let filled = definition.len().checked_sub(sql.len()).expect("a short statement");
        let sql = sql + &" ".repeat(filled);
        let mut forged = archive.clone();
        forged[place..place + definition.len()].copy_from_slice(sql.as_bytes());
        forge.write_schema_compressed(&zstd::bulk::compress(&forged, 3).expect("compress"));
        let error = expect(&world, &format!("statement {number}: {sql}"), ExitCode::Damaged).await;
        assert!(error.to_string().contains("which pg_dump does not write"), "{error}");
    }
    assert!(!world.server.data_dir().join("canary").exists());
    forge.repair();
    world.restore_into(&world.server, "target").await.expect("what was not changed is restored");
}

/// Names that are commands elsewhere are names here.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_come_back_as_names() {
    let world = World::new().await;
    let hostile = [
        "a\"; DROP TABLE users; --",
        "a\nb\n\\! touch /tmp/lethe-canary\n",
        "\\! id",
        "x; COPY users FROM PROGRAM 'id'",
        "it's $$ E'\\'",
        "\u{201c}typographic\u{201d} \u{2019}",
        "\\.\n",
        "tab\tand -- comment /*",
        "ALTER SYSTEM",
        "pg_catalog",
    ];
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let mut sql = String::from(
        "CREATE TABLE users (id int PRIMARY KEY, name text); INSERT INTO users VALUES (1, 'a');\n",
    );
    for (number, name) in hostile.iter().enumerate() {
        let (quoted, literal) = (quote(name), name.replace('\'', "''"));
        sql.push_str(&format!(
            "CREATE SCHEMA {schema}; CREATE TYPE {schema}.{kind} AS ENUM ('{literal}');
             CREATE TABLE {schema}.{quoted} ({quoted} int PRIMARY KEY, kind {schema}.{kind}, CONSTRAINT {constraint} CHECK ({quoted} > 0), buyer int REFERENCES users ON DELETE CASCADE);
             INSERT INTO {schema}.{quoted} VALUES (1, '{literal}', 1), (2, NULL, NULL);
             COMMENT ON TABLE {schema}.{quoted} IS '{literal}';
             CREATE INDEX {index} ON {schema}.{quoted} (buyer);\n",
            schema = quote(&format!("s{number} {name}")),
            constraint = quote(&format!("c {name}")),
            index = quote(&format!("i {name}")),
            kind = quote(&format!("k {name}")),
        ));
    }
    world.server.sql("source", &sql);
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [2]).await;
    world.restore(&world.server, "restored").await.expect("restore");
    let rows = "SELECT string_agg(query_to_xml(format('SELECT * FROM %I.%I ORDER BY 1', schemaname, tablename), true, false, '')::text, ' ' ORDER BY schemaname) FROM pg_tables WHERE schemaname ~ '^s[0-9]'";
    let there = world.server.sql("source", rows);
    assert!(there.matches("<row>").count() == 2 * hostile.len(), "{there}");
    assert_eq!(there, world.server.sql("restored", rows));
    assert_same_schema((&world.server, "source"), (&world.server, "restored"));
    assert!(!std::path::Path::new("/tmp/lethe-canary").exists());
}
