//! What `postgresql_anonymizer`'s labels say becomes masks. The extension is not there: a superuser writes its labels into the catalog, and
//! `pg_dump` reads them from there like any other.

use lethe_engine::Error;
use lethe_engine::coverage::{Look, masks_for, of_source};
use lethe_engine::progress::Progress;
use lethe_engine::restore::{self, MaskLabels, RestoreOptions};
use lethe_format::catalog::QualifiedName;
use lethe_format::classification::{Classification, NotPersonal};
use lethe_format::ledger::SubjectRef;
use lethe_rules::anonymise::{ColumnMask, Fake, Replacement, TableMask};
use lethe_rules::coverage::Why;
use lethe_rules::objection::Code;
use lethe_testkit::pg::{PgServer, bin_dir, bin_dirs};
use lethe_tests::world::World;

const SHOP: &str = "
    CREATE TABLE users (id int PRIMARY KEY, surname text, mail text NOT NULL UNIQUE, code varchar(8), born date, height int, card text, hobby text);
    CREATE TABLE visits (id int, user_id int REFERENCES users, place text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (50); CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (50) TO (1000);
    INSERT INTO users SELECT i, 'canary s' || i, 'canary' || i || '@x.org', 'c' || i, date '1950-01-01' + i, 150 + i % 50, 'canary c' || i, 'canary h' || i FROM generate_series(1, 100) i;
    INSERT INTO visits SELECT i, i % 100 + 1, 'canary p' || i FROM generate_series(1, 200) i;";

const LABELS: [(&str, &str, Option<&str>, &str); 11] = [
    ("anon", "users", Some("surname"), "MASKED WITH FUNCTION anon.fake_last_name()"),
    ("anon", "users", Some("mail"), "MASKED WITH FUNCTION anon.dummy_safe_email()"),
    ("anon", "users", Some("code"), "MASKED WITH FUNCTION anon.random_string(8)"),
    ("anon", "users", Some("born"), "MASKED WITH FUNCTION anon.random_date()"),
    ("anon", "users", Some("hobby"), "MASKED WITH VALUE $$it's secret$$"),
    ("anon", "users", Some("card"), "MASKED WITH FUNCTION anon.partial(card, 2, $$***$$, 2)"),
    ("anon", "users", Some("id"), "NOT MASKED"),
    ("anon", "visits", Some("place"), "MASKED WITH FUNCTION anon.fake_city()"),
    ("anon", "users", None, "TABLESAMPLE BERNOULLI(10)"),
    ("k_anonymity", "users", Some("height"), "QUASI IDENTIFIER"),
    ("somebody_else", "users", Some("code"), "secret"),
];

async fn world(bin: &std::path::Path) -> World {
    let world = World::on(PgServer::start(bin)).await;
    world.server.sql("source", SHOP);
    for (provider, object, column, label) in LABELS {
        let column = column.map_or_else(
            || "0".to_owned(),
            |column| {
                format!("(SELECT attnum FROM pg_attribute WHERE attrelid = '{object}'::regclass AND attname = '{column}')")
            },
        );
        // As SECURITY LABEL FOR … ON COLUMN would store it.
        let label = label.replace('\'', "''");
        world.server.sql(
            "source",
            &format!(
                "SET allow_system_table_mods = on; INSERT INTO pg_seclabel (objoid, classoid, objsubid, provider, label)
                 VALUES ('{object}'::regclass, 'pg_class'::regclass, {column}, '{provider}', '{label}')"
            ),
        );
    }
    world.snapshot().await.expect("snapshot");
    world
}

fn name(table: &str) -> QualifiedName {
    QualifiedName::new("public", table)
}

fn mask(columns: &[(&str, Replacement)]) -> Vec<TableMask> {
    let column = |(name, replacement): &(&str, Replacement)| ColumnMask {
        name: (*name).to_owned(),
        replacement: replacement.clone(),
        group: None,
    };
    vec![TableMask { table: name("users"), columns: columns.iter().map(column).collect(), by_label: false }]
}

fn options(masks: Vec<TableMask>) -> RestoreOptions {
    let mut options = World::options();
    options.label = Some("staging".parse().expect("a label"));
    options.anonymise.everybody = masks;
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_mask_what_the_settings_do_not_and_nothing_is_left_silently() {
    for bin in bin_dirs() {
        let world = world(&bin).await;
        world.server.create_database("restored");
        // A part of the card would stay, and nobody has said what becomes of the height.
        let refused =
            world.restore_with(&world.server, "restored", options(Vec::new())).await.expect_err("refused");
        let Error::Refused(objections) = &refused else { panic!("{refused:?}") };
        let found: Vec<_> = objections.iter().map(|found| (found.code, found.object.as_str())).collect();
        assert_eq!(
            found,
            [(Code::MaskRefused, "security label of public.users.card"), (Code::Unmasked, "public.users")],
            "{objections:?}"
        );
        assert!(objections[0].problem.contains("anon.partial: a part of the value would stay"));
        assert!(objections[1].problem.contains("in height, card,"), "{objections:?}");

        let settings = options(mask(&[
            ("card", Replacement::Random),
            ("height", Replacement::Random),
            ("surname", Replacement::Fake(Fake::FirstName)),
        ]));
        let target = World::settings(&world.server, "restored");
        let progress = Progress::default();
        let prepared =
            restore::prepare(&world.repository, &target, settings, world.last_seen(), &progress).await;
        let prepared = prepared.expect("plan");
        let expected = MaskLabels {
            columns: 5,
            overruled: ["card", "height", "surname"].map(|column| format!("public.users.{column}")).into(),
            sampled: vec!["public.users".to_owned()],
        };
        assert_eq!(prepared.plan().mask_labels, expected);
        let report = prepared.run(&progress).await.expect("restored without the labels' provider");
        assert_eq!((report.masked.columns, report.rows.loaded), (8, 300));
        let of = |sql: &str| world.server.sql("restored", sql);
        assert_eq!(of("SELECT count(*) FROM users u WHERE u::text LIKE '%canary%'"), "0");
        assert_eq!(of("SELECT count(*) FROM visits v WHERE v::text LIKE '%canary%'"), "0");
        assert_eq!(of("SELECT DISTINCT hobby FROM users"), "it's secret");
        let mails =
            "SELECT count(DISTINCT mail), count(*) FILTER (WHERE mail LIKE '%@example.com') FROM users";
        assert_eq!(of(mails), "100|100");
        assert_eq!(of("SELECT min(id), max(id), count(DISTINCT length(code)) FROM users"), "1|100|1");
        assert_eq!(of("SELECT count(*) FROM pg_seclabel"), "0", "no provider, no label");

        // Where people stay as they are, labels say nothing.
        let plain = world.restore(&world.server, "plain").await.expect("restored");
        assert_eq!(plain.rows.changed, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_ruled_out_needs_no_label_that_is_understood() {
    let world = world(&bin_dir()).await;
    world.server.create_database("restored");
    let mut options = options(Vec::new());
    options.not_personal = vec![NotPersonal {
        table: name("users"),
        columns: Some(["card", "height"].map(str::to_owned).into()),
        because: "playing cards".to_owned(),
    }];
    world.restore_with(&world.server, "restored", options).await.expect("restored");
    assert_eq!(world.server.sql("restored", "SELECT count(*) FROM users WHERE card LIKE 'canary%'"), "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn coverage_knows_labels() {
    let world = world(&bin_dir()).await;
    let subject = SubjectRef { name: Some("user".to_owned()), table: name("users"), columns: None };
    let classification = Classification { subjects: vec![subject], not_personal: Vec::new() };
    let source = World::settings(&world.server, "source");
    let found = of_source(&source, &[], &classification, Look::Names).await.expect("look");
    let labelled = |column: &str| {
        let found = found.columns.iter().find(|one| one.column == column);
        found.is_some_and(|found| found.why.contains(&Why::Labelled))
    };
    assert!(labelled("height") && labelled("born") && labelled("place"));
    assert!(!labelled("id") && !labelled("user_id"));
    let missing = masks_for(&found.catalog, &[], &classification, Vec::new());
    assert_eq!(missing.unmasked, 2, "the card and the height: {}", missing.suggestion);
    assert!(missing.suggestion.contains("set.\"height\" = \"random\""), "{}", missing.suggestion);
    let by_label: usize = missing.labelled.masks.iter().map(|mask| mask.columns.len()).sum();
    assert_eq!((by_label, missing.labelled.objections.len()), (6, 1));
}
