use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::template::{command, make_directory, new_cluster, run};

/// A running server that is stopped and removed when this is dropped.
#[derive(Debug)]
pub struct PgServer {
    bin: PathBuf,
    /// Holds the data directory and the socket.
    home: PathBuf,
    settings: Vec<String>,
    process: Option<Child>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// SIGINT: sessions are ended, a checkpoint is written.
    Fast,
    /// SIGKILL: as in a power failure, except that the operating system's caches survive.
    Kill,
}

impl PgServer {
    /// Starts a server of the programs in `bin`.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(bin: impl AsRef<Path>) -> Self {
        Self::start_with(bin, &[])
    }

    /// Starts a server with further settings, each `name=value`.
    #[must_use]
    pub fn start_with(bin: impl AsRef<Path>, settings: &[&str]) -> Self {
        let home = new_home();
        new_cluster(bin.as_ref(), &home.join("data"));
        Self::launched(bin.as_ref(), home, settings)
    }

    /// A hot standby of this server, with further settings of its own; it streams what happens here from now on.
    ///
    /// # Panics
    /// If it cannot be made, or does not start.
    #[must_use]
    pub fn standby(&self, settings: &[&str]) -> Self {
        let home = new_home();
        let mut copy = self.tool("pg_basebackup");
        run(copy.arg("-D").arg(home.join("data")).args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]));
        Self::launched(&self.bin, home, settings)
    }

    fn launched(bin: &Path, home: PathBuf, settings: &[&str]) -> Self {
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { bin: bin.to_owned(), home, settings, process: None };
        server.launch();
        server
    }

    fn launch(&mut self) {
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.log_path())
            .expect("open the server's log");
        let mut postgres = command(self.bin.join("postgres"));
        postgres.arg("-D").arg(self.data_dir()).arg("-k").arg(&self.home);
        for setting in
            ["listen_addresses=", "fsync=off", "max_connections=60", "autovacuum=off", "shared_buffers=64MB"]
        {
            postgres.args(["-c", setting]);
        }
        for setting in &self.settings {
            postgres.args(["-c", setting]);
        }
        let errors = log.try_clone().expect("share the log");
        let process =
            postgres.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().expect("start postgres");
        self.process = Some(process);
        self.wait_until_ready();
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let mut check = self.tool("psql");
            check.args(["-qAt", "-c", "select 1", "postgres"]).stdout(Stdio::null()).stderr(Stdio::null());
            if check.status().is_ok_and(|status| status.success()) {
                return;
            }
            let ended =
                self.process.as_mut().and_then(|process| process.try_wait().expect("look at postgres"));
            if ended.is_some() || Instant::now() > deadline {
                panic!("postgres did not start: {}", fs::read_to_string(self.log_path()).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn stop(&mut self, how: Shutdown) {
        let Some(mut process) = self.process.take() else { return };
        let signal = match how {
            Shutdown::Fast => "-INT",
            Shutdown::Kill => "-KILL",
        };
        let _ = Command::new("kill").arg(signal).arg(process.id().to_string()).status();
        process.wait().expect("wait for postgres");
        self.wait_for_backends();
    }

    /// Backends notice a postmaster that was killed only after a while; until then a new one refuses to start.
    fn wait_for_backends(&self) {
        let data = self.data_dir();
        let runs_here =
            |entry: &fs::DirEntry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == data);
        for _ in 0..500 {
            let processes = fs::read_dir("/proc").expect("read /proc").flatten();
            if !processes.into_iter().any(|entry| runs_here(&entry)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the same cluster again.
    pub fn restart(&mut self) {
        self.stop(Shutdown::Fast);
        self.launch();
    }

    #[must_use]
    pub(super) fn socket(&self) -> PathBuf {
        self.home.join(".s.PGSQL.5432")
    }

    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}", self.home.display())
    }

    #[must_use]
    pub fn url_as(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@/{database}?host={}", self.home.display())
    }

    #[must_use]
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Writes a file into the data directory that the server alone can read.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write_data_file(&self, name: &str, text: &str) {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
        let path = self.data_dir().join(name);
        fs::write(&path, text).expect("write a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        let owner = fs::metadata(self.data_dir()).expect("the data directory");
        chown(&path, Some(owner.uid()), Some(owner.gid())).expect("chown");
    }

    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.home.join("log")
    }

    /// The major version, from the data directory.
    #[must_use]
    pub fn major(&self) -> u32 {
        let text = fs::read_to_string(self.data_dir().join("PG_VERSION")).expect("read PG_VERSION");
        text.trim().parse().expect("a version")
    }

    pub fn create_database(&self, name: &str) {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\" TEMPLATE template0"));
    }

    /// Runs SQL through `psql` and returns its unaligned output.
    ///
    /// # Panics
    /// On the first error.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// As [`Self::sql`], with the server's message as an error.
    pub fn try_sql(&self, database: &str, sql: &str) -> Result<String, String> {
        use std::io::Write as _;
        let mut psql = self.tool("psql");
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = psql.spawn().expect("start psql");
        let mut input = process.stdin.take().expect("psql's input");
        let text = sql.to_owned();
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = process.wait_with_output().expect("psql's output");
        // If psql ended early, the write fails and the status says why.
        let _ = writer.join().expect("write to psql");
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).expect("UTF-8").trim_end_matches('\n').to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// One session that begins with this SQL, stays open while something else is done, and ends with that.
    ///
    /// # Errors
    /// As [`Self::try_sql`].
    ///
    /// # Panics
    /// If the session ends before it has begun.
    pub fn sql_while(
        &self,
        database: &str,
        first: &str,
        meanwhile: impl FnOnce(),
        then: &str,
    ) -> Result<(), String> {
        use std::io::{BufRead as _, Write as _};
        let mut psql = self.tool("psql");
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = psql.spawn().expect("start psql");
        let mut input = process.stdin.take().expect("psql's input");
        let mut output = std::io::BufReader::new(process.stdout.take().expect("psql's output"));
        writeln!(input, "{first}\n\\echo begun").expect("write to psql");
        let mut line = String::new();
        while line.trim_end() != "begun" {
            line.clear();
            assert_ne!(output.read_line(&mut line).expect("read from psql"), 0, "psql ended: {first}");
        }
        meanwhile();
        // If psql ended early, the write fails and the status says why.
        let _ = writeln!(input, "{then}");
        drop(input);
        let ended = process.wait_with_output().expect("psql's output");
        if ended.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&ended.stderr).into_owned()) }
    }

    /// Runs a file through `psql`.
    pub fn sql_file(&self, database: &str, file: &Path) {
        let text = fs::read_to_string(file).expect("read an SQL file");
        self.sql(database, &text);
    }

    /// One of PostgreSQL's programs, set up to reach this server as its superuser.
    #[must_use]
    pub fn tool(&self, name: &str) -> Command {
        let mut command = command(self.bin.join(name));
        command.env("PGHOST", &self.home).env("PGUSER", "postgres");
        command
    }

    /// Runs one of PostgreSQL's programs to its end.
    ///
    /// # Panics
    /// If it fails.
    pub fn run_tool(&self, name: &str, arguments: &[&str]) -> Vec<u8> {
        run(self.tool(name).args(arguments)).stdout
    }
}

/// A folder for one server. A socket's path has at most 107 bytes, so this cannot lie deep below the target folder.
fn new_home() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let home = std::env::temp_dir().join(format!("lethe-pg-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&home);
    make_directory(&home);
    home
}

impl Drop for PgServer {
    fn drop(&mut self) {
        self.stop(Shutdown::Fast);
        if std::env::var_os("LETHE_TEST_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.home);
        }
    }
}
