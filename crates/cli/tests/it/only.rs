use std::io::Write as _;
use std::time::Duration;

use lethe_tests::compare::{assert_same_rows, assert_same_schema};

use crate::shell::Shell;

const COMPANY: &str = "
    CREATE TABLE plans (id int PRIMARY KEY, price int);
    CREATE TABLE tenants (region text, id int, plan_id int REFERENCES plans, PRIMARY KEY (region, id));
    CREATE TABLE orders (id serial PRIMARY KEY, region text, tenant_id int, note text, FOREIGN KEY (region, tenant_id) REFERENCES tenants);
    CREATE INDEX ON orders (note);
    INSERT INTO plans SELECT i, i FROM generate_series(1, 9) i;
    INSERT INTO tenants SELECT 'eu', i, i % 9 + 1 FROM generate_series(1, 20) i;
    INSERT INTO orders (region, tenant_id, note) SELECT 'eu', i % 20 + 1, repeat(md5(i::text), 4) FROM generate_series(1, 200000) i;";

const LEFT: &str = "
    CREATE INDEX ON orders (tenant_id);
    DELETE FROM orders WHERE tenant_id <> 7; DELETE FROM tenants WHERE id <> 7;
    DELETE FROM plans WHERE id <> 8; DROP INDEX orders_tenant_id_idx";

fn company() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", COMPANY);
    let mut settings = std::fs::OpenOptions::new()
        .append(true)
        .open(shell.folder.path().join("lethe.toml"))
        .expect("lethe.toml");
    writeln!(
        settings,
        "[subject.tenant]\ntable = \"public.tenants\"\n\n[subject.order]\ntable = \"public.orders\""
    )
    .expect("write");
    shell.snapshot().expect_code(0);
    shell.server.sql("postgres", "CREATE DATABASE expected TEMPLATE source");
    shell.server.sql("expected", LEFT);
    shell
}

/// Killed again and again, with an erasure in between; and nobody else's restore gets into the half of it.
#[test]
fn one_tenant_comes_back_alone_whatever_is_killed() {
    let shell = company();
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    let only = |key| {
        ["restore", "--into", &into, "--jobs", "2", "--output", "json", "--only", key].map(str::to_owned)
    };
    let seven = only("tenant=eu\t7");
    let seven: Vec<&str> = seven.iter().map(String::as_str).collect();
    shell
        .run(&[&seven[..], &["--dry-run"]].concat())
        .expect_code(0)
        .says(r#""only":[{"keys":1,"subject":"tenant"}]"#);

    let mut begun = false;
    for attempt in 0_u64..200 {
        let mut process = shell.spawn(&seven);
        std::thread::sleep(Duration::from_millis(80 + attempt * 40));
        if process.try_wait().expect("look").is_some() {
            break;
        }
        process.kill().expect("kill");
        process.wait().expect("wait");
        if begun || shell.server.sql("restored", "SELECT to_regclass('lethe.restore') IS NOT NULL") != "t" {
            continue;
        }
        begun = true;
        shell.run(&["restore", "--into", &into]).expect_code(3).says("of some people or parties alone");
        let other = only("tenant=eu\t8");
        let other: Vec<&str> = other.iter().map(String::as_str).collect();
        shell.run(&other).expect_code(3).says("the --only that it was begun with");
        let taken_back = shell.server.sql(
            "source",
            &format!("SELECT id FROM orders WHERE tenant_id = 7 ORDER BY id OFFSET {attempt} LIMIT 1"),
        );
        shell.run(&["tombstone", "add", "--subject", "order", "--id", &taken_back]).expect_code(0);
        shell.server.sql("expected", &format!("DELETE FROM orders WHERE id = {taken_back}"));
    }
    assert!(begun, "it was never killed after its beginning");
    assert_same_rows((&shell.server, "expected"), (&shell.server, "restored"));
    assert_same_schema((&shell.server, "expected"), (&shell.server, "restored"));

    shell.server.create_database("again");
    let url = shell.server.url("again");
    let done = shell.run(&["restore", "--into", &url, "--only", "tenant=eu\t7"]);
    done.expect_code(0).says("only what belongs to 1 of subject tenant");
    assert_same_rows((&shell.server, "expected"), (&shell.server, "again"));
    let page = shell.run(&["report", "restore", "--out", "page.html"]);
    page.expect_code(0);
    let page = std::fs::read_to_string(shell.folder.path().join("page.html")).expect("a page");
    assert!(page.contains("Restored alone") && page.contains("tenant: 1"), "{page}");
}

#[test]
fn who_is_named_wrongly_is_said_without_the_key() {
    let shell = company();
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    for (only, code, says) in [
        ("tenant", 2, "write --only tenant=42"),
        ("customer=7", 2, "unknown subject customer"),
        ("tenant=4711", 3, "has 1 values, the key has 2 columns"),
        ("tenant=eu\t4711", 3, "no row that may be restored"),
        ("order=canary-4711", 3, "is not valid"),
    ] {
        let ended = shell.run(&["restore", "--into", &into, "--only", only]);
        ended.expect_code(code).says(says);
        assert!(!ended.err.contains("4711") && !ended.out.contains("4711"), "{}{}", ended.out, ended.err);
    }
}

/// What is not worked out is said, before anything is written.
#[test]
fn nobody_is_restored_alone_by_keys_within_values() {
    let shell = Shell::new();
    shell.server.sql(
        "source",
        "CREATE TABLE tenants (id int PRIMARY KEY); INSERT INTO tenants VALUES (1), (2);
         CREATE TABLE rooms (tenant_ids int[]); INSERT INTO rooms VALUES ('{1,2}')",
    );
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let rule = "[subject.tenant]\ntable = \"public.tenants\"\n[[reference]]\nfrom = \"public.rooms(tenant_ids)\"\nelement = true\nto = \"public.tenants(id)\"\non_erase = \"remove\"\n";
    std::fs::write(path, settings + rule).expect("write");
    shell.snapshot().expect_code(0);
    shell.server.create_database("restored");
    let into = shell.server.url("restored");
    shell.run(&["restore", "--into", &into, "--only", "tenant=1"]).expect_code(3).says("restored alone");
    assert_eq!(
        shell.server.sql("restored", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        "0"
    );
    shell.run(&["tombstone", "add", "--subject", "tenant", "--id", "2"]).expect_code(0);
    shell.run(&["restore", "--into", &into]).expect_code(0);
    assert_eq!(shell.server.sql("restored", "SELECT tenant_ids FROM rooms"), "{1}");
}
