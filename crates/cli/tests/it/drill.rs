use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Child;

use lethe_testkit::pg::{PgServer, bin_dirs};
use serde_json::Value;

use crate::shell::{Ended, Shell, files};

const SHOP: &str = "
    CREATE ROLE clerk;
    CREATE TABLE users (id int PRIMARY KEY, name text UNIQUE);
    ALTER TABLE users ALTER name SET STORAGE EXTERNAL;
    CREATE TABLE orders (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE, note text CHECK (note <> ''));
    CREATE INDEX ON orders (user_id); GRANT SELECT ON users TO clerk;
    INSERT INTO users SELECT i, 'canary-' || md5(i::text) FROM generate_series(1, 200) i;
    INSERT INTO orders (user_id, note) SELECT i % 200 + 1, 'note' FROM generate_series(1, 2000) i;";

fn shop_on(server: PgServer) -> Shell {
    let shell = Shell::on(server);
    shell.server.sql("source", SHOP);
    shell.snapshot().expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "public.users", "--id", "7"]).expect_code(0);
    std::fs::create_dir(shell.folder.path().join("work")).expect("make");
    // The server runs as another user where the tests run as root.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(shell.folder.path(), open).expect("chmod");
    shell
}

fn shop() -> Shell {
    shop_on(PgServer::start(lethe_testkit::pg::bin_dir()))
}

fn settings(shell: &Shell, text: &str) {
    let path = shell.folder.path().join("lethe.toml");
    std::fs::File::options()
        .append(true)
        .open(path)
        .expect("open")
        .write_all(text.as_bytes())
        .expect("write");
}

fn work(shell: &Shell) -> PathBuf {
    shell.folder.path().join("work")
}

const DRILL: [&str; 3] = ["drill", "--work-dir", "work"];

fn drill(shell: &Shell, more: &[&str]) -> Ended {
    shell.run(&[&DRILL, more, &["--output", "json"]].concat())
}

fn summary(ended: &Ended) -> Value {
    serde_json::from_str(ended.out.lines().last().expect("a last line")).expect("JSON")
}

/// The newest evidence in the store.
fn evidence(shell: &Shell) -> Value {
    let newest = files(&shell.store().join("reports/drill")).pop().expect("a report");
    let text = std::fs::read_to_string(newest).expect("read");
    let (_, json) = text.split_once('\n').expect("a line that vouches for the rest");
    serde_json::from_str::<Value>(json).expect("JSON")["content"].take()
}

fn reasons(evidence: &Value) -> String {
    evidence["verdict"]["reasons"].to_string()
}

/// Processes that work in a folder.
fn processes(folder: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").expect("read /proc").flatten();
    let inside = |path: &Path| std::fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    processes.filter(|entry| inside(&entry.path())).count()
}

fn assert_nothing_is_left(shell: &Shell) {
    assert_eq!(files(&work(shell)), Vec::<PathBuf>::new());
    assert_eq!(std::fs::read_dir(work(shell)).expect("read").count(), 0);
    assert_eq!(processes(&work(shell)), 0);
    assert_eq!(drill_databases(shell), "");
}

fn drill_databases(shell: &Shell) -> String {
    shell
        .server
        .sql("postgres", "SELECT string_agg(datname, ',') FROM pg_database WHERE datname LIKE 'lethe_drill%'")
}

