//! After the rows and their indexes: statistics, sequences, views; then what must not see the load happen.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::try_join_all;
use lethe_format::archive::ddl::Step;
use lethe_format::catalog::{Table, TableKind};
use lethe_postgres::Server;
use tokio::sync::Mutex;

use super::statements::Statements;
use super::target::Target;
use super::{Prepared, sequences};
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
    statements.run_in_order(target, Step::IndexAttach, "index", progress).await?;
    statements.run_in_order(target, Step::PostData, "finish", progress).await?;
    sequences::set(prepared, target).await?;
    analyze(prepared, target, progress).await?;
    refresh_views(prepared, target, progress).await?;
    add_foreign_keys(prepared, target, statements, progress).await?;
    for step in [Step::Trigger, Step::Late, Step::Acl, Step::EventTrigger] {
        statements.run_in_order(target, step, "finish", progress).await?;
    }
    target.allow_autovacuum().await
}

/// Statistics of partitioned tables, which PostgreSQL makes together with those of their partitions, and of tables that
/// others inherit from; all others have theirs from the load.
async fn analyze(prepared: &Prepared, target: &Target, progress: &Progress) -> Result<(), Error> {
    let catalog = &prepared.manifest.catalog;
    let over_others = |table: &&Table| {
        table.kind != TableKind::Foreign
            && table.partition_of.is_none()
            && (table.kind == TableKind::Partitioned || catalog.has_children(table.oid))
    };
    let tables = catalog.tables.iter().filter(over_others);
    let queue: VecDeque<String> = tables.map(|table| table.name.sql()).collect();
    progress.stage("analyze", queue.len() as u64);
    let queue = Arc::new(Mutex::new(queue));
    let servers = target.workers(prepared.options.jobs).await?;
    let work = |server| {
        let queue = queue.clone();
        async move {
            let server: &Server = server;
            loop {
                let Some(table) = queue.lock().await.pop_front() else { return Ok::<_, Error>(()) };
                server.run(&format!("ANALYZE {table}"), "analyze", &table).await?;
                progress.advance(1);
            }
        }
    };
    try_join_all(servers.iter().map(work)).await?;
    Ok(())
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
