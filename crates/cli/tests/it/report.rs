use std::io::Write as _;
use std::path::PathBuf;

use lethe_testkit::html::check_page;
use serde_json::Value;

use crate::shell::{Shell, files};

const HOSTILE: &str = "<script>alert(1)</script>\"&";

/// A company whose tables, checks and columns have names that would be markup.
fn shop() -> Shell {
    let shell = Shell::new();
    let table = HOSTILE.replace('"', "\"\"");
    shell.server.sql(
        "source",
        &format!(
            "CREATE TABLE users (id int PRIMARY KEY);
             CREATE TABLE \"{table}\" (id serial PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE);
             INSERT INTO users SELECT generate_series(1, 1500);
             INSERT INTO \"{table}\" (user_id) SELECT generate_series(1, 1500)"
        ),
    );
    let settings = format!(
        "\n[subject.user]\ntable = \"public.users\"\n[snapshot]\nfrom = \"{}\"\n[[target]]\nhost = \"new-db.example\"\nresidency = \"fsn1\"\nlabel = \"production\"\n[[drill.check]]\nname = '{HOSTILE}'\nsql = \"SELECT count(*) FROM users\"\nexpect = 1499\n",
        shell.server.url("source")
    );
    let path = shell.folder.path().join("lethe.toml");
    let mut file = std::fs::File::options().append(true).open(path).expect("open");
    file.write_all(settings.as_bytes()).expect("write");
    std::fs::create_dir(shell.folder.path().join("work")).expect("make");
    // The server runs as another user where the tests run as root.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(shell.folder.path(), open).expect("chmod");
    shell.snapshot().expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "user", "--id", "7"]).expect_code(0);
    shell
}

fn reports(shell: &Shell, kind: &str) -> Vec<PathBuf> {
    let folder = shell.store().join("reports").join(kind);
    files(&folder).into_iter().filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
}

fn json(shell: &Shell, report: &str) -> Value {
    let ended = shell.run(&["report", report, "--format", "json"]);
    serde_json::from_str(&ended.expect_code(0).out).expect("JSON")
}

#[test]
fn a_restore_a_drill_and_a_prune_can_be_looked_at() {
    let shell = shop();
    for kind in ["restore", "drill"] {
        shell.run(&["report", kind]).expect_code(1).says("has left a report yet");
    }
    shell.server.create_database("restored");
    let restored = shell.run(&["restore", "--into", &shell.server.url("restored"), "--output", "json"]);
    let summary: Value =
        serde_json::from_str(restored.expect_code(0).out.lines().last().expect("a line")).expect("JSON");
    let id = summary["report"].as_str().expect("the id of the report");
    assert_eq!(reports(&shell, "restore").len(), 1);
    shell.run(&["drill", "--work-dir", "work"]).expect_code(0);
    assert_eq!(reports(&shell, "restore").len(), 1, "a drill leaves no report of a restore");
    shell.run(&["prune", "--confirm"]).expect_code(0);
    let newest = reports(&shell, "drill").pop().expect("a report");
    let drill_id = newest.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();

    for (report, title) in [
        ("restore", ["Report of a restore", "Rapport om en gendannelse"]),
        ("drill", ["Report of a drill", "Rapport om en øvelse"]),
        ("retention", ["Report on retention", "Rapport om opbevaring"]),
        ("residency", ["Report on residency", "Rapport om dataenes placering"]),
    ] {
        for (language, title) in ["en", "da"].into_iter().zip(title) {
            let ended = shell.run(&["report", report, "--lang", language]);
            let page = check_page(&ended.expect_code(0).out, language);
            assert_eq!(page.named("h1")[0].text(&|_| false), title);
            let text = page.text(&|_| false);
            let has_names = ["restore", "drill"].contains(&report);
            assert_eq!(text.contains("<script>alert(1)</script>"), has_names, "{report}: {text}");
        }
        assert_eq!(json(&shell, report)["report"], report);
    }
    let restore = json(&shell, "restore");
    assert_eq!(restore["id"], id);
    assert_eq!(restore["evidence"]["rows"], summary["rows"]);
    assert_eq!(restore["evidence"]["rows"]["dropped"], 2);
    assert_eq!(restore["evidence"]["target"]["place"], Value::Null, "it is on this machine");
    assert!(!restore.to_string().contains(shell.server.url("restored").as_str()));
    let drill = json(&shell, "drill");
    assert_eq!((&drill["id"], &drill["history"][0]["passed"]), (&drill_id.as_str().into(), &true.into()));
    let retention = json(&shell, "retention");
    assert_eq!(retention["snapshots"][0]["fate"], "kept");
    assert_eq!(retention["prunes"][0]["receipt"]["staying_snapshots"], 1);
    assert_eq!(json(&shell, "residency")["targets"][0]["host"], "new-db.example");

    // The words of the newest drill are also those of the list of snapshots.
    let listed = shell.run(&["snapshots", "--output", "json"]);
    let line: Value = serde_json::from_str(listed.out.lines().next().expect("a line")).expect("JSON");
    assert_eq!(line["last_drill"]["passed"], true);

    // Which one, and where to.
    let page = shell.folder.path().join("page.html");
    let out = ["--out", page.to_str().expect("a path")];
    let ended = shell.run(&[&["report", "restore", id][..], &out, &["--output", "json"]].concat());
    ended.expect_code(0).says("\"command\":\"report\"");
    check_page(&std::fs::read_to_string(&page).expect("read"), "en");
    shell.run(&["report", "restore", "--output", "json"]).expect_code(2).says("mixed up");
    shell.run(&["report", "drill", &drill_id]).expect_code(0);
    shell.run(&["report", "restore", &drill_id]).expect_code(2).says("there is no report");
    shell.run(&["report", "restore", "newest"]).expect_code(2);
    shell.run(&["report", "retention", id]).expect_code(2);
    shell.run(&["report", "restore", "--out", "/nowhere/page.html"]).expect_code(1);
}

