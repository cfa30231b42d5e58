//! What a run is doing, in numbers and in spans, while it works and afterwards.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use lethe_testkit::s3::{ACCESS_KEY, Fault, REGION, Requests, S3Server, SECRET_KEY};
use serde_json::Value;

use crate::shell::Shell;

const PEOPLE: &str = "
    CREATE TABLE users (id int PRIMARY KEY, name text);
    INSERT INTO users SELECT i, 'canary-' || i FROM generate_series(1, 300) i;";

fn shop() -> Shell {
    let shell = Shell::new();
    shell.server.sql("source", PEOPLE);
    shell
}

/// What a page says, by name and labels as they stand there.
fn numbers(page: &str) -> BTreeMap<String, f64> {
    assert!(!page.contains("canary") && !page.contains("users"), "nothing of rows or tables: {page}");
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    samples.map(sample).collect()
}

fn of(command: &str, stage: &str) -> String {
    format!("{{command=\"{command}\",stage=\"{stage}\"}}")
}

fn get(address: SocketAddr, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let body = text.split_once("\r\n\r\n")?.1.to_owned();
    Some((status, body))
}

/// Somebody else may take it before the program does; then the test fails, which has not been seen.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address")
}

/// Ends its process however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn jobs_that_end_leave_their_numbers() {
    let shell = shop();
    let run = |arguments: &[&str], code| {
        let file = shell.folder.path().join("run.prom");
        let _ = std::fs::remove_file(&file);
        let ended = shell.run(&[arguments, &["--metrics-textfile", "run.prom"]].concat());
        ended.expect_code(code);
        numbers(&std::fs::read_to_string(file).expect("the numbers"))
    };
    let found = run(&["snapshot", "--from", &shell.server.url("source")], 0);
    assert_eq!(found[&format!("lethe_stage_rows_total{}", of("snapshot", "copy"))], 300.0, "{found:?}");
    assert!(found[&format!("lethe_stage_bytes_total{}", of("snapshot", "copy"))] > 0.0);
    assert!(found.contains_key(&format!("lethe_stage_seconds_total{}", of("snapshot", "commit"))));
    let ended = |name: &str, command: &str| format!("lethe_run_{name}{{command=\"{command}\"}}");
    assert_eq!(found[&ended("exit_code", "snapshot")], 0.0);
    assert!(
        found[&ended("ended_timestamp_seconds", "snapshot")]
            >= found[&ended("began_timestamp_seconds", "snapshot")]
    );
    assert_eq!(found["lethe_retries_total{command=\"snapshot\",operation=\"get\"}"], 0.0);

    shell.run(&["tombstone", "add", "--subject", "public.users", "--id", "7"]).expect_code(0);
    shell.server.create_database("restored");
    let found = run(&["restore", "--into", &shell.server.url("restored")], 0);
    assert_eq!(found[&format!("lethe_stage_rows_total{}", of("restore", "load"))], 299.0, "{found:?}");
    for stage in ["load", "cut over", "validate"] {
        assert!(found.contains_key(&format!("lethe_stage_seconds_total{}", of("restore", stage))), "{stage}");
    }
    // Refused, since it is not empty.
    let found = run(&["restore", "--into", &shell.server.url("source")], 3);
    assert_eq!(found[&ended("exit_code", "restore")], 3.0);
    assert!(found[&ended("objections", "restore")] >= 1.0, "{found:?}");
    let found = run(&["drill", "--into", &shell.server.url("postgres")], 0);
    assert!(found.contains_key(&format!("lethe_stage_seconds_total{}", of("drill", "check indexes"))));
    let found = run(&["prune", "--confirm"], 0);
    assert!(found.contains_key(&format!("lethe_stage_seconds_total{}", of("prune", "prune"))));
    // What cannot be written down is done all the same.
    let nowhere = shell.run(&["prune", "--confirm", "--metrics-textfile", "/nowhere/x.prom"]);
    nowhere.expect_code(0).says("warning: write /nowhere/x.prom");
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_are_counted() {
    let shell = shop();
    let s3 = S3Server::start().await;
    s3.create_bucket("backups");
    let command = |arguments: &[&str]| {
        let mut command = shell.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("LETHE_S3_PATH_STYLE", "true");
        command.env("LETHE_S3_ENDPOINT", s3.endpoint()).env("LETHE_S3_REGION", REGION);
        Shell::ended(&mut command)
    };
    command(&["init", "--store", "s3://backups/x", "--directory", "s3"]).expect_code(0);
    let from = shell.server.url("source");
    s3.inject(Fault::SlowDown, Requests::first(2).of("PutObject"));
    let snapshot =
        ["snapshot", "--from", &from, "--config", "s3/lethe.toml", "--metrics-textfile", "run.prom"];
    command(&snapshot).expect_code(0);
    let page = std::fs::read_to_string(shell.folder.path().join("run.prom")).expect("the numbers");
    let found = numbers(&page);
    assert_eq!(found["lethe_retries_total{command=\"snapshot\",operation=\"put\"}"], 2.0, "{page}");
}

