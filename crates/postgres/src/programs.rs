//! PostgreSQL's programs on this machine.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

/// A program and its version, `(15, 18)` for 15.18.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) version: (u32, u32),
    /// It lies in the folder that was named.
    pub(crate) named: bool,
}

/// Every program of this name: in `preferred` (a folder), on the `PATH`, in Debian's `/usr/lib/postgresql/*/bin`.
pub(crate) async fn find(name: &str, preferred: Option<&Path>, path: Option<&str>) -> Vec<Program> {
    let mut folders: Vec<PathBuf> = preferred.into_iter().map(Path::to_owned).collect();
    folders.extend(std::env::split_paths(path.unwrap_or_default()));
    if let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(entries.flatten().map(|entry| entry.path().join("bin")));
    }
    let mut found = Vec::new();
    for (place, folder) in folders.into_iter().enumerate() {
        let named = preferred.is_some() && place == 0;
        let path = folder.join(name);
        if let Some(version) = version(&path).await {
            found.push(Program { path, version, named });
        }
    }
    found
}

/// The one of the named folder, or else the oldest, that is at least this major version; else the newest version that there is.
pub(crate) fn choose(found: Vec<Program>, major: u32) -> Result<Program, Option<(u32, u32)>> {
    let newest = found.iter().map(|program| program.version).max();
    let fits = found.into_iter().filter(|program| program.version.0 >= major);
    fits.min_by_key(|program| (!program.named, program.version.0)).ok_or(newest)
}

/// Variables of this process that a program which it starts must not see: what would lead it to another server, and what
/// opens backups or stores.
pub(crate) fn not_their_business() -> impl Iterator<Item = String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| ["PG", "LETHE_", "AWS_"].iter().any(|prefix| name.starts_with(prefix)))
}

/// `pg_dump (PostgreSQL) 15.18 (Debian …)`, or none if there is no such program.
async fn version(path: &Path) -> Option<(u32, u32)> {
    if !path.is_file() {
        return None;
    }
    let output =
        Command::new(path).arg("--version").stdin(Stdio::null()).kill_on_drop(true).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let mut parts = number.split('.');
    Some((digits(parts.next()?)?, parts.next().and_then(digits).unwrap_or(0)))
}

/// Whether an extension's control file is where `pg_config` says that they are ("Packaging Related Objects into an Extension"); none if
/// it says nothing.
pub(crate) async fn has_extension(program: &Program, name: &str) -> Option<bool> {
    let pg_config = program.path.with_file_name("pg_config");
    let mut command = Command::new(pg_config);
    let output = command.arg("--sharedir").stdin(Stdio::null()).kill_on_drop(true).output().await.ok()?;
    let folder = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(Path::new(folder.trim()).join("extension").join(format!("{name}.control")).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_folder_is_obeyed_if_its_program_is_new_enough() {
        let program =
            |major: u32, named| Program { path: major.to_string().into(), version: (major, 1), named };
        let chosen = |all: &[Program], major| choose(all.to_vec(), major).map(|program| program.version.0);
        let all = [program(18, true), program(15, false), program(16, false)];
        assert_eq!(chosen(&all, 15), Ok(18));
        assert_eq!(chosen(&all[1..], 15), Ok(15));
        assert_eq!(chosen(&[program(14, true), program(16, false)], 15), Ok(16));
        assert_eq!(chosen(&all, 19), Err(Some((18, 1))));
    }
}
