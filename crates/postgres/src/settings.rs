//! Where a server is, and how to speak to it: a URL or a `key=value` string over libpq's `PG*` variables.

use std::fmt;
use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::passfile;

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the connection string cannot be read: {problem}")]
    Malformed { problem: String },
    #[error("{setting} cannot be {value:?}")]
    Value { setting: &'static str, value: String },
    #[error("sslmode={mode} would send data to {host} without protection")]
    Unprotected { mode: String, host: String },
}

impl SettingsError {
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Malformed { .. } => "write postgres://user@host:port/database".to_owned(),
            Self::Unprotected { .. } => {
                "use sslmode=verify-full; a server on this machine may be reached through its Unix socket"
                    .to_owned()
            }
            Self::Value { .. } => return None,
        })
    }
}

/// Whether the connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsMode {
    /// A Unix socket, or this machine's loopback without `sslmode`.
    Local,
    /// TLS with certificate and host name checked, whatever weaker mode was asked for.
    VerifyFull,
}

/// Parsed settings. `Debug` shows no password.
#[derive(Clone)]
pub struct ConnectionSettings {
    config: Config,
    tls: TlsMode,
    root_certificate: Option<PathBuf>,
    password_in_text: bool,
}

impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionSettings({self})")
    }
}

/// `user@host:port/database`, for messages.
impl fmt::Display for ConnectionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user().unwrap_or("?");
        write!(f, "{user}@{}:{}/{}", self.host(), self.port(), self.database())
    }
}

impl ConnectionSettings {
    /// `environment` looks up variables, so that tests need not change the process's own.
    ///
    /// # Errors
    /// If the text cannot be parsed, or if it would send data over a network without TLS.
    pub fn parse(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let (text, own) = TlsParameters::split_off(text)?;
        let mut config: Config =
            text.parse().map_err(|error: tokio_postgres::Error| SettingsError::Malformed {
                // The parser's text may quote the string, so only its cause is kept.
                problem: std::error::Error::source(&error)
                    .map_or_else(|| "invalid".to_owned(), ToString::to_string),
            })?;
        let password_in_text = config.get_password().is_some();
        fill_from_environment(&mut config, environment)?;
        if config.get_password().is_none()
            && let Some(password) = passfile::password(&config, environment)
        {
            config.password(password);
        }
        let mode = own.mode.or_else(|| environment("PGSSLMODE"));
        let tls = tls_mode(&config, mode.as_deref())?;
        let root_certificate =
            own.root_certificate.or_else(|| environment("PGSSLROOTCERT")).map(PathBuf::from);
        Ok(Self { config, tls, root_certificate, password_in_text })
    }

    /// True if the text itself held a password: on a command line everybody on the machine can read it.
    #[must_use]
    pub fn has_password_in_text(&self) -> bool {
        self.password_in_text
    }

    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }

    #[must_use]
    pub fn host(&self) -> String {
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        }
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.config.get_ports().first().copied().unwrap_or(5432)
    }

    #[must_use]
    pub fn database(&self) -> String {
        self.config.get_dbname().or(self.config.get_user()).unwrap_or("postgres").to_owned()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn tls(&self) -> TlsMode {
        self.tls
    }

    pub(crate) fn root_certificate(&self) -> Option<&Path> {
        self.root_certificate.as_deref()
    }
}

fn fill_from_environment(
    config: &mut Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), SettingsError> {
    if config.get_hosts().is_empty() {
        let host = environment("PGHOST").filter(|host| !host.is_empty());
        config.host(host.unwrap_or_else(|| "/var/run/postgresql".to_owned()));
    }
    if config.get_ports().is_empty()
        && let Some(port) = environment("PGPORT").filter(|port| !port.is_empty())
    {
        config.port(port.parse().map_err(|_| SettingsError::Value { setting: "PGPORT", value: port })?);
    }
    if config.get_user().is_none() {
        let user =
            environment("PGUSER").or_else(|| environment("USER")).unwrap_or_else(|| "postgres".to_owned());
        config.user(user);
    }
    if config.get_dbname().is_none()
        && let Some(database) = environment("PGDATABASE")
    {
        config.dbname(database);
    }
    if config.get_password().is_none()
        && let Some(password) = environment("PGPASSWORD")
    {
        config.password(password);
    }
    Ok(())
}

