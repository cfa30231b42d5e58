//! One server with a source database, a repository in a temporary directory, and the flows as a test calls them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lethe_engine::ledger::{self, Freshness, LastSeen, NewEntry};
use lethe_engine::progress::Progress;
use lethe_engine::prune::{self, PruneOptions, PrunePlan, Receipt};
use lethe_engine::restore::{self, RestoreOptions, RestoreReport, Wanted};
use lethe_engine::snapshot::{self, SnapshotOptions, SnapshotStats};
use lethe_engine::{Error, Identities, Keys, NamingKey, Repository};
use lethe_format::catalog::QualifiedName;
use lethe_format::ids::SnapshotId;
use lethe_format::ledger::{Head, Keys as TombstoneKeys, Kind, SubjectRef};
use lethe_format::reference::Reference;
use lethe_postgres::ConnectionSettings;
use lethe_rules::anonymise::Anonymise;
use lethe_rules::target_label::TargetLabel;
use lethe_store::{DirectoryStore, ObjectStore};
use lethe_testkit::pg::PgServer;
use tempfile::TempDir;

#[derive(Debug)]
pub struct World {
    pub server: PgServer,
    pub folder: Arc<TempDir>,
    pub repository: Repository,
}

impl World {
    /// A server of the first listed version with an empty database `source`.
    pub async fn new() -> Self {
        Self::on(PgServer::start(lethe_testkit::pg::bin_dir())).await
    }

    pub async fn on(server: PgServer) -> Self {
        server.create_database("source");
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let store = DirectoryStore::open(folder.path().join("store")).expect("a store");
        let repository = Self::repository(Arc::new(store)).await;
        Self { server, folder, repository }
    }

    /// A new repository with all its keys at hand.
    pub async fn repository(store: Arc<dyn ObjectStore>) -> Repository {
        Self::try_repository(store.clone(), store).await.expect("create")
    }

    /// The same with a store for the ledger.
    pub async fn try_repository(
        store: Arc<dyn ObjectStore>,
        ledger: Arc<dyn ObjectStore>,
    ) -> Result<Repository, Error> {
        let identities = Identities::generate();
        let naming_key = NamingKey::from_bytes(rand::random());
        let (recipients, now) = (identities.recipients(), Timestamp::now());
        let (data, own) = (store.clone(), ledger.clone());
        Repository::create_with_ledger(data, own, recipients, &naming_key, now).await?;
        let keys = Keys { identities: Some(identities), naming_key: None };
        Repository::open_with_ledger(store, ledger, &keys).await
    }

    pub fn settings(server: &PgServer, database: &str) -> ConnectionSettings {
        ConnectionSettings::parse(&server.url(database), &|_| None).expect("settings")
    }

    pub async fn snapshot(&self) -> Result<SnapshotStats, Error> {
        self.snapshot_as(Vec::new(), Timestamp::now()).await
    }

    /// With the references of the settings.
    pub async fn snapshot_with(&self, references: Vec<Reference>) -> Result<SnapshotStats, Error> {
        self.snapshot_as(references, Timestamp::now()).await
    }

    /// At another time than this machine's.
    pub async fn snapshot_at(&self, now: Timestamp) -> Result<SnapshotStats, Error> {
        self.snapshot_as(Vec::new(), now).await
    }

    async fn snapshot_as(&self, references: Vec<Reference>, now: Timestamp) -> Result<SnapshotStats, Error> {
        let pg_bin = Some(self.server.bin().to_owned());
        let options = SnapshotOptions {
            jobs: 3,
            level: 1,
            pg_bin,
            references,
            large_object_columns: Vec::new(),
            classification: None,
        };
        let source = Self::settings(&self.server, "source");
        snapshot::take_at(&self.repository, &source, &options, &Progress::default(), now).await
    }

    /// What a pruner would do now.
    pub async fn prune_plan(&self) -> Result<PrunePlan, Error> {
        prune::plan(&self.repository, &PruneOptions::default(), Timestamp::now()).await
    }

    /// Does it.
    pub async fn prune(&self, plan: &PrunePlan) -> Result<Receipt, Error> {
        let (options, last_seen) = (PruneOptions::default(), self.last_seen());
        let done = prune::carry_out(&self.repository, plan, &options, &last_seen, Timestamp::now()).await?;
        Ok(done.1)
    }

    /// Puts keys in text form on the ledger; a single integer column's as integers.
    pub async fn erase(&self, schema: &str, table: &str, columns: Option<&[&str]>, keys: TombstoneKeys) {
        let subject = SubjectRef {
            name: None,
            table: QualifiedName::new(schema, table),
            columns: columns.map(|columns| columns.iter().map(|column| (*column).to_owned()).collect()),
        };
        let entry = NewEntry::about(Kind::Erased, subject, keys);
        self.append(entry).await;
    }

    pub async fn append(&self, entry: NewEntry) -> Head {
        let last_seen = self.last_seen();
        let appended = ledger::append(&self.repository, &last_seen, entry, None, Timestamp::now()).await;
        appended.expect("append").expect("nobody else has to be last")
    }

    /// # Panics
    /// If there is none.
    pub async fn newest_snapshot(&self) -> SnapshotId {
        restore::list(&self.repository).await.expect("list").pop().expect("a snapshot").snapshot
    }

    /// What this host has seen of the ledger.
    pub fn last_seen(&self) -> LastSeen {
        LastSeen::new(&self.folder.path().join("state"), self.repository.id())
    }

    pub async fn erase_integers(&self, table: &str, ids: impl IntoIterator<Item = i64>) {
        let keys = TombstoneKeys::Integers(ids.into_iter().map(i64::cast_unsigned).collect());
        self.erase("public", table, None, keys).await;
    }

    /// Creates `database` on the server and restores the newest snapshot into it.
    pub async fn restore(&self, server: &PgServer, database: &str) -> Result<RestoreReport, Error> {
        server.create_database(database);
        self.restore_into(server, database).await
    }

    pub async fn restore_into(&self, server: &PgServer, database: &str) -> Result<RestoreReport, Error> {
        self.restore_with(server, database, Self::options()).await
    }

    pub async fn restore_with(
        &self,
        server: &PgServer,
        database: &str,
        options: RestoreOptions,
    ) -> Result<RestoreReport, Error> {
        self.restore_observed(server, database, options, &Progress::default()).await
    }

    pub async fn restore_observed(
        &self,
        server: &PgServer,
        database: &str,
        options: RestoreOptions,
        progress: &Progress,
    ) -> Result<RestoreReport, Error> {
        let prepared = restore::prepare(
            &self.repository,
            &Self::settings(server, database),
            options,
            self.last_seen(),
            progress,
        )
        .await?;
        prepared.run(progress).await
    }

    pub fn options() -> RestoreOptions {
        RestoreOptions {
            snapshot: Wanted::Latest,
            label: Some(TargetLabel::production()),
            server_label: None,
            jobs: 3,
            memory: 256 << 20,
            no_owner: false,
            no_acl: false,
            role: None,
            only: Vec::new(),
            large_object_columns: Vec::new(),
            unreferenced_large_objects: false,
            references: Vec::new(),
            classification: None,
            not_personal: Vec::new(),
            anonymise: Anonymise::default(),
            freshness: Freshness::default(),
            max_capture_lag: Duration::from_secs(900),
            request: None,
            acknowledged: Vec::new(),
            subjects: Vec::new(),
            patience: Duration::from_secs(60),
            read_back_all: false,
        }
    }
}
