//! Databases that are for masked data alone: nobody is in them as they are, and they work as the one that they are made from.
#![allow(clippy::print_stdout, reason = "a failing run must show its seed")]

use lethe_engine::Error;
use lethe_engine::progress::Progress;
use lethe_engine::restore::{self, RestoreOptions};
use lethe_format::catalog::QualifiedName;
use lethe_format::classification::NotPersonal;
use lethe_rules::anonymise::{ColumnMask, Constant, Fake, Replacement, TableMask};
use lethe_rules::objection::Code;
use lethe_testkit::pg::{PgServer, Shutdown, bin_dirs};
use lethe_tests::search::hits;
use lethe_tests::world::World;

/// `login` is a natural key that two tables refer to, one of them stored as text; `odd.moods` makes that so. `account.id` is a
/// surrogate key of another width than what refers to it.
const COMPANY: &str = "
    CREATE TYPE mood AS ENUM ('fine', 'gone');
    CREATE TABLE account (id int PRIMARY KEY, login varchar(60) NOT NULL UNIQUE, name text NOT NULL, phone varchar(20), street text, note text,
        born date, token uuid UNIQUE, ip inet, salary numeric(9,2), active boolean, doc jsonb NOT NULL, tags text[], code char(8), short varchar(3), at time, spot point,
        CHECK (login LIKE '%@%.%'), CHECK (note IS NOT NULL OR street IS NOT NULL OR phone IS NOT NULL), CHECK (salary >= 0),
        upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
    CREATE TABLE odd (id int PRIMARY KEY, login text REFERENCES account (login), moods mood[], account_id bigint REFERENCES account (id),
        second int REFERENCES account (id) ON DELETE SET NULL);
    CREATE TABLE letter (id int, login varchar(60), body text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE letter_1 PARTITION OF letter FOR VALUES FROM (0) TO (300);
    CREATE TABLE letter_2 PARTITION OF letter FOR VALUES FROM (300) TO (10000);
    CREATE TABLE country (code text PRIMARY KEY, title text);
    INSERT INTO country VALUES ('DK', 'Denmark'), ('DE', 'Germany');";

fn fill(seed: u64) -> String {
    format!(
        "SELECT setseed({}::float8 / 1000000);
         INSERT INTO account SELECT i, 'canary-' || md5('l{seed}' || i) || '@x.org', 'canary-' || md5('n{seed}' || i), CASE WHEN random() < 0.8 THEN '9' || substr(md5('p{seed}' || i), 1, 15) END,
             'canary-' || md5('s{seed}' || i), CASE WHEN random() < 0.7 THEN 'canary-' || md5('o{seed}' || i) || E'\\t\\\\' END, '1950-01-01'::date + (random() * 20000)::int,
             md5('t{seed}' || i)::uuid, '192.168.0.1'::inet + i, random() * 10000, random() < 0.5, jsonb_build_object('k', 'canary-' || md5('d{seed}' || i)),
             ARRAY['canary-' || md5('a{seed}' || i)], 'c' || substr(md5('c{seed}' || i), 1, 6), 'x', '12:00'
         FROM generate_series(1, 400 + (random() * 100)::int) i;
         INSERT INTO odd SELECT i, (SELECT login FROM account WHERE id = i % 400 + 1), ARRAY['fine'::mood], i % 300 + 1, i % 11 + 1 FROM generate_series(1, 500) i;
         INSERT INTO letter SELECT i, (SELECT login FROM account WHERE id = i % 400 + 1), 'canary-' || md5('b{seed}' || i) FROM generate_series(1, 700) i;",
        seed % 1_000_000
    )
}

fn name(table: &str) -> QualifiedName {
    QualifiedName::new("public", table)
}

fn mask(table: &str, columns: &[(&str, Replacement)]) -> TableMask {
    let column = |(name, replacement): &(&str, Replacement)| ColumnMask {
        name: (*name).to_owned(),
        replacement: replacement.clone(),
        group: None,
    };
    TableMask { table: name(table), columns: columns.iter().map(column).collect(), by_label: false }
}

fn constant(text: &str) -> Replacement {
    Replacement::Constant(Constant { text: text.to_owned(), binary: None })
}

fn account() -> Vec<(&'static str, Replacement)> {
    vec![
        ("id", Replacement::Random),
        ("login", Replacement::Fake(Fake::Email)),
        ("name", Replacement::Fake(Fake::Name)),
        ("phone", Replacement::Fake(Fake::Phone)),
        ("street", Replacement::Fake(Fake::Street)),
        ("note", Replacement::Fake(Fake::Sentence)),
        ("born", Replacement::Random),
        ("token", Replacement::Random),
        ("ip", Replacement::Random),
        ("salary", Replacement::Random),
        ("active", Replacement::Random),
        ("doc", constant("{\"a\": 1}")),
        ("tags", constant("{none}")),
        ("code", Replacement::Random),
        ("short", Replacement::Fake(Fake::City)),
        ("at", Replacement::Random),
    ]
}

fn masks() -> Vec<TableMask> {
    vec![
        mask("account", &account()),
        mask(
            "odd",
            &[
                ("login", Replacement::Fake(Fake::Email)),
                ("account_id", Replacement::Random),
                ("second", Replacement::Random),
                ("moods", constant("{gone}")),
            ],
        ),
        mask(
            "letter",
            &[("login", Replacement::Fake(Fake::Email)), ("body", Replacement::Fake(Fake::Sentence))],
        ),
    ]
}

fn options(masks: Vec<TableMask>) -> RestoreOptions {
    let mut options = World::options();
    options.label = Some("staging".parse().expect("a label"));
    options.not_personal = vec![NotPersonal {
        table: name("country"),
        columns: Some(vec!["code".to_owned(), "title".to_owned()]),
        because: "a list from the internet".to_owned(),
    }];
    options.anonymise.everybody = masks;
    options
}

async fn world(bin: &std::path::Path, seed: u64) -> World {
    println!("seed {seed} (replay with LETHE_SEED={seed})");
    let world = World::on(PgServer::start_with(bin, &["wal_compression=off"])).await;
    world.server.sql("source", COMPANY);
    world.server.sql("source", &fill(seed));
    world.snapshot().await.expect("snapshot");
    world
}

fn seed() -> u64 {
    std::env::var("LETHE_SEED")
        .map_or_else(|_| rand::random::<u64>() >> 44, |text| text.parse().expect("a number"))
}

/// Of every masked column that is no list of a few values: rows of the source whose value stands anywhere in the restored column.
const COMPARED: [(&str, &str); 14] = [
    ("account", "login"),
    ("account", "name"),
    ("account", "upper_name"),
    ("account", "phone"),
    ("account", "street"),
    ("account", "note"),
    ("account", "token"),
    ("account", "ip"),
    ("account", "doc"),
    ("account", "tags"),
    ("account", "code"),
    ("odd", "login"),
    ("letter", "login"),
    ("letter", "body"),
];

const JOINS: &str = "SELECT count(*) FROM account a JOIN odd o ON o.login = a.login; SELECT count(*) FROM account a JOIN odd o ON o.account_id = a.id; SELECT count(*), count(second) FROM odd; SELECT count(*) FROM account a JOIN odd o ON o.second = a.id;
    SELECT count(*) FROM account a JOIN letter l ON l.login = a.login; SELECT count(*) FROM odd o JOIN letter l USING (login);
    SELECT count(*), count(phone), count(note), count(DISTINCT login), count(DISTINCT id), count(DISTINCT token) FROM account";

fn values(server: &PgServer, database: &str, table: &str, column: &str) -> Vec<String> {
    let sql = format!("SELECT {column}::text FROM {table} WHERE {column} IS NOT NULL ORDER BY 1");
    server.sql(database, &sql).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_in_staging_as_they_are_and_everything_still_fits() {
    for bin in bin_dirs() {
        let world = world(&bin, seed()).await;
        world.erase_integers("account", [7, 8]).await;
        let mut target = PgServer::start_with(&bin, &["wal_compression=off", "log_statement=all"]);
        for database in ["one", "two"] {
            target.create_database(database);
        }
        let report = world.restore_with(&target, "one", options(masks())).await.expect("restored");
        world.restore_with(&target, "two", options(masks())).await.expect("restored");
        // What a server leaves of the source without the erased.
        world.server.create_database("plain");
        let production = World::options();
        let plain = world.restore_with(&world.server, "plain", production).await.expect("restored");
        assert_eq!((report.rows.loaded, report.rows.dropped), (plain.rows.loaded, plain.rows.dropped));
        assert_eq!(report.rows.changed, report.rows.loaded - 2, "all but the countries");
        assert_eq!((report.masked.columns, report.masked.rows), (22, report.rows.loaded - 2));
        let check = report.masked.check;
        assert_eq!(check.rows, report.masked.rows, "all of these tables are read back");
        assert!(check.originals > 3000 && check.values > 3000 && check.same < check.made / 4, "{check:?}");
        assert_eq!(report.label.map(|label| label.to_string()).as_deref(), Some("staging"));

        assert_eq!(target.sql("one", JOINS), world.server.sql("plain", JOINS), "joins survive");
        for (table, column) in COMPARED {
            let source: std::collections::BTreeSet<String> =
                values(&world.server, "source", table, column).into_iter().collect();
            let (one, two) = (values(&target, "one", table, column), values(&target, "two", table, column));
            assert!(!one.is_empty());
            assert!(one.iter().all(|value| !source.contains(value)), "{table}.{column} holds an old value");
            let fixed = ["doc", "tags"].contains(&column);
            assert!(fixed || one != two, "{table}.{column} is the same in two restores");
        }
        let hold = "SELECT count(*) FROM account WHERE length(login) > 60 OR length(short) > 3 OR length(phone) > 20 OR salary >= 10000000;
            SELECT count(*) FROM pg_constraint WHERE NOT convalidated; SELECT DISTINCT doc FROM account; SELECT DISTINCT moods FROM odd";
        assert_eq!(target.sql("one", hold), "0\n0\n{\"a\": 1}\n{gone}");
        revalidate(&target, "one");
        let canaries = world.server.sql(
            "source",
            "SELECT login FROM account UNION ALL SELECT name FROM account UNION ALL SELECT doc->>'k' FROM account UNION ALL SELECT tags[1] FROM account
             UNION ALL SELECT body FROM letter UNION ALL SELECT street FROM account",
        );
        let canaries: Vec<Vec<u8>> =
            canaries.lines().step_by(199).map(|line| line.as_bytes()[..39].to_vec()).collect();
        target.stop(Shutdown::Fast);
        assert_eq!(hits(&target.data_dir(), &canaries), [], "files of the target");
        let log = std::fs::read(target.log_path()).expect("read the log");
        assert!(canaries.iter().all(|canary| !lethe_tests::search::contains(&log, canary)));
        let mut source = world.server;
        source.stop(Shutdown::Fast);
        assert!(!hits(&source.data_dir(), &canaries[..1]).is_empty(), "the search finds people");
    }
}

/// Every constraint is made again, and every index compared with its table.
fn revalidate(server: &PgServer, database: &str) {
    let again = server.sql(
        database,
        "SELECT format('ALTER TABLE %s DROP CONSTRAINT %I; ALTER TABLE %1$s ADD CONSTRAINT %2$I %s;', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
         WHERE k.contype IN ('f', 'c') AND k.conparentid = 0 AND k.coninhcount = 0 AND c.relnamespace = 'public'::regnamespace",
    );
    assert!(again.lines().count() >= 5, "{again}");
    server.sql(database, &again);
    // Servers from the Python package come without it.
    if server.sql(database, "SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'") == "0" {
        return;
    }
    server.sql(
        database,
        "CREATE EXTENSION amcheck; SELECT count(bt_index_check(i.indexrelid, true)) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree') AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masked_restore_that_is_ended_in_the_middle_goes_on_with_the_same_values() {
    let world = world(&lethe_testkit::pg::bin_dir(), seed()).await;
    world.server.create_database("restored");
    let settings = World::settings(&world.server, "restored");
    let one_job = || RestoreOptions { jobs: 1, ..options(masks()) };
    // Ends where the largest tables are loaded and the foreign keys are not there yet.
    let (ended, began) = tokio::sync::watch::channel(false);
    let progress = Progress::observed(Box::new(move |stage| {
        if stage == "foreign keys" {
            let _ = ended.send(true);
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }));
    let prepared = restore::prepare(&world.repository, &settings, one_job(), world.last_seen(), &progress)
        .await
        .expect("plan");
    let mut seen = began;
    tokio::select! {
        done = prepared.run(&progress) => panic!("it must not come to its end: {done:?}"),
        changed = seen.changed() => changed.expect("told"),
    }
    let before =
        world.server.sql("restored", "SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM account a");
    // One table has to be loaded again, as if its chunks had not come so far.
    world.server.sql("restored", "SELECT pg_sleep(0.5); TRUNCATE odd; DELETE FROM lethe.restored_chunks WHERE table_oid = (SELECT min(table_oid) FROM lethe.restored_chunks WHERE loaded = 500)");
    let other = RestoreOptions { label: Some("qa".parse().expect("a label")), ..one_job() };
    refused(&world, "restored", other, Code::LabelContradicts, "staging").await;
    world.restore_with(&world.server, "restored", one_job()).await.expect("goes on");
    let after =
        world.server.sql("restored", "SELECT md5(string_agg(a::text, '' ORDER BY id)) FROM account a");
    assert_eq!(before, after);
    assert_eq!(
        world.server.sql(
            "restored",
            "SELECT count(*) FROM odd o JOIN account a ON a.id = o.account_id AND o.login IS NOT NULL"
        ),
        "500"
    );
    assert_eq!(
        world.server.sql("restored", "SELECT to_regnamespace('lethe') IS NULL"),
        "t",
        "the key is gone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_in_the_target_as_it_is_stored_is_found_afterwards() {
    let world = world(&lethe_testkit::pg::bin_dir(), seed()).await;
    let note =
        world.server.sql("source", "SELECT quote_literal(note) FROM account WHERE note IS NOT NULL LIMIT 1");
    // As a mask that does not work would leave it. The second one is chance: one of two values.
    for (sql, column) in [
        (format!("UPDATE account SET note = {note} WHERE id = (SELECT min(id) FROM account)"), Some("note")),
        ("UPDATE account SET active = NOT active, salary = salary".to_owned(), None),
    ] {
        let database = column.unwrap_or("chance");
        world.server.create_database(database);
        let url = World::settings(&world.server, database);
        let psql = world.server.url(database);
        let change = std::sync::Arc::new(sql);
        let bin = world.server.bin().to_owned();
        let progress = Progress::observed(Box::new(move |stage| {
            if stage == "look for erased keys" {
                let done = std::process::Command::new(bin.join("psql")).args([&psql, "-c", &change]).status();
                assert!(done.expect("psql").success());
            }
        }));
        let prepared =
            restore::prepare(&world.repository, &url, options(masks()), world.last_seen(), &progress).await;
        let ended = prepared.expect("plan").run(&progress).await;
        match (column, ended) {
            (None, Ok(_)) => {}
            (Some(column), Err(Error::Verification { object, problem, .. })) => {
                assert_eq!(object, "public.account");
                assert!(problem.contains(&format!("the column {column} is masked")), "{problem}");
            }
            (_, ended) => panic!("{database}: {ended:?}"),
        }
    }
}

async fn refused(world: &World, database: &str, options: RestoreOptions, code: Code, says: &str) {
    let refused = world.restore_with(&world.server, database, options).await.expect_err(says);
    let Error::Refused(objections) = &refused else { panic!("{says}: {refused:?}") };
    assert!(
        objections
            .iter()
            .any(|found| found.code == code && format!("{} {}", found.object, found.problem).contains(says)),
        "{says}: {objections:?}"
    );
    assert!(!format!("{objections:?}").contains("canary"), "{objections:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn masks_that_are_missing_or_would_break_the_database_are_refused_by_name() {
    let world = world(&lethe_testkit::pg::bin_dir(), 1).await;
    world.server.create_database("restored");
    let with = |column: &'static str, replacement: Option<Replacement>| {
        let mut all = masks();
        let columns = &mut all[0].columns;
        columns.retain(|mask| mask.name != column);
        columns.extend(replacement.map(|replacement| ColumnMask {
            name: column.to_owned(),
            replacement,
            group: None,
        }));
        options(all)
    };
    for column in ["login", "name", "phone", "street", "note", "ip", "salary", "doc", "tags"] {
        let code = if column == "login" { Code::MaskRefused } else { Code::Unmasked };
        refused(
            &world,
            "restored",
            with(column, None),
            code,
            if column == "login" { "not masked alike" } else { column },
        )
        .await;
    }
    for (column, replacement, says) in [
        ("name", Replacement::Null, "NOT NULL"),
        ("token", constant("00000000-0000-0000-0000-000000000000"), "same value twice"),
        ("login", Replacement::Random, "does not accept"),
        ("login", Replacement::Fake(Fake::Name), "not masked alike"),
        ("id", Replacement::Null, "NOT NULL"),
        ("short", Replacement::Fake(Fake::Email), "too few"),
        ("upper_name", Replacement::Fake(Fake::Name), "computed"),
        ("born", constant("canary"), "no value of its type"),
        ("nothing", Replacement::Null, "no such column"),
        ("spot", Replacement::Random, "no random value"),
        ("note", Replacement::Null, "not hold"),
    ] {
        // The last one: a check that looks at NULL, of whose columns only one becomes NULL.
        let says = if says == "not hold" { "does not accept" } else { says };
        if column == "note" {
            let mut all = masks();
            for name in ["note", "street", "phone"] {
                all[0].columns.retain(|mask| mask.name != name);
                all[0].columns.push(ColumnMask {
                    name: name.to_owned(),
                    replacement: Replacement::Null,
                    group: None,
                });
            }
            refused(&world, "restored", options(all), Code::MaskRefused, says).await;
            continue;
        }
        refused(&world, "restored", with(column, Some(replacement)), Code::MaskRefused, says).await;
    }
    assert_eq!(
        world.server.sql("restored", "SELECT count(*) FROM pg_namespace WHERE nspname = 'lethe'"),
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_says_what_it_is_for_and_nothing_may_contradict_it() {
    let world = world(&lethe_testkit::pg::bin_dir(), 2).await;
    for database in ["bare", "marked", "odd", "free"] {
        world.server.create_database(database);
    }
    let label = |text: &str| Some(text.parse().expect("a label"));
    let unlabelled = RestoreOptions { label: None, ..World::options() };
    refused(&world, "bare", unlabelled.clone(), Code::Unlabelled, "nothing says what it is for").await;
    world.server.sql(
        "postgres",
        "ALTER DATABASE marked SET lethe.label = 'staging'; ALTER DATABASE odd SET lethe.label = 'What?'",
    );
    refused(&world, "marked", World::options(), Code::LabelContradicts, "its label is staging").await;
    refused(&world, "odd", unlabelled.clone(), Code::Unlabelled, "none that is known").await;
    refused(&world, "odd", World::options(), Code::LabelContradicts, "another one").await;
    let on_staging = RestoreOptions { server_label: label("staging"), ..World::options() };
    refused(&world, "bare", on_staging, Code::LabelContradicts, "its server is for staging").await;
    for database in ["bare", "marked", "odd"] {
        assert_eq!(
            world
                .server
                .sql(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
            "0"
        );
    }
    // The database's own word is enough.
    let by_itself = RestoreOptions { label: None, ..options(masks()) };
    world.restore_with(&world.server, "marked", by_itself).await.expect("restored");
    assert_eq!(world.server.sql("marked", "SELECT count(*) FROM account WHERE login LIKE 'canary%'"), "0");
    // Without one it gets the restore's.
    world.restore_with(&world.server, "free", World::options()).await.expect("restored");
    assert_eq!(world.server.sql("free", "SHOW lethe.label"), "production");
    assert_ne!(world.server.sql("free", "SELECT count(*) FROM account WHERE login LIKE 'canary%'"), "0");
}
