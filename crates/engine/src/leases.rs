//! Leases: as long as a restore runs, its snapshot stays, though not beyond the ceiling.
//!
//! A lease ends by itself after some hours; a running restore writes the next one long before, and removes them when it
//! is done. One that was killed leaves a lease that ends soon, and an object that a pruner removes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lethe_format::ids::{EventId, SnapshotId};
use lethe_format::layout;
use lethe_format::lease::{Lease, VERSION};
use lethe_store::ObjectName;

use crate::{Error, Repository, clock, objects};

/// How long a lease is good for, and how long before its end another one is written.
const GOOD_FOR: SignedDuration = SignedDuration::from_hours(3);
const RENEW_AFTER: Duration = Duration::from_secs(3600);

/// Does something while a lease keeps the snapshot. A store that takes no lease does not keep anybody from restoring: then
/// there is a warning.
pub async fn during<T>(repository: &Repository, snapshot: &SnapshotId, work: impl Future<Output = T>) -> T {
    let mut current = try_write(repository, snapshot).await;
    let done = {
        let renew = renew(repository, snapshot, &mut current);
        tokio::pin!(work, renew);
        tokio::select! {
            done = &mut work => done,
            never = &mut renew => match never {},
        }
    };
    if let Some(name) = current {
        remove(repository, &name).await;
    }
    done
}

async fn renew(
    repository: &Repository,
    snapshot: &SnapshotId,
    current: &mut Option<ObjectName>,
) -> Infallible {
    loop {
        tokio::time::sleep(RENEW_AFTER).await;
        if let Some(next) = try_write(repository, snapshot).await
            && let Some(older) = current.replace(next)
        {
            remove(repository, &older).await;
        }
    }
}

async fn try_write(repository: &Repository, snapshot: &SnapshotId) -> Option<ObjectName> {
    match write(repository, snapshot).await {
        Ok(name) => Some(name),
        Err(error) => {
            tracing::warn!(%error, "a pruner is not told that the snapshot is in use");
            None
        }
    }
}

async fn write(repository: &Repository, snapshot: &SnapshotId) -> Result<ObjectName, Error> {
    let now = clock::of_store(repository.store()).await?;
    let id = EventId::new(now, rand::random());
    let until = now.checked_add(GOOD_FOR).unwrap_or(Timestamp::MAX);
    let lease = Lease {
        version: VERSION,
        repository: repository.id().to_owned(),
        snapshot: snapshot.clone(),
        id: id.clone(),
        until,
    };
    let name = ObjectName::new(layout::lease(snapshot, &id))?;
    let bytes = lease.to_bytes(repository.naming_key()?.as_bytes()).map_err(Error::format(&name))?;
    objects::put_new(repository.store().as_ref(), &name, Bytes::from(bytes)).await?;
    Ok(name)
}

async fn remove(repository: &Repository, name: &ObjectName) {
    if let Err(error) = repository.store().delete(name).await {
        tracing::warn!(%error, "a lease was not removed; it ends by itself");
    }
}
