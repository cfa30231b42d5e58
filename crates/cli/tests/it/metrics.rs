use std::collections::BTreeMap;

use crate::shell::Shell;

/// What a page says, by name; it must be as Prometheus reads it.
fn values(page: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let mut announced = None;
    for line in page.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["#", "HELP", name, _, ..] => announced = Some(name.to_owned()),
            ["#", "TYPE", name, "gauge"] => assert_eq!(announced.as_deref(), Some(name), "{page}"),
            [name, value] => {
                assert_eq!(announced.take().as_deref(), Some(name), "{page}");
                let before = found.insert(name.to_owned(), value.parse().expect("a number"));
                assert_eq!(before, None, "{name} is there twice");
            }
            _ => panic!("{line:?}"),
        }
    }
    found
}

#[test]
fn metrics_tell_what_was_done_last_and_what_waits() {
    let shell = Shell::new();
    shell.server.sql(
        "source",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 10)",
    );
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let more = format!(
        "{settings}\n[snapshot]\nfrom = \"{}\"\n[schedule]\nsnapshot_every = \"1 hour\"\n[subject.user]\ntable = \"public.users\"\n[second_store]\nurl = \"file://{}\"\nafter_snapshot = false\n",
        shell.server.url("source"),
        shell.folder.path().join("second").display()
    );
    std::fs::write(&path, more).expect("write");
    let empty = values(&shell.run(&["metrics"]).expect_code(0).out);
    assert_eq!((empty["lethe_snapshots"], empty["lethe_ledger_entries"]), (0.0, 1.0));
    assert!(!empty.contains_key("lethe_snapshot_newest_timestamp_seconds"), "what never was has no time");
    assert!(!empty.contains_key("lethe_drill_passed") && !empty.contains_key("lethe_capture_lag_seconds"));

    shell.run(&["snapshot"]).expect_code(0);
    shell.run(&["copy"]).expect_code(0);
    shell.run(&["snapshot"]).expect_code(0);
    shell.run(&["drill"]).expect_code(0);
    shell.run(&["prune", "--confirm"]).expect_code(0);
    shell.run(&["tombstone", "capture", "install", "--confirm"]).expect_code(0);
    shell.server.sql("source", "DELETE FROM users WHERE id < 3");
    let file = shell.folder.path().join("lethe.prom");
    let written = ["metrics", "--capture", "--textfile", file.to_str().expect("UTF-8")];
    assert_eq!(shell.run(&written).expect_code(0).out, "");
    let found = values(&std::fs::read_to_string(&file).expect("read"));
    let now = found["lethe_looked_at_timestamp_seconds"];
    for (name, expected) in [
        ("lethe_snapshots", 2.0),
        ("lethe_snapshot_expected_seconds", 3600.0),
        // Genesis, and the drill's cut-over.
        ("lethe_ledger_entries", 2.0),
        ("lethe_drill_passed", 1.0),
        ("lethe_beyond_ceiling", 0.0),
        ("lethe_holds", 0.0),
        ("lethe_capture_installed", 1.0),
        ("lethe_capture_waiting", 2.0),
        ("lethe_second_store_answers", 1.0),
        ("lethe_second_store_snapshots", 1.0),
        ("lethe_second_store_ledger_entries", 2.0),
    ] {
        assert_eq!(found[name], expected, "{name}: {found:?}");
    }
    for name in [
        "snapshot_newest",
        "snapshot_oldest",
        "drill_newest",
        "drill_good_newest",
        "prune_newest",
        "oldest_object",
        "ledger_newest",
        "audit_newest",
        "audit_signed",
    ] {
        let at = found[&format!("lethe_{name}_timestamp_seconds")];
        assert!((now - 300.0..=now + 5.0).contains(&at), "{name}: {at} of {now}");
    }
    assert!(found["lethe_drill_ready_seconds"] > 0.0);
    // Two entries each of a snapshot, a copy and so on, all of them signed by this host.
    assert!(found["lethe_audit_entries"] >= 12.0, "{found:?}");
    assert_eq!((found["lethe_audit_unsigned"], found["lethe_drill_leftovers"]), (0.0, 0.0));
    let left: Vec<_> = std::fs::read_dir(shell.folder.path()).expect("list").flatten().collect();
    assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().ends_with(".tmp")), "{left:?}");
    // A place that cannot be written to is said, and leaves nothing.
    shell
        .run(&["metrics", "--textfile", "/nowhere/lethe.prom"])
        .expect_code(1)
        .says("write /nowhere/lethe.prom");
}

