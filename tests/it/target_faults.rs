//! A target on a bad day: it crashes, loses connections, is full, deadlocks, or has no connection left. A restore waits and
//! goes on, or ends and says that it can be run again; either way everything is loaded once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lethe_engine::progress::Progress;
use lethe_engine::restore::{RestoreOptions, RestoreReport, prepare};
use lethe_engine::{Error, ExitCode};
use lethe_postgres::ConnectionSettings;
use lethe_testkit::pg::{Act, At, PgProxy, PgServer, Shutdown, bin_dir, bin_dirs};
use lethe_tests::compare::{assert_same_rows, assert_same_schema};
use lethe_tests::oracle;
use lethe_tests::world::World;

/// Enough orders to fail in the middle of a COPY, and everything that a late step of a restore is about.
const COMPANY: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE);
    CREATE TABLE orders (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE, note text);
    CREATE INDEX ON orders (user_id); CREATE INDEX ON orders (note);
    CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY, of_user int REFERENCES users ON DELETE CASCADE);
    CREATE MATERIALIZED VIEW sums AS SELECT user_id, count(*) FROM orders GROUP BY user_id;
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER on_orders AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION nothing();
    INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 1000) i;
    INSERT INTO orders (user_id, note) SELECT i % 1000 + 1, repeat(md5(i::text), 20) FROM generate_series(1, 15000) i;
    INSERT INTO scratch SELECT i, i FROM generate_series(1, 500) i;
    REFRESH MATERIALIZED VIEW sums;";

/// A source with a snapshot, two people erased since, and the database that a restore has to be equal to.
async fn company() -> World {
    let world = World::new().await;
    world.server.sql("source", COMPANY);
    world.snapshot().await.expect("snapshot");
    world.erase_integers("users", [7, 400]).await;
    oracle::delete(&world.server, "source", "oracle", "DELETE FROM users WHERE id IN (7, 400)")
        .expect("delete");
    world.server.sql("oracle", "REFRESH MATERIALIZED VIEW sums");
    world
}

fn options() -> RestoreOptions {
    RestoreOptions { jobs: 2, ..World::options() }
}

/// Restores by way of a proxy, or whatever else the URL leads to.
async fn restore(
    world: &World,
    url: &str,
    options: RestoreOptions,
    progress: &Progress,
) -> Result<RestoreReport, Error> {
    let target = ConnectionSettings::parse(url, &|_| None).expect("settings");
    prepare(&world.repository, &target, options, world.last_seen(), progress).await?.run(progress).await
}

#[track_caller]
fn assert_restored(world: &World, server: &PgServer) {
    assert_same_rows((&world.server, "oracle"), (server, "restored"));
    if server.major() == world.server.major() {
        // Other versions write the same schema differently.
        assert_same_schema((&world.server, "oracle"), (server, "restored"));
    }
    assert_eq!(server.sql("restored", "SELECT count(*) FROM scratch"), "498");
    assert_eq!(server.sql("restored", "SELECT to_regnamespace('lethe') IS NULL"), "t");
}

