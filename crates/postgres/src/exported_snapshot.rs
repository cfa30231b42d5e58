use lethe_format::catalog::QualifiedName;
use lethe_format::ids::Oid;

use crate::{ConnectionSettings, Error, Purpose, Server};

/// How long a worker waits for a table that the leader holds already. It has to wait only if somebody queued for an
/// exclusive lock in between. That somebody waits for the leader, and the leader for the worker, which PostgreSQL
/// cannot see; meanwhile the whole application queues up behind them.
pub(crate) const LOCK_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// One consistent view of the database that several connections share (`pg_export_snapshot`).
///
/// The view lives as long as the leader's transaction: if its connection ends, workers can no longer join, and those
/// that have joined keep theirs.
#[derive(Debug)]
pub struct ExportedSnapshot {
    leader: Server,
    id: String,
}

impl ExportedSnapshot {
    pub async fn open(settings: &ConnectionSettings) -> Result<Self, Error> {
        let leader = Server::connect(settings, Purpose::Snapshot).await?;
        leader
            .run(
                "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                "begin a transaction on",
                settings,
            )
            .await?;
        let failed = Error::server("export a snapshot from", settings);
        let row = leader.client().query_one("SELECT pg_export_snapshot()", &[]).await.map_err(failed)?;
        Ok(Self { leader, id: row.get(0) })
    }

    #[must_use]
    pub fn leader(&self) -> &Server {
        &self.leader
    }

    /// The name that `pg_dump --snapshot` and `SET TRANSACTION SNAPSHOT` take.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A further connection with the same view.
    ///
    /// # Errors
    /// [`Error::LostSnapshot`] if the leader's transaction has ended. A statement of the worker that has to wait for a
    /// lock fails after ten seconds with SQLSTATE 55P03.
    pub async fn worker(&self) -> Result<Server, Error> {
        self.check().await?;
        let worker = Server::connect(self.leader.settings(), Purpose::Snapshot).await?;
        let sql = format!(
            "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}';
             SET LOCAL lock_timeout = {}",
            self.id,
            LOCK_WAIT.as_millis()
        );
        let joined = worker.run(&sql, "join the exported snapshot of", self.leader.settings()).await;
        if joined.is_err() {
            self.check().await?;
        }
        joined.map(|()| worker)
    }

    /// Asks whether the leader still holds the view and the locks.
    ///
    /// Rows that workers copied are complete only if this succeeds after the last of them: without the leader's
    /// locks a table could have been truncated or rewritten, and then it is empty in older views.
    ///
    /// # Errors
    /// [`Error::LostSnapshot`] if not.
    pub async fn check(&self) -> Result<(), Error> {
        // Outside a transaction, and in one that failed, this statement is an error.
        let alive =
            self.leader.client().batch_execute("SAVEPOINT lethe_alive; RELEASE SAVEPOINT lethe_alive");
        alive.await.map_err(|_| Error::LostSnapshot { server: self.leader.settings().to_string() })
    }

    /// Keeps tables from being dropped, truncated or rewritten while they are read (`ACCESS SHARE`).
    ///
    /// # Errors
    /// If a table is gone already, or may not be read; if it was truncated or rewritten since the view was opened:
    /// then the view sees it empty, whatever it held.
    pub async fn lock(&self, tables: impl IntoIterator<Item = &QualifiedName>) -> Result<(), Error> {
        for table in tables {
            let sql = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", table.sql());
            self.leader.run(&sql, "lock", table).await?;
        }
        self.refuse_rewritten().await
    }

    /// `pg_class` is read as of the view, `pg_relation_filenode` as of now.
    async fn refuse_rewritten(&self) -> Result<(), Error> {
        const QUERY: &str = "
            SELECT n.nspname::text, c.relname::text
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = c.oid AND l.pid = pg_backend_pid()
                           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            WHERE c.relkind = 'r' AND c.oid >= $1 AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)
            LIMIT 1";
        let settings = self.leader.settings();
        let first_of_user: Oid = lethe_format::catalog::FIRST_NORMAL_OID;
        let failed = Error::server("look for rewritten tables in", settings);
        let row = self.leader.client().query_opt(QUERY, &[&first_of_user]).await.map_err(failed)?;
        let Some(row) = row else { return Ok(()) };
        let table = QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1));
        Err(Error::Rewritten { table: table.to_string() })
    }
}
