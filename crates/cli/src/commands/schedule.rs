//! Whether snapshots come as often as they should.

use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::restore::finished_at;
use lethe_rules::retention::{Unusual, judge_frequency};
use lethe_store::ObjectStore;

use crate::failure::Failure;
use crate::output::{age, count};
use crate::settings::Settings;

/// What is wrong, if something is, and what to do.
pub(crate) async fn unusual(
    settings: &Settings,
    store: &dyn ObjectStore,
) -> Result<Option<(String, &'static str)>, Failure> {
    let every = settings.snapshot_every()?;
    let (finished, now) = (finished_at(store).await?, Timestamp::now());
    let look = "look at the log of the last lethe snapshot; take one by hand to see why it fails";
    Ok(match judge_frequency(&finished, every, now) {
        Unusual::None => None,
        Unusual::Missing => Some(("there is no snapshot, though [schedule] expects some".to_owned(), look)),
        Unusual::Late { newest } => Some((
            format!(
                "the newest snapshot was finished {} ago, and one is expected every {} min: is the schedule running?",
                age(now, newest),
                every.unwrap_or_default().as_secs() / 60
            ),
            look,
        )),
        Unusual::TooMany { found, expected } => Some((
            format!(
                "{} snapshots were finished in the last day, and {} are usual",
                count(found as u64),
                count(expected as u64)
            ),
            "find out who took them: somebody may have the keys of a snapshot host. They let no other snapshot go, since only age decides that",
        )),
    })
}

/// As a command's outcome.
pub(crate) async fn check(settings: &Settings, repository: &Repository) -> Result<(), Failure> {
    match unusual(settings, repository.store().as_ref()).await? {
        None => Ok(()),
        Some((problem, hint)) => Err(Failure::failed(problem).hint(hint)),
    }
}
