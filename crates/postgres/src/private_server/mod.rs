//! A server of one's own for a while: a new cluster in a folder that only its user can enter, reached by a Unix socket
//! in that folder and by nothing else. It is stopped and removed when it is dropped, whatever happened.
//!
//! A process that is killed cannot do that. So the folder has a name by which its maker knows it again, and beside it
//! lies a file that is locked for as long as the maker lives: [`leftovers`] finds both. Order: lock file, folder, server;
//! and on the way back server, folder, lock file. A crash at any point leaves something that has the lock file's name.

pub mod leftovers;

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::{ConnectionSettings, Error, Purpose, Server, programs};

/// `sun_path` of a Unix socket's address, less its end (`unix(7)`).
const LONGEST_SOCKET: usize = 107;
const STARTING: Duration = Duration::from_secs(60);
const STOPPING: Duration = Duration::from_secs(120);

/// Settings of the server: what is thrown away needs no archive and no standby, and its log holds no statements.
const SETTINGS: [&str; 12] = [
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "wal_level=minimal",
    "max_wal_senders=0",
    "archive_mode=off",
    "wal_compression=off",
    "log_statement=none",
    "log_min_duration_statement=-1",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_parameter_max_length_on_error=0",
    "max_connections=100",
];

/// What a server would be started from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Programs {
    /// Major and minor version.
    pub version: (u32, u32),
    /// Whether the extension `amcheck` is there; none if the programs do not say where extensions are.
    pub amcheck: Option<bool>,
}

/// The programs that a server for this major version would be started from, or the newest ones if none is new enough. `path` is
/// the variable `PATH`.
pub async fn programs_for(major: u32, pg_bin: Option<&Path>, path: Option<&str>) -> Option<Programs> {
    let found = programs::find("postgres", pg_bin, path).await;
    let newest = found.iter().max_by_key(|program| program.version).cloned();
    let program = programs::choose(found, major).ok().or(newest)?;
    let amcheck = programs::has_extension(&program, "amcheck").await;
    Some(Programs { version: program.version, amcheck })
}

/// Bytes that a folder has room for, for a user without privileges (`statvfs(3)`).
///
/// # Errors
/// If it cannot be looked at.
pub fn free_space(folder: &Path) -> std::io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

fn failed(problem: impl ToString) -> Error {
    Error::PrivateServer { problem: problem.to_string(), hint: None }
}

/// Where it may be made, and by whom.
#[derive(Clone, Debug)]
pub struct Place {
    /// Absolute and without symbolic links, as the kernel names a process's folder.
    folder: PathBuf,
    /// PostgreSQL refuses to run as root: then its programs run as `postgres`.
    user: Option<(u32, u32)>,
}

impl Place {
    /// # Errors
    /// If the folder is not there, or this is root and there is no user `postgres`.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        let found = fs::canonicalize(folder)
            .map_err(|cause| failed(format!("folder {}: {cause}", folder.display())))?;
        let user = if geteuid().is_root() { Some(user("postgres")?) } else { None };
        Ok(Self { folder: found, user })
    }

    /// Who owns what is made here.
    fn owners(&self) -> [u32; 2] {
        let own = geteuid().as_raw();
        [own, self.user.map_or(own, |(uid, _)| uid)]
    }
}

