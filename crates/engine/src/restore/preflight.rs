//! Everything that speaks against a restore and can be known without looking at rows.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use lethe_format::archive::{Archive, ddl};
use lethe_format::layout;
use lethe_format::manifest::Manifest;
use lethe_postgres::{Server, ServerInfo, facts};
use lethe_rules::objection::{Code, Objection};

use super::target::{self, Begun};
use super::{RestoreOptions, only};
use crate::ledger::VerifiedLedger;
use crate::{Error, Repository};

pub(super) async fn check(
    repository: &Repository,
    server: &Server,
    begun: Option<&Begun>,
    manifest: &Manifest,
    archive: &Archive,
    ledger: &VerifiedLedger,
    options: &RestoreOptions,
) -> Result<Vec<Objection>, Error> {
    let mut objections = Vec::new();
    let info = ServerInfo::read(server).await?;
    server_fits(&info, manifest, &mut objections);
    let only = only::fingerprint(repository, &options.only)?;
    let ours = Ours { manifest, only: only.as_deref() };
    target_is_free(server, &info, begun, ours, &mut objections).await?;
    extensions(server, manifest, &mut objections).await?;
    roles(server, manifest, archive, options, &mut objections).await?;
    tablespaces(server, manifest, &mut objections).await?;
    chunks_are_there(repository, manifest, &mut objections).await?;
    capture_was_drained(manifest, ledger, options, &mut objections);
    Ok(objections)
}

/// If deletions had been waiting for long, whoever brings them to the ledger was not at work, and the ledger may lack
/// more of them by now; unless it has been seen since that none was left.
fn capture_was_drained(
    manifest: &Manifest,
    ledger: &VerifiedLedger,
    options: &RestoreOptions,
    objections: &mut Vec<Objection>,
) {
    let Some(capture) = &manifest.capture else { return };
    if capture.lag() <= options.max_capture_lag || ledger.drained_since(&capture.source, capture.at) {
        return;
    }
    let problem = format!(
        "{} deletions were waiting to be put on the ledger when it was taken, the oldest for {} s",
        capture.waiting,
        capture.lag().as_secs()
    );
    let hint = "if the source still runs: lethe tombstone capture run. If it is lost, deletions since then may be lost with it; answer for that with --acknowledge capture_lag";
    objections.push(
        Objection::new(Code::CaptureLag, format!("snapshot {}", manifest.snapshot), problem).hint(hint),
    );
}

fn server_fits(info: &ServerInfo, manifest: &Manifest, objections: &mut Vec<Objection>) {
    let source = &manifest.source;
    let server = format!("database {}", info.database);
    let needed = source.server_version / 10_000;
    if info.major() < needed {
        let problem = format!("the server is PostgreSQL {}, the snapshot is of {needed}", info.major());
        objections.push(
            Objection::new(Code::TargetTooOld, &server, problem)
                .hint("restore into the same major version or a newer one"),
        );
    }
    if info.encoding != source.encoding {
        let problem = format!("its encoding is {}, the snapshot's is {}", info.encoding, source.encoding);
        let hint = format!("create the database with TEMPLATE template0 ENCODING '{}'", source.encoding);
        objections.push(Objection::new(Code::EncodingDiffers, &server, problem).hint(hint));
    }
    let locales = [
        ("collation", &info.collate, &source.collate),
        ("character classification", &info.ctype, &source.ctype),
        ("locale provider", &info.locale_provider, &source.locale_provider),
    ];
    for (what, found, wanted) in locales {
        if !same_locale(found, wanted) {
            let problem = format!("its {what} is {found}, the snapshot's is {wanted}");
            let hint = format!(
                "create the database with TEMPLATE template0 LC_COLLATE '{}' LC_CTYPE '{}'",
                source.collate, source.ctype
            );
            objections.push(Objection::new(Code::CollationDiffers, &server, problem).hint(hint));
        }
    }
}

/// `C.UTF-8` and `C.utf8` are two spellings of one locale.
fn same_locale(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "");
    plain(one) == plain(other)
}

async fn target_is_free(
    server: &Server,
    info: &ServerInfo,
    begun: Option<&Begun>,
    ours: Ours<'_>,
    objections: &mut Vec<Objection>,
) -> Result<(), Error> {
    let object = format!("database {}", info.database);
    if let Some(objection) = ours_or_empty(server, &object, begun, ours).await? {
        objections.push(objection);
    }
    if begun.is_some_and(|begun| begun.cut_over.is_some() && ours.is(begun)) {
        // Applications are at work already; only the verification is left.
        return Ok(());
    }
    if info.in_recovery {
        let problem = "the server is a standby and cannot be written to";
        objections.push(Objection::new(Code::MissingPrivilege, &object, problem));
    }
    let others = other_sessions(server).await?;
    if others > 0 {
        let problem = format!("{others} other sessions are connected to it");
        let hint = "end them: nobody else may be connected while a restore is under way";
        objections.push(Objection::new(Code::TargetInUse, &object, problem).hint(hint));
    }
    if !facts::owns_database(server).await? {
        let problem = format!("role {} does not own it and cannot close it to others", info.user);
        let hint = format!("ALTER DATABASE {} OWNER TO {}", info.database, info.user);
        objections.push(Objection::new(Code::MissingPrivilege, &object, problem).hint(hint));
    }
    can_be_closed(server, &object, objections).await
}

