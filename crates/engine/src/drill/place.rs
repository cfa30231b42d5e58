//! Where a drill restores to, made for it and removed after it; and what killed drills have left of theirs.
//!
//! Both kinds are known by their names alone ([`DrillName`]), which nobody without the naming key can have made: there is no
//! moment at which something is there and not marked. That its maker is gone is known by a lock: on a file beside the
//! server's folder, or an advisory one on the connection through which the database was created.

use std::path::PathBuf;

use lethe_format::manifest::{Manifest, Source};
use lethe_format::sql::{quote_ident, quote_literal};
use lethe_postgres::private_server::{Place, PrivateServer, leftovers};
use lethe_postgres::{ConnectionSettings, Purpose, Server};
use lethe_rules::drill::name::DrillName;

use super::Where;
use crate::restore::{RestoreOptions, query};
use crate::{Error, NamingKey};

/// Where something can be made.
#[derive(Debug)]
pub(super) enum Ground {
    Host { place: Place, pg_bin: Option<PathBuf>, path: Option<String>, key: NamingKey },
    Server { server: Box<Server>, key: NamingKey },
}

/// What was made.
#[derive(Debug)]
pub(super) enum Made {
    Server {
        server: Box<PrivateServer>,
        database: String,
    },
    /// `server` holds the lock that says that this drill is alive.
    Database {
        server: Box<Server>,
        name: DrillName,
    },
}

fn local(path: &str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |cause| Error::LocalFile { path, cause }
}

impl Ground {
    pub(super) async fn new(place: &Where, key: &NamingKey) -> Result<Self, Error> {
        let key = key.clone();
        Ok(match place {
            Where::Own { work_dir, pg_bin, path } => {
                let place = Place::new(work_dir)?;
                Self::Host { place, pg_bin: pg_bin.clone(), path: path.clone(), key }
            }
            Where::Into(settings) => {
                Self::Server { server: Box::new(Server::connect(settings, Purpose::Drill).await?), key }
            }
        })
    }

    pub(super) async fn remove_leftovers(&self) -> Result<Vec<String>, Error> {
        match self {
            Self::Host { place, key, .. } => {
                let (place, key) = (place.clone(), key.clone());
                let remove = move || {
                    leftovers::remove(&place, &|name| DrillName::recognise(name, key.as_bytes()).is_some())
                };
                let removed = tokio::task::spawn_blocking(remove).await;
                removed
                    .map_err(|cause| Error::Worker(cause.to_string()))?
                    .map_err(local("a killed drill's folder"))
            }
            Self::Server { server, key } => {
                let rows = query(server, "SELECT datname::text FROM pg_database WHERE starts_with(datname, 'lethe_drill_') ORDER BY 1").await?;
                let names = rows.iter().map(|row| row.get::<_, String>(0));
                let mut removed = Vec::new();
                for name in names.filter_map(|name| DrillName::recognise(&name, key.as_bytes())) {
                    if try_lock(server, &name).await? {
                        drop_database(server, &name).await?;
                        removed.push(name.to_string());
                    }
                }
                Ok(removed)
            }
        }
    }

    pub(super) async fn make(self, manifest: &Manifest) -> Result<Made, Error> {
        let major = manifest.source.server_version / 10_000;
        match self {
            Self::Host { place, pg_bin, path, key } => {
                let name = DrillName::new(rand::random(), key.as_bytes());
                let server =
                    PrivateServer::start(&place, name.as_str(), major, pg_bin.as_deref(), path.as_deref())
                        .await?;
                let main = Server::connect(&server.settings("postgres")?, Purpose::Drill).await?;
                create_roles(&main, &manifest.roles).await?;
                create_tablespaces(&main, &server, &manifest.tablespaces).await?;
                let database = name.to_string();
                create_database(&main, &database, &manifest.source, server.version().0).await?;
                Ok(Made::Server { server: Box::new(server), database })
            }
            Self::Server { server, key } => {
                let name = DrillName::new(rand::random(), key.as_bytes());
                if !try_lock(&server, &name).await? {
                    return Err(Error::Worker(format!("{name} is in use")));
                }
                let rows =
                    query(&server, "SELECT current_setting('server_version_num')::int4 / 10000").await?;
                let version = rows.first().map_or(0, |row| row.get::<_, i32>(0)).unsigned_abs();
                create_database(&server, name.as_str(), &manifest.source, version).await?;
                Ok(Made::Database { server, name })
            }
        }
    }
}