/// Runs a command of the operating system, which must succeed.
fn system(program: &str, arguments: &[&str]) {
    let status = std::process::Command::new(program).args(arguments).status().expect(program);
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// Ends every session of a restore, as an administrator can.
const TERMINATE: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'lethe restore'";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_in_the_middle_of_a_copy_is_waited_for() {
    let world = company().await;
    for bin in bin_dirs() {
        let target = Arc::new(Mutex::new(PgServer::start(&bin)));
        target.lock().expect("a lock").create_database("restored");
        let proxy = PgProxy::start(&target.lock().expect("a lock"));
        let url = proxy.url("restored");

        // One backend gets SIGKILL, and the server ends all others and starts again by itself.
        let server = target.clone();
        proxy.at(At::Data(20), Act::Call(Box::new(move || {
            let server = server.lock().expect("a lock");
            let copying = "SELECT pid FROM pg_stat_activity WHERE application_name = 'lethe restore' AND query LIKE 'COPY %' LIMIT 1";
            system("kill", &["-KILL", server.sql("postgres", copying).trim()]);
        })));
        restore(&world, &url, options(), &Progress::default()).await.expect("restore");
        assert!(!proxy.is_waiting(), "nothing has happened");
        assert_restored(&world, &target.lock().expect("a lock"));

        // The whole server is killed, and comes back a while later.
        {
            let target = target.lock().expect("a lock");
            target.sql("postgres", "DROP DATABASE restored");
            target.create_database("restored");
        }
        let server = target.clone();
        proxy.at(
            At::Data(20),
            Act::Call(Box::new(move || {
                server.lock().expect("a lock").stop(Shutdown::Kill);
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(300));
                    server.lock().expect("a lock").restart();
                });
            })),
        );
        restore(&world, &url, options(), &Progress::default()).await.expect("restore");
        assert!(!proxy.is_waiting(), "nothing has happened");
        assert_restored(&world, &target.lock().expect("a lock"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_ended_at_any_stage_are_opened_again() {
    let world = company().await;
    let target = Arc::new(PgServer::start(bin_dir()));
    target.create_database("restored");
    let (stages, server) = (Arc::new(Mutex::new(Vec::new())), target.clone());
    let seen = stages.clone();
    let ended = Arc::new(AtomicUsize::new(0));
    let ended_here = ended.clone();
    let progress = Progress::observed(Box::new(move |stage| {
        let mut stages = seen.lock().expect("a lock");
        if !stages.contains(&stage) && !["ledger", "preflight", "plan"].contains(&stage) {
            stages.push(stage);
            // Without a statement in the stage before, nobody has noticed yet that its sessions were ended.
            if server.sql("postgres", TERMINATE) != "0" {
                ended_here.fetch_add(1, Ordering::SeqCst);
            }
        }
    }));
    restore(&world, &target.url("restored"), options(), &progress).await.expect("restore");
    assert_restored(&world, &target);
    let stages = stages.lock().expect("a lock");
    for stage in
        ["schema", "load", "index", "finish", "analyze", "views", "foreign keys", "cut over", "validate"]
    {
        assert!(stages.contains(&stage), "{stage} is not among {stages:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_comes_no_further_ends_and_can_be_run_again() {
    let world = company().await;
    let target = Arc::new(PgServer::start(bin_dir()));
    target.create_database("restored");
    let (times, server) = (Arc::new(AtomicUsize::new(0)), target.clone());
    let seen = times.clone();
    let progress = Progress::observed(Box::new(move |stage| {
        if stage == "analyze" {
            seen.fetch_add(1, Ordering::SeqCst);
            server.sql("postgres", TERMINATE);
        }
    }));
    let error = restore(&world, &target.url("restored"), options(), &progress).await.expect_err("never");
    assert_eq!(error.exit_code(), ExitCode::Interrupted, "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("same command again")), "{error:?}");
    let times = times.load(Ordering::SeqCst);
    assert!((3..10).contains(&times), "{times} attempts");
    restore(&world, &target.url("restored"), options(), &Progress::default()).await.expect("restore");
    assert_restored(&world, &target);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_come_back_is_given_up() {
    let world = company().await;
    let target = Arc::new(Mutex::new(PgServer::start(bin_dir())));
    target.lock().expect("a lock").create_database("restored");
    let proxy = PgProxy::start(&target.lock().expect("a lock"));
    let server = target.clone();
    proxy.at(At::Data(5), Act::Call(Box::new(move || server.lock().expect("a lock").stop(Shutdown::Kill))));
    let patience = Duration::from_millis(500);
    let error = restore(
        &world,
        &proxy.url("restored"),
        RestoreOptions { patience, ..options() },
        &Progress::default(),
    )
    .await
    .expect_err("no server");
    assert_eq!(error.exit_code(), ExitCode::Interrupted, "{error:?}");
    target.lock().expect("a lock").restart();
    restore(&world, &proxy.url("restored"), options(), &Progress::default()).await.expect("restore");
    assert_restored(&world, &target.lock().expect("a lock"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_a_restore_that_goes_on_when_there_is_space() {
    let world = company().await;
    let target = PgServer::start(bin_dir());
    let disk = SmallDisk::new(&target, 12);
    target.sql(
        "postgres",
        &format!("CREATE TABLESPACE small LOCATION '{}'", disk.folder.path().join("data").display()),
    );
    target.sql("postgres", "CREATE DATABASE restored TEMPLATE template0 TABLESPACE small");
    let error =
        restore(&world, &target.url("restored"), options(), &Progress::default()).await.expect_err("full");
    assert_eq!(error.exit_code(), ExitCode::Interrupted, "{error:?}");
    let hint = error.hint().expect("a hint");
    assert!(hint.contains("disk is full") && hint.contains("same command again"), "{hint}");
    assert_eq!(target.sql("restored", "SELECT count(*) FROM lethe.restore WHERE cut_over_seq IS NULL"), "1");
    disk.grow();
    restore(&world, &target.url("restored"), options(), &Progress::default()).await.expect("restore");
    assert_restored(&world, &target);
}

/// A file system of its own, in memory. Mounting needs root, or `sudo` without a question, as `make setup` does.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    fn new(server: &PgServer, megabytes: u32) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let owner = std::fs::metadata(server.data_dir()).expect("a data directory");
        let folder = tempfile::tempdir_in("/tmp").expect("a folder");
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("chmod");
        std::fs::create_dir(folder.path().join("data")).expect("a folder");
        let disk = Self { folder };
        let options = format!("size={megabytes}m,mode=0700,uid={},gid={}", owner.uid(), owner.gid());
        disk.as_root("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"]);
        disk
    }

    fn grow(&self) {
        self.as_root("mount", &["-o", "remount,size=400m"]);
    }

    fn as_root(&self, program: &str, arguments: &[&str]) {
        use std::os::unix::fs::MetadataExt as _;
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        let folder = self.folder.path().join("data").display().to_string();
        let arguments = [arguments, &[folder.as_str()]].concat();
        if is_root {
            system(program, &arguments);
        } else {
            system("sudo", &[&["-n", program], arguments.as_slice()].concat());
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.as_root("umount", &["--lazy"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_resolved_and_the_restore_goes_on() {
    let world = company().await;
    let target = Arc::new(PgServer::start_with(bin_dir(), &["deadlock_timeout=2s"]));
    target.create_database("restored");
    let proxy = PgProxy::start(&target);
    let server = target.clone();
    let (sender, other) = std::sync::mpsc::channel();
    proxy.at(At::Data(20), Act::Call(Box::new(move || {
        // Holds the book before the COPY has to write into it, and wants the table that is being filled.
        let (locked, has_lock) = std::sync::mpsc::channel();
        sender.send(std::thread::spawn(move || {
            let holder = server.sql_while("restored", "SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE lethe.restored_chunks IN SHARE MODE;", || {
                locked.send(()).expect("somebody waits");
                let waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'lethe restore' AND wait_event_type = 'Lock'";
                while server.sql("postgres", waiting) != "t" {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }, "LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE; COMMIT;");
            holder.expect("the other one is the victim");
        })).expect("send");
        has_lock.recv().expect("the lock");
    })));
    restore(&world, &proxy.url("restored"), options(), &Progress::default()).await.expect("restore");
    other.recv().expect("a thread").join().expect("it came to its end");
    let log = std::fs::read_to_string(target.log_path()).expect("the log");
    assert!(
        log.contains("deadlock detected")
            || target
                .sql("restored", "SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = 'restored'")
                == "t",
        "there was no deadlock"
    );
    assert_restored(&world, &target);
}

#[tokio::test(flavor = "multi_thread")]
async fn timeouts_of_the_role_and_the_database_do_not_count() {
    for bin in bin_dirs() {
        let mut world = company().await;
        world.server = PgServer::start(&bin);
        world.server.create_database("source");
        world.server.sql("source", COMPANY);
        world.server.create_database("restored");
        let mut timeouts = vec![
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "idle_session_timeout",
        ];
        if world.server.major() >= 17 {
            timeouts.push("transaction_timeout");
        }
        for timeout in &timeouts {
            for whose in ["DATABASE source", "DATABASE restored", "ROLE postgres"] {
                world.server.sql("postgres", &format!("ALTER {whose} SET {timeout} = '100ms'"));
            }
        }
        let settings = World::settings(&world.server, "restored");
        let session = lethe_postgres::Server::connect(&settings, lethe_postgres::Purpose::Restore)
            .await
            .expect("connect");
        for timeout in &timeouts {
            let shown = session.client().query_one(&format!("SHOW {timeout}"), &[]).await.expect("show");
            assert_eq!(shown.get::<_, String>(0), "0", "{timeout}");
        }
        let checked =
            session.client().query_one("SHOW client_connection_check_interval", &[]).await.expect("show");
        assert_eq!(checked.get::<_, String>(0), "2s");
        drop(session);
        // The proxy makes both of them slow in the middle of a COPY.
        world.snapshot().await.expect("snapshot");
        let proxy = PgProxy::start(&world.server);
        proxy.at(At::Data(10), Act::Call(Box::new(|| std::thread::sleep(Duration::from_millis(400)))));
        restore(&world, &proxy.url("restored"), options(), &Progress::default()).await.expect("restore");
        assert!(!proxy.is_waiting(), "nothing was slow");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_connections_than_wanted_are_enough() {
    let world = company().await;
    // Of five, preparing takes one and the superuser's own connections count as well.
    let target = PgServer::start_with(bin_dir(), &["max_connections=5", "superuser_reserved_connections=1"]);
    target.create_database("restored");
    let options = RestoreOptions { jobs: 12, ..World::options() };
    restore(&world, &target.url("restored"), options, &Progress::default()).await.expect("restore");
    assert_restored(&world, &target);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_at_all_is_waited_for_and_then_explained() {
    let world = company().await;
    let target =
        Arc::new(PgServer::start_with(bin_dir(), &["max_connections=4", "superuser_reserved_connections=1"]));
    target.create_database("restored");
    let busy: Arc<Mutex<Vec<std::process::Child>>> = Arc::default();
    let (server, taken) = (target.clone(), busy.clone());
    let progress = Progress::observed(Box::new(move |stage| {
        let mut taken = taken.lock().expect("a lock");
        if stage == "schema" && taken.is_empty() {
            // Everything that is left, as an application does that comes back before the restore is done.
            for _ in 0..4 {
                let mut psql = server.tool("psql");
                psql.args(["-qAt", "-c", "SELECT pg_sleep(600)", "postgres"])
                    .stderr(std::process::Stdio::null());
                taken.push(psql.spawn().expect("psql"));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }));
    let patience = Duration::from_secs(1);
    let error = restore(&world, &target.url("restored"), RestoreOptions { patience, ..options() }, &progress)
        .await
        .expect_err("no connection");
    assert_eq!(error.exit_code(), ExitCode::Interrupted, "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("no free connection")), "{error:?}");
    for mut psql in busy.lock().expect("a lock").drain(..) {
        psql.kill().expect("kill");
        psql.wait().expect("wait");
    }
    let cancel = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()";
    while target.try_sql("postgres", cancel).is_err() {
        std::thread::sleep(Duration::from_millis(100));
    }
    restore(&world, &target.url("restored"), options(), &Progress::default()).await.expect("restore");
    assert_restored(&world, &target);
}
