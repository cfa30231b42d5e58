use std::collections::BTreeMap;

use lethe_engine::Error;
use lethe_engine::coverage::{Look, of_source};
use lethe_engine::progress::Progress;
use lethe_engine::restore::RestoreOptions;
use lethe_engine::snapshot::{self, SnapshotOptions, SnapshotStats};
use lethe_format::catalog::QualifiedName;
use lethe_format::classification::{Classification, NotPersonal};
use lethe_format::ledger::SubjectRef;
use lethe_format::reference::{Inside, OnErase, Reference, TableColumns};
use lethe_rules::coverage::{Covered, Why};
use lethe_rules::objection::Code;
use lethe_tests::world::World;

/// As applications without foreign keys have it.
const COMPANY: &str = r#"
    CREATE TABLE users (id bigint PRIMARY KEY, email text UNIQUE, nick text);
    CREATE TABLE posts (id bigint PRIMARY KEY, author_id bigint, title text, at timestamptz);
    CREATE TABLE comments (id bigint PRIMARY KEY, user_id bigint REFERENCES users ON DELETE CASCADE, body text, "approvedBy" bigint);
    CREATE TABLE countries (code text PRIMARY KEY, label text, population bigint);
    CREATE TABLE logs (id bigint PRIMARY KEY, doc jsonb, level int);
    CREATE TABLE rooms (id bigint PRIMARY KEY, present bigint[]);
    CREATE TABLE letters (id int PRIMARY KEY, receiver text);
    CREATE TABLE amounts (id int PRIMARY KEY, total int, other_ref int);
    CREATE TABLE events (user_id bigint REFERENCES users ON DELETE CASCADE, at date, data jsonb) PARTITION BY RANGE (at);
    CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2026-01-01');
    CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2030-01-01');
    INSERT INTO users SELECT i, 'u' || i || '@example.org', 'n' FROM generate_series(1, 100) i;
    INSERT INTO posts SELECT i, i, 'a title' FROM generate_series(1, 100) i;
    INSERT INTO comments SELECT i, i, 'words', i FROM generate_series(1, 100) i;
    INSERT INTO countries VALUES ('DK', 'Denmark', 1), ('DE', 'Germany', 2);
    INSERT INTO logs SELECT i, '{"email": "x", "page": "y", "actorId": 1}', 1 FROM generate_series(1, 100) i;
    INSERT INTO logs VALUES (1000, '[1]', 1), (1001, 'null', 1);
    INSERT INTO rooms SELECT i, ARRAY[i, i + 1] FROM generate_series(1, 50) i;
    INSERT INTO letters SELECT i, 'u' || i || '@example.org' FROM generate_series(1, 5) i;
    INSERT INTO amounts SELECT i, i, i FROM generate_series(1, 100) i;
    INSERT INTO events SELECT i, date '2025-06-01' + i * 5, '{}' FROM generate_series(1, 100) i;
"#;

fn table(name: &str) -> QualifiedName {
    QualifiedName::new("public", name)
}

fn users() -> Classification {
    let subject = SubjectRef { name: Some("user".to_owned()), table: table("users"), columns: None };
    Classification { subjects: vec![subject], not_personal: Vec::new() }
}

fn nobodys(name: &str, columns: Option<&[&str]>) -> NotPersonal {
    let columns = columns.map(|columns| columns.iter().map(|column| (*column).to_owned()).collect());
    NotPersonal { table: table(name), columns, because: "somebody has looked".to_owned() }
}