#[test]
fn numbers_are_served_while_a_run_lasts() {
    let shell = shop();
    let from = shell.server.url("source");
    let path = shell.folder.path().join("lethe.toml");
    let settings = std::fs::read_to_string(&path).expect("read");
    let more =
        format!("{settings}\n[snapshot]\nfrom = \"{from}\"\n[subject.user]\ntable = \"public.users\"\n");
    std::fs::write(path, more).expect("write");
    shell.run(&["tombstone", "capture", "install", "--confirm"]).expect_code(0);
    let address = free_address();
    let port = address.port().to_string();
    let follow = ["tombstone", "capture", "run", "--follow", "--every", "1", "--metrics-listen", &port];
    let _running = Running(shell.spawn(&follow));
    let page = || get(address, "GET /metrics").filter(|(status, _)| *status == 200).map(|(_, page)| page);
    let rows = format!("lethe_stage_rows_total{}", of("capture", "capture"));
    let first = numbers(&wait_for("it is served", page));
    assert!(first.contains_key("lethe_run_began_timestamp_seconds{command=\"capture\"}"), "{first:?}");
    assert!(!first.contains_key(&rows) && !first.keys().any(|name| name.contains("exit_code")), "{first:?}");
    shell.server.sql("source", "DELETE FROM users WHERE id < 4");
    wait_for("the deletions are counted", || page().filter(|page| numbers(page).get(&rows) == Some(&3.0)));
    assert_eq!(get(address, "GET /").map(|(status, _)| status), Some(404));
    assert_eq!(get(address, "POST /metrics").map(|(status, _)| status), Some(405));
    // Somebody who says nothing is in nobody's way.
    let silent: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(address).expect("connect")).collect();
    assert!(page().is_some());
    drop(silent);
    // The port is taken: nothing is begun.
    let taken = shell.run(&["snapshot", "--metrics-listen", &port]);
    taken.expect_code(2).says("cannot be listened on");
    assert!(!shell.store().join("snapshots").exists());
    let anywhere = shell.run(&["snapshots", "--metrics-listen", "0.0.0.0:0"]);
    anywhere.expect_code(0).says("warning: whoever reaches 0.0.0.0:0");
    shell.run(&["snapshots", "--metrics-listen", "nowhere"]).expect_code(2).says("address:port");
}

#[test]
fn how_the_backups_are_is_served() {
    let shell = shop();
    shell.snapshot().expect_code(0);
    let address = free_address();
    let metrics = Running(shell.spawn(&["metrics", "--listen", &address.to_string()]));
    let page = || get(address, "GET /metrics");
    let (status, text) = wait_for("it is served", page);
    assert_eq!(status, 200, "{text}");
    let found = numbers(&text);
    assert_eq!(
        (found["lethe_snapshots"], found["lethe_audit_entries"], found["lethe_audit_unsigned"]),
        (1.0, 2.0, 0.0)
    );
    let at = found["lethe_looked_at_timestamp_seconds"];
    // Asked again at once, the store is not.
    let again = numbers(&page().expect("an answer").1);
    assert_eq!(again["lethe_looked_at_timestamp_seconds"], at);
    drop(metrics);
    // What cannot be looked at is no answer.
    std::fs::rename(shell.store(), shell.folder.path().join("away")).expect("rename");
    let _metrics = Running(shell.spawn(&["metrics", "--listen", &address.to_string()]));
    let (status, text) = wait_for("it is served", page);
    assert_eq!(status, 503, "{text}");
}

