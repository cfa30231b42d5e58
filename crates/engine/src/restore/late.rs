//! Tombstones that arrive while a restore is under way.
//!
//! The plan is made again with the whole ledger. Every chunk that was loaded by the old plan is filtered by the new one;
//! where that gives other rows, the chunk's table is taken back: emptied by `TRUNCATE`, which gives it new files, so
//! that its rows are in no heap, TOAST or index afterwards, and its chunks are loaded again. What must not see the load
//! happen, foreign keys, triggers and row security, is taken back with it, and comes again when the restore goes on.
//! So a late erasure takes the way of a restore that was interrupted, and no other.
//!
//! A table is taken back in one transaction. A crash before it leaves the old rows, and the book says by which ledger
//! they were loaded, so that the next run compares them again; a crash after it leaves an empty table to be loaded.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _};
use lethe_format::archive::ddl::{Statement, Step};
use lethe_format::catalog::{Catalog, QualifiedName, Table};
use lethe_format::ids::Oid;
use lethe_format::manifest::Chunk;
use lethe_format::sql::quote_ident;

use super::filter::ChunkFilter;
use super::statements::Statements;
use super::target::{ChunkKey, Loaded, Target, forget_table};
use super::{Prepared, large_objects};
use crate::Error;
use crate::progress::Progress;

/// Takes back what the plan would load differently than it was loaded.
pub(super) async fn take_back(
    prepared: &Prepared,
    target: &Target,
    statements: &Statements,
    progress: &Progress,
) -> Result<(), Error> {
    let rules = prepared.rules()?;
    if target.rules().await? == rules {
        return Ok(());
    }
    for (table, late_removed) in stale_tables(prepared, target, progress).await? {
        empty(prepared, target, statements, table, late_removed).await?;
    }
    large_objects::take_back(prepared, target).await?;
    target.set_rules(&rules).await
}

/// Tables of which a chunk would give other rows, with the number of rows that have to go.
async fn stale_tables(
    prepared: &Prepared,
    target: &Target,
    progress: &Progress,
) -> Result<BTreeMap<Oid, u64>, Error> {
    let filter = ChunkFilter::new(prepared);
    let loaded = target.restored_chunks().await?;
    let chunks = || {
        prepared.manifest.tables.iter().flat_map(|data| {
            data.chunks.iter().enumerate().map(|(index, chunk)| ((data.table, index), chunk))
        })
    };
    let mut stale = BTreeMap::new();
    let mut compare: Vec<(ChunkKey, &Chunk, &Loaded)> = Vec::new();
    for (key, chunk) in chunks() {
        let Some(loaded) = loaded.get(&key) else { continue };
        if filter.touches(key.0) {
            compare.push((key, chunk, loaded));
        } else if loaded.content != chunk.name.to_string() {
            // Nothing touches the table any more, for instance since the tombstones were revoked.
            stale.entry(key.0).or_insert(0);
        }
    }
    progress.stage_of_bytes("late erasures", compare.iter().map(|(_, chunk, _)| chunk.plain_len).sum());
    let mut compared = futures_util::stream::iter(compare)
        .map(|(key, chunk, loaded)| {
            let filter = &filter;
            async move {
                let (_, now) = filter.apply(key.0, chunk, target.seeds(key)).await?;
                let gone = loaded.counts.loaded.saturating_sub(now.counts.loaded);
                Ok::<_, Error>((key.0, chunk.plain_len, (now != *loaded).then_some(gone)))
            }
        })
        .buffer_unordered(prepared.options.jobs.max(1));
    while let Some((table, len, differs)) = compared.try_next().await? {
        if let Some(gone) = differs {
            *stale.entry(table).or_insert(0) += gone;
        }
        progress.advance(len);
    }
    Ok(stale)
}

/// Empties a table, and takes back what must not see it being loaded again.
pub(super) async fn empty(
    prepared: &Prepared,
    target: &Target,
    statements: &Statements,
    oid: Oid,
    late_removed: u64,
) -> Result<(), Error> {
    let catalog = &prepared.manifest.catalog;
    let Some(table) = catalog.table(oid) else { return Ok(()) };
    let mut undone = Vec::new();
    let relatives = relatives(catalog, table);
    for statement in statements.all() {
        if let Some(inverse) = inverse(catalog, &relatives, statement)
            && target.is_done(statement.dump_id).await
        {
            undone.push((statement, inverse));
        }
    }
    // Event triggers would see the statements above being taken back, so they go first.
    undone.sort_by_key(|(statement, _)| std::cmp::Reverse(statement.step));
    let then = format!("TRUNCATE ONLY {}; {}", table.name.sql(), forget_table(oid, late_removed));
    target.undo(&undone, &then).await
}

/// The table and everything whose foreign keys and triggers reach down to it: partitioned and inheritance parents.
fn relatives<'a>(catalog: &'a Catalog, table: &'a Table) -> Vec<&'a Table> {
    let mut found = vec![table];
    let mut next = 0;
    while let Some(table) = found.get(next).copied() {
        next += 1;
        for parent in table.partition_of.iter().chain(&table.inherits) {
            let parent =
                catalog.table(*parent).filter(|parent| found.iter().all(|known| known.oid != parent.oid));
            found.extend(parent);
        }
    }
    found
}

/// How a statement is taken back; none if rows may come and go with it in place.
fn inverse(catalog: &Catalog, relatives: &[&Table], statement: &Statement) -> Option<String> {
    let oids: BTreeSet<Oid> = relatives.iter().map(|table| table.oid).collect();
    match statement.step {
        Step::ForeignKey => {
            let (schema, name) = statement.table.as_ref()?;
            let constraint = statement.constraint.as_ref()?;
            let child = QualifiedName::new(schema.clone(), name.clone());
            let reaches = catalog.foreign_keys.iter().any(|key| {
                let named = key.name == *constraint
                    && catalog.table(key.child).is_some_and(|table| table.name == child);
                named && (oids.contains(&key.child) || oids.contains(&key.parent))
            });
            reaches
                .then(|| format!("ALTER TABLE {} DROP CONSTRAINT {}", child.sql(), quote_ident(constraint)))
        }
        Step::Trigger => relatives.iter().find_map(|table| {
            // The archive's tag of a trigger is its table's name and its own (`dumpTrigger` in `pg_dump.c`).
            let prefix = format!("{} {}.{} ", statement.desc, table.name.schema, table.name.name);
            let trigger = statement.object.strip_prefix(&prefix)?;
            Some(format!("DROP TRIGGER {} ON {}", quote_ident(trigger), table.name.sql()))
        }),
        Step::Late if statement.desc == "ROW SECURITY" => relatives.iter().find_map(|table| {
            let object = format!("{} {}.{}", statement.desc, table.name.schema, table.name.name);
            (statement.object == object)
                .then(|| format!("ALTER TABLE {} DISABLE ROW LEVEL SECURITY", table.name.sql()))
        }),
        Step::EventTrigger => {
            let name = statement.object.strip_prefix("EVENT TRIGGER ")?;
            Some(format!("DROP EVENT TRIGGER {}", quote_ident(name)))
        }
        _ => None,
    }
}