/// What this restore brings: the same as the one that was begun, or something else.
#[derive(Clone, Copy)]
struct Ours<'a> {
    manifest: &'a Manifest,
    /// Who is restored alone, as a keyed hash.
    only: Option<&'a str>,
}

impl Ours<'_> {
    fn is(self, begun: &Begun) -> bool {
        begun.snapshot == self.manifest.snapshot.as_str() && begun.only.as_deref() == self.only
    }
}

async fn ours_or_empty(
    server: &Server,
    object: &str,
    begun: Option<&Begun>,
    ours: Ours<'_>,
) -> Result<Option<Objection>, Error> {
    if let Some(begun) = begun {
        if ours.is(begun) {
            return Ok(None);
        }
        let Begun { snapshot, only, .. } = begun;
        let (of, with) = match (only.as_deref(), ours.only) {
            (begun, now) if begun == now => ("", ""),
            (Some(_), _) => (", of some people or parties alone", " and the --only that it was begun with"),
            (None, _) => (", of everything", " and without --only"),
        };
        let problem = format!("it holds an unfinished restore of snapshot {snapshot}{of}");
        let hint = format!("finish it with --snapshot {snapshot}{with}, or drop and create the database");
        return Ok(Some(Objection::new(Code::UnfinishedRestore, object, problem).hint(hint)));
    }
    let found = facts::user_objects(server).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let problem = format!("it is not empty: it holds {}", found.join(", "));
    let hint = "restore into a database that was just created; if this is where a restore was killed at its very end, it is complete: an unfinished one leaves a schema lethe";
    Ok(Some(Objection::new(Code::TargetNotEmpty, object, problem).hint(hint)))
}

/// Asked again by whoever has the target for itself: since the preflight, or while the connections were lost, another run
/// may have come to it or have finished it.
pub(super) async fn is_ours_or_empty(
    server: &Server,
    begun: Option<&Begun>,
    manifest: &Manifest,
    only: Option<&str>,
) -> Result<(), Error> {
    let object = format!("database {}", server.settings().database());
    match ours_or_empty(server, &object, begun, Ours { manifest, only }).await? {
        None => Ok(()),
        Some(objection) => Err(Error::Refused(vec![objection])),
    }
}

/// Sessions end a moment after their clients, so those that end by themselves do not count.
async fn other_sessions(server: &Server) -> Result<i64, Error> {
    let mut others = facts::other_sessions(server).await?;
    for _ in 0..20 {
        if others == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        others = facts::other_sessions(server).await?;
    }
    Ok(others)
}

/// A role that may act as the owner needs no grant to connect, so nothing can be taken from it.
async fn can_be_closed(server: &Server, object: &str, objections: &mut Vec<Objection>) -> Result<(), Error> {
    for role in target::may_connect(server).await? {
        let problem = format!(
            "it cannot be closed to role {role}, which may act as its owner or as the restoring role"
        );
        let hint = "restore as a superuser, or as an owner of its own that nobody else is a member of";
        objections.push(Objection::new(Code::TargetNotClosed, object, problem).hint(hint));
    }
    Ok(())
}

async fn extensions(
    server: &Server,
    manifest: &Manifest,
    objections: &mut Vec<Objection>,
) -> Result<(), Error> {
    let available = facts::available_extensions(server).await?;
    for wanted in &manifest.extensions {
        let object = format!("extension {}", wanted.name);
        let version = &wanted.version;
        let (code, problem) = match available.iter().find(|available| available.name == wanted.name) {
            None => {
                let problem = format!("the server does not have it (the snapshot uses version {version})");
                (Code::MissingExtension, problem)
            }
            Some(found) if is_older(&found.version, version) => {
                let problem =
                    format!("the server has version {}, the snapshot uses {version}", found.version);
                (Code::ExtensionTooOld, problem)
            }
            Some(_) => continue,
        };
        objections.push(
            Objection::new(code, object, problem).hint("install its package on the server, as new as that"),
        );
    }
    Ok(())
}

