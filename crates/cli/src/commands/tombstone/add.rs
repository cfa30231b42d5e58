//! `lethe tombstone add` and `revoke`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::audit::Intent;
use lethe_engine::ledger::{self, NewEntry};
use lethe_format::audit::{Action, Facts};
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use serde_json::json;

use super::keys::{read_keys, typed_keys};
use crate::args::TombstoneKeys;
use crate::commands::audited::{audited, with_some};
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
    let tenants = tenants(settings, &args, &subject, &tuples)?;
    let keys = typed_keys(&repository, &subject, tuples, args.confirm_ids, output).await?;
    let facts = Facts {
        subject: Some(subject.to_string()),
        counts: [("people".to_owned(), keys.len())].into(),
        ..Facts::default()
    };
    let action = if kind == Kind::Revoked { Action::TombstoneRevoke } else { Action::TombstoneAdd };
    let intent = Intent { facts: facts.clone(), ..with_some(action, tenants) };
    let entry = NewEntry {
        request: settings.request(),
        settled: args.already_deleted && kind == Kind::Erased,
        ..NewEntry::about(kind, subject, keys.clone())
    };
    let work = async {
        let seq = write(settings, &repository, entry, &keys, given, output).await?;
        Ok(Facts { ledger: Some(seq), ..facts })
    };
    audited(settings, &repository, intent, Box::pin(work)).await
}

/// Returns the entry's number.
async fn write(
    settings: &Settings,
    repository: &Repository,
    entry: NewEntry,
    keys: &Keys,
    given: u64,
    output: &Output,
) -> Result<u64, Failure> {
    let (kind, number) = (entry.kind, keys.len());
    let last_seen = settings.last_seen(repository);
    let head = ledger::append(repository, &last_seen, entry, None, Timestamp::now()).await?;
    let seq = head.map_or(0, |head| head.seq);
    output.say(format!("entry {seq}: {} {kind}", count(number)));
    if given > number {
        output.say(format!("  {} were given more than once", count(given - number)));
    }
    output.summary(
        "tombstone",
        &json!({"seq": seq, "kind": kind, "keys": number, "duplicates": given - number}),
    );
    Ok(seq)
}

/// Of more customers than this, nobody types one.
const MOST_TENANTS: usize = 100;

/// Whose people they are: the customers themselves, or the one that was named.
fn tenants(
    settings: &Settings,
    args: &TombstoneKeys,
    subject: &SubjectRef,
    keys: &BTreeSet<Vec<String>>,
) -> Result<Vec<String>, Failure> {
    let are_tenants = subject.name.as_deref().is_some_and(|name| settings.is_tenant(name));
    match (are_tenants, &args.tenant) {
        (false, Some(tenant)) => Ok(vec![tenant.clone()]),
        (true, Some(_)) => {
            Err(Failure::usage("--tenant says whose people they are; these are customers themselves"))
        }
        (true, None) if keys.len() > MOST_TENANTS => {
            Err(Failure::usage(format!("more than {MOST_TENANTS} customers at once"))
                .hint("each of them gets an entry of the audit log: give them in several parts"))
        }
        (true, None) => Ok(keys.iter().map(|key| key.join("\t")).collect()),
        (false, None) => {
            if settings.has_tenants() {
                settings.warn("nobody has said whose people they are (--tenant), so no customer's export of the audit log will show it");
            }
            Ok(Vec::new())
        }
    }
}
