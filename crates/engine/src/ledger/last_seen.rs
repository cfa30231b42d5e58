//! The newest head that this host has seen: a ledger, or an audit log, that lacks it was rolled back, whatever the store says.
//!
//! The file is replaced in one step and only ever moves forward, so a crash leaves the old head or the new one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use lethe_format::ledger::Head;

use crate::{Error, replace_file};

#[derive(Clone, Debug)]
pub struct LastSeen {
    path: PathBuf,
}

impl LastSeen {
    /// `folder` is made if it is not there.
    #[must_use]
    pub fn new(folder: &Path, repository: &str) -> Self {
        Self { path: folder.join(format!("{repository}.head")) }
    }

    /// The same for the audit log.
    #[must_use]
    pub fn of_audit_log(folder: &Path, repository: &str) -> Self {
        Self { path: folder.join(format!("{repository}.audit.head")) }
    }

    /// None if this host has seen nothing yet.
    pub(crate) fn head(&self) -> Result<Option<Head>, Error> {
        self.read()
    }

    /// What this host has seen so far. To be asked before the ledger is read: another process may see more of it
    /// meanwhile.
    pub(super) fn known(&self) -> Result<Known, Error> {
        Ok(Known { head: self.read()?, path: self.path.clone() })
    }

    /// Remembers an entry, unless a later one is known already.
    pub(crate) fn advance(&self, head: &Head) -> Result<(), Error> {
        if self.read()?.is_some_and(|known| known.seq >= head.seq) {
            return Ok(());
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // Between looking and writing no other process may look or write.
        let lock = || {
            fs::create_dir_all(folder)?;
            let file = File::create(self.path.with_extension("lock"))?;
            file.lock()?;
            Ok(file)
        };
        let locked = lock().map_err(|cause| self.failed(cause))?;
        match self.read()? {
            Some(known) if known.seq >= head.seq => {}
            _ => self.write(head)?,
        }
        drop(locked);
        Ok(())
    }

    fn read(&self) -> Result<Option<Head>, Error> {
        let bytes = match fs::read(&self.path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(|cause| self.failed(cause))?,
        };
        // A file that cannot be understood must not pass for "nothing seen yet".
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| Error::damaged(self.path.display(), "it holds no ledger head"))
    }

    fn write(&self, head: &Head) -> Result<(), Error> {
        let bytes =
            serde_json::to_vec(head).map_err(|_| Error::Worker("a ledger head is always JSON".to_owned()))?;
        replace_file(&self.path, &bytes)
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        Error::LocalFile { path: self.path.display().to_string(), cause }
    }
}

/// The head that this host had seen before a ledger was read.
#[derive(Debug)]
pub(super) struct Known {
    head: Option<Head>,
    path: PathBuf,
}

impl Known {
    /// Refuses a ledger that lacks the head.
    pub(super) fn check(&self, contains: impl Fn(&Head) -> bool) -> Result<(), Error> {
        match &self.head {
            Some(known) if !contains(known) => {
                let problem = format!(
                    "this host has seen entry {} before, and the ledger no longer has it: it was rolled back or replaced ({})",
                    known.seq,
                    self.path.display()
                );
                Err(Error::ledger(known.seq, problem))
            }
            _ => Ok(()),
        }
    }
}
