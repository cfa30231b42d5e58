use lethe_format::sql::quote_literal;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, NoTls, Socket};

use crate::settings::TlsMode;
use crate::{ConnectionSettings, Error, ServerError, tls};

/// What a connection is for: it stands in `pg_stat_activity`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    Snapshot,
    Restore,
    Capture,
    Drill,
}

impl Purpose {
    fn application_name(self) -> &'static str {
        match self {
            Self::Snapshot => "lethe snapshot",
            Self::Restore => "lethe restore",
            Self::Capture => "lethe capture",
            Self::Drill => "lethe drill",
        }
    }
}

/// Values in text form must read the same on every server, hidden rows must fail loudly instead of being left out,
/// no timeout of the application's role or database may end a long COPY, and a server whose client has gone notices it
/// within seconds, also in the middle of a statement: what it holds, the next run waits for.
const SESSION: &str = "
    SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET search_path = '';
    SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET lc_monetary = 'C';
    SET extra_float_digits = 3; SET bytea_output = 'hex'; SET xmloption = 'content';
    SET quote_all_identifiers = off; SET row_security = off; SET synchronize_seqscans = off;
    SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
    SET idle_session_timeout = 0; SET default_transaction_read_only = off; SET client_min_messages = 'warning';
    SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6;
    DO $$ BEGIN
        -- PostgreSQL 17 and later.
        IF current_setting('transaction_timeout', true) IS NOT NULL THEN SET transaction_timeout = 0; END IF;
        BEGIN
            SET client_connection_check_interval = '2s';
        EXCEPTION WHEN invalid_parameter_value THEN NULL; -- Not on every operating system.
        END;
    END $$";

/// One connection. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    client: Client,
    connection: JoinHandle<()>,
    settings: ConnectionSettings,
}

impl Server {
    /// # Errors
    /// [`Error::Connect`] or [`Error::Tls`]; the settings that are needed are set or the connection is not used.
    pub async fn connect(settings: &ConnectionSettings, purpose: Purpose) -> Result<Self, Error> {
        let mut config = settings.config().clone();
        config.application_name(purpose.application_name());
        let server = match settings.tls() {
            TlsMode::Local => Self::open(config.ssl_mode(SslMode::Disable), settings, NoTls).await?,
            TlsMode::VerifyFull => {
                Self::open(config.ssl_mode(SslMode::Require), settings, tls::connector(settings)?).await?
            }
        };
        server
            .client
            .batch_execute(SESSION)
            .await
            .map_err(Error::server("prepare the session of", settings))?;
        Ok(server)
    }

    async fn open<T>(
        config: &tokio_postgres::Config,
        settings: &ConnectionSettings,
        tls: T,
    ) -> Result<Self, Error>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let failed = |cause| Error::connect(settings, cause);
        let (client, connection) = config.connect(tls).await.map_err(failed)?;
        let connection = tokio::spawn(async move {
            // Whoever waits for an answer gets the error; here there is nobody to tell.
            if let Err(error) = connection.await {
                tracing::debug!(error = %ServerError::from(error), "the connection ended");
            }
        });
        Ok(Self { client, connection, settings: settings.clone() })
    }

    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    #[must_use]
    pub fn settings(&self) -> &ConnectionSettings {
        &self.settings
    }

    /// Takes an advisory lock of this name until the session ends. False if another session still has it after fifteen
    /// seconds: one that was killed just now holds its locks for a moment.
    pub async fn lock_for_session(&self, name: &str) -> Result<bool, Error> {
        let sql = format!(
            "SET lock_timeout = '15s'; SELECT pg_advisory_lock(hashtext({})); SET lock_timeout = 0",
            quote_literal(name)
        );
        match self.run(&sql, "lock", &self.settings).await {
            Ok(()) => Ok(true),
            Err(error) if error.code() == Some("55P03") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs statements without parameters. `stage` and `object` are for the error.
    pub async fn run(&self, sql: &str, stage: &'static str, object: impl ToString) -> Result<(), Error> {
        self.client.batch_execute(sql).await.map_err(Error::server(stage, object))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