#[test]
fn a_good_drill_passes_and_leaves_evidence_and_nothing_else() {
    for bin in bin_dirs() {
        let shell = shop_on(PgServer::start(bin));
        let token = |id: u32| shell.server.sql("source", &format!("SELECT name FROM users WHERE id = {id}"));
        let (erased, living) = (token(7), token(8));
        settings(
            &shell,
            &format!(
                "
[drill.canaries]
erased = [\"{erased}\"]
living = [\"{living}\"]
[[drill.check]]
name = \"everybody else is there\"
sql = \"SELECT count(*) FROM users\"
expect = 199
[[drill.check]]
name = \"no order is nobody's\"
sql = \"SELECT NOT EXISTS (SELECT FROM orders o LEFT JOIN users u ON u.id = o.user_id WHERE u.id IS NULL)\"
expect = true
"
            ),
        );
        let ended = drill(&shell, &["--source", &shell.server.url("source")]);
        let summary = summary(ended.expect_code(0));
        assert_eq!(summary["command"], "drill");
        let evidence = evidence(&shell);
        assert_eq!(evidence["verdict"]["passed"], true, "{evidence}");
        assert_eq!(evidence["verdict"]["reasons"], serde_json::json!([]));
        let tables = evidence["facts"]["tables"].as_array().expect("tables");
        let users = tables.iter().find(|table| table["table"] == "public.users").expect("users");
        assert_eq!(
            (&users["manifest"], &users["loaded"], &users["dropped"], &users["found"]),
            (&200.into(), &199.into(), &1.into(), &199.into())
        );
        let canaries = &evidence["facts"]["canaries"];
        assert_eq!((&canaries["erased"], &canaries["living_found"]), (&1.into(), &1.into()));
        assert!(evidence["facts"]["constraints"]["valid"].as_u64().expect("a number") >= 5);
        if evidence["facts"]["indexes"]["amcheck"] == true {
            assert!(evidence["facts"]["indexes"]["checked"].as_u64().expect("a number") > 4);
        }
        assert!(evidence["ready_seconds"].as_f64() <= evidence["verified_seconds"].as_f64());
        assert!(evidence["age_seconds"].is_u64());
        let stages: Vec<&str> = evidence["stages"]
            .as_array()
            .expect("stages")
            .iter()
            .filter_map(|stage| stage["stage"].as_str())
            .collect();
        for stage in ["place", "load", "verify", "check", "search for canaries", "remove"] {
            assert!(stages.contains(&stage), "{stage} is missing in {stages:?}");
        }
        assert!(!evidence.to_string().contains("canary-"), "evidence holds no row");
        assert_nothing_is_left(&shell);
        shell
            .run(&["drill", "--work-dir", "work", "--pick", "random"])
            .expect_code(0)
            .says("the drill passed");
    }
}

#[test]
fn a_drill_in_a_database_of_another_server_drops_it() {
    let shell = shop();
    let ended = drill(&shell, &["--into", &shell.server.url("postgres")]);
    ended.expect_code(2);
    let into = ["drill", "--into", &shell.server.url("postgres"), "--output", "json"];
    shell.run(&into).expect_code(0);
    assert_eq!(evidence(&shell)["verdict"]["passed"], true);
    assert_nothing_is_left(&shell);
}

#[test]
fn planted_failures_are_found() {
    let shell = shop();
    // An index whose expression no longer gives what it gave when the index was built.
    shell.server.sql(
        "source",
        "CREATE FUNCTION unsteady(i int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN random(); END';
         CREATE INDEX bad ON orders (unsteady(id))",
    );
    shell.snapshot().expect_code(0);
    settings(
        &shell,
        "
[[drill.check]]
name = \"wrong\"
sql = \"SELECT count(*) FROM users\"
expect = 12345
[[drill.check]]
name = \"two statements\"
sql = \"COMMIT; DELETE FROM orders\"
expect = true
[[drill.check]]
name = \"writes\"
sql = \"DELETE FROM orders RETURNING 1\"
expect = 1
[drill.canaries]
erased = [\"note\"]
living = [\"nobody has this\"]
",
    );
    drill(&shell, &[]).expect_code(7).says("the drill failed");
    let found = evidence(&shell);
    for part in [
        "public.bad",
        "\\\"wrong\\\"",
        "\\\"two statements\\\"",
        "\\\"writes\\\"",
        "0 of the 1 test people",
        "base/",
    ] {
        assert!(reasons(&found).contains(part), "{part} is missing in {}", reasons(&found));
    }
    assert!(!reasons(&found).contains("199"), "what was answered is not kept");
    assert_nothing_is_left(&shell);
}

#[test]
fn a_drill_that_could_not_run_is_a_failed_one_with_evidence() {
    let shell = shop();
    let chunk = files(&shell.store().join("chunks")).remove(0);
    let whole = std::fs::read(&chunk).expect("read");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&chunk, flipped).expect("write");
    drill(&shell, &[]).expect_code(7);
    let found = evidence(&shell);
    assert_eq!(found["facts"]["failure"]["exit_code"], 6, "{found}");
    assert_nothing_is_left(&shell);
    std::fs::write(&chunk, &whole).expect("write");

    // No PostgreSQL that is new enough.
    let mut command = shell.command(&[&DRILL[..], &["--pg-bin", "/nowhere"]].concat());
    command.env("PATH", "/nowhere");
    if !Path::new("/usr/lib/postgresql").exists() {
        Shell::ended(&mut command).expect_code(7).says("no PostgreSQL server");
    }

    // Without an identity nothing can be restored, and that is shown as well.
    let path = shell.folder.path().join("lethe.toml");
    let text = std::fs::read_to_string(&path).expect("read");
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("identity_file")).collect();
    std::fs::write(&path, without.join("\n")).expect("write");
    drill(&shell, &[]).expect_code(7).says("needs an identity");
    assert_eq!(evidence(&shell)["facts"]["failure"]["stage"], "choose");
    assert_nothing_is_left(&shell);
}

/// Waits until a drill has come so far, and kills it there.
fn kill_when(mut process: Child, so_far: impl Fn() -> bool) {
    while !so_far() {
        assert!(process.try_wait().expect("look at lethe").is_none(), "it ended too early");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    process.kill().expect("kill");
    process.wait().expect("wait");
}

#[test]
fn what_a_killed_drill_leaves_is_removed_by_the_next() {
    let shell = shop();
    // What only looks like a drill's: a folder with a process in it, and a database.
    let others = work(&shell).join("lethe_drill_00000000_0000000000000000");
    std::fs::create_dir(&others).expect("make");
    let mut bystander =
        std::process::Command::new("sleep").arg("600").current_dir(&others).spawn().expect("start sleep");
    shell.server.sql("postgres", "CREATE DATABASE lethe_drill_00000000_0000000000000000");
    let servers = || {
        std::fs::read_dir(work(&shell))
            .expect("read")
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.is_dir() && *path != others)
    };

    kill_when(shell.spawn(&DRILL), || {
        servers().is_some_and(|home| home.join("data/postmaster.pid").exists())
    });
    let home = servers().expect("a folder");
    let into = shell.server.url("postgres");
    kill_when(shell.spawn(&["drill", "--into", &into]), || drill_databases(&shell).contains(','));

    shell.run(&DRILL).expect_code(0).says("had left: lethe_drill_");
    assert!(!home.exists() && processes(&home) == 0);
    shell.run(&["drill", "--into", &into]).expect_code(0).says("had left: lethe_drill_");

    assert!(bystander.try_wait().expect("look at sleep").is_none(), "somebody else's process");
    assert!(others.is_dir(), "somebody else's folder");
    assert_eq!(drill_databases(&shell), "lethe_drill_00000000_0000000000000000", "somebody else's database");
    bystander.kill().expect("kill");
    bystander.wait().expect("wait");
}

#[test]
fn a_drill_under_way_is_not_taken_for_a_leftover() {
    let shell = shop();
    let process = shell.spawn(&DRILL);
    while std::fs::read_dir(work(&shell)).expect("read").count() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let pid = process.id().to_string();
    let send = |signal: &str| {
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().expect("kill").success())
    };
    // Held, so that it is under way for certain.
    send("-STOP");
    let first = std::fs::read_dir(work(&shell))
        .expect("read")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_dir())
        .expect("a folder");
    shell.run(&DRILL).expect_code(0);
    assert!(first.is_dir(), "the first one's folder");
    send("-CONT");
    // One that is told to end removes what it made itself.
    send("-TERM");
    assert!([Some(0), Some(9)].contains(&process.wait_with_output().expect("wait").status.code()));
    assert_nothing_is_left(&shell);
}

