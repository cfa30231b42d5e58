//! What the maker of a private server leaves when it is killed: a lock file that nobody holds, a folder, processes.
//!
//! Nothing is touched that is not provably its own: the name is one that only the maker can have made, the lock file is
//! not held, file and folder belong to the user that makes them, and a process is one that has its working folder in
//! there (PostgreSQL's processes all work in their data directory). A signal goes to a process file descriptor that was
//! opened before this was looked at, so not to another process that has come to the same number since.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Place;

const SUFFIX: &str = ".lock";
/// How long a server that is told to end at once may take, before it is killed.
const ENDING: Duration = Duration::from_secs(10);

pub(super) fn lock_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{SUFFIX}"))
}

/// Locks the file, which is made if it is not there; none while another process holds it, or if it is not ours.
pub(super) fn claim(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Ok(None),
        Err(fs::TryLockError::Error(cause)) => return Err(cause),
    }
    // Another run may have removed it between opening and locking; and nobody's link is followed.
    let (locked, there) = (file.metadata()?, fs::symlink_metadata(path)?);
    let own = rustix::process::geteuid().as_raw();
    let same = (locked.dev(), locked.ino()) == (there.dev(), there.ino());
    Ok((same && locked.is_file() && locked.uid() == own).then_some(file))
}

/// Removes what was left in this place under names that are recognised, and says which.
///
/// # Errors
/// If something is left that cannot be removed.
pub fn remove(place: &Place, recognise: &dyn Fn(&str) -> bool) -> io::Result<Vec<String>> {
    let mut removed = Vec::new();
    for name in names(&place.folder, recognise)? {
        let lock_file = lock_file(&place.folder, &name);
        let Some(lock) = claim(&lock_file)? else { continue };
        let home = place.folder.join(&name);
        match fs::symlink_metadata(&home) {
            Ok(found) if found.is_dir() && place.owners().contains(&found.uid()) => clear(&home)?,
            Ok(_) => return Err(io::Error::other(format!("{} belongs to somebody else", home.display()))),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(cause),
        }
        fs::remove_file(&lock_file)?;
        drop(lock);
        removed.push(name);
    }
    Ok(removed)
}

/// What was left in a folder under names that are recognised, and since when. Nothing is removed.
///
/// # Errors
/// If the folder cannot be listed.
pub fn list(folder: &Path, recognise: &dyn Fn(&str) -> bool) -> io::Result<Vec<(String, SystemTime)>> {
    let mut found = Vec::new();
    for name in names(folder, recognise)? {
        // A lock that is held, or that somebody else may not even open, says that its maker lives.
        let lock = match File::open(lock_file(folder, &name)) {
            Ok(lock) => match lock.try_lock_shared() {
                Ok(()) => Some(lock),
                Err(_) => continue,
            },
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(_) => continue,
        };
        let made = |path: &Path| fs::symlink_metadata(path).and_then(|found| found.modified());
        let since = match &lock {
            Some(lock) => lock.metadata().and_then(|found| found.modified()),
            None => made(&folder.join(&name)),
        };
        found.extend(since.ok().map(|since| (name, since)));
    }
    Ok(found)
}

fn names(folder: &Path, recognise: &dyn Fn(&str) -> bool) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        let name = name.strip_suffix(SUFFIX).unwrap_or(&name);
        if recognise(name) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

/// Ends whatever works in a folder, and removes it.
pub(super) fn clear(home: &Path) -> io::Result<()> {
    end_processes(home);
    match fs::remove_dir_all(home) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        _ => Ok(()),
    }
}

/// An immediate shutdown of the server, which lets go of its shared memory; what is still there after a while is killed.
fn end_processes(home: &Path) {
    for signal in [Signal::QUIT, Signal::KILL] {
        let deadline = Instant::now() + ENDING;
        loop {
            let found = processes(home);
            if found.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                break;
            }
            for pid in found {
                send(pid, home, signal);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn processes(home: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter(|pid| works_in(*pid, home)).collect()
}

fn works_in(pid: i32, home: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder.starts_with(home))
}

fn send(pid: i32, home: &Path, signal: Signal) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if works_in(pid.as_raw_nonzero().get(), home) {
        let _ = pidfd_send_signal(&process, signal);
    }
}
