//! Whether snapshots come as often as they should.

use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::restore::newest_at;
use lethe_store::ObjectStore;

use crate::failure::Failure;
use crate::output::age;
use crate::settings::Settings;

/// What is wrong, if something is: the newest snapshot is missing, or older than twice the time between two.
pub(crate) async fn overdue(settings: &Settings, store: &dyn ObjectStore) -> Result<Option<String>, Failure> {
    let Some(every) = settings.snapshot_every()? else { return Ok(None) };
    let newest = newest_at(store).await?;
    let now = Timestamp::now();
    let limit = now.checked_sub(every.saturating_mul(2)).unwrap_or(Timestamp::MIN);
    Ok(match newest {
        None => Some("there is no snapshot, though [schedule] expects some".to_owned()),
        Some(at) if at < limit => Some(format!(
            "the newest snapshot was finished {} ago, and one is expected every {} min: is the schedule running?",
            age(now, at),
            every.as_secs() / 60
        )),
        Some(_) => None,
    })
}

/// As a command's outcome.
pub(crate) async fn check(settings: &Settings, repository: &Repository) -> Result<(), Failure> {
    match overdue(settings, repository.store().as_ref()).await? {
        None => Ok(()),
        Some(problem) => Err(Failure::failed(problem)
            .hint("look at the log of the last lethe snapshot; take one by hand to see why it fails")),
    }
}
