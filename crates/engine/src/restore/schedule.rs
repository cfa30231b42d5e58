//! What a connection does next: load a chunk, or build an index of a table that is whole. No I/O.
//!
//! The largest tables are loaded first, so that their indexes, the longest work that cannot be divided, can begin early.
//! Each connection takes a table of its own as long as there is one: connections that fill one table wait for each other
//! whenever its file has to grow. While chunks are left, one connection at least goes on loading.

use std::collections::{BTreeMap, VecDeque};

use lethe_format::ids::Oid;

/// A chunk to be loaded knows its table.
pub(super) trait OfTable {
    fn table(&self) -> Oid;
}

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Task<L, I> {
    Load(L),
    /// With the number of connections that have nothing to do meanwhile: their processors may help.
    Build(I, usize),
}

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next<L, I> {
    Task(Task<L, I>),
    /// Nothing can be done before another connection has come further.
    Wait,
    Done,
}

/// An index, a key or statistics to be built.
pub(super) trait OnTable {
    /// The table that must be whole; none if nothing has to be waited for.
    fn table(&self) -> Option<Oid>;
    /// True if the server lets nothing else be built on the table meanwhile: `ALTER TABLE … ADD CONSTRAINT` locks it
    /// against `CREATE INDEX`, and a connection that waits for a lock does no work.
    fn is_exclusive(&self) -> bool;
}

#[derive(Debug)]
pub(super) struct Schedule<L, I> {
    /// Chunks of each table, the largest table first.
    loads: Vec<TableLoads<L>>,
    /// In the order in which they are built.
    indexes: VecDeque<I>,
    /// What is being built on each table: how many, and whether one of them is exclusive.
    busy: BTreeMap<Oid, (usize, bool)>,
    /// Chunks of each table that are not loaded yet.
    left: BTreeMap<Oid, usize>,
    building: usize,
    jobs: usize,
}

#[derive(Debug)]
struct TableLoads<L> {
    table: Oid,
    due: VecDeque<L>,
    /// Chunks that are on their way.
    active: usize,
}

impl<L: OfTable, I: OnTable> Schedule<L, I> {
    pub(super) fn new(
        jobs: usize,
        loads: impl IntoIterator<Item = L>,
        indexes: impl IntoIterator<Item = I>,
    ) -> Self {
        let mut tables: Vec<TableLoads<L>> = Vec::new();
        let mut left = BTreeMap::new();
        for load in loads {
            let table = load.table();
            *left.entry(table).or_insert(0) += 1;
            match tables.last_mut().filter(|last| last.table == table) {
                Some(last) => last.due.push_back(load),
                None => tables.push(TableLoads { table, due: VecDeque::from([load]), active: 0 }),
            }
        }
        let loads = tables;
        Self { loads, indexes: indexes.into_iter().collect(), busy: BTreeMap::new(), left, building: 0, jobs }
    }

    pub(super) fn next(&mut self) -> Next<L, I> {
        let one_must_load =
            self.loads.iter().any(|table| !table.due.is_empty()) && self.building + 1 >= self.jobs;
        if !one_must_load && let Some(index) = self.next_index() {
            self.building += 1;
            return Next::Task(Task::Build(index, self.idle_connections()));
        }
        match self.pop_load(None) {
            Some(load) => Next::Task(Task::Load(load)),
            None if self.indexes.is_empty() => Next::Done,
            None => Next::Wait,
        }
    }

    /// The next chunk for a connection that is loading this table, unless an index comes first.
    pub(super) fn next_load(&mut self, table: Oid) -> Option<L> {
        let index_comes_first = self.building + 1 < self.jobs && self.ready_index().is_some();
        if index_comes_first { None } else { self.pop_load(Some(table)) }
    }

    /// Of the table that the connection is at, or else of the one that the fewest are at.
    fn pop_load(&mut self, at: Option<Oid>) -> Option<L> {
        let with_chunks = self.loads.iter_mut().filter(|table| !table.due.is_empty());
        let chosen = with_chunks.min_by_key(|table| (Some(table.table) != at, table.active))?;
        chosen.active += 1;
        chosen.due.pop_front()
    }

    /// A chunk of this table is loaded.
    pub(super) fn loaded(&mut self, table: &Oid) {
        if let Some(left) = self.left.get_mut(table) {
            *left = left.saturating_sub(1);
        }
        if let Some(loads) = self.loads.iter_mut().find(|loads| loads.table == *table) {
            loads.active = loads.active.saturating_sub(1);
        }
    }

    /// This index is built.
    pub(super) fn built(&mut self, index: &I) {
        self.building = self.building.saturating_sub(1);
        if let Some((count, exclusive)) = index.table().and_then(|table| self.busy.get_mut(&table)) {
            *count = count.saturating_sub(1);
            *exclusive &= *count > 0;
        }
    }

