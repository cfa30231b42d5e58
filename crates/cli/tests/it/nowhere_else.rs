//! Nothing is sent but to the store and to the servers: no usage data, no search for updates, no proxy, and no question to the
//! cloud that this machine may be in.
#![allow(clippy::print_stderr, reason = "a test that was left out must be seen")]

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use lethe_testkit::s3::{ACCESS_KEY, REGION, S3Server, SECRET_KEY};

use crate::shell::{Ended, Shell};

const TEST: &str = "nowhere_else::nothing_is_sent_but_to_the_store_and_the_servers";

/// Set for the test when it runs inside.
const INSIDE: &str = "LETHE_TEST_IS_INSIDE";

/// A network in which everything but the machine itself leads to `out`, where nobody is; also names are asked for there. IPv6 is
/// off, since it talks by itself. Root becomes the caller again, for servers that do not run as root.
const NETWORK: &str = r#"
    set -eu
    PATH=$PATH:/usr/sbin:/sbin
    for interfaces in all default; do echo 1 >/proc/sys/net/ipv6/conf/$interfaces/disable_ipv6; done
    ip link set lo up
    ip link add out type veth peer name nowhere
    ip link set nowhere arp off up
    ip link set out arp off up
    ip address add 198.51.100.1/32 dev out
    ip route add default dev out
    mount --bind "$1" /etc/resolv.conf
    user=$2 group=$3
    shift 3
    [ "$user" = 0 ] || exec unshare --user --map-user="$user" --map-group="$group" -- "$@"
    exec "$@"
"#;

/// Runs a program in such a network.
fn inside(resolver: &Path, program: &[&str]) -> Command {
    let id = |which: &str| {
        let output = Command::new("id").arg(which).output().expect("run id");
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    };
    let (user, group) = (id("-u"), id("-g"));
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount"]);
    if user != "0" {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["sh", "-c", NETWORK, "sh"]).arg(resolver).args([&user, &group]).args(program);
    command
}

/// Packets that have left by `out`.
fn sent() -> u64 {
    let interfaces = std::fs::read_to_string("/proc/net/dev").expect("read");
    let out =
        interfaces.lines().find_map(|line| line.trim_start().strip_prefix("out:")).expect("an interface");
    // Eight numbers of what came in, then bytes and packets that went out.
    out.split_whitespace().nth(9).expect("a number").parse().expect("a number")
}

/// A repository in a bucket, and whoever calls the program with everything that could lead it astray.
struct Company {
    shell: Shell,
    s3: S3Server,
}

impl Company {
    async fn new() -> Self {
        let company = Self { shell: Shell::new(), s3: S3Server::start().await };
        company.s3.create_bucket("backups");
        company.shell.server.sql(
            "source",
            "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 100)",
        );
        let mut init = company.command(&["init", "--store", "s3://backups/production", "--directory", "s3"]);
        init.env("LETHE_S3_ENDPOINT", company.s3.endpoint());
        init.env("LETHE_S3_REGION", REGION).env("LETHE_S3_PATH_STYLE", "true");
        Shell::ended(&mut init).expect_code(0);
        let path = company.shell.folder.path().join("s3/lethe.toml");
        let settings = std::fs::read_to_string(&path).expect("read");
        let with_subject = format!("{settings}\n[subject.user]\ntable = \"public.users\"\n");
        std::fs::write(path, with_subject).expect("write");
        company
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.shell.command(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env(name, "http://192.0.2.9:3128");
        }
        command.env_remove("NO_PROXY").env_remove("no_proxy").env("HOME", self.shell.folder.path());
        command.env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Shell::ended(&mut self.command(&[arguments, &["--config", "s3/lethe.toml"]].concat()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_but_to_the_store_and_the_servers() {
    if std::env::var_os(INSIDE).is_none() {
        return run_again_inside();
    }
    assert_eq!(sent(), 0, "the network itself is silent");
    let company = Company::new().await;
    assert_eq!(sent(), 0, "lethe init");
    let (from, into) = (company.shell.server.url("source"), company.shell.server.url("restored"));
    company.shell.server.create_database("restored");
    let long_ago = SystemTime::now() - Duration::from_secs(5 * 86_400);
    company.s3.leave_upload("backups", "production/chunks/unfinished", long_ago);
    for arguments in [
        &["doctor"][..],
        &["snapshot", "--from", &from],
        &["tombstone", "add", "--subject", "public.users", "--id", "7"],
        &["tombstone", "capture", "install", "--from", &from, "--confirm"],
        &["tombstone", "capture", "run", "--from", &from],
        &["tombstone", "heartbeat"],
        &["tombstone", "verify"],
        &["restore", "--into", &into, "--dry-run"],
        &["restore", "--into", &into],
        &["verify", "--read-data"],
        &["drill"],
        &["prune", "--confirm"],
        &["snapshots"],
        &["keys", "list"],
    ] {
        company.run(arguments).expect_code(0);
        assert_eq!(sent(), 0, "lethe {arguments:?}");
    }
    assert_eq!(company.shell.server.sql("restored", "SELECT count(*) FROM users"), "99");
    assert!(company.s3.uploads("backups").is_empty(), "there was something to prune");

    // What does leave is counted: from here, by a name, and from the program itself, which asks the cloud if nobody gives it
    // credentials.
    let nobody: SocketAddr = "192.0.2.1:443".parse().expect("an address");
    TcpStream::connect_timeout(&nobody, Duration::from_millis(300)).expect_err("nobody is there");
    let by_address = sent();
    assert!(by_address > 0, "a connection is not counted");
    assert!("lethe.invalid:443".to_socket_addrs().is_err());
    let by_name = sent();
    assert!(by_name > by_address, "a question for a name is not counted");
    let mut command = company.command(&["snapshots", "--config", "s3/lethe.toml"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let mut lethe = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start lethe");
    let begun = Instant::now();
    while sent() == by_name && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    lethe.kill().expect("kill");
    lethe.wait().expect("wait");
    assert!(sent() > by_name, "what the program sends is not counted");
}

fn run_again_inside() {
    let folder = tempfile::tempdir().expect("a folder");
    let resolver = folder.path().join("resolv.conf");
    std::fs::write(&resolver, "nameserver 192.0.2.53\noptions timeout:1 attempts:1\n").expect("write");
    let possible = inside(&resolver, &["true"]).output().expect("run unshare, of util-linux");
    if !possible.status.success() {
        let problem = String::from_utf8_lossy(&possible.stderr);
        let what = format!("this machine does not let a test have a network of its own: {problem}");
        assert!(
            std::env::var_os("LETHE_WITHOUT_NAMESPACES").is_some(),
            "{what}LETHE_WITHOUT_NAMESPACES=1 leaves this test out"
        );
        eprintln!("{what}so this test was left out");
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let program = program.to_str().expect("UTF-8");
    let mut again = inside(&resolver, &[program, TEST, "--exact", "--nocapture"]);
    let output = again.env(INSIDE, "1").output().expect("run the test inside");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
}
