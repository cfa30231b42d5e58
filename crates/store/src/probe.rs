//! Whether a store does what the ledger rests on. Documentation does not tell, and neither do a store's settings: some
//! servers ignore `If-None-Match`, others honour it except in a race or in a versioned bucket.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;

use crate::{Error, ObjectName, ObjectStore};

const WRITERS: usize = 20;
/// Below this the probe writes; whatever is there is nobody's.
pub const PROBE: &str = "probe/";

/// Checks that the store's put-if-absent is what it says, twice: of twenty writers that race one wins, and one that comes
/// later is refused. And that what was written is listed at once.
///
/// The objects it writes (below `probe/`) are removed again, with all their versions. After a crash they are left there,
/// and in nobody's way.
///
/// # Errors
/// [`Error::NoPutIfAbsent`] or [`Error::Unfit`] with what was found, or the store's own errors.
pub async fn probe(store: &dyn ObjectStore, unique: &str) -> Result<(), Error> {
    for round in 1..=2 {
        let name = ObjectName::new(format!("{PROBE}{unique}-{round}"))?;
        let outcome = race(store, &name, WRITERS).await;
        let listed = names(store, name.as_str()).await;
        clean_up(store, &name).await?;
        let (winners, listed) = (outcome?, listed?);
        if winners != 1 {
            let finding = format!("{winners} of {WRITERS} racing writers were told that they had created it");
            return Err(Error::NoPutIfAbsent { store: store.url(), finding });
        }
        if listed != [name] {
            return Err(Error::Unfit {
                store: store.url(),
                problem: "an object that was just written is not listed".to_owned(),
                hint: "the ledger is read by listing it; name another store for it: ledger_url in lethe.toml"
                    .to_owned(),
            });
        }
    }
    Ok(())
}

async fn names(store: &dyn ObjectStore, prefix: &str) -> Result<Vec<ObjectName>, Error> {
    store.list(prefix).await?.map_ok(|info| info.name).try_collect().await
}

async fn clean_up(store: &dyn ObjectStore, name: &ObjectName) -> Result<(), Error> {
    let Some(versions) = store.versions(name.as_str()).await? else { return store.delete(name).await };
    for version in versions {
        store.delete_version(&version.name, &version.version).await?;
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
