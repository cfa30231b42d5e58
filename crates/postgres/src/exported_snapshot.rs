use lethe_format::catalog::QualifiedName;

use crate::{ConnectionSettings, Error, Purpose, Server};

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
    pub async fn worker(&self) -> Result<Server, Error> {
        let worker = Server::connect(self.leader.settings(), Purpose::Snapshot).await?;
        let sql = format!(
            "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{}'",
            self.id
        );
        worker.run(&sql, "join the exported snapshot of", self.leader.settings()).await?;
        Ok(worker)
    }

    /// Keeps tables from being dropped, truncated or rewritten while they are read (`ACCESS SHARE`).
    ///
    /// # Errors
    /// If a table is gone already, or may not be read.
    pub async fn lock(&self, tables: impl IntoIterator<Item = &QualifiedName>) -> Result<(), Error> {
        for table in tables {
            let sql = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", table.sql());
            self.leader.run(&sql, "lock", table).await?;
        }
        Ok(())
    }
}