/// A collector: what was sent to it, one text a request.
fn collector() -> (SocketAddr, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (send, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let send = send.clone();
            std::thread::spawn(move || {
                while let Some(request) = read_request(&stream) {
                    let answer =
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
                    if send.send(request).is_err() || (&stream).write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, received)
}

/// The head and the body.
fn read_request(mut stream: &TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
        if bytes.ends_with(b"\r\n\r\n") {
            break String::from_utf8(bytes).ok()?;
        }
    };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

#[test]
fn spans_by_stage_go_to_a_collector_and_no_row_does() {
    let shell = shop();
    shell.snapshot().expect_code(0);
    shell.run(&["tombstone", "add", "--subject", "public.users", "--id", "7"]).expect_code(0);
    shell.server.create_database("restored");
    let (address, received) = collector();
    let mut command = shell.command(&["restore", "--into", &shell.server.url("restored")]);
    // Everything that is logged is of no concern to it.
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}/")).env("RUST_LOG", "trace");
    command.env("OTEL_SERVICE_NAME", "backups");
    Shell::ended(&mut command).expect_code(0);
    let requests: Vec<(String, String)> = received.try_iter().collect();
    assert!(!requests.is_empty());
    let mut spans = Vec::new();
    for (head, body) in &requests {
        assert!(head.starts_with("POST /v1/traces "), "{head}");
        for secret in ["canary", "users", "\"source\"", "postgres://", "public", &shell.store_url()] {
            assert!(!body.contains(secret), "{secret}: {body}");
        }
        let body: Value = serde_json::from_str(body).expect("JSON");
        let resource = &body["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "backups", "{resource}");
        for scope in resource["scopeSpans"].as_array().expect("scopes") {
            spans.extend(scope["spans"].as_array().expect("spans").clone());
        }
    }
    let named = |name: &str| {
        spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"))
    };
    let root = named("lethe restore");
    let time = |span: &Value, name: &str| -> u128 {
        span[name].as_str().expect("a time").parse().expect("a number")
    };
    let mut before = 0;
    for stage in ["ledger", "preflight", "load", "cut over", "validate"] {
        let span = named(stage);
        assert_eq!((&span["traceId"], &span["parentSpanId"]), (&root["traceId"], &root["spanId"]), "{stage}");
        let (from, to) = (time(span, "startTimeUnixNano"), time(span, "endTimeUnixNano"));
        assert!(before <= from && from <= to && to <= time(root, "endTimeUnixNano"), "{stage} {spans:#?}");
        assert!(span["events"].as_array().is_none_or(Vec::is_empty), "{span}");
        before = from;
    }
}

#[test]
fn a_collector_that_is_away_or_silent_is_nobodys_problem() {
    let shell = shop();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    for address in [free_address(), silent.local_addr().expect("an address")] {
        let begun = Instant::now();
        let url = format!("http://{address}");
        let ended = shell.run(&["snapshots", "--otlp", &url]);
        assert!(!ended.expect_code(0).err.contains("panicked"), "{}", ended.err);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
    shell.run(&["snapshots", "--otlp", "not a url"]).expect_code(0).says("warning: no spans are sent");
    let mut command = shell.command(&["snapshots"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").env("OTEL_SDK_DISABLED", "true");
    command.stderr(Stdio::piped());
    assert!(!Shell::ended(command.env("RUST_LOG", "warn")).expect_code(0).err.contains("spans"));
}