/// libpq accepts modes that encrypt without knowing to whom; here every remote connection is verified in full.
fn tls_mode(config: &Config, mode: Option<&str>) -> Result<TlsMode, SettingsError> {
    let local = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(host) => matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1"),
    });
    match mode {
        None | Some("" | "prefer" | "allow") if local => Ok(TlsMode::Local),
        Some("disable") if local => Ok(TlsMode::Local),
        None | Some("" | "require" | "verify-ca" | "verify-full") => Ok(TlsMode::VerifyFull),
        Some(mode @ ("disable" | "allow" | "prefer")) => {
            let host = config.get_hosts().iter().find_map(|host| match host {
                Host::Tcp(host) => Some(host.clone()),
                Host::Unix(_) => None,
            });
            Err(SettingsError::Unprotected { mode: mode.to_owned(), host: host.unwrap_or_default() })
        }
        Some(other) => Err(SettingsError::Value { setting: "sslmode", value: other.to_owned() }),
    }
}

/// The parameters that the driver does not know in libpq's sense.
#[derive(Default)]
struct TlsParameters {
    mode: Option<String>,
    root_certificate: Option<String>,
}

impl TlsParameters {
    fn split_off(text: &str) -> Result<(String, Self), SettingsError> {
        let mut own = Self::default();
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let Some((base, query)) = text.split_once('?') else { return Ok((text.to_owned(), own)) };
            let kept: Vec<&str> =
                query.split('&').filter(|pair| !pair.is_empty() && !own.take(pair)).collect();
            let text = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
            return Ok((text, own));
        }
        if text.contains("sslmode") && text.contains('\'') {
            return Err(SettingsError::Malformed {
                problem: "sslmode beside quoted values needs the URL form".to_owned(),
            });
        }
        let kept: Vec<&str> = text.split_whitespace().filter(|pair| !own.take(pair)).collect();
        Ok((if text.contains('\'') { text.to_owned() } else { kept.join(" ") }, own))
    }

    fn take(&mut self, pair: &str) -> bool {
        match pair.split_once('=') {
            Some(("sslmode", value)) => self.mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => {
                self.root_certificate = Some(value.replace("%2F", "/").replace("%2f", "/"))
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConnectionSettings, SettingsError> {
        ConnectionSettings::parse(text, &|name| (name == "PGUSER").then(|| "alice".to_owned()))
    }

    #[test]
    fn remote_servers_are_always_verified() {
        for text in [
            "postgres://db.example/shop",
            "postgres://db.example/shop?sslmode=require",
            "host=db.example sslmode=verify-ca",
        ] {
            assert_eq!(parse(text).expect("parses").tls(), TlsMode::VerifyFull, "{text}");
        }
        for text in
            ["postgres://db.example/shop?sslmode=disable", "postgres://db.example/shop?sslmode=prefer"]
        {
            assert!(matches!(parse(text), Err(SettingsError::Unprotected { .. })), "{text}");
        }
        for text in ["postgres://localhost/shop", "postgres:///shop?host=/tmp", "host=/tmp dbname=shop"] {
            assert_eq!(parse(text).expect("parses").tls(), TlsMode::Local, "{text}");
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let settings = parse("postgres://bob:canary@db.example:6000/shop").expect("parses");
        assert!(settings.has_password_in_text());
        assert_eq!(format!("{settings:?}"), "ConnectionSettings(bob@db.example:6000/shop)");
        let Err(error) = parse("postgres://bob:canary@db.example:port/shop") else {
            panic!("a port is a number")
        };
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