impl Made {
    /// What it is, for people who read the evidence.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Server { server, .. } => {
                let (major, minor) = server.version();
                format!("a server of its own, PostgreSQL {major}.{minor}")
            }
            Self::Database { server, .. } => {
                format!("a database on {}:{}", server.settings().host(), server.settings().port())
            }
        }
    }

    pub(super) fn what(&self) -> String {
        match self {
            Self::Server { server, .. } => server.home().display().to_string(),
            Self::Database { name, .. } => format!("database {name}"),
        }
    }

    pub(super) fn settings(&self) -> Result<ConnectionSettings, Error> {
        Ok(match self {
            Self::Server { server, database } => server.settings(database)?,
            Self::Database { server, name } => server.settings().with_database(name.as_str()),
        })
    }

    /// A server that was named has roles of its own, and none are made there for a drill.
    pub(super) fn adapt(&self, options: &mut RestoreOptions) {
        if matches!(self, Self::Database { .. }) {
            (options.no_owner, options.no_acl) = (true, true);
        }
    }

    pub(super) async fn remove(self) -> Result<(), Error> {
        match self {
            Self::Server { server, .. } => Ok(server.remove().await?),
            Self::Database { server, name } => drop_database(&server, &name).await,
        }
    }
}

/// True if no other session of this server has it; then it is held until this session ends.
async fn try_lock(server: &Server, name: &DrillName) -> Result<bool, Error> {
    let sql = format!("SELECT pg_try_advisory_lock(hashtextextended({}, 0))", quote_literal(name.as_str()));
    Ok(query(server, &sql).await?.first().is_some_and(|row| row.get(0)))
}

/// Sessions of a runner that was killed may still be there for a moment; they are only its own, in a database that is only
/// its own.
async fn drop_database(server: &Server, name: &DrillName) -> Result<(), Error> {
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote_ident(name.as_str()));
    Ok(server.run(&sql, "drop", format!("database {name}")).await?)
}

/// Owners and grantees, who can do nothing here.
async fn create_roles(server: &Server, roles: &[String]) -> Result<(), Error> {
    let rows = query(server, "SELECT rolname::text FROM pg_roles").await?;
    let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for role in roles.iter().filter(|role| !role.is_empty() && !there.contains(role)) {
        server
            .run(&format!("CREATE ROLE {} NOLOGIN", quote_ident(role)), "create", format!("role {role}"))
            .await?;
    }
    Ok(())
}

async fn create_tablespaces(main: &Server, server: &PrivateServer, names: &[String]) -> Result<(), Error> {
    let rows = query(main, "SELECT spcname::text FROM pg_tablespace").await?;
    let there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for (number, name) in names.iter().filter(|name| !there.contains(name)).enumerate() {
        let folder = server.make_tablespace(number)?.display().to_string();
        let sql = format!("CREATE TABLESPACE {} LOCATION {}", quote_ident(name), quote_literal(&folder));
        main.run(&sql, "create", format!("tablespace {name}")).await?;
    }
    Ok(())
}

/// With the source's encoding and locale. What language an ICU collation has, no manifest says: `und` stands for it.
async fn create_database(server: &Server, name: &str, source: &Source, version: u32) -> Result<(), Error> {
    let provider = match source.locale_provider.as_str() {
        "i" if version >= 15 => " LOCALE_PROVIDER icu ICU_LOCALE 'und'",
        "b" if version >= 17 => " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'",
        _ => "",
    };
    let sql = format!(
        "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}{provider}",
        quote_ident(name),
        quote_literal(&source.encoding),
        quote_literal(&source.collate),
        quote_literal(&source.ctype)
    );
    Ok(server.run(&sql, "create", format!("database {name}")).await?)
}
