//! `lethe tombstone`: the ledger of erased people.

mod add;
mod capture;
mod columns;
mod keys;
mod list;

use jiff::Timestamp;
use lethe_engine::ledger::{self, NewEntry};
use lethe_format::ledger::Kind;
use serde_json::json;

use crate::args::{Tombstone, TombstoneKind};
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::settings::Settings;

pub(crate) async fn run(settings: &Settings, command: Tombstone, output: &Output) -> Result<(), Failure> {
    match command {
        Tombstone::Add(args) => {
            let kind = match args.kind {
                TombstoneKind::Erased => Kind::Erased,
                TombstoneKind::Anonymised => Kind::Anonymised,
            };
            add::append(settings, args, kind, output).await
        }
        Tombstone::Revoke(args) => add::append(settings, args, Kind::Revoked, output).await,
        Tombstone::EraseColumns(args) => {
            let kind = Kind::ColumnsErased;
            columns::append(settings, &args.columns, kind, args.already_deleted, output).await
        }
        Tombstone::RevokeColumns(args) => {
            columns::append(settings, &args.columns, Kind::ColumnsRevoked, false, output).await
        }
        Tombstone::List => list::list(settings, output).await,
        Tombstone::Verify => verify(settings, output).await,
        Tombstone::Heartbeat => heartbeat(settings, output).await,
        Tombstone::Capture(command) => capture::run(settings, command, output).await,
    }
}

async fn verify(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let verified = ledger::read_trusted(&repository, &settings.last_seen(&repository)).await?;
    let erased: u64 = verified.erased().iter().map(|tombstones| tombstones.keys.len()).sum();
    let head = verified.head();
    output.say(format!(
        "the ledger verifies: {} entries, {} people erased, head {}:{}",
        verified.entries().len(),
        count(erased),
        head.seq,
        head.hash
    ));
    output.summary(
        "tombstone",
        &json!({"entries": verified.entries().len(), "erased": erased, "head": head, "incidents": verified.incidents()}),
    );
    match verified.incidents() {
        [] => Ok(()),
        incidents => Err(Failure::ledger(format!("somebody tampers with the ledger: {}", incidents.join("; ")))
            .hint("find out who may delete or replace objects in the store; restores go on by what was written first")),
    }
}

async fn heartbeat(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let last_seen = settings.last_seen(&repository);
    let entry = NewEntry::of(Kind::Heartbeat);
    let head = ledger::append(&repository, &last_seen, entry, None, Timestamp::now()).await?;
    let seq = head.map_or(0, |head| head.seq);
    output.say(format!("entry {seq}: heartbeat"));
    output.summary("tombstone", &json!({"seq": seq, "kind": Kind::Heartbeat}));
    Ok(())
}
