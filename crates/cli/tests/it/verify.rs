use crate::shell::{Shell, files};

/// About 90 MB of rows in several chunks of 16 MB.
const WIDE: &str = "
    CREATE TABLE wide (id int PRIMARY KEY, text text);
    ALTER TABLE wide ALTER text SET STORAGE EXTERNAL;
    INSERT INTO wide SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 90000) i;";

#[test]
fn verify_reads_everything_within_its_memory_and_says_what_is_wrong() {
    let shell = Shell::new();
    shell.run(&["verify"]).expect_code(0).says("0 snapshots");
    shell.run(&["verify", "--snapshot", "latest"]).expect_code(1).says("no snapshot");
    shell.server.sql("source", WIDE);
    shell.snapshot().expect_code(0);
    shell.run(&["verify"]).expect_code(0).says("1 snapshot").says("--read-data").says("nothing is wrong");
    let ended = shell.run(&["verify", "--read-data", "--memory", "8M", "--jobs", "4", "--output", "json"]);
    let last = ended.expect_code(0).out.lines().last().expect("a last line");
    for part in ["\"type\":\"summary\"", "\"command\":\"verify\"", "\"rows\":90000", "\"findings\":[]"] {
        assert!(last.contains(part), "{part} is missing in {last}");
    }
    let peak = last.split("\"peak_rss\":").nth(1).expect("peak_rss");
    let peak: u64 =
        peak.trim_end_matches('}').split(',').next().expect("a number").parse().expect("a number");
    assert!(peak < 128 << 20, "{} MiB for 90 MB of rows", peak >> 20);
    for wrong in ["0/2", "3/2", "x"] {
        shell.run(&["verify", &format!("--read-data={wrong}")]).expect_code(2).says("1/7");
    }
    shell.run(&["verify", "--snapshot", "nonsense"]).expect_code(2).says("lethe snapshots");

    let chunk = files(&shell.store().join("chunks")).remove(0);
    let whole = std::fs::read(&chunk).expect("read");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&chunk, flipped).expect("write");
    shell.run(&["verify"]).expect_code(0);
    shell.run(&["verify", "--read-data"]).expect_code(6).says("DAMAGED").says("public.wide").says("hint:");
    std::fs::remove_file(&chunk).expect("remove");
    let ended = shell.run(&["verify", "--output", "json"]);
    let last = ended.expect_code(6).out.lines().last().expect("a last line");
    for part in ["\"kind\":\"missing\"", "\"tables\":[\"public.wide\"]", "\"exit_code\":6"] {
        assert!(last.contains(part), "{part} is missing in {last}");
    }
}