/// Versions of extensions are names without an order ("Packaging Related Objects into an Extension"); those that are
/// numbers with dots have one by custom. A newer version is taken, as `pg_upgrade` and `pg_restore` take it.
fn is_older(found: &str, wanted: &str) -> bool {
    let numbers =
        |version: &str| version.split('.').map(|part| part.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    numbers(found).zip(numbers(wanted)).is_some_and(|(found, wanted)| found < wanted)
}

async fn roles(
    server: &Server,
    manifest: &Manifest,
    archive: &Archive,
    options: &RestoreOptions,
    objections: &mut Vec<Objection>,
) -> Result<(), Error> {
    let existing: BTreeSet<String> = facts::roles(server).await?.into_iter().collect();
    let statements = ddl::statements(archive);
    let owners: BTreeSet<&str> =
        statements.iter().filter_map(|statement| Some(statement.owner.as_ref()?.role.as_str())).collect();
    let object_owners = manifest.large_objects.objects.iter().map(|object| object.owner.as_str());
    let owners: BTreeSet<&str> = owners.into_iter().chain(object_owners).collect();
    let granted = |role: &str| {
        statements.iter().any(|statement| match statement.step {
            ddl::Step::Acl => !options.no_acl && statement.sql.contains(role),
            ddl::Step::Late => statement.sql.contains("CREATE POLICY") && statement.sql.contains(role),
            _ => false,
        })
    };
    let mut missing: BTreeSet<&str> = BTreeSet::new();
    if !options.no_owner && options.role.is_none() {
        let own: BTreeSet<String> = facts::own_roles(server).await?.into_iter().collect();
        for role in owners.iter().filter(|role| existing.contains(**role) && !own.contains(**role)) {
            let problem = "the restoring role is no member of it and cannot give it what belongs to it";
            let hint = format!("GRANT {role} TO the restoring role, or use --no-owner");
            objections
                .push(Objection::new(Code::MissingPrivilege, format!("role {role}"), problem).hint(hint));
        }
        missing.extend(owners.iter().filter(|role| !existing.contains(**role)));
    }
    missing.extend(
        manifest.roles.iter().map(String::as_str).filter(|role| granted(role) && !existing.contains(*role)),
    );
    if let Some(role) = options.role.as_deref().filter(|role| !existing.contains(*role)) {
        missing.insert(role);
    }
    for role in missing {
        let problem = "the server does not have it, and objects of the snapshot belong or are granted to it";
        let hint = "create it, or use --no-owner (and --no-acl for grants)";
        objections.push(Objection::new(Code::MissingRole, format!("role {role}"), problem).hint(hint));
    }
    Ok(())
}

async fn tablespaces(
    server: &Server,
    manifest: &Manifest,
    objections: &mut Vec<Objection>,
) -> Result<(), Error> {
    let existing: BTreeSet<String> = facts::tablespaces(server).await?.into_iter().collect();
    for tablespace in manifest.tablespaces.iter().filter(|name| !existing.contains(*name)) {
        let object = format!("tablespace {tablespace}");
        objections.push(
            Objection::new(Code::MissingTablespace, object, "the server does not have it").hint("create it"),
        );
    }
    Ok(())
}

/// Existence and length of every chunk, before the first write. Each one that is missing or damaged is named, so that
/// somebody who looks for them elsewhere knows all of them at once.
async fn chunks_are_there(
    repository: &Repository,
    manifest: &Manifest,
    objections: &mut Vec<Objection>,
) -> Result<(), Error> {
    let mut wanted: BTreeMap<String, u64> = manifest
        .all_chunks()
        .map(|chunk| (layout::chunk(&chunk.name, &chunk.upload), chunk.stored.len))
        .collect();
    let mut wrong = Vec::new();
    let mut stored = repository.store().list(layout::CHUNKS).await?;
    while let Some(info) = stored.try_next().await? {
        match wanted.remove(info.name.as_str()) {
            Some(len) if len != info.len => {
                let problem = format!("it has {} bytes, {len} were stored", info.len);
                wrong.push(Objection::new(Code::MissingObject, info.name, problem));
            }
            _ => {}
        }
    }
    let missing =
        |object: &String| Objection::new(Code::MissingObject, object, "it is missing from the store");
    wrong.extend(wanted.keys().map(missing));
    if wrong.is_empty() {
        return Ok(());
    }
    if objections.is_empty() {
        return Err(Error::Incomplete { snapshot: manifest.snapshot.clone(), objects: wrong });
    }
    objections.extend(wrong);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_older("1.8", "1.10") && is_older("3.4", "3.4.1") && is_older("1", "2.0"));
        assert!(!is_older("1.10", "1.8") && !is_older("1.8", "1.8"));
        assert!(!is_older("unpackaged", "1.0") && !is_older("1.0", "2.0-beta"));
    }
}
