//! What building an index, or validating a foreign key, gets of the server: memory, and processors besides the
//! connection's own.

use lethe_postgres::Server;

use super::target::query;
use crate::Error;

/// Settings of one connection for its builds.
#[derive(Debug)]
pub(super) struct Builds {
    /// The server's own limit of helpers for one build.
    most: usize,
    /// Helpers while the other connections are busy as well.
    beside_others: usize,
    now: usize,
}

impl Builds {
    /// Each of the connections may sort in its share of what the server has as buffers, within 64 and 256 MB, and in more
    /// if the server's own setting says so.
    pub(super) async fn prepare(server: &Server, jobs: usize) -> Result<Self, Error> {
        let sql = format!(
            "SELECT set_config('maintenance_work_mem', greatest(pg_size_bytes(current_setting('maintenance_work_mem')),
                    least(256 << 20, greatest(64 << 20, pg_size_bytes(current_setting('shared_buffers')) / {jobs}))) / 1024 || 'kB', false),
                    current_setting('max_parallel_maintenance_workers')::int8"
        );
        let rows = query(server, &sql).await?;
        let most = rows.first().map_or(0, |row| row.get::<_, i64>(1));
        let most = usize::try_from(most).unwrap_or(0);
        Ok(Self { most, beside_others: beside_others(server, jobs), now: most })
    }

    /// Lets this many idle connections' processors help with the next build.
    pub(super) async fn set_helpers(&mut self, server: &Server, idle: usize) -> Result<(), Error> {
        let helpers = self.beside_others.saturating_add(idle).min(self.most);
        if helpers != self.now {
            let sql = format!("SET max_parallel_maintenance_workers = {helpers}");
            server.run(&sql, "prepare the session of", "the target").await?;
            self.now = helpers;
        }
        Ok(())
    }
}

/// One helper each, unless the server is this machine and its processors are all taken: then helpers would only share
/// what there is, and building with them costs more in all.
fn beside_others(server: &Server, jobs: usize) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    usize::from(!server.settings().is_local() || processors > jobs)
}
