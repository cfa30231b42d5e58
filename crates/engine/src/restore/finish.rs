//! After the rows: indexes and keys in parallel, statistics, sequences, views; then what must not see the load happen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::future::try_join_all;
use lethe_format::archive::ddl::{Statement, Step};
use lethe_format::catalog::TableKind;
use lethe_format::ledger::Keys;
use lethe_rules::closure::subject_key;
use tokio::sync::Mutex;

use super::Prepared;
use super::statements::Statements;
use super::target::Target;
use crate::Error;
use crate::progress::Progress;

/// Finishes the schema. What was done before is not done again; sequences, statistics and views are, since rows may
/// have been taken back in between.
pub(super) async fn finish(
    prepared: &Prepared,
    target: &Target,
    statements: &Statements,
    progress: &Progress,
) -> Result<(), Error> {
    build_indexes(prepared, target, statements, progress).await?;
    statements.run_in_order(target, Step::IndexAttach, "index", progress).await?;
    statements.run_in_order(target, Step::PostData, "finish", progress).await?;
    set_sequences(prepared, target).await?;
    analyze(prepared, target, progress).await?;
    refresh_views(prepared, target, progress).await?;
    add_foreign_keys(prepared, target, statements, progress).await?;
    for step in [Step::Trigger, Step::Late, Step::Acl, Step::EventTrigger] {
        statements.run_in_order(target, step, "finish", progress).await?;
    }
    Ok(())
}

/// Indexes of the largest tables first, on all connections.
async fn build_indexes(
    prepared: &Prepared,
    target: &Target,
    statements: &Statements,
    progress: &Progress,
) -> Result<(), Error> {
    let catalog = &prepared.manifest.catalog;
    let sizes: BTreeMap<(&str, &str), u64> = prepared
        .manifest
        .tables
        .iter()
        .filter_map(|data| Some((catalog.table(data.table)?, data.plain_len())))
        .map(|(table, len)| ((table.name.schema.as_str(), table.name.name.as_str()), len))
        .collect();
    let size = |statement: &Statement| {
        let table = statement.table.as_ref();
        table.and_then(|(schema, name)| sizes.get(&(schema.as_str(), name.as_str())).copied()).unwrap_or(0)
    };
    let mut due: Vec<&Statement> = statements.of(Step::Index).collect();
    due.sort_by_key(|statement| std::cmp::Reverse(size(statement)));
    progress.stage("index", due.len() as u64);
    let queue = Arc::new(Mutex::new(VecDeque::from(due)));
    let build = |_| {
        let queue = queue.clone();
        async move {
            let server = target.worker().await?;
            server.run("SET maintenance_work_mem = '256MB'", "prepare the session of", "the target").await?;
            loop {
                let Some(statement) = queue.lock().await.pop_front() else { return Ok::<_, Error>(()) };
                statements.run(target, &server, statement).await?;
                progress.advance(1);
            }
        }
    };
    try_join_all((0..prepared.options.jobs.max(1)).map(build)).await?;
    Ok(())
}

/// Statistics are made from what was loaded, never copied: they hold values.
async fn analyze(prepared: &Prepared, target: &Target, progress: &Progress) -> Result<(), Error> {
    let tables = prepared.manifest.catalog.tables.iter().filter(|table| table.kind != TableKind::Foreign);
    let queue: VecDeque<String> = tables.map(|table| table.name.sql()).collect();
    progress.stage("analyze", queue.len() as u64);
    let queue = Arc::new(Mutex::new(queue));
    let work = |_| {
        let queue = queue.clone();
        async move {
            let server = target.worker().await?;
            loop {
                let Some(table) = queue.lock().await.pop_front() else { return Ok::<_, Error>(()) };
                server.run(&format!("ANALYZE {table}"), "analyze", &table).await?;
                progress.advance(1);
            }
        }
    };
    try_join_all((0..prepared.options.jobs.max(1)).map(work)).await?;
    Ok(())
}

/// Every sequence as it was, and one behind a subject's key above every id on the ledger: an id that was erased once
/// and given to somebody new would be filtered out of the next restore.
async fn set_sequences(prepared: &Prepared, target: &Target) -> Result<(), Error> {
    let highest = highest_erased_ids(prepared);
    let server = target.main();
    for sequence in &prepared.manifest.sequences {
        let erased = sequence.owned_by.and_then(|column| highest.get(&column)).copied();
        let erased = erased
            .filter(|id| *id > sequence.last_value && *id <= sequence.max_value && sequence.increment > 0);
        let (value, called) = erased.map_or((sequence.last_value, sequence.is_called), |id| (id, true));
        let name = lethe_format::sql::quote_literal(&sequence.name.sql());
        let sql = format!("SELECT pg_catalog.setval({name}, {value}, {called})");
        server.run(&sql, "set", &sequence.name).await?;
    }
    Ok(())
}

fn highest_erased_ids(prepared: &Prepared) -> BTreeMap<(u32, i16), i64> {
    let mut highest = BTreeMap::new();
    for tombstones in prepared.ledger.erased() {
        let Ok(key) = subject_key(&prepared.manifest.catalog, &tombstones.subject) else { continue };
        let ([column], Keys::Integers(ids)) = (key.columns.as_slice(), &tombstones.keys) else { continue };
        // Negative ids are above all others as unsigned numbers, and no sequence that counts upwards reaches them.
        let positive = ids.iter().rev().map(u64::cast_signed).find(|id| *id >= 0);
        if let Some(id) = positive {
            let entry = highest.entry((key.table, *column)).or_insert(id);
            *entry = id.max(*entry);
        }
    }
    highest
}

async fn refresh_views(prepared: &Prepared, target: &Target, progress: &Progress) -> Result<(), Error> {
    let views = &prepared.manifest.populated_views;
    progress.stage("views", views.len() as u64);
    for view in views {
        let sql = format!("REFRESH MATERIALIZED VIEW {}", view.sql());
        target.main().run(&sql, "refresh", view).await?;
        progress.advance(1);
    }
    Ok(())
}

async fn add_foreign_keys(
    prepared: &Prepared,
    target: &Target,
    statements: &Statements,
    progress: &Progress,
) -> Result<(), Error> {
    progress.stage("foreign keys", statements.of(Step::ForeignKey).count() as u64);
    let server = target.worker().await?;
    for statement in statements.of(Step::ForeignKey) {
        statements.run_foreign_key(prepared, target, &server, statement).await?;
        progress.advance(1);
    }
    Ok(())
}
