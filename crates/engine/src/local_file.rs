//! Files of this host that are replaced in one step: temporary file, sync, rename, sync of the folder. A crash leaves the old content or
//! the new one, and perhaps a temporary file that nobody reads.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use crate::Error;

/// Replaces a file, or makes it.
///
/// # Errors
/// [`Error::LocalFile`].
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    // Two processes at once must not write to one temporary file.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&temporary);
    let write = || {
        let mut file = File::create(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|cause| {
        let _ = fs::remove_file(temporary);
        Error::LocalFile { path: path.display().to_string(), cause }
    })
}