    /// Connections for which nothing is left that could be begun now.
    fn idle_connections(&self) -> usize {
        let due = self.loads.iter().any(|table| !table.due.is_empty()) || self.ready_index().is_some();
        let loading: usize = self.loads.iter().map(|table| table.active).sum();
        if due { 0 } else { self.jobs.saturating_sub(self.building).saturating_sub(loading) }
    }

    fn ready_index(&self) -> Option<usize> {
        self.indexes.iter().position(|index| {
            let Some(table) = index.table() else { return true };
            let is_whole = self.left.get(&table).copied().unwrap_or(0) == 0;
            let (count, exclusive) = self.busy.get(&table).copied().unwrap_or_default();
            is_whole && !exclusive && (count == 0 || !index.is_exclusive())
        })
    }

    fn next_index(&mut self) -> Option<I> {
        let index = self.ready_index().and_then(|place| self.indexes.remove(place))?;
        if let Some(table) = index.table() {
            let (count, exclusive) = self.busy.entry(table).or_default();
            *count += 1;
            *exclusive = index.is_exclusive();
        }
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl OfTable for (Oid, u32) {
        fn table(&self) -> Oid {
            self.0
        }
    }

    type Index = (Option<Oid>, &'static str);

    impl OnTable for Index {
        fn table(&self) -> Option<Oid> {
            self.0
        }

        fn is_exclusive(&self) -> bool {
            self.1.ends_with("key")
        }
    }

    fn schedule(jobs: usize) -> Schedule<(Oid, u32), Index> {
        Schedule::new(jobs, [(1, 0), (1, 1), (2, 0)], [(Some(1), "one"), (Some(2), "two"), (None, "view")])
    }

    #[test]
    fn one_connection_loads_everything_first() {
        let mut schedule = schedule(1);
        for expected in [(1, 0), (1, 1), (2, 0)] {
            assert_eq!(schedule.next(), Next::Task(Task::Load(expected)));
            schedule.loaded(&expected.0);
        }
        for expected in [(Some(1), "one"), (Some(2), "two"), (None, "view")] {
            assert_eq!(schedule.next(), Next::Task(Task::Build(expected, 0)));
            schedule.built(&expected);
        }
        assert_eq!(schedule.next(), Next::Done);
    }

    #[test]
    fn indexes_begin_when_their_table_is_whole_and_one_connection_goes_on_loading() {
        let mut schedule = schedule(2);
        assert_eq!(schedule.next(), Next::Task(Task::Build((None, "view"), 0)));
        assert_eq!(schedule.next(), Next::Task(Task::Load((1, 0))), "one goes on loading");
        schedule.built(&(None, "view"));
        assert_eq!(schedule.next(), Next::Task(Task::Load((2, 0))), "a table of its own");
        schedule.loaded(&2);
        assert_eq!(schedule.next(), Next::Task(Task::Build((Some(2), "two"), 0)));
        assert_eq!(schedule.next_load(1), Some((1, 1)), "one goes on loading");
        schedule.loaded(&1);
        assert_eq!(schedule.next(), Next::Wait, "table 1 is not whole yet");
        schedule.loaded(&1);
        schedule.built(&(Some(2), "two"));
        assert_eq!(schedule.next(), Next::Task(Task::Build((Some(1), "one"), 1)), "the other one is idle");
        assert_eq!(schedule.next(), Next::Done);
    }

    #[test]
    fn connections_take_a_table_each_and_share_one_only_when_no_other_is_left() {
        let loads = [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)];
        let mut schedule: Schedule<(Oid, u32), Index> = Schedule::new(2, loads, []);
        assert_eq!(schedule.next(), Next::Task(Task::Load((1, 0))));
        assert_eq!(schedule.next(), Next::Task(Task::Load((2, 0))));
        assert_eq!(schedule.next_load(1), Some((1, 1)));
        assert_eq!(schedule.next_load(2), Some((2, 1)));
        assert_eq!(schedule.next_load(2), Some((1, 2)), "nothing is left of table 2");
        assert_eq!(schedule.next_load(1), Some((1, 3)));
        assert_eq!(schedule.next_load(1), None);
    }

    #[test]
    fn nothing_waits_for_a_lock_that_another_connection_holds() {
        let indexes: [Index; 4] = [(Some(1), "key"), (Some(1), "b"), (Some(1), "c"), (Some(2), "key")];
        let mut schedule: Schedule<(Oid, u32), Index> = Schedule::new(3, [], indexes);
        assert_eq!(schedule.next(), Next::Task(Task::Build(indexes[0], 0)));
        assert_eq!(schedule.next(), Next::Task(Task::Build(indexes[3], 1)), "another table's");
        assert_eq!(schedule.next(), Next::Wait);
        schedule.built(&indexes[0]);
        assert_eq!(schedule.next(), Next::Task(Task::Build(indexes[1], 0)));
        assert_eq!(schedule.next(), Next::Task(Task::Build(indexes[2], 0)), "side by side");
        assert_eq!(schedule.next(), Next::Done);
    }
}
