use std::time::Duration;

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

#[tokio::test]
async fn a_standby_whose_recovery_needs_what_is_read_cancels_it_and_the_hint_says_so() {
    let (primary, _) = server();
    let standby = primary.standby(&["max_standby_streaming_delay=0", "hot_standby_feedback=off"]);
    let settings = ConnectionSettings::parse(&standby.url("source"), &|_| None).expect("a URL");
    let view = ExportedSnapshot::open(&settings).await.expect("opens");
    let worker = view.worker().await.expect("joins");
    worker
        .run("SELECT count(*) FROM public.t", "read", "public.t")
        .await
        .expect("rows are read on a standby");

    let reading = worker.run("SELECT count(*), pg_sleep(60) FROM public.t", "read", "public.t");
    let vacuum = tokio::task::spawn_blocking(move || {
        primary.sql("source", "DELETE FROM t");
        primary.sql("source", "VACUUM t");
        primary
    });
    let (read, _primary) = tokio::join!(reading, vacuum);
    let error = read.expect_err("its rows are gone from the standby");
    assert_eq!(error.code(), Some("40001"), "{error}");
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("from the primary") && hint.contains("max_standby_streaming_delay"), "{hint}");
    // Sessions are ended one after the other.
    let ends = async { while view.check().await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(30), ends).await.expect("the view that is shared is gone too");
    assert!(matches!(view.check().await, Err(Error::LostSnapshot { .. })));
}
