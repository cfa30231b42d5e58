//! What a connection does next: load a chunk, or build an index of a table that is whole. No I/O.
//!
//! The largest table is loaded first, by all connections, so that its indexes, the longest work that cannot be divided, can
//! begin early. While chunks are left, one connection at least goes on loading.

use std::collections::{BTreeMap, VecDeque};

use lethe_format::ids::Oid;

/// A chunk to be loaded knows its table.
pub(super) trait OfTable {
    fn table(&self) -> Oid;
}

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Task<L, I> {
    Load(L),
    Index(I),
}

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next<L, I> {
    Task(Task<L, I>),
    /// Nothing can be done before another connection has come further.
    Wait,
    Done,
}

#[derive(Debug)]
pub(super) struct Schedule<L, I> {
    loads: VecDeque<L>,
    /// In the order in which they are built, each with the table that must be whole.
    indexes: VecDeque<(Option<Oid>, I)>,
    /// Chunks of each table that are not loaded yet.
    left: BTreeMap<Oid, usize>,
    building: usize,
    jobs: usize,
}

impl<L: OfTable, I> Schedule<L, I> {
    pub(super) fn new(
        jobs: usize,
        loads: impl IntoIterator<Item = L>,
        indexes: impl IntoIterator<Item = (Option<Oid>, I)>,
    ) -> Self {
        let loads: VecDeque<L> = loads.into_iter().collect();
        let mut left = BTreeMap::new();
        for load in &loads {
            *left.entry(load.table()).or_insert(0) += 1;
        }
        Self { loads, indexes: indexes.into_iter().collect(), left, building: 0, jobs }
    }

    pub(super) fn next(&mut self) -> Next<L, I> {
        let one_must_load = !self.loads.is_empty() && self.building + 1 >= self.jobs;
        if !one_must_load && let Some(index) = self.next_index() {
            self.building += 1;
            return Next::Task(Task::Index(index));
        }
        match self.loads.pop_front() {
            Some(load) => Next::Task(Task::Load(load)),
            None if self.indexes.is_empty() => Next::Done,
            None => Next::Wait,
        }
    }

    /// The next chunk, unless an index comes first.
    pub(super) fn next_load(&mut self) -> Option<L> {
        let index_comes_first = self.building + 1 < self.jobs && self.ready_index().is_some();
        if index_comes_first { None } else { self.loads.pop_front() }
    }

    /// A chunk of this table is loaded.
    pub(super) fn loaded(&mut self, table: &Oid) {
        if let Some(left) = self.left.get_mut(table) {
            *left = left.saturating_sub(1);
        }
    }

    /// An index is built.
    pub(super) fn built(&mut self) {
        self.building = self.building.saturating_sub(1);
    }

    fn ready_index(&self) -> Option<usize> {
        let is_whole =
            |table: &Option<Oid>| table.is_none_or(|table| self.left.get(&table).copied().unwrap_or(0) == 0);
        self.indexes.iter().position(|(table, _)| is_whole(table))
    }

    fn next_index(&mut self) -> Option<I> {
        let place = self.ready_index()?;
        self.indexes.remove(place).map(|(_, index)| index)
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

    fn schedule(jobs: usize) -> Schedule<(Oid, u32), &'static str> {
        Schedule::new(jobs, [(1, 0), (1, 1), (2, 0)], [(Some(1), "one"), (Some(2), "two"), (None, "view")])
    }

    #[test]
    fn one_connection_loads_everything_first() {
        let mut schedule = schedule(1);
        for expected in [(1, 0), (1, 1), (2, 0)] {
            assert_eq!(schedule.next(), Next::Task(Task::Load(expected)));
            schedule.loaded(&expected.0);
        }
        for expected in ["one", "two", "view"] {
            assert_eq!(schedule.next(), Next::Task(Task::Index(expected)));
            schedule.built();
        }
        assert_eq!(schedule.next(), Next::Done);
    }

    #[test]
    fn indexes_begin_when_their_table_is_whole_and_one_connection_goes_on_loading() {
        let mut schedule = schedule(2);
        assert_eq!(schedule.next(), Next::Task(Task::Index("view")));
        assert_eq!(schedule.next(), Next::Task(Task::Load((1, 0))), "one goes on loading");
        schedule.built();
        assert_eq!(schedule.next(), Next::Task(Task::Load((1, 1))));
        schedule.loaded(&1);
        assert_eq!(schedule.next_load(), Some((2, 0)), "table 1 is not whole yet");
        assert_eq!(schedule.next(), Next::Wait);
        schedule.loaded(&1);
        assert_eq!(schedule.next(), Next::Task(Task::Index("one")));
        assert_eq!(schedule.next(), Next::Wait);
        schedule.loaded(&2);
        assert_eq!(schedule.next(), Next::Task(Task::Index("two")));
        assert_eq!(schedule.next(), Next::Done);
    }
}
