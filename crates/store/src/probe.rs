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
    let bodies: Vec<Bytes> = (0..writers).map(|number| Bytes::from(format!("writer {number}"))).collect();
    let attempts = bodies.iter().map(|body| create(store, name, body));
    let mut winners = 0;
    for attempt in join_all(attempts).await {
        winners += usize::from(attempt?);
    }
    // With all of them done, one more must be refused for certain.
    let late = create(store, name, &Bytes::from_static(b"late")).await?;
    Ok(winners + usize::from(late))
}

/// Whether this writer has created the object.
async fn create(store: &dyn ObjectStore, name: &ObjectName, body: &Bytes) -> Result<bool, Error> {
    match store.put_if_absent(name, body.clone()).await {
        Ok(()) => Ok(true),
        Err(Error::AlreadyExists { .. } | Error::Conflict { .. }) => Ok(false),
        Err(Error::OutcomeUnknown { .. }) => Ok(store.get(name).await?.read_to_bytes(1 << 10).await? == body),
        Err(other) => Err(other),
    }
}
