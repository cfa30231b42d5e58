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
    /// Bytes that one build may take: each connection's share of what the server has as buffers, within 64 and 256 MB, or
    /// more if the server's own setting says so.
    limit: u64,
    now: Option<Build>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Build {
    helpers: usize,
    memory: u64,
}

impl Builds {
    pub(super) async fn prepare(server: &Server, jobs: usize) -> Result<Self, Error> {
        let sql = format!(
            "SELECT greatest(pg_size_bytes(current_setting('maintenance_work_mem')),
                    least(256 << 20, greatest(64 << 20, pg_size_bytes(current_setting('shared_buffers')) / {jobs}))),
                    current_setting('max_parallel_maintenance_workers')::int8"
        );
        let rows = query(server, &sql).await?;
        let number = |column| rows.first().map_or(0, |row| row.get::<_, i64>(column));
        let most = usize::try_from(number(1)).unwrap_or(0);
        let limit = u64::try_from(number(0)).unwrap_or(0);
        Ok(Self { most, beside_others: beside_others(server, jobs), limit, now: None })
    }

    /// Lets this many idle connections' processors help with the next build. `sorted`: the bytes that it sorts, if it is one
    /// that sorts; others (hash joins, GIN) gain from all the memory that there is.
    pub(super) async fn begin(
        &mut self,
        server: &Server,
        idle: usize,
        sorted: Option<u64>,
    ) -> Result<(), Error> {
        let helpers = self.beside_others.saturating_add(idle).min(self.most);
        let memory = sorted.map_or(self.limit, |bytes| sort_memory(bytes, helpers).min(self.limit));
        let build = Build { helpers, memory };
        if self.now != Some(build) {
            let sql = format!(
                "SET max_parallel_maintenance_workers = {helpers}; SET maintenance_work_mem = '{}kB'",
                memory / 1024
            );
            server.run(&sql, "prepare the session of", "the target").await?;
            self.now = Some(build);
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

/// Memory for a sort. Little of it stays in the processor's caches, and sorts sooner than much, as long as all that was
/// sorted piecewise can be merged at once: PostgreSQL merges a piece for each 33 blocks of memory, at most 500
/// (`MERGE_BUFFER_SIZE`, `TAPE_BUFFER_OVERHEAD` and `MAXORDER` in `tuplesort.c`). It shares the memory out among the
/// helpers, and takes none that would get less than 32 MB (`plan_create_index_workers`).
fn sort_memory(bytes: u64, helpers: usize) -> u64 {
    const LITTLE: u64 = 64 << 20;
    const OF_A_PIECE: u64 = 33 * 8192;
    const PIECES: u64 = 500;
    let merged_at_once = bytes.saturating_mul(OF_A_PIECE).isqrt().max(bytes / PIECES);
    let for_helpers = (helpers as u64 + 1).saturating_mul(LITTLE / 2);
    LITTLE.max(for_helpers).max(merged_at_once)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sort_gets_little_memory_unless_it_could_not_be_merged_at_once() {
        let (mega, giga) = (1 << 20, 1 << 30);
        assert_eq!(sort_memory(0, 0), 64 * mega);
        assert_eq!(sort_memory(10 * giga, 0), 64 * mega);
        assert_eq!(sort_memory(10 * giga, 3), 128 * mega);
        for size in [20, 100, 1000].map(|size| size * giga) {
            let memory = sort_memory(size, 0);
            let pieces = size.div_ceil(memory);
            assert!(pieces <= 501 && pieces * 33 * 8192 <= memory + 33 * 8192, "{size}: {memory}");
        }
        assert_eq!(sort_memory(u64::MAX, 0), u64::MAX / 500, "no overflow");
    }
}
