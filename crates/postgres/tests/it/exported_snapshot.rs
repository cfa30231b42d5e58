use lethe_format::catalog::QualifiedName;
use lethe_postgres::{ConnectionSettings, Error, ExportedSnapshot};
use lethe_testkit::pg::{PgServer, bin_dir};

fn server() -> (PgServer, ConnectionSettings) {
    let server = PgServer::start(bin_dir());
    server.create_database("source");
    server.sql("source", "CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 10)");
    let settings = ConnectionSettings::parse(&server.url("source"), &|_| None).expect("a URL");
    (server, settings)
}

#[tokio::test]
async fn a_table_that_was_truncated_after_the_view_was_opened_is_refused() {
    let (server, settings) = server();
    let table = QualifiedName::new("public", "t");
    let view = ExportedSnapshot::open(&settings).await.expect("opens");
    server.sql("source", "TRUNCATE t");
    let error = view.lock([&table]).await.expect_err("the view sees no rows though there were some");
    assert!(matches!(&error, Error::Rewritten { table } if table == "public.t"), "{error:?}");

    let view = ExportedSnapshot::open(&settings).await.expect("opens");
    view.lock([&table]).await.expect("nothing has changed since");
}

#[tokio::test]
async fn a_view_whose_connection_was_ended_is_lost() {
    let (server, settings) = server();
    let view = ExportedSnapshot::open(&settings).await.expect("opens");
    view.worker().await.expect("joins");
    view.check().await.expect("is there");
    server.sql(
        "postgres",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'source' AND state = 'idle in transaction'",
    );
    assert!(matches!(view.check().await, Err(Error::LostSnapshot { .. })));
    assert!(matches!(view.worker().await, Err(Error::LostSnapshot { .. })));
}