fn reference(from: &str, column: &str, on_erase: OnErase) -> Reference {
    let side =
        |name: &str, column: &str| TableColumns { table: table(name), columns: vec![column.to_owned()] };
    Reference {
        from: side(from, column),
        inside: Inside::default(),
        to: side("users", "id"),
        when: None,
        on_erase,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_refer_to_a_person_is_found_by_name_by_type_and_by_value() {
    use Why::{Addresses, Document, DocumentNames, FreeText, Keys, PersonalName, ReferenceName};
    let world = World::new().await;
    world.server.sql("source", COMPANY);
    let source = World::settings(&world.server, "source");
    let found = of_source(&source, &[], &users(), Look::Values).await.expect("look");
    assert_eq!(found.not_looked_at, Vec::<String>::new());
    let with_its_row = || Covered::WithItsRow;
    let expected: Vec<(&str, &[Why], Covered)> = vec![
        ("amounts.other_ref", &[Keys], Covered::Open),
        ("comments.user_id", &[ReferenceName, Keys], Covered::ForeignKey),
        ("comments.body", &[FreeText], with_its_row()),
        ("comments.approvedBy", &[ReferenceName, Keys], Covered::Open),
        ("countries.code", &[FreeText], Covered::Open),
        ("countries.label", &[FreeText], Covered::Open),
        ("events.user_id", &[ReferenceName, Keys], Covered::ForeignKey),
        ("events.data", &[Document], with_its_row()),
        ("letters.receiver", &[ReferenceName, Keys, Addresses, FreeText], Covered::Open),
        ("logs.doc", &[DocumentNames, Document], Covered::Open),
        ("posts.author_id", &[ReferenceName, Keys], Covered::Open),
        ("posts.title", &[FreeText], Covered::Open),
        ("rooms.present", &[Keys, Document], Covered::Open),
        ("users.email", &[PersonalName, Addresses, FreeText], with_its_row()),
        ("users.nick", &[FreeText], with_its_row()),
    ];
    let expected: BTreeMap<String, _> = expected
        .into_iter()
        .map(|(name, why, covered)| (name.to_owned(), (why.iter().copied().collect(), covered)))
        .collect();
    let columns = found.columns.iter();
    let columns: BTreeMap<String, _> = columns
        .map(|one| (format!("{}.{}", one.table.name, one.column), (one.why.clone(), one.covered.clone())))
        .collect();
    assert_eq!(columns, expected);
    // Names and types alone, as a snapshot judges them.
    let plain = of_source(&source, &[], &users(), Look::Names).await.expect("look");
    let open: Vec<String> =
        plain.columns.iter().filter(|one| one.is_open()).map(|one| one.column.clone()).collect();
    assert!(open.contains(&"author_id".to_owned()) && !open.contains(&"other_ref".to_owned()), "{open:?}");
    // What can be guessed, and what only a person can say.
    let found = of_source(&source, &[], &users(), Look::Places).await.expect("look");
    let text = found.suggestion(&[], &users());
    assert!(
        text.contains("from = \"public.posts(author_id)\"\nto = \"public.users(id)\"\non_erase = \"drop\""),
        "{text}"
    );
    assert!(text.contains("from = \"public.comments(\\\"approvedBy\\\")\""), "{text}");
    let array = "# values of it are keys of somebody\n[[reference]]\nfrom = \"public.rooms(present)\"\nelement = true\nto = \"public.users(id)\"\non_erase = \"remove\"";
    assert!(text.contains(array), "{text}");
    assert!(text.contains("# columns = \"public.countries(code, label)\""), "{text}");
    // A word of a person's that names them in another column.
    assert!(text.contains("from = \"public.letters(receiver)\"\nto = \"public.users(email)\""), "{text}");
    assert!(text.contains("from = \"public.amounts(other_ref)\"\nto = \"public.users(id)\""), "{text}");
    assert!(
        !text.contains("u1@example.org") && !text.contains("posts(title)"),
        "no value, no answered question"
    );
}

async fn snapshot(
    world: &World,
    references: Vec<Reference>,
    classification: Classification,
) -> SnapshotStats {
    let pg_bin = Some(world.server.bin().to_owned());
    let options = SnapshotOptions {
        jobs: 2,
        level: 1,
        pg_bin,
        references,
        large_object_columns: Vec::new(),
        classification: Some(classification),
    };
    let source = World::settings(&world.server, "source");
    snapshot::take(&world.repository, &source, &options, &Progress::default()).await.expect("snapshot")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_decided_is_asked_before_a_restore() {
    let world = World::new().await;
    world.server.sql("source", COMPANY);
    let references = vec![
        reference("posts", "author_id", OnErase::Drop),
        reference("comments", "approvedBy", OnErase::Null),
        reference("amounts", "other_ref", OnErase::Keep { because: "numbers".to_owned() }),
    ];
    let mut classification = users();
    classification.not_personal = vec![
        nobodys("countries", None),
        nobodys("logs", Some(&["doc"])),
        nobodys("rooms", Some(&["present"])),
        nobodys("letters", Some(&["receiver"])),
    ];
    let source = World::settings(&world.server, "source");
    let found = of_source(&source, &references, &classification, Look::Values).await.expect("look");
    let open: Vec<_> = found.columns.iter().filter(|one| one.is_open()).collect();
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(
        snapshot(&world, references.clone(), classification.clone()).await.unclassified,
        Vec::<String>::new()
    );
    world.erase_integers("users", [7]).await;
    // Settings that know nothing: what was stored with the snapshot counts.
    let report = world.restore(&world.server, "plain").await.expect("restore");
    assert_eq!(report.rows.dropped, 4, "the user, a post, a comment and an event");
    assert_eq!(report.rows.changed, 0, "the comment that user 7 approved was their own");

    // A column and a table come later. That the table was ruled out says nothing of a column that is named like somebody's.
    world.server.sql(
        "source",
        "ALTER TABLE countries ADD ambassador_email text; CREATE TABLE badges (holder text, owner_id bigint)",
    );
    let stats = snapshot(&world, references, classification).await;
    assert_eq!(
        stats.unclassified,
        ["public.badges.holder", "public.badges.owner_id", "public.countries.ambassador_email"]
    );
    let refused = world.restore(&world.server, "drifted").await.expect_err("nobody has decided");
    let Error::Refused(objections) = refused else { panic!("{refused:?}") };
    let found: Vec<_> = objections.iter().map(|one| (one.code, one.object.as_str())).collect();
    assert_eq!(found, [(Code::Unclassified, "public.badges"), (Code::Unclassified, "public.countries")]);
    assert!(objections[0].problem.contains("holder, owner_id"), "{objections:?}");
    // Somebody decides, or answers for it.
    let mut settings = users();
    settings.not_personal = vec![
        nobodys("badges", Some(&["holder", "owner_id"])),
        nobodys("countries", Some(&["ambassador_email"])),
    ];
    let decided = RestoreOptions { classification: Some(settings), ..World::options() };
    world.restore_with(&world.server, "drifted", decided).await.expect("restore");
    world.server.create_database("answered");
    let answered = RestoreOptions { acknowledged: vec![Code::Unclassified], ..World::options() };
    world.restore_with(&world.server, "answered", answered).await.expect("restore");
}

/// Nobody who can read this table can be asked about its values, and nobody who cannot is left in doubt about it.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_writes_nothing_and_says_what_it_may_not_see() {
    let world = World::new().await;
    world.server.sql("source", COMPANY);
    world.server.sql("source", "CREATE ROLE blind LOGIN");
    let url =
        format!("{}&user=blind", world.server.url("source").replace("postgres://postgres@", "postgres://"));
    let blind = lethe_postgres::ConnectionSettings::parse(&url, &|_| None).expect("settings");
    let refused = of_source(&blind, &[], &users(), Look::Values).await.expect_err("it may not read");
    assert!(matches!(&refused, Error::Postgres(error) if error.code() == Some("42501")), "{refused:?}");
    of_source(&blind, &[], &users(), Look::Names).await.expect("the catalog is everybody's");
    let before = world.server.sql(
        "source",
        "SELECT pg_current_xact_id_if_assigned() IS NULL, txid_snapshot_xmax(txid_current_snapshot())",
    );
    of_source(&World::settings(&world.server, "source"), &[], &users(), Look::Values).await.expect("look");
    let after = world.server.sql(
        "source",
        "SELECT pg_current_xact_id_if_assigned() IS NULL, txid_snapshot_xmax(txid_current_snapshot())",
    );
    assert_eq!(before, after, "no transaction has written");
}
