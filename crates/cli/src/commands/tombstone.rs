//! `lethe tombstone`: the ledger of erased people.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::ledger::{self, NewEntry};
use lethe_engine::restore::newest_catalog;
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Keys, Kind, SubjectRef};
use lethe_format::sql::parse_table_ref;
use lethe_rules::closure::{SubjectKey, parse_keys, subject_key};
use serde_json::json;

use crate::args::{Tombstone, TombstoneKeys, TombstoneKind};
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
            append(settings, args, kind, output).await
        }
        Tombstone::Revoke(args) => append(settings, args, Kind::Revoked, output).await,
        Tombstone::List => list(settings, output).await,
        Tombstone::Verify => verify(settings, output).await,
    }
}

async fn append(
    settings: &Settings,
    args: TombstoneKeys,
    kind: Kind,
    output: &Output,
) -> Result<(), Failure> {
    let subject = subject(settings, &args.subject)?;
    let (tuples, given) = read_keys(&args)?;
    let repository = settings.open_repository().await?;
    let keys = typed_keys(&repository, &subject, tuples, output).await?;
    let number = keys.len();
    let entry =
        NewEntry { kind, subject: Some(subject), keys: Some(keys), request: args.request, snapshot: None };
    let head = ledger::append(&repository, entry, None, Timestamp::now()).await?;
    if let Some(head) = &head {
        settings.last_seen(&repository).advance(head)?;
    }
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

fn subject(settings: &Settings, name: &str) -> Result<SubjectRef, Failure> {
    let configured = settings.subject(name);
    let text = configured.map_or(name, |subject| subject.table.as_str());
    let parsed =
        parse_table_ref(text).map_err(|error| unknown_subject(settings, name, &error.to_string()))?;
    let Some(schema) = parsed.schema else {
        return Err(unknown_subject(settings, name, "it is no subject of lethe.toml and names no schema"));
    };
    let columns = configured.and_then(|subject| subject.key.clone()).or(parsed.columns);
    Ok(SubjectRef {
        name: configured.map(|_| name.to_owned()),
        table: QualifiedName::new(schema, parsed.table),
        columns,
    })
}

fn unknown_subject(settings: &Settings, name: &str, problem: &str) -> Failure {
    let known: Vec<&str> = settings.subject_names().collect();
    let known =
        if known.is_empty() { String::new() } else { format!("; lethe.toml knows {}", known.join(", ")) };
    Failure::usage(format!("unknown subject {name}: {problem}"))
        .hint(format!("write schema.table or schema.table(column, …){known}"))
}

/// The keys as they were written, each once, and how many lines there were. Messages name lines, never keys.
fn read_keys(args: &TombstoneKeys) -> Result<(BTreeSet<Vec<String>>, u64), Failure> {
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
async fn typed_keys(
    repository: &Repository,
    subject: &SubjectRef,
    tuples: BTreeSet<Vec<String>>,
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

async fn list(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let headers = ledger::headers(&repository).await?;
    output.say(format!("{:>8}  {:<20}  {:<11} {:>12}  subject", "entry", "at", "kind", "keys"));
    for header in &headers {
        let keys = header.body.map(|body| body.count);
        let subject = header.subject.as_ref().map(ToString::to_string).unwrap_or_default();
        let at = header.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let shown = keys.map(count).unwrap_or_default();
        let request = if header.request.is_some() { "  (with a request)" } else { "" };
        output.say(format!(
            "{:>8}  {at:<20}  {:<11} {shown:>12}  {subject}{request}",
            header.seq,
            header.kind.to_string()
        ));
        output.item(
            "entry",
            &json!({"seq": header.seq, "at": header.at, "kind": header.kind, "keys": keys, "subject": subject, "request": header.request.is_some()}),
        );
    }
    output.summary("tombstone", &json!({"entries": headers.len()}));
    Ok(())
}

async fn verify(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let verified = ledger::read_verified(&repository).await?;
    settings.last_seen(&repository).check_and_advance(&verified)?;
    let erased: u64 = verified.erased().iter().map(|tombstones| tombstones.keys.len()).sum();
    let head = verified.head();
    output.say(format!(
        "the ledger verifies: {} entries, {} people erased, head {}",
        verified.entries().len(),
        count(erased),
        head.hash
    ));
    output
        .summary("tombstone", &json!({"entries": verified.entries().len(), "erased": erased, "head": head}));
    Ok(())
}