#[test]
fn drills_day_after_day_find_the_row_that_breaks_a_rule() {
    let shell = shop();
    let mut failed = Vec::new();
    for day in 1..=8 {
        shell.server.sql("source", &format!("INSERT INTO orders (user_id, note) VALUES (1, 'day {day}')"));
        if day == 5 {
            shell.server.sql("source", "ALTER TABLE orders DROP CONSTRAINT orders_note_check; UPDATE orders SET note = '' WHERE id = 3");
            if !std::fs::read_to_string(shell.folder.path().join("lethe.toml"))
                .expect("read")
                .contains("[[drill.check]]")
            {
                settings(
                    &shell,
                    "\n[[drill.check]]\nname = \"notes\"\nsql = \"SELECT count(*) FROM orders WHERE note = ''\"\nexpect = 0\n",
                );
            }
        }
        if day == 6 {
            shell.server.sql("source", "UPDATE orders SET note = 'again' WHERE id = 3");
        }
        shell.snapshot().expect_code(0);
        if drill(&shell, &[]).code != 0 {
            failed.push(day);
        }
    }
    assert_eq!(failed, [5]);
    assert_eq!(files(&shell.store().join("reports/drill")).len(), 8);
}

/// A drill that takes too long is ended, its server with it, and says how far it was.
#[test]
fn a_drill_that_takes_too_long_is_ended() {
    let shell = shop();
    // Anywhere else than in the source each row takes a while to be checked as it is loaded.
    shell.server.sql(
        "source",
        "CREATE FUNCTION slow(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
             'BEGIN IF current_database() <> ''source'' THEN PERFORM pg_sleep(1); END IF; RETURN true; END';
         CREATE TABLE slow (i int CHECK (slow(i)));
         INSERT INTO slow SELECT generate_series(1, 50)",
    );
    shell.snapshot().expect_code(0);
    settings(&shell, "[drill]\nat_most = \"4 seconds\"\n");
    let begun = std::time::Instant::now();
    drill(&shell, &[]).expect_code(7).says("[drill] at_most allows");
    assert!(begun.elapsed() < std::time::Duration::from_secs(40), "{:?}", begun.elapsed());
    let found = evidence(&shell);
    assert_eq!(found["facts"]["failure"]["stage"], "restore", "{found}");
    assert_nothing_is_left(&shell);
}

