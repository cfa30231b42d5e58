//! Masks of values that hold keys of others: they join as before, in binary and in text rows, also where some of them are removed.

use lethe_engine::Error;
use lethe_engine::ledger::NewEntry;
use lethe_engine::restore::RestoreOptions;
use lethe_format::catalog::QualifiedName;
use lethe_format::classification::NotPersonal;
use lethe_format::json::Path;
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use lethe_format::reference::{Inside, KeyPattern, OnErase, Reference, Removed, TableColumns, When};
use lethe_rules::anonymise::{ColumnMask, Constant, Fake, MaskRule, Replacement, TableMask};
use lethe_rules::objection::Code;
use lethe_testkit::pg::{PgServer, bin_dir};
use lethe_tests::world::World;

/// Keys of users in every place that a rule can name. `@` ends the tables' names; `mood[]` makes their rows text.
const FORUM: &str = r#"
    CREATE TABLE room@ (id int PRIMARY KEY, ids bigint[], narrow int[], logins text[], links text[] NOT NULL, x mood#);
    CREATE TABLE log@ (id int PRIMARY KEY, doc jsonb NOT NULL, old json, x mood#);
    CREATE TABLE note@ (id int PRIMARY KEY, owner varchar(80), mail text, kind text, ref text, x mood#);
    INSERT INTO room@ SELECT i, ARRAY[i % 200 + 1, NULL, i * 7 % 200 + 1, 5000 + i], ARRAY[i % 150 + 1, i % 3 + 1],
        ARRAY(SELECT login FROM users WHERE id IN (i % 200 + 1, 3)), ARRAY['user:' || i % 200 + 1, 'canary ' || i, 'user:' || 7] FROM generate_series(1, 300) i;
    INSERT INTO log@ SELECT i, jsonb_build_object('actor', jsonb_build_object('id', i % 200 + 1, 'name', 'canary ' || i), 'canary ' || i, true,
            'items', jsonb_build_array(jsonb_build_object('user', (i % 50 + 1)::text, 'n', i), jsonb_build_object('user', 9, 'x', NULL), 'canary'),
            'mail', (SELECT login FROM users WHERE id = i % 200 + 1), 'to', jsonb_build_array('user:' || i % 90 + 1, 'all'), 'x', 1.5),
        CASE WHEN i % 5 > 0 THEN json_build_object('ids', json_build_array(i % 200 + 1, 'canary', 4)) END FROM generate_series(1, 300) i;
    INSERT INTO note@ SELECT i, CASE i % 3 WHEN 0 THEN 'user:' || i % 200 + 1 WHEN 1 THEN 'canary:' || i END, 'mailto:' || (SELECT login FROM users WHERE id = i % 200 + 1),
        CASE i % 2 WHEN 0 THEN 'User' ELSE 'Other' END, i % 200 + 1 FROM generate_series(1, 300) i;"#;

/// Counts that hang on who refers to whom, and on how much is there at all.
const JOINS: &str = r"
    SELECT count(*), sum(cardinality(ids)) FROM room@; SELECT count(*) FROM room@ r, unnest(ids) e JOIN users u ON u.id = e;
    SELECT count(*) FROM room@ r, unnest(narrow) e JOIN users u ON u.id = e; SELECT count(*) FROM room@ r, unnest(logins) e JOIN users u ON u.login = e;
    SELECT count(*), count(DISTINCT u.id) FROM room@ r, unnest(links) e JOIN users u ON e = 'user:' || u.id;
    SELECT count(*) FROM log@; SELECT count(*), count(DISTINCT u.id) FROM log@ l JOIN users u ON (l.doc #>> '{actor,id}') = u.id::text;
    SELECT count(*), count(*) FILTER (WHERE jsonb_typeof(e) = 'string') FROM log@ l, jsonb_path_query(doc, '$.items[*].user') e JOIN users u ON e #>> '{}' = u.id::text;
    SELECT count(*) FROM log@ l JOIN users u ON l.doc ->> 'mail' = u.login;
    SELECT count(*) FROM log@ l, jsonb_array_elements_text(doc -> 'to') e JOIN users u ON e = 'user:' || u.id;
    SELECT count(*) FROM log@ l JOIN users u ON old #>> '{ids,0}' = u.id::text;
    SELECT count(*) FROM note@ n JOIN users u ON n.owner = 'user:' || u.id; SELECT count(*) FROM note@ n JOIN users u ON n.mail = 'mailto:' || u.login;
    SELECT count(*) FROM note@ n JOIN users u ON n.kind = 'User' AND n.ref = u.id::text; SELECT count(*), count(owner), count(mail) FROM note@";

fn joins(world: &World, database: &str, suffix: &str) -> String {
    world.server.sql(database, &JOINS.replace('@', suffix))
}

fn name(table: &str) -> QualifiedName {
    QualifiedName::new("public", table)
}

fn rule((table, column): (&str, &str), inside: Inside, to: &str, on_erase: OnErase) -> Reference {
    let side =
        |table: &str, column: &str| TableColumns { table: name(table), columns: vec![column.to_owned()] };
    Reference { from: side(table, column), inside, to: side("users", to), when: None, on_erase }
}

fn text(text: Option<&str>) -> Inside {
    Inside { text: text.map(|text| KeyPattern::parse(text).expect("a pattern")), ..Inside::default() }
}

fn element(pattern: Option<&str>) -> Inside {
    Inside { element: true, ..text(pattern) }
}

fn path(path: &str, pattern: Option<&str>) -> Inside {
    Inside { path: Some(Path::parse(path).expect("a path")), ..text(pattern) }
}

fn rules(suffix: &str) -> Vec<Reference> {
    let remove = || OnErase::Remove(Removed::Value);
    let (room, log, note) = (format!("room{suffix}"), format!("log{suffix}"), format!("note{suffix}"));
    let by_kind = rule((&note, "ref"), text(Some("{}")), "id", OnErase::Null);
    let when = Some(When { column: "kind".to_owned(), equals: "User".to_owned() });
    vec![
        rule((&room, "ids"), element(None), "id", remove()),
        rule((&room, "narrow"), element(None), "id", remove()),
        rule((&room, "logins"), element(None), "login", remove()),
        rule((&room, "links"), element(Some("user:{}")), "id", remove()),
        rule((&log, "doc"), path("$.actor.id", None), "id", OnErase::Drop),
        rule((&log, "doc"), path("$.items[*].user", None), "id", OnErase::Remove(Removed::Object)),
        rule((&log, "doc"), path("$.mail", None), "login", OnErase::Keep { because: "a test".to_owned() }),
        rule((&log, "doc"), path("$.to", Some("user:{}")), "id", remove()),
        rule((&log, "old"), path("$.ids", None), "id", remove()),
        rule((&note, "owner"), text(Some("user:{}")), "id", OnErase::Null),
        rule((&note, "mail"), text(Some("mailto:{}")), "login", OnErase::Drop),
        Reference { when, ..by_kind },
    ]
}

fn mask(table: &str, columns: &[(&str, Replacement)]) -> TableMask {
    let column = |(name, replacement): &(&str, Replacement)| ColumnMask {
        name: (*name).to_owned(),
        replacement: replacement.clone(),
        group: None,
    };
    TableMask { table: name(table), columns: columns.iter().map(column).collect(), by_label: false }
}

fn masks(suffix: &str) -> Vec<TableMask> {
    let (random, fake) = (|| Replacement::Random, Replacement::Fake);
    let (room, log, note) = (format!("room{suffix}"), format!("log{suffix}"), format!("note{suffix}"));
    vec![
        mask(
            &room,
            &[("ids", random()), ("narrow", random()), ("logins", fake(Fake::Email)), ("links", random())],
        ),
        mask(&log, &[("doc", random()), ("old", random())]),
        mask(&note, &[("owner", random()), ("mail", fake(Fake::Sentence)), ("ref", random())]),
    ]
}

fn users(with_ids: bool) -> TableMask {
    let login = ("login", Replacement::Fake(Fake::Email));
    if with_ids { mask("users", &[("id", Replacement::Random), login]) } else { mask("users", &[login]) }
}

fn options(masks: Vec<TableMask>) -> RestoreOptions {
    let nobodys = |table: &str| NotPersonal {
        table: name(table),
        columns: Some(["kind", "x"].map(str::to_owned).into()),
        because: "words of the program".to_owned(),
    };
    let mut options = World::options();
    options.label = Some("staging".parse().expect("a label"));
    options.not_personal = ["room", "log", "note", "room_t", "log_t", "note_t"].map(nobodys).into();
    options.anonymise.everybody = masks;
    options
}

async fn world() -> World {
    let world = World::on(PgServer::start(bin_dir())).await;
    let users = "CREATE TYPE mood AS ENUM ('fine'); CREATE TABLE users (id bigint PRIMARY KEY, login varchar(60) UNIQUE);
         INSERT INTO users SELECT i, 'canary-' || md5(i::text) || '@x.org' FROM generate_series(1, 200) i;";
    world.server.sql("source", users);
    for (suffix, array) in [("", ""), ("_t", "[]")] {
        let script = FORUM.replace('@', suffix).replace("mood#", &format!("mood{array}"));
        world.server.sql("source", &script);
    }
    world.snapshot_with([rules(""), rules("_t")].concat()).await.expect("snapshot");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_within_masked_values_join_as_before_also_where_some_are_removed() {
    let world = world().await;
    for (round, erased) in [vec![], vec![3, 7, 9, 41]].into_iter().enumerate() {
        if !erased.is_empty() {
            world.erase_integers("users", erased).await;
        }
        let plain = format!("plain{round}");
        world.restore(&world.server, &plain).await.expect("restored");
        for with_ids in [true, false] {
            let database = format!("staging{round}{with_ids}");
            world.server.create_database(&database);
            let masks = [vec![users(with_ids)], masks(""), masks("_t")].concat();
            world.restore_with(&world.server, &database, options(masks)).await.expect("restored");
            for suffix in ["", "_t"] {
                let before = joins(&world, &plain, suffix);
                assert_eq!(before, joins(&world, &database, suffix), "{database} {suffix}");
                assert_eq!(round == 0, before == joins(&world, "source", suffix), "{before}");
                assert!(before.lines().all(|line| !line.starts_with('0')), "{before}");
                for table in ["room", "log", "note"] {
                    let left =
                        format!("SELECT count(*) FROM {table}{suffix} t WHERE t::text LIKE '%canary%'");
                    assert_eq!(world.server.sql(&database, &left), "0", "{database} {table}{suffix}");
                }
                // Names that no rule leads through may be people's data.
                let names = format!(
                    "SELECT count(*) FROM log{suffix} WHERE doc ? 'x' OR NOT doc ?& '{{actor,items,mail,to}}'"
                );
                assert_eq!(world.server.sql(&database, &names), "0");
            }
            let same_ids = "SELECT array_agg(id ORDER BY id) FROM users";
            assert_eq!(
                world.server.sql(&plain, same_ids) == world.server.sql(&database, same_ids),
                !with_ids
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_within_values_that_cannot_be_followed_are_refused_by_name() {
    let world = world().await;
    world.server.create_database("restored");
    let with = |table: &str, column: &str, replacement: Option<Replacement>| {
        let mut masks = [vec![users(true)], masks(""), masks("_t")].concat();
        let found = masks.iter_mut().find(|mask| mask.table.name == table).expect("a table");
        found.columns.retain(|mask| mask.name != column);
        found.columns.extend(replacement.map(|replacement| ColumnMask {
            name: column.to_owned(),
            replacement,
            group: None,
        }));
        options(masks)
    };
    for (table, column, replacement, says) in [
        ("room", "ids", None, "and it is not"),
        ("log", "doc", None, "and it is not"),
        ("room_t", "logins", None, "and it is not"),
        ("note", "kind", Some(Replacement::Random), "that column is masked"),
    ] {
        let refused = world.restore_with(&world.server, "restored", with(table, column, replacement)).await;
        let Err(Error::Refused(objections)) = &refused else { panic!("{table}.{column}: {refused:?}") };
        assert!(
            objections.iter().any(|found| found.code == Code::MaskRefused && found.problem.contains(says)),
            "{table}.{column}: {objections:?}"
        );
    }
    // No key is left, so nothing dangles.
    let empty = Replacement::Constant(Constant { text: "{}".to_owned(), binary: None });
    world.restore_with(&world.server, "restored", with("log", "doc", Some(empty))).await.expect("restored");
    assert_eq!(world.server.sql("restored", "SELECT DISTINCT doc FROM log"), "{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_must_be_long_enough_for_the_keys_in_it() {
    let world = World::new().await;
    let script = "CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE note (id int PRIMARY KEY, owner varchar(12));
        INSERT INTO users VALUES (1); INSERT INTO note VALUES (1, 'user:1');";
    world.server.sql("source", script);
    world
        .snapshot_with(vec![rule(("note", "owner"), text(Some("user:{}")), "id", OnErase::Drop)])
        .await
        .expect("snapshot");
    world.server.create_database("restored");
    let masks =
        vec![mask("users", &[("id", Replacement::Random)]), mask("note", &[("owner", Replacement::Random)])];
    let refused = world.restore_with(&world.server, "restored", options(masks)).await.expect_err("too short");
    let Error::Refused(objections) = &refused else { panic!("{refused:?}") };
    assert!(
        objections[0].problem.contains("note.owner holds 12 characters, and a masked key in it may have 25"),
        "{objections:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_a_rule_refers_to_is_not_overwritten_for_some_of_its_rows() {
    let world = world().await;
    let subject = SubjectRef { name: None, table: name("users"), columns: None };
    let keys = Keys::Integers([5].into_iter().collect());
    world.append(NewEntry::about(Kind::Anonymised, subject.clone(), keys)).await;
    world.server.create_database("restored");
    let rule = |column: &str| MaskRule {
        subject: subject.clone(),
        table: name("users"),
        via: None,
        columns: vec![(column.to_owned(), Replacement::Random)],
    };
    let mut options = World::options();
    options.anonymise.masks = vec![rule("login")];
    let refused =
        world.restore_with(&world.server, "restored", options).await.expect_err("others refer to it");
    let Error::Refused(objections) = &refused else { panic!("{refused:?}") };
    let found = objections.iter().find(|found| found.code == Code::MaskRefused).expect("refused");
    assert!(found.problem.contains("users.login: it is a part of reference"), "{found:?}");
}
