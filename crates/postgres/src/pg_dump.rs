//! The schema, through the program that knows it best: `pg_dump --schema-only`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;
use tokio_postgres::config::Host;

use crate::{ConnectionSettings, Error, programs};

/// A `pg_dump` program and its version, `(15, 18)` for 15.18.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PgDump {
    pub path: PathBuf,
    pub version: (u32, u32),
}

impl PgDump {
    /// Finds the oldest program that is at least the server's major version: in `preferred` (a folder), on the `PATH`, in
    /// Debian's `/usr/lib/postgresql/*/bin`.
    ///
    /// # Errors
    /// If there is none; the hint says which one to install.
    pub async fn find(
        server_major: u32,
        preferred: Option<&Path>,
        path: Option<&str>,
    ) -> Result<Self, Error> {
        let found = programs::find("pg_dump", preferred, path).await;
        let found = programs::choose(found, server_major).map_err(|newest| Error::PgDump {
            problem: match newest {
                Some((major, minor)) => {
                    format!("the newest one found is {major}.{minor}, the server is version {server_major}")
                }
                None => "there is none on this machine".to_owned(),
            },
            hint: Some(format!(
                "install the package postgresql-client-{server_major} or newer, or set pg_bin in lethe.toml"
            )),
        })?;
        Ok(Self { path: found.path, version: found.version })
    }

    /// Whether the program has the fixes for CVE-2025-8714 and CVE-2025-8715 (object names that carry commands).
    #[must_use]
    pub fn is_safe(&self) -> bool {
        let (major, minor) = self.version;
        minor
            >= match major {
                14 => 19,
                15 => 14,
                16 => 10,
                17 => 6,
                major if major > 17 => 0,
                _ => u32::MAX,
            }
    }

    /// The schema under an exported snapshot, as a custom-format archive.
    pub async fn schema(&self, settings: &ConnectionSettings, snapshot: &str) -> Result<Vec<u8>, Error> {
        let mut command = Command::new(&self.path);
        command.args([
            "--schema-only",
            "--format=custom",
            "--compress=0",
            "--no-password",
            "--exclude-schema=lethe",
        ]);
        command.arg(format!("--snapshot={snapshot}"));
        if self.version.0 >= 18 {
            command.arg("--no-statistics");
        }
        // Everything that says where and who goes through the environment: arguments are readable by everybody.
        connection_environment(&mut command, settings);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |problem: String| Error::PgDump { problem, hint: None };
        let output =
            command.output().await.map_err(|error| failed(format!("{}: {error}", self.path.display())))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let first: Vec<&str> = text.lines().take(3).collect();
            return Err(failed(format!("{}: {}", output.status, first.join(" / "))));
        }
        Ok(output.stdout)
    }
}

fn connection_environment(command: &mut Command, settings: &ConnectionSettings) {
    let config = settings.config();
    for name in programs::not_their_business() {
        command.env_remove(name);
    }
    command.env("PGHOST", settings.host()).env("PGPORT", settings.port().to_string());
    command.env("PGDATABASE", settings.database()).env("PGCONNECT_TIMEOUT", "30");
    if let Some(user) = config.get_user() {
        command.env("PGUSER", user);
    }
    if let Some(password) = config.get_password() {
        command.env("PGPASSWORD", String::from_utf8_lossy(password).as_ref());
    }
    let remote = matches!(config.get_hosts().first(), Some(Host::Tcp(_)))
        && settings.tls() == crate::TlsMode::VerifyFull;
    command.env("PGSSLMODE", if remote { "verify-full" } else { "prefer" });
    match settings.root_certificate() {
        Some(path) => command.env("PGSSLROOTCERT", path),
        None if remote => command.env("PGSSLROOTCERT", "system"),
        None => command,
    };
}