/// Whether the program writes a number of this name.
fn is_written(name: &str) -> bool {
    let of_store = include_str!("../../src/commands/metrics.rs");
    let of_run = include_str!("../../src/live/mod.rs");
    let plain: String = of_store.split_whitespace().chain(of_run.split_whitespace()).collect();
    let called = |function: &str, name: &str| plain.contains(&format!("{function}(\"{name}\","));
    let is_time = |name: &str| called("time", name);
    name.strip_suffix("_timestamp_seconds").is_some_and(is_time)
        || ["gauge", "now", "by_stage", "family"].iter().any(|function| called(function, name))
}

/// The names of Lethe's numbers in some expressions.
fn names(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter_map(|word| word.strip_prefix("lethe_")).collect()
}

/// An alert about a number that nobody writes would never come.
#[test]
fn every_alert_is_about_a_number_that_is_written() {
    let alerts = include_str!("../../../../deploy/prometheus/alerts.yml");
    let expressions: Vec<&str> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("expr:")).collect();
    let names: Vec<&str> = expressions.iter().flat_map(|line| names(line)).collect();
    assert!(names.len() > 12, "{names:?}");
    for name in names {
        assert!(is_written(name), "lethe_{name}");
    }
    assert!(!is_written("snapshot") && !is_written("nothing_timestamp_seconds"));
}

/// The dashboard is JSON as Grafana takes it, shows numbers that are written, and no panel lies on another.
#[test]
fn every_panel_shows_a_number_that_is_written() {
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../../../../deploy/grafana/lethe.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut taken = std::collections::BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        let shown: Vec<&str> =
            targets.iter().flat_map(|one| names(one["expr"].as_str().expect("an expression"))).collect();
        assert!(!shown.is_empty(), "{title}");
        for name in shown {
            assert!(is_written(name), "{title}: lethe_{name}");
        }
        let side = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
        assert!(side("x") + side("w") <= 24, "{title}");
        for (x, y) in (side("x")..side("x") + side("w"))
            .flat_map(|x| (side("y")..side("y") + side("h")).map(move |y| (x, y)))
        {
            assert!(taken.insert((x, y)), "{title} lies on another");
        }
    }
    assert!(panels.len() >= 10);
}

/// A host without the signing key writes entries that nobody has signed yet.
#[test]
fn entries_that_nobody_has_signed_are_counted() {
    let shell = Shell::new();
    shell.server.sql("source", "CREATE TABLE users (id int PRIMARY KEY)");
    shell.snapshot().expect_code(0);
    let key = shell.folder.path().join("lethe.audit-key");
    let away = shell.folder.path().join("away");
    std::fs::rename(&key, &away).expect("rename");
    shell.snapshot().expect_code(0).says("not signed");
    let found = values(&shell.run(&["metrics"]).expect_code(0).out);
    assert_eq!((found["lethe_audit_entries"], found["lethe_audit_unsigned"]), (4.0, 2.0));
    std::fs::rename(&away, &key).expect("rename");
    shell.snapshot().expect_code(0);
    let found = values(&shell.run(&["metrics"]).expect_code(0).out);
    assert_eq!((found["lethe_audit_entries"], found["lethe_audit_unsigned"]), (6.0, 0.0));
}
