//! `lethe tombstone add` and `revoke`.

use jiff::Timestamp;
use lethe_engine::ledger::{self, NewEntry};
use lethe_format::ledger::Kind;
use serde_json::json;

use super::keys::{read_keys, typed_keys};
use crate::args::TombstoneKeys;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::settings::Settings;

pub(super) async fn append(
    settings: &Settings,
    args: TombstoneKeys,
    kind: Kind,
    output: &Output,
) -> Result<(), Failure> {
    let subject = settings.subject_ref(&args.subject)?;
    let (tuples, given) = read_keys(&args)?;
    let repository = settings.open_repository().await?;
    let keys = typed_keys(&repository, &subject, tuples, args.confirm_ids, output).await?;
    let number = keys.len();
    let entry = NewEntry {
        request: args.request,
        settled: args.already_deleted && kind == Kind::Erased,
        ..NewEntry::about(kind, subject, keys)
    };
    let last_seen = settings.last_seen(&repository);
    let head = ledger::append(&repository, &last_seen, entry, None, Timestamp::now()).await?;
    let seq = head.map_or(0, |head| head.seq);
    output.say(format!("entry {seq}: {} {kind}", count(number)));
    if given > number {
        output.say(format!("  {} were given more than once", count(given - number)));
    }
    output.summary(
        "tombstone",
        &json!({"seq": seq, "kind": kind, "keys": number, "duplicates": given - number}),
    );
    Ok(())
}
