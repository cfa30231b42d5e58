use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lethe_testkit::pg::{PgServer, bin_dir};
use tempfile::TempDir;

/// A company's folder: `lethe.toml`, keys, a store, and a server with a database `source`.
pub(crate) struct Shell {
    pub(crate) folder: TempDir,
    pub(crate) server: PgServer,
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Shell {
    /// With a repository, and nothing in the database.
    pub(crate) fn new() -> Self {
        Self::on(PgServer::start(bin_dir()))
    }

    pub(crate) fn on(server: PgServer) -> Self {
        let shell = Self { folder: tempfile::tempdir().expect("a folder"), server };
        shell.server.create_database("source");
        shell.run(&["init", "--store", &shell.store_url()]).expect_code(0);
        shell
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn store_url(&self) -> String {
        format!("file://{}", self.store().display())
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lethe"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in
            std::env::vars().filter(|(name, _)| name.starts_with("LETHE_") || name.starts_with("PG"))
        {
            command.env_remove(name);
        }
        command.env("LETHE_STATE_DIR", self.folder.path().join("state"));
        // Whoever wants another label types it.
        command.env("LETHE_LABEL", "production");
        command.env("LETHE_PG_BIN", self.server.bin());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Self::ended(&mut self.command(arguments))
    }

    pub(crate) fn ended(command: &mut Command) -> Ended {
        let output = command.output().expect("run lethe");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start lethe")
    }

    pub(crate) fn snapshot(&self) -> Ended {
        self.run(&["snapshot", "--from", &self.server.url("source")])
    }

    pub(crate) fn restore(&self, database: &str) -> Ended {
        self.run(&["restore", "--into", &self.server.url(database)])
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.err.contains(text) || self.out.contains(text),
            "{text:?} is missing:\n{}\n{}",
            self.out,
            self.err
        );
        self
    }
}

/// Every file below a folder, by its path relative to it.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found.sort();
    found
}
