//! The order in which tables are scanned: parents before children, cycles together.

use std::collections::BTreeMap;

use lethe_format::ids::Oid;

use super::table_rules::TableRules;

/// Tables that must be scanned together, repeatedly if they refer to each other or to themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Group {
    pub tables: Vec<Oid>,
    pub cyclic: bool,
}

/// Strongly connected components (Tarjan), in the order of their dependence.
///
/// The graph has tables and key sets as nodes: a table leads to the sets that it records keys in, a set leads to the
/// tables that ask it. Partitioned tables would otherwise have an edge for each pair of partitions.
pub(super) fn groups(rules: &BTreeMap<Oid, TableRules>) -> Vec<Group> {
    let tables: Vec<&TableRules> = rules.values().collect();
    let sets = tables.iter().flat_map(|table| table.emits.iter().map(|emit| emit.set + 1)).max().unwrap_or(0);
    let mut successors = vec![Vec::new(); tables.len() + sets];
    for (node, table) in tables.iter().enumerate() {
        successors[node].extend(table.emits.iter().map(|emit| tables.len() + emit.set));
        for probe in table.probes.iter().filter(|probe| probe.set < sets) {
            successors[tables.len() + probe.set].push(node);
        }
    }
    let mut search = Search {
        successors: &successors,
        found: vec![None; successors.len()],
        stack: Vec::new(),
        components: Vec::new(),
    };
    for node in 0..successors.len() {
        search.visit_from(node);
    }
    // Tarjan finds a component after all that it leads to.
    search.components.reverse();
    let group = |component: &Vec<usize>| {
        let cyclic = component.len() > 1;
        let tables: Vec<Oid> =
            component.iter().filter_map(|node| tables.get(*node)).map(|table| table.table).collect();
        (!tables.is_empty()).then_some(Group { tables, cyclic })
    };
    search.components.iter().filter_map(group).collect()
}

struct Search<'a> {
    successors: &'a [Vec<usize>],
    /// For each visited node its index, the lowest index it reaches, and whether it is still on the stack.
    found: Vec<Option<(usize, usize, bool)>>,
    stack: Vec<usize>,
    components: Vec<Vec<usize>>,
}

impl Search<'_> {
    /// Depth-first with a stack of its own: a chain of thousands of tables must not overflow the thread's.
    fn visit_from(&mut self, start: usize) {
        if self.found[start].is_some() {
            return;
        }
        let mut next_index = self.found.iter().flatten().count();
        let mut path = vec![(start, 0)];
        self.enter(start, &mut next_index);
        while let Some((node, edge)) = path.last_mut() {
            let node = *node;
            if let Some(successor) = self.successors[node].get(*edge).copied() {
                *edge += 1;
                match self.found[successor] {
                    None => {
                        self.enter(successor, &mut next_index);
                        path.push((successor, 0));
                    }
                    Some((index, _, true)) => self.lower(node, index),
                    Some((_, _, false)) => {}
                }
                continue;
            }
            path.pop();
            let Some((index, low, _)) = self.found[node] else { continue };
            if let Some((parent, _)) = path.last() {
                self.lower(*parent, low);
            }
            if low == index {
                self.close(node);
            }
        }
    }

    fn enter(&mut self, node: usize, next_index: &mut usize) {
        self.found[node] = Some((*next_index, *next_index, true));
        *next_index += 1;
        self.stack.push(node);
    }

    fn lower(&mut self, node: usize, to: usize) {
        if let Some((_, low, _)) = &mut self.found[node] {
            *low = (*low).min(to);
        }
    }

    fn close(&mut self, root: usize) {
        let mut component = Vec::new();
        while let Some(node) = self.stack.pop() {
            if let Some((_, _, on_stack)) = &mut self.found[node] {
                *on_stack = false;
            }
            component.push(node);
            if node == root {
                break;
            }
        }
        component.sort_unstable();
        self.components.push(component);
    }
}