/// What a restore had loaded before it failed is in the evidence, by its own book and as the server counts.
#[test]
fn a_restore_that_fails_in_the_middle_leaves_its_counts() {
    let shell = shop();
    // Anywhere else than in the source its row is refused, when all others have long been loaded.
    shell.server.sql(
        "source",
        "CREATE FUNCTION refuse(i int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
             'BEGIN IF current_database() <> ''source'' THEN PERFORM pg_sleep(3); RETURN false; END IF; RETURN true; END';
         CREATE TABLE refused (i int CHECK (refuse(i)));
         INSERT INTO refused VALUES (1)",
    );
    shell.snapshot().expect_code(0);
    drill(&shell, &["--jobs", "2"]).expect_code(7);
    let found = evidence(&shell);
    assert_eq!(found["facts"]["so_far"], true, "{found}");
    let tables = found["facts"]["tables"].as_array().expect("tables");
    let of =
        |name: &str| tables.iter().find(|table| table["table"] == name).unwrap_or_else(|| panic!("{found}"));
    let refused = of("public.refused");
    assert_eq!(
        (&refused["manifest"], &refused["loaded"], &refused["found"]),
        (&1.into(), &0.into(), &0.into())
    );
    let users = of("public.users");
    assert_eq!((&users["loaded"], &users["found"]), (&199.into(), &199.into()), "{found}");
    assert_eq!(
        found["verdict"]["reasons"].as_array().map(Vec::len),
        Some(1),
        "nobody expects all rows: {found}"
    );
    assert_nothing_is_left(&shell);
}
