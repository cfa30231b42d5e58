//! Where a server is, and how to speak to it: a URL or a `key=value` string over libpq's `PG*` variables.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::connection_string::{self, Parameters};
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
    /// Reads a `postgres://` URL or libpq's `name=value` pairs; what they leave out comes from libpq's `PG*` variables.
    ///
    /// `environment` looks up variables, so that tests need not change the process's own.
    ///
    /// # Errors
    /// If the text cannot be parsed, if it names several servers, or if it would send data over a network without TLS.
    pub fn parse(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut parameters = connection_string::parse(text)?;
        let password_in_text = parameters.contains_key("password");
        fill_from_environment(&mut parameters, environment);
        let mode = parameters.remove("sslmode");
        let root_certificate = parameters.remove("sslrootcert").filter(|path| path != "system");
        let password_file = parameters.remove("passfile").map(PathBuf::from);
        let mut config = config(&parameters)?;
        let tls = tls_mode(&config, mode.as_deref())?;
        if config.get_password().is_none()
            && let Some(password) = passfile::password(&config, password_file, environment)
        {
            config.password(password);
        }
        Ok(Self { config, tls, root_certificate: root_certificate.map(PathBuf::from), password_in_text })
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

    /// True for a Unix socket and for this machine's loopback. Where `hostaddr` is given, that is where the data goes.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match (self.config.get_hostaddrs().first(), self.config.get_hosts().first()) {
            (Some(address), _) => address.is_loopback(),
            (None, Some(Host::Tcp(name))) => is_loopback(name),
            (None, Some(Host::Unix(_)) | None) => true,
        }
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

/// libpq's variables; an empty one counts as not set.
fn fill_from_environment(parameters: &mut Parameters, environment: &dyn Fn(&str) -> Option<String>) {
    const VARIABLES: [(&str, &str); 13] = [
        ("host", "PGHOST"),
        ("hostaddr", "PGHOSTADDR"),
        ("port", "PGPORT"),
        ("user", "PGUSER"),
        ("user", "USER"),
        ("password", "PGPASSWORD"),
        ("passfile", "PGPASSFILE"),
        ("dbname", "PGDATABASE"),
        ("sslmode", "PGSSLMODE"),
        ("sslrootcert", "PGSSLROOTCERT"),
        ("options", "PGOPTIONS"),
        ("connect_timeout", "PGCONNECT_TIMEOUT"),
        ("channel_binding", "PGCHANNELBINDING"),
    ];
    // An address belongs to the host it was set for: it must not redirect a host that the text names.
    let own_host = parameters.contains_key("host");
    for (name, variable) in VARIABLES.iter().filter(|(name, _)| *name != "hostaddr" || !own_host) {
        if let Some(value) = environment(variable).filter(|value| !value.is_empty()) {
            parameters.entry((*name).to_owned()).or_insert(value);
        }
    }
    // A connection to a place that does not answer must not hang for the minutes, and one that has died not for the hours,
    // that the operating system allows.
    for (name, value) in [
        ("user", "postgres"),
        ("connect_timeout", "30"),
        ("keepalives_idle", "60"),
        ("keepalives_interval", "10"),
        ("keepalives_retries", "6"),
    ] {
        parameters.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    let host = parameters.get("hostaddr").map_or("/var/run/postgresql", String::as_str).to_owned();
    parameters.entry("host".to_owned()).or_insert(host);
}

/// Lets the driver read the values, each quoted.
fn config(parameters: &Parameters) -> Result<Config, SettingsError> {
    let quote = |value: &str| value.replace('\\', "\\\\").replace('\'', "\\'");
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}='{}'", quote(value))).collect();
    let malformed = |problem: String| SettingsError::Malformed { problem };
    let config: Config = pairs.join(" ").parse().map_err(|error: tokio_postgres::Error| {
        // The driver names the parameter. A name that is none may be a piece of a password.
        let odd_name = |name: &String| !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        malformed(cause.filter(|_| !parameters.keys().any(odd_name)).unwrap_or_else(|| "invalid".to_owned()))
    })?;
    let most = [config.get_hosts().len(), config.get_hostaddrs().len(), config.get_ports().len()];
    if most.iter().any(|count| *count > 1) {
        // Each connection could reach another one of them.
        return Err(malformed("it names several servers where one is needed".to_owned()));
    }
    Ok(config)
}

/// libpq accepts modes that encrypt without knowing to whom; here every remote connection is verified in full.
fn tls_mode(config: &Config, mode: Option<&str>) -> Result<TlsMode, SettingsError> {
    let mode = mode.unwrap_or_default();
    if !["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"].contains(&mode) {
        return Err(SettingsError::Value { setting: "sslmode", value: mode.to_owned() });
    }
    let host = config.get_hosts().first();
    // Where `hostaddr` is given, that is where the data goes, whatever `host` says.
    let (socket, loopback, place) = match (config.get_hostaddrs().first(), host) {
        (Some(address), _) => (false, address.is_loopback(), address.to_string()),
        (None, Some(Host::Tcp(name))) => (false, is_loopback(name), name.clone()),
        (None, Some(Host::Unix(_)) | None) => (true, false, String::new()),
    };
    match mode {
        _ if socket => Ok(TlsMode::Local),
        "" | "disable" | "allow" | "prefer" if loopback => Ok(TlsMode::Local),
        "disable" | "allow" | "prefer" => {
            Err(SettingsError::Unprotected { mode: mode.to_owned(), host: place })
        }
        _ => Ok(TlsMode::VerifyFull),
    }
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
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
