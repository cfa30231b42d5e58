//! Sequences: as they were in the snapshot, and those behind a subject's key above every id that was ever seen.
//!
//! An id that was erased once and given to somebody new would be filtered out of the next restore. So the highest id
//! counts of the snapshot, of the ledger, and of the newest snapshot that can be read, which has seen people who came
//! after this one.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::AttNum;
use lethe_format::ids::Oid;
use lethe_format::ledger::Keys;
use lethe_format::manifest::Sequence;
use lethe_format::sql::quote_literal;
use lethe_rules::closure::subject_key;

use super::Prepared;
use super::target::Target;
use crate::Error;

pub(super) async fn set(prepared: &Prepared, target: &Target) -> Result<(), Error> {
    let (subjects, highest) = (subject_columns(prepared), highest_ids(prepared));
    for sequence in &prepared.manifest.sequences {
        let mut value = (sequence.last_value, sequence.is_called);
        if sequence.increment > 0 && sequence.columns.iter().any(|column| subjects.contains(column)) {
            let seen = sequence.columns.iter().filter_map(|column| highest.get(column).copied());
            let later = prepared.later_sequences.iter().filter(|later| later.name == sequence.name);
            let seen = seen.chain(later.map(taken)).filter(|id| *id <= sequence.max_value).max();
            if let Some(id) = seen.filter(|id| *id > taken(sequence)) {
                value = (id, true);
            }
        }
        let sql = format!(
            "SELECT pg_catalog.setval({}, {}, {})",
            quote_literal(&sequence.name.sql()),
            value.0,
            value.1
        );
        target.main().run(&sql, "set", &sequence.name).await?;
    }
    Ok(())
}

/// The last value that was given out.
fn taken(sequence: &Sequence) -> i64 {
    if sequence.is_called { sequence.last_value } else { sequence.last_value.saturating_sub(1) }
}

/// Key columns of every subject, on the ledger or in the settings.
fn subject_columns(prepared: &Prepared) -> BTreeSet<(Oid, AttNum)> {
    let on_ledger = prepared.ledger.entries().iter().filter_map(|entry| entry.header.subject.as_ref());
    let subjects = on_ledger.chain(&prepared.options.subjects);
    let keys = subjects.filter_map(|subject| subject_key(&prepared.manifest.catalog, subject).ok());
    keys.flat_map(|key| key.columns.into_iter().map(move |column| (key.table, column))).collect()
}

/// The highest id of each key column that any ledger entry names, revoked or not.
fn highest_ids(prepared: &Prepared) -> BTreeMap<(Oid, AttNum), i64> {
    let mut highest = BTreeMap::new();
    for entry in prepared.ledger.entries() {
        let (Some(subject), Some(keys)) = (&entry.header.subject, &entry.keys) else { continue };
        let Ok(key) = subject_key(&prepared.manifest.catalog, subject) else { continue };
        for (position, column) in key.columns.iter().enumerate() {
            if let Some(id) = highest_of(keys, position) {
                let known = highest.entry((key.table, *column)).or_insert(id);
                *known = id.max(*known);
            }
        }
    }
    highest
}

fn highest_of(keys: &Keys, position: usize) -> Option<i64> {
    match keys {
        // Negative ids are above all others as unsigned numbers, and no sequence that counts upwards reaches them.
        Keys::Integers(set) if position == 0 => set.iter().rev().map(u64::cast_signed).find(|id| *id >= 0),
        Keys::Integers(_) => None,
        Keys::Tuples(tuples) => tuples.iter().filter_map(|tuple| tuple.get(position)?.parse().ok()).max(),
    }
}
