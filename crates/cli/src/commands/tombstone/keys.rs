//! Keys as people write them.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use lethe_engine::Repository;
use lethe_engine::restore::newest_catalog;
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_rules::closure::{SubjectKey, parse_keys, subject_key};
use lethe_rules::key::Domain;
use lethe_rules::ledger::looks_personal;

use crate::args::TombstoneKeys;
use crate::failure::Failure;
use crate::output::Output;

/// The keys as they were written, each once, and how many lines there were. Messages name lines, never keys.
pub(super) fn read_keys(args: &TombstoneKeys) -> Result<(BTreeSet<Vec<String>>, u64), Failure> {
    let text = match &args.ids_file {
        None => args.id.join("\n"),
        Some(path) => read_file(path)?,
    };
    let mut keys = BTreeSet::new();
    let mut given = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err(Failure::usage(format!("line {} holds no key", index + 1))
                .hint("nothing was written; one key a line"));
        }
        given += 1;
        keys.insert(line.split('\t').map(str::to_owned).collect());
    }
    if keys.is_empty() {
        return Err(Failure::usage("there is no key at all")
            .hint("nothing was written; an empty list is rather a broken query than nobody"));
    }
    Ok((keys, given))
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|cause| Failure::usage(format!("{} cannot be read: {cause}", path.display())))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::usage(format!("line {line} of {} is not UTF-8", path.display()))
    })
}

/// Checks the keys against the key's type in the newest snapshot. Where no snapshot can be read, the keys are kept as
/// they are written, and a restore will object to those that are none.
pub(super) async fn typed_keys(
    repository: &Repository,
    subject: &SubjectRef,
    tuples: BTreeSet<Vec<String>>,
    confirmed: bool,
    output: &Output,
) -> Result<Keys, Failure> {
    let integers: Option<roaring::RoaringTreemap> = tuples
        .iter()
        .map(|tuple| match tuple.as_slice() {
            [only] => only.parse::<i64>().ok().map(i64::cast_unsigned),
            _ => None,
        })
        .collect();
    let catalog = if repository.has_identities() { newest_catalog(repository).await? } else { None };
    let Some(catalog) = catalog else {
        refuse_personal(&tuples, |_| false)?;
        output.say(
            "note: no snapshot can be read here, so the keys are not checked against the subject's type",
        );
        return Ok(integers.map_or_else(|| Keys::Tuples(tuples.into_iter().collect()), Keys::Integers));
    };
    let key: SubjectKey = subject_key(&catalog, subject).map_err(|objection| {
        let failure = Failure::usage(format!("unknown {objection}"));
        match &objection.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    // A key of numbers or UUIDs is checked by its type.
    let text: Vec<bool> = key.reader.domains().iter().map(|domain| *domain == Domain::Text).collect();
    refuse_personal(&tuples, |column| !text.get(column).copied().unwrap_or(false) || confirmed)?;
    let keys = match integers {
        Some(integers) if key.is_integer() => Keys::Integers(integers),
        _ => Keys::Tuples(tuples.into_iter().collect()),
    };
    parse_keys(&key, &keys).map_err(|error| {
        Failure::usage(format!("subject {subject}: {error}"))
            .hint("nothing was written; positions are those of the sorted list without duplicates")
    })?;
    Ok(keys)
}

/// The ledger must not become another list of names and addresses. `may_hold` tells for which columns of the key such a
/// value is all right.
fn refuse_personal(tuples: &BTreeSet<Vec<String>>, may_hold: impl Fn(usize) -> bool) -> Result<(), Failure> {
    for (position, tuple) in tuples.iter().enumerate() {
        for (column, value) in tuple.iter().enumerate() {
            if let Some(what) = looks_personal(value).filter(|_| !may_hold(column)) {
                let position = position + 1;
                return Err(Failure::usage(format!("key {position} of the sorted list looks like {what}"))
                    .hint("nothing was written. The ledger holds keys, not people: give the key of the subject's row. If the key column is text and holds such values: --confirm-ids, where a snapshot can be read"));
            }
        }
    }
    Ok(())
}
