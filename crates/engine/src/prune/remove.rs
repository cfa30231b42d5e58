//! Removing many objects: a thousand by one request where the store knows how, one by one where it does not.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lethe_rules::retention::Removal;
use lethe_store::{BATCH, Doomed, ObjectName, ObjectStore, UploadInfo};

use crate::Error;

/// Requests at once, where each removes one object.
const AT_ONCE: usize = 16;

/// Gives what the store refused to remove, by its name, with what it said.
///
/// # Errors
/// The store's, if it could not be asked: what was not removed by then is found by the next run.
pub(super) async fn all(
    store: &dyn ObjectStore,
    removals: &[Removal],
) -> Result<BTreeMap<String, String>, Error> {
    let mut refused = BTreeMap::new();
    let mut knows_batches = true;
    for batch in removals.chunks(BATCH) {
        let doomed: Result<Vec<Doomed>, Error> = batch
            .iter()
            .map(|removal| {
                Ok(Doomed { name: ObjectName::new(&removal.name)?, version: removal.version.clone() })
            })
            .collect();
        let doomed = doomed?;
        let answer = if knows_batches { store.delete_batch(&doomed).await? } else { None };
        match answer {
            Some(left) => {
                refused.extend(left.into_iter().map(|left| (left.doomed.name.to_string(), left.problem)));
            }
            None => {
                knows_batches = false;
                refused.extend(one_by_one(store, doomed).await?);
            }
        }
    }
    Ok(refused)
}

async fn one_by_one(store: &dyn ObjectStore, doomed: Vec<Doomed>) -> Result<Vec<(String, String)>, Error> {
    let deleted = stream::iter(doomed).map(|Doomed { name, version }| async move {
        let deleted = match &version {
            Some(version) => store.delete_version(&name, version).await,
            None => store.delete(&name).await,
        };
        match deleted {
            Ok(()) => Ok(None),
            Err(error @ lethe_store::Error::Denied { .. }) => Ok(Some((name.to_string(), error.to_string()))),
            Err(error) => Err(Error::from(error)),
        }
    });
    let refused: Vec<Option<(String, String)>> = deleted.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(refused.into_iter().flatten().collect())
}

/// Aborts unfinished uploads, and gives their number.
pub(super) async fn uploads(store: &dyn ObjectStore, uploads: &[(String, String)]) -> Result<usize, Error> {
    for (name, id) in uploads {
        let begun = std::time::SystemTime::UNIX_EPOCH;
        let upload = UploadInfo { name: ObjectName::new(name)?, id: id.clone(), begun };
        store.abort_upload(&upload).await?;
    }
    Ok(uploads.len())
}
