//! Everything that PostgreSQL has must come back, on every server that is listed, and from an older one into a newer.

use lethe_engine::Error;
use lethe_engine::restore::RestoreOptions;
use lethe_rules::objection::Code;
use lethe_testkit::pg::{PgServer, bin_dirs};
use lethe_tests::compare::{assert_same_rows, assert_same_schema, sequences};
use lethe_tests::world::World;

const EVERYTHING: &str = include_str!("everything.sql");

/// The script; for a server that was built without contrib, ICU and libxml, with other types in the place of theirs.
fn everything(server: &PgServer) -> String {
    let has = server.sql(
        "postgres",
        "SELECT count(*) FROM pg_available_extensions WHERE name IN ('citext', 'hstore', 'pgcrypto')",
    );
    if has == "3" {
        return EVERYTHING.to_owned();
    }
    let without = EVERYTHING
        .lines()
        .filter(|line| !line.starts_with("CREATE EXTENSION") && !line.starts_with("CREATE COLLATION"));
    let script = without.collect::<Vec<_>>().join("\n");
    script
        .replace("public.citext", "text")
        .replace("public.hstore", "text")
        .replace(" COLLATE app.german", "")
        .replace("c_xml xml", "c_xml text")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back() {
    for bin in bin_dirs() {
        let world = World::on(PgServer::start(&bin)).await;
        world.server.sql("source", &everything(&world.server));
        world.snapshot().await.expect("snapshot");
        let options = RestoreOptions { acknowledged: vec![Code::LargeObjects], ..World::options() };
        world.server.create_database("restored");
        world.restore_with(&world.server, "restored", options).await.expect("restore");
        assert_same_schema((&world.server, "source"), (&world.server, "restored"));
        assert_same_rows((&world.server, "source"), (&world.server, "restored"));
        assert_eq!(sequences(&world.server, "source"), sequences(&world.server, "restored"));
        large_objects_are_the_same(&world);
        the_same_tables_have_statistics(&world);
        let book = world.server.sql("restored", "SELECT count(*) FROM pg_namespace WHERE nspname = 'lethe'");
        assert_eq!(book, "0", "the bookkeeping is removed at the end");
    }
}

fn large_objects_are_the_same(world: &World) {
    let list = "SELECT m.oid, pg_get_userbyid(lomowner), lomacl, obj_description(m.oid, 'pg_largeobject'), md5(lo_get(m.oid)), length(lo_get(m.oid))
                FROM pg_largeobject_metadata m ORDER BY 1";
    assert_eq!(world.server.sql("source", list), world.server.sql("restored", list));
}

/// Of partitions, of partitioned tables and of those that others inherit from, as well.
fn the_same_tables_have_statistics(world: &World) {
    let kinds = "SELECT DISTINCT starelid::regclass::text, stainherit FROM pg_statistic JOIN pg_class c ON c.oid = starelid
                 JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2";
    world.server.sql("source", "ANALYZE");
    assert_eq!(world.server.sql("source", kinds), world.server.sql("restored", kinds));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_an_older_server_is_restored_into_a_newer_one() {
    let bins = bin_dirs();
    let (Some(oldest), Some(newest)) = (bins.first(), bins.last()) else { panic!("servers are listed") };
    let world = World::on(PgServer::start(oldest)).await;
    let newer = PgServer::start(newest);
    newer.sql("postgres", "CREATE ROLE lethe_owner; CREATE ROLE lethe_reader; CREATE ROLE \"odd Role\"");
    world.server.sql("source", &everything(&newer));
    world.snapshot().await.expect("snapshot");
    let options = RestoreOptions { acknowledged: vec![Code::LargeObjects], ..World::options() };
    newer.create_database("restored");
    world.restore_with(&newer, "restored", options).await.expect("restore");
    assert_same_rows((&world.server, "source"), (&newer, "restored"));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_older_or_lack_an_extension_are_refused() {
    let bins = bin_dirs();
    let servers: Vec<PgServer> = bins.iter().map(PgServer::start).collect();
    let (Some(older), Some(newer)) = (servers.first(), servers.last()) else { panic!("servers are listed") };
    assert!(older.major() < newer.major(), "this test needs two versions: source deploy/test-servers.sh");
    let world = World::on(PgServer::start(&bins[bins.len() - 1])).await;
    world.server.sql("source", "CREATE TABLE t (a int)");
    world.snapshot().await.expect("snapshot");
    refused(&world, older, Code::TargetTooOld).await;

    let world = World::on(PgServer::start(&bins[0])).await;
    world.server.sql("source", "CREATE EXTENSION hstore SCHEMA public; CREATE TABLE t (a public.hstore)");
    world.snapshot().await.expect("snapshot");
    refused(&world, newer, Code::MissingExtension).await;
}

async fn refused(world: &World, target: &PgServer, code: Code) {
    let database = format!("{code:?}").to_lowercase();
    let Err(Error::Refused(objections)) = world.restore(target, &database).await else { panic!("{code:?}") };
    assert!(objections.iter().any(|objection| objection.code == code), "{objections:?}");
    assert_eq!(
        target.sql(&database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'lethe'"),
        "0",
        "nothing is written"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_hundred_megabytes_come_back() {
    let world = World::new().await;
    world.server.sql(
        "source",
        "CREATE TABLE large (id int PRIMARY KEY, body bytea);
         INSERT INTO large SELECT i, decode(repeat(md5(i::text), 3300000), 'hex') || decode(repeat(md5(i::text), 3300000), 'hex') FROM generate_series(1, 2) i",
    );
    world.snapshot().await.expect("snapshot");
    world.erase_integers("large", [1]).await;
    let report = world.restore(&world.server, "restored").await.expect("restore");
    assert_eq!((report.rows.loaded, report.rows.dropped), (1, 1));
    let sums = "SELECT id, length(body), md5(body) FROM large WHERE id = 2";
    assert_eq!(world.server.sql("source", sums), world.server.sql("restored", sums));
}
