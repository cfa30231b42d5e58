use bytes::Bytes;
use futures_util::future::join_all;

use crate::{Error, ObjectName, ObjectStore};

/// Checks that the store's put-if-absent is what it says: a second writer is refused, and of twenty that race one wins.
///
/// Some servers ignore the condition, others honour it except in a race or in a versioned bucket, so that only trying
/// it tells. The objects it writes (below `probe/`) are deleted again.
///
/// # Errors
/// [`Error::NoPutIfAbsent`] with what was found, or the store's own errors.
pub async fn probe_put_if_absent(store: &dyn ObjectStore, unique: &str) -> Result<(), Error> {
    const WRITERS: usize = 20;
    let name = ObjectName::new(format!("probe/{unique}"))?;
    let outcome = race(store, &name, WRITERS).await;
    store.delete(&name).await?;
    let winners = outcome?;
    if winners != 1 {
        let finding = format!("{winners} of {WRITERS} racing writers were told that they had created it");
        return Err(Error::NoPutIfAbsent { store: store.url(), finding });
    }
    Ok(())
}

async fn race(store: &dyn ObjectStore, name: &ObjectName, writers: usize) -> Result<usize, Error> {
    let attempts =
        (0..writers).map(|number| store.put_if_absent(name, Bytes::from(format!("writer {number}"))));
    let mut winners = 0;
    for attempt in join_all(attempts).await {
        match attempt {
            Ok(()) => winners += 1,
            Err(Error::AlreadyExists { .. } | Error::Conflict { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    // With all of them done, one more must be refused for certain.
    match store.put_if_absent(name, Bytes::from_static(b"late")).await {
        Err(Error::AlreadyExists { .. }) => Ok(winners),
        Ok(()) => Ok(winners + 1),
        Err(other) => Err(other),
    }
}