/// From the user database, whichever that is.
fn user(name: &str) -> Result<(u32, u32), Error> {
    let ask = |what: &str| {
        let output =
            std::process::Command::new("id").args([what, name]).stderr(Stdio::null()).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    ask("-u").zip(ask("-g")).filter(|(uid, _)| *uid != 0).ok_or_else(|| Error::PrivateServer {
        problem: format!("PostgreSQL does not run as root, and there is no user {name} on this machine"),
        hint: Some("run lethe as another user, or install the package postgresql".to_owned()),
    })
}

/// A running server.
#[derive(Debug)]
pub struct PrivateServer {
    place: Place,
    home: PathBuf,
    process: Option<Child>,
    version: (u32, u32),
    /// Held for as long as this lives; gone last.
    lock: Option<(PathBuf, File)>,
}

impl PrivateServer {
    /// Makes and starts one, of the oldest programs that are at least this major version. `name` must be new.
    ///
    /// # Errors
    /// [`Error::PrivateServer`]; nothing is left then.
    pub async fn start(
        place: &Place,
        name: &str,
        major: u32,
        pg_bin: Option<&Path>,
        path: Option<&str>,
    ) -> Result<Self, Error> {
        let found = programs::find("postgres", pg_bin, path).await;
        let program = programs::choose(found, major).map_err(|newest| Error::PrivateServer {
            problem: match newest {
                Some((newest, minor)) => {
                    format!("the newest PostgreSQL found is {newest}.{minor}, and {major} is needed")
                }
                None => "no PostgreSQL server is installed on this machine".to_owned(),
            },
            hint: Some(format!(
                "install the package postgresql-{major} or newer, name its programs with --pg-bin or pg_bin in lethe.toml, or use --into"
            )),
        })?;
        let bin = program.path.parent().unwrap_or(Path::new("/")).to_owned();
        let home = place.folder.join(name);
        if home.join(".s.PGSQL.5432").as_os_str().len() > LONGEST_SOCKET {
            let problem = format!("{} is too long a name for a socket's folder", home.display());
            return Err(Error::PrivateServer { problem, hint: Some("use a shorter --work-dir".to_owned()) });
        }
        let lock_file = leftovers::lock_file(&place.folder, name);
        let lock = leftovers::claim(&lock_file)
            .map_err(|cause| failed(format!("{}: {cause}", lock_file.display())))?;
        let lock = lock.ok_or_else(|| failed(format!("{} is somebody else's", lock_file.display())))?;
        let mut server = Self {
            place: place.clone(),
            home,
            process: None,
            version: program.version,
            lock: Some((lock_file, lock)),
        };
        server.make_folder()?;
        server.make_cluster(&bin).await?;
        server.launch(&bin)?;
        server.wait_until_ready().await?;
        Ok(server)
    }

    fn make_folder(&self) -> Result<(), Error> {
        let make = || {
            fs::DirBuilder::new().mode(0o700).create(&self.home)?;
            match self.place.user {
                Some((uid, gid)) => chown(&self.home, Some(uid), Some(gid)),
                None => Ok(()),
            }
        };
        make().map_err(|cause| failed(format!("folder {}: {cause}", self.home.display())))
    }

    /// A command in the server's folder, by which it is known as one of ours.
    fn command(&self, program: &Path) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        for name in programs::not_their_business() {
            command.env_remove(name);
        }
        command.current_dir(&self.home).env("LC_ALL", "C").env("TZ", "UTC").stdin(Stdio::null());
        if let Some((uid, gid)) = self.place.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    async fn make_cluster(&self, bin: &Path) -> Result<(), Error> {
        let mut command = self.command(&bin.join("initdb"));
        command.arg("--pgdata").arg(self.data_dir());
        command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let output = tokio::process::Command::from(command).kill_on_drop(true).output().await;
        let output = output.map_err(|cause| failed(format!("initdb: {cause}")))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.lines().take(3).collect();
        Err(failed(format!("initdb: {}: {}", output.status, lines.join(" / "))))
    }

    fn launch(&mut self, bin: &Path) -> Result<(), Error> {
        let log = File::create(self.log_path()).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|cause| failed(format!("{}: {cause}", self.log_path().display())))?;
        let mut command = self.command(&bin.join("postgres"));
        command.arg("-D").arg(self.data_dir()).arg("-k").arg(&self.home);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let spawned = command.stdout(out).stderr(err).spawn();
        self.process = Some(spawned.map_err(|cause| failed(format!("postgres: {cause}")))?);
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + STARTING;
        loop {
            let settings = self.settings("postgres")?;
            let Err(error) = Server::connect(&settings, Purpose::Drill).await else { return Ok(()) };
            let ended = self.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.log_path()).unwrap_or_default();
                let last = log.lines().rfind(|line| line.contains("FATAL")).unwrap_or_default();
                return Err(failed(format!("it did not start: {error} {last}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How to reach a database of it, as its superuser.
    pub fn settings(&self, database: &str) -> Result<ConnectionSettings, Error> {
        let quoted = self.home.display().to_string().replace('\\', "\\\\").replace('\'', "\\'");
        let text = format!("host='{quoted}' port=5432 user=postgres dbname='{database}' sslmode=disable");
        Ok(ConnectionSettings::parse(&text, &|_| None)?)
    }

    #[must_use]
    pub fn version(&self) -> (u32, u32) {
        self.version
    }

    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.home.join("log")
    }

    /// An empty folder inside that the server can use.
    pub fn make_tablespace(&self, number: usize) -> Result<PathBuf, Error> {
        let folder = self.home.join(format!("tablespace_{number}"));
        let make = || {
            fs::DirBuilder::new().mode(0o700).create(&folder)?;
            match self.place.user {
                Some((uid, gid)) => chown(&folder, Some(uid), Some(gid)),
                None => Ok(()),
            }
        };
        make().map_err(|cause| failed(format!("folder {}: {cause}", folder.display())))?;
        Ok(folder)
    }

    /// Shuts it down cleanly, so that everything it holds is in its files.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn shut_down(&mut self) -> Result<(), Error> {
        let Some(process) = self.process.as_mut() else { return Ok(()) };
        kill_process(Pid::from_child(process), Signal::INT).map_err(failed)?;
        let deadline = Instant::now() + STOPPING;
        while process.try_wait().map_err(failed)?.is_none() {
            if Instant::now() > deadline {
                return Err(failed("it does not shut down"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.process = None;
        Ok(())
    }

    /// Stops it and removes everything.
    ///
    /// # Errors
    /// If something is left; the next run of whoever recognises its name tries again.
    pub async fn remove(mut self) -> Result<(), Error> {
        let removed = tokio::task::spawn_blocking(move || self.remove_now()).await;
        removed.map_err(failed)?
    }

    fn remove_now(&mut self) -> Result<(), Error> {
        let Some((lock_file, lock)) = self.lock.take() else { return Ok(()) };
        let cleared = leftovers::clear(&self.home);
        // Whatever that could not end by its folder is a child, so its number is still its own.
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let removed = cleared.and_then(|()| fs::remove_file(&lock_file));
        drop(lock);
        removed.map_err(|cause| failed(format!("{} cannot be removed: {cause}", self.home.display())))
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        if let Err(error) = self.remove_now() {
            tracing::error!(%error, "something is left; the next drill tries to remove it");
        }
    }
}
