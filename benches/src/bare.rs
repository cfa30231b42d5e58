//! The bare limit: the same rows as binary COPY from memory, then the same indexes, over as many connections. No store,
//! no filter, no foreign keys: what the server alone needs until applications could connect.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Command;
use std::sync::{Condvar, Mutex};

use lethe_testkit::pg::PgServer;
use tempfile::TempDir;

/// Tables and indexes of `source`, the rows in `/dev/shm`, outside the server's own caches.
pub(crate) struct Bare {
    folder: TempDir,
    /// Largest first, each with its indexes.
    tables: Vec<Table>,
    pre_data: String,
}

#[derive(Clone, Debug)]
struct Table {
    name: String,
    indexes: Vec<String>,
}

impl Bare {
    pub(crate) fn prepare(server: &PgServer) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
        let names = server.sql(
            "source",
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_table_size(oid) DESC",
        );
        let tables =
            names.lines().map(|name| Table { name: name.to_owned(), indexes: indexes(server, name) });
        let bare = Self {
            tables: tables.collect(),
            pre_data: String::from_utf8(server.run_tool("pg_dump", &["--section=pre-data", "source"]))
                .expect("UTF-8"),
            folder,
        };
        for table in &bare.tables {
            psql(server, "source", &format!("\\copy {} to '{}' binary", table.name, bare.file(&table.name)));
        }
        bare
    }

    /// Loads everything into the empty database.
    pub(crate) fn load(&self, server: &PgServer, database: &str, jobs: usize) {
        server.sql(database, &self.pre_data);
        // As Lethe does: with as many connections as processors, an index build's helpers would only take turns.
        let helpers = if jobs < std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            "DEFAULT"
        } else {
            "0"
        };
        server.sql("postgres", &format!("ALTER DATABASE {database} SET max_parallel_maintenance_workers = {helpers}; ALTER DATABASE {database} SET synchronous_commit = off"));
        let work = Work::new(self.tables.clone());
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(task) = work.next() {
                        match task {
                            Task::Copy(table) => {
                                psql(
                                    server,
                                    database,
                                    &format!(
                                        "\\copy {} from '{}' binary",
                                        table.name,
                                        self.file(&table.name)
                                    ),
                                );
                                work.loaded(table);
                            }
                            Task::Index(sql) => psql(server, database, &sql),
                        }
                    }
                });
            }
        });
    }

    fn file(&self, table: &str) -> String {
        Path::new(self.folder.path()).join(table).display().to_string()
    }
}

/// Primary keys as constraints, as `pg_dump` writes them, and the other indexes.
fn indexes(server: &PgServer, table: &str) -> Vec<String> {
    let definitions = server.sql(
        "source",
        &format!(
            "SELECT coalesce('ALTER TABLE ' || indrelid::regclass || ' ADD ' || pg_get_constraintdef(pg_constraint.oid), pg_get_indexdef(indexrelid)) FROM pg_index LEFT JOIN pg_constraint ON conindid = indexrelid AND contype = 'p' WHERE indrelid = '{table}'::regclass ORDER BY indexrelid"
        ),
    );
    definitions.lines().map(str::to_owned).collect()
}

/// What is to be done, shared by the connections: tables first, largest first; indexes as soon as their table is there.
struct Work {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    tables: VecDeque<Table>,
    indexes: VecDeque<String>,
    loading: usize,
}

enum Task {
    Copy(Table),
    Index(String),
}

impl Work {
    fn new(tables: Vec<Table>) -> Self {
        let state = State { tables: tables.into(), indexes: VecDeque::new(), loading: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn next(&self) -> Option<Task> {
        let mut state = self.state.lock().expect("no panic before");
        loop {
            if let Some(table) = state.tables.pop_front() {
                state.loading += 1;
                return Some(Task::Copy(table));
            }
            if let Some(index) = state.indexes.pop_front() {
                return Some(Task::Index(index));
            }
            if state.loading == 0 {
                return None;
            }
            state = self.changed.wait(state).expect("no panic before");
        }
    }

    fn loaded(&self, table: Table) {
        let mut state = self.state.lock().expect("no panic before");
        state.loading -= 1;
        state.indexes.extend(table.indexes);
        self.changed.notify_all();
    }
}

fn psql(server: &PgServer, database: &str, command: &str) {
    let mut psql = Command::new(server.bin().join("psql"));
    let status =
        psql.args(["-Xq", "-v", "ON_ERROR_STOP=1", "-d", &server.url(database), "-c", command]).status();
    assert!(status.expect("start psql").success(), "{command}");
}
