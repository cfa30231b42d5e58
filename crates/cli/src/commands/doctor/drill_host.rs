//! Whether a drill could run on this machine, and what killed ones have left.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lethe_engine::{Repository, doctor, drill};
use lethe_format::manifest::Manifest;
use lethe_rules::doctor::{Finding, free_space, leftovers, programs};

use super::list::List;
use crate::args::Doctor;
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) async fn look(
    settings: &Settings,
    args: &Doctor,
    repository: Option<&Repository>,
    newest: Option<&Manifest>,
    list: &mut List<'_>,
) {
    let work_dir = settings.work_dir(args.work_dir.as_deref());
    match newest {
        None => list.add(Finding::unknown(
            "drill programs",
            "no snapshot that can be opened here",
            "run lethe doctor also where drills are run",
        )),
        Some(newest) => {
            list.add(could_start(settings, args, newest).await);
            list.tried("drill space", has_room(&work_dir, newest));
        }
    }
    list.tried("drill leftovers", what_is_left(settings, &work_dir, repository));
}

async fn could_start(settings: &Settings, args: &Doctor, newest: &Manifest) -> Finding {
    let pg_bin: Option<PathBuf> = args.pg_bin.clone().or_else(|| settings.pg_bin());
    let path = std::env::var("PATH").ok();
    let needed = newest.source.server_version / 10_000;
    programs(doctor::programs(needed, pg_bin.as_deref(), path.as_deref()).await)
}

fn has_room(work_dir: &Path, newest: &Manifest) -> Result<Finding, Failure> {
    let rows = newest.tables.iter().map(lethe_format::manifest::TableData::plain_len).sum();
    Ok(free_space(doctor::free_space(work_dir)?, rows))
}

fn what_is_left(
    settings: &Settings,
    work_dir: &Path,
    repository: Option<&Repository>,
) -> Result<Finding, Failure> {
    let key = match repository.map(Repository::naming_key) {
        Some(Ok(key)) => key,
        _ => {
            let advice = "set naming_key_file in lethe.toml: what a drill has made is known by it";
            return Ok(Finding::unknown("drill leftovers", "no naming key here", advice));
        }
    };
    let left = drill::left_in(work_dir, key)?;
    Ok(leftovers(&left, settings.leftovers_within()?, Timestamp::now()))
}
