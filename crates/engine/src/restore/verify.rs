//! After the cut-over, while applications work: the server's own word on every constraint, and a look for erased keys.

use std::collections::{BTreeSet, VecDeque};

use futures_util::future::try_join_all;
use lethe_format::catalog::{QualifiedName, Table};
use lethe_format::manifest::CopyFormat;
use lethe_format::sql::quote_ident;
use lethe_format::{copy_binary, copy_text};
use lethe_postgres::{BlockRange, CopyOut, Server};
use tokio::sync::Mutex;

use super::Prepared;
use super::builds::Builds;
use super::mask_check::{self, MaskCheck};
use super::statements::Unvalidated;
use super::target::Target;
use crate::Error;
use crate::progress::Progress;

pub(super) async fn verify(
    prepared: &Prepared,
    target: &Target,
    unvalidated: &[Unvalidated],
    progress: &Progress,
) -> Result<MaskCheck, Error> {
    validate(prepared, target, unvalidated, progress).await?;
    let server = target.worker().await?;
    let tables = tables_to_read(prepared);
    progress.stage("look for erased keys", tables.len() as u64);
    for oid in tables {
        look_for_erased(prepared, &server, oid).await?;
        progress.advance(1);
    }
    mask_check::check(prepared, target, &server, progress).await
}

/// The keys of one table one after the other, since validating locks it against the next; those of several tables at
/// once, the largest first.
async fn validate(
    prepared: &Prepared,
    target: &Target,
    unvalidated: &[Unvalidated],
    progress: &Progress,
) -> Result<(), Error> {
    progress.stage("validate", unvalidated.len() as u64);
    let place = |key: &Unvalidated| {
        let name = QualifiedName::new(key.table.0.clone(), key.table.1.clone()).to_string();
        prepared.plan.tables.iter().position(|table| table.table == name)
    };
    let mut keys: Vec<&Unvalidated> = unvalidated.iter().collect();
    keys.sort_by(|one, other| place(one).cmp(&place(other)).then_with(|| one.table.cmp(&other.table)));
    let tables: VecDeque<&[&Unvalidated]> = keys.chunk_by(|one, other| one.table == other.table).collect();
    let queue = Mutex::new(tables);
    let servers = target.workers(prepared.options.jobs).await?;
    let jobs = servers.len();
    let work = |server| {
        let queue = &queue;
        async move {
            let server: &Server = server;
            Builds::prepare(server, jobs).await?.begin(server, 0, None).await?;
            loop {
                let Some(keys) = queue.lock().await.pop_front() else { return Ok::<_, Error>(()) };
                for key in keys {
                    validate_one(server, key).await?;
                    progress.advance(1);
                }
            }
        }
    };
    try_join_all(servers.iter().map(work)).await?;
    Ok(())
}

async fn validate_one(server: &Server, key: &Unvalidated) -> Result<(), Error> {
    let table = format!("{}.{}", quote_ident(&key.table.0), quote_ident(&key.table.1));
    let sql = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {}", quote_ident(&key.constraint));
    // Validation twice is no error, so it needs no record.
    server.run(&sql, "validate", format!("{} of {table}", key.constraint)).await.map_err(|error| match error
        .code()
    {
        Some("23503") => Error::Verification {
            object: format!("foreign key {} of {table}", key.constraint),
            problem: "rows refer to rows that are not there".to_owned(),
            hint: "they did so in the source already: mend them here and run the same command again; or make the key NOT VALID in the source and take another snapshot",
        },
        _ => error.into(),
    })
}

fn tables_to_read(prepared: &Prepared) -> BTreeSet<u32> {
    let tables = prepared.plan.tables.iter().filter(|table| table.filtered).map(|table| table.oid);
    let all = prepared.options.read_back_all;
    let filters = &prepared.plan.filters;
    // A masked key is nobody's. That nobody erased came in is known from the filter, which saw the keys as they were.
    tables.filter(|oid| (all || filters.is_subject(*oid)) && filters.keeps_keys(*oid)).collect()
}

/// Asks the filter about the rows of a table as they are now: the keys stay on this side of the connection.
async fn look_for_erased(prepared: &Prepared, server: &Server, oid: u32) -> Result<(), Error> {
    let all = BlockRange { start: 0, end: None };
    read_back(prepared, server, oid, all, |table, rows| {
        let filter = |cause| Error::Filter { snapshot: prepared.manifest.snapshot.clone(), cause };
        let found = prepared.plan.filters.count_erased(oid, rows).map_err(filter)?;
        if found > 0 {
            let problem =
                format!("{found} rows of erased people, or with their keys, are in the restored database");
            let hint = "keep applications away from this database, drop it and restore again";
            return Err(Error::Verification { object: table.name.to_string(), problem, hint });
        }
        Ok(())
    })
    .await
}

/// Rows that are looked at in one piece, in bytes.
const PIECE: usize = 4 << 20;

/// Reads rows of a restored table, as they are laid out in the snapshot.
pub(super) async fn read_back(
    prepared: &Prepared,
    server: &Server,
    oid: u32,
    range: BlockRange,
    mut look: impl FnMut(&Table, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let manifest = &prepared.manifest;
    let data = manifest.tables.iter().find(|data| data.table == oid);
    let Some((table, data)) = manifest.catalog.table(oid).zip(data) else { return Ok(()) };
    let mut copy = CopyOut::start(server, table, range, data.format).await?;
    let mut binary = copy_binary::StreamSplitter::default();
    let mut text = copy_text::StreamSplitter::default();
    let mut rows = Vec::new();
    loop {
        let piece = copy.next().await?;
        if let Some(piece) = &piece {
            match data.format {
                CopyFormat::Binary => {
                    binary.push(piece, &mut rows).map_err(|error| Error::damaged(&table.name, error))?
                }
                CopyFormat::Text => text.push(piece, &mut rows),
            };
        }
        if rows.len() > PIECE || piece.is_none() {
            look(table, &rows)?;
            rows.clear();
        }
        if piece.is_none() {
            return Ok(());
        }
    }
}
