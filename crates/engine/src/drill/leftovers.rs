//! What killed drills have left on this machine: looked at, and not removed.

use std::path::Path;

use lethe_postgres::private_server::leftovers;
use lethe_rules::doctor::LeftoverSeen;
use lethe_rules::drill::name::DrillName;

use crate::{Error, NamingKey, clock};

/// In the folder in which drills make their servers.
///
/// # Errors
/// [`Error::LocalFile`] if it cannot be listed.
pub fn left_in(work_dir: &Path, key: &NamingKey) -> Result<Vec<LeftoverSeen>, Error> {
    let recognise = |name: &str| DrillName::recognise(name, key.as_bytes()).is_some();
    let found = leftovers::list(work_dir, &recognise)
        .map_err(|cause| Error::LocalFile { path: work_dir.display().to_string(), cause })?;
    Ok(found.into_iter().map(|(name, since)| LeftoverSeen { name, since: clock::time(since) }).collect())
}
