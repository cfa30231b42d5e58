//! Keys: who may read their files, whether they are this repository's, and whether they open the newest snapshot.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lethe_engine::{Keys, Repository, Stores, doctor};
use lethe_format::manifest::Manifest;
use lethe_rules::doctor::Finding;

use super::list::List;
use crate::failure::Failure;
use crate::settings::Settings;

/// Files of keys that others may read. That some key is nowhere is said where it is needed.
pub(super) fn files(settings: &Settings, list: &mut List<'_>) {
    for (what, path) in settings.key_files() {
        let finding = file(what, &path);
        list.extend(finding);
    }
}

fn file(what: &str, path: &Path) -> Option<Finding> {
    const CHECK: &str = "key files";
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let what = format!("{what} {shown}: others than its owner may read it");
            Some(Finding::wrong(CHECK, what, format!("chmod 600 {shown}")))
        }
        Ok(_) => Some(Finding::ok(CHECK, format!("{what} {shown}: its owner alone may read it"))),
        Err(cause) => {
            let what = format!("{what} {shown}: {cause}");
            Some(Finding::warning(CHECK, what, "the settings name it: put it there, or take it out of them"))
        }
    }
}

/// The repository with those of the keys here that are its own.
pub(super) async fn open(settings: &Settings, stores: &Stores, list: &mut List<'_>) -> Option<Repository> {
    let opened = async |keys: Keys| {
        Repository::open_with_ledger(stores.data.clone(), stores.ledger.clone(), &keys).await
    };
    let mut keys = Keys::default();
    let mut repository = match opened(keys.clone()).await {
        Ok(repository) => repository,
        Err(error) => {
            list.failed("repository", error.into());
            return None;
        }
    };
    list.add(Finding::ok("repository", format!("{} is there", repository.id())));
    match settings.naming_key() {
        Err(failure) => list.failed("naming key", failure),
        Ok(None) => list.add(Finding::unknown(
            "naming key",
            "no naming key here",
            "set naming_key_file in lethe.toml: whatever is vouched for can then be looked at",
        )),
        Ok(Some(key)) => match opened(Keys { naming_key: Some(key.clone()), ..Keys::default() }).await {
            Ok(with_key) => {
                list.add(Finding::ok("naming key", "it is the repository's"));
                (repository, keys.naming_key) = (with_key, Some(key));
            }
            Err(error) => list.failed("naming key", error.into()),
        },
    }
    match settings.identities_if_any(stores.data.as_ref()).await {
        Err(failure) => list.failed("identity", failure),
        Ok(None) => list.add(Finding::unknown(
            "identity",
            "no identity here",
            "that is right for a host that only takes snapshots; run lethe doctor also where restores are to be run",
        )),
        Ok(Some(identities)) => match opened(Keys { identities: Some(identities), ..keys }).await {
            Ok(with_all) => {
                list.add(Finding::ok("identity", "it opens the repository's key ring"));
                repository = with_all;
            }
            Err(error) => list.failed("identity", error.into()),
        },
    }
    match settings.second_stores().await {
        Ok(Some(second)) if !settings.is_second() => Some(repository.with_copy_in(second)),
        _ => Some(repository),
    }
}

/// The newest snapshot, opened as a restore would open it.
pub(super) async fn newest(repository: &Repository, list: &mut List<'_>) -> Option<Manifest> {
    const CHECK: &str = "newest snapshot";
    if !repository.has_identities() {
        list.add(Finding::unknown(
            CHECK,
            "no identity here",
            "run lethe doctor also where restores are to be run",
        ));
        return None;
    }
    match doctor::newest(repository).await {
        Ok(Some(manifest)) => {
            let what = format!("the identity opens {}", manifest.snapshot);
            list.add(Finding::ok(CHECK, what));
            Some(manifest)
        }
        Ok(None) => {
            list.add(Finding::warning(CHECK, "there is no snapshot yet", "lethe snapshot"));
            None
        }
        Err(error) => {
            list.failed(CHECK, Failure::from(error));
            None
        }
    }
}