#[test]
fn a_damaged_report_is_said_and_not_shown() {
    let shell = shop();
    shell.server.create_database("restored");
    shell.restore("restored").expect_code(0).says("report: reports/restore/");
    let path = reports(&shell, "restore").pop().expect("a report");
    let whole = std::fs::read_to_string(&path).expect("read");
    // As if nobody had been left out.
    let forged = whole.replace("dropped", "changed");
    assert_ne!(forged, whole);
    std::fs::write(&path, forged).expect("write");
    for format in ["html", "json"] {
        let ended = shell.run(&["report", "restore", "--format", format]);
        ended.expect_code(6);
        assert_eq!(ended.out, "");
    }
    // In a history it is named, and hides nothing else.
    shell.run(&["prune", "--confirm"]).expect_code(0);
    let receipt = reports(&shell, "prune").pop().expect("a receipt");
    std::fs::write(&receipt, "nobody vouches for this").expect("write");
    let page = check_page(&shell.run(&["report", "retention"]).expect_code(0).out, "en");
    let id = receipt.file_stem().and_then(|name| name.to_str()).expect("a name");
    assert!(page.text(&|_| false).contains(&format!("not counted here: {id}")));
}

/// What somebody has answered for is remembered, and a role that may not write the report has restored all the same.
#[test]
fn a_restore_that_cannot_leave_its_report_is_none_the_worse() {
    let shell = shop();
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let reference =
        "[[reference]]\nfrom = \"public.nothing(user_id)\"\nto = \"public.users(id)\"\non_erase = \"drop\"\n";
    std::fs::write(&path, format!("{settings}\n{reference}")).expect("write");
    shell.server.create_database("first");
    shell.restore("first").expect_code(3).says("public.nothing");
    let into = shell.server.url("first");
    let answered = ["restore", "--acknowledge", "unknown_reference", "--into", &into];
    shell.run(&answered).expect_code(0);
    let restore = json(&shell, "restore");
    let acknowledged = &restore["evidence"]["acknowledged"];
    assert_eq!(acknowledged[0]["code"], "unknown_reference", "{restore}");
    let page = shell.run(&["report", "restore", "--lang", "da"]);
    page.expect_code(0).says("En regel om noget, som dette snapshot ikke har:");

    // A file where the folder should be: whoever writes below it is refused.
    std::fs::write(&path, settings).expect("write");
    let folder = shell.store().join("reports/restore");
    std::fs::remove_dir_all(&folder).expect("remove");
    std::fs::write(&folder, "").expect("write");
    shell.server.create_database("second");
    shell.restore("second").expect_code(0).says("warning: the restore left no report");
    assert_eq!(shell.server.sql("second", "SELECT count(*) FROM users"), "1499");
}
