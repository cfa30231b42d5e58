//! One `initdb` for each program, copied for every server: starting a server then takes a fraction of a second.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// PostgreSQL refuses to run as root; then its programs run as this user.
fn unprivileged() -> Option<&'static str> {
    static USER: OnceLock<Option<&'static str>> = OnceLock::new();
    *USER.get_or_init(|| {
        let uid = Command::new("id").arg("-u").output().expect("run id").stdout;
        if uid.trim_ascii() != b"0" {
            return None;
        }
        let exists =
            |user: &&&str| Command::new("id").arg(user).output().is_ok_and(|output| output.status.success());
        Some(["postgres", "nobody"].iter().find(exists).expect("a user to run PostgreSQL as"))
    })
}

/// A command that runs as a user that PostgreSQL accepts.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = match unprivileged() {
        None => return clean(Command::new(program)),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user_group(user), "--clear-groups", "--"]).arg(program);
            command
        }
    };
    command.current_dir("/");
    clean(command)
}

fn user_group(user: &str) -> &str {
    if user == "nobody" { "nogroup" } else { user }
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG")) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C.UTF-8");
    command
}

pub(super) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Makes a folder that the server's user can use.
pub(super) fn make_directory(path: &Path) {
    fs::create_dir_all(path).expect("make a folder");
    if let Some(user) = unprivileged() {
        run(Command::new("chown").arg(format!("{user}:{}", user_group(user))).arg(path));
    }
}

/// A fresh cluster with superuser `postgres`, UTF-8, C.UTF-8 collation; at `target`, which must not exist.
pub(super) fn new_cluster(bin: &Path, target: &Path) {
    let template = template(bin);
    run(command("cp").arg("-a").arg(template).arg(target));
}

fn template(bin: &Path) -> PathBuf {
    let version = run(Command::new(bin.join("postgres")).arg("--version")).stdout;
    let version: String = String::from_utf8_lossy(&version)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .collect();
    let name = format!("{version}-{:x}", bin.as_os_str().len());
    let folder = std::env::temp_dir().join(format!("lethe-testkit-{}", unprivileged().unwrap_or("self")));
    make_directory(&folder);
    let template = folder.join(name);
    if template.join("PG_VERSION").is_file() {
        return template;
    }
    // Several test processes may get here at once: each makes its own, the first rename wins.
    let own =
        folder.join(format!("{}-{}", std::process::id(), template.file_name().expect("a name").display()));
    let mut initdb = command(bin.join("initdb"));
    initdb.arg("-D").arg(&own).args([
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]);
    run(&mut initdb);
    if fs::rename(&own, &template).is_err() {
        fs::remove_dir_all(&own).expect("remove a second template");
    }
    template
}
