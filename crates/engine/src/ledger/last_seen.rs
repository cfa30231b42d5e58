//! The newest head that this host has seen: a ledger that lacks it was rolled back, whatever the store says.
//!
//! The file is replaced in one step (temporary file, sync, rename, sync of the folder) and only ever moves forward, so
//! a crash leaves the old head or the new one.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lethe_format::ledger::Head;

use super::VerifiedLedger;
use super::read::Chain;
use crate::Error;

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

    /// Refuses a ledger that does not contain the head seen last, and remembers its head otherwise.
    pub fn check_and_advance(&self, ledger: &VerifiedLedger) -> Result<(), Error> {
        let known = self.known(|known| ledger.contains(known))?;
        if known == Some(ledger.head()) { Ok(()) } else { self.write(&ledger.head()) }
    }

    pub(super) fn check(&self, chain: &Chain) -> Result<(), Error> {
        self.known(|known| chain.contains(known)).map(|_| ())
    }

    fn known(&self, contains: impl Fn(&Head) -> bool) -> Result<Option<Head>, Error> {
        let known = self.read()?;
        if let Some(known) = known.filter(|known| !contains(known)) {
            let problem = format!(
                "this host has seen entry {} before, and the ledger no longer has it: it was rolled back or replaced ({})",
                known.seq,
                self.path.display()
            );
            return Err(Error::ledger(known.seq, problem));
        }
        Ok(known)
    }

    /// Remembers an entry that this host has just written.
    pub(super) fn advance(&self, head: &Head) -> Result<(), Error> {
        match self.read()? {
            Some(known) if known.seq >= head.seq => Ok(()),
            _ => self.write(head),
        }
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
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let bytes =
            serde_json::to_vec(head).map_err(|_| Error::Worker("a ledger head is always JSON".to_owned()))?;
        let write = || {
            fs::create_dir_all(folder)?;
            let mut file = File::create(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: std::io::Error) -> Error {
        Error::LocalFile { path: self.path.display().to_string(), cause }
    }
}
