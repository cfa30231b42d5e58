//! The second store before anything is copied into it.

use futures_util::StreamExt as _;
use lethe_format::layout;

use crate::{Error, Repository, objects};

/// Whether nothing was copied there yet, or not everything that makes it a repository.
///
/// # Errors
/// [`Error::OtherRepository`], or [`Error::NotEmpty`] if it holds what is no repository.
pub(super) async fn check(copy: &Repository) -> Result<bool, Error> {
    match Repository::id_in(copy.store().as_ref()).await {
        Ok(id) if id == copy.id() => return Ok(false),
        Ok(_) => return Err(Error::OtherRepository { store: copy.store().url() }),
        Err(Error::NoRepository { .. }) => {}
        Err(error) => return Err(error),
    }
    for store in [copy.store(), copy.ledger_store()] {
        let mut found = store.list("").await?;
        while let Some(info) = found.next().await.transpose()? {
            // What a run that was killed has left: its ledger says whose it is, which is looked at next.
            let ours = [layout::LEDGER, layout::AUDIT, layout::KEYS, lethe_store::PROBE]
                .iter()
                .any(|prefix| info.name.as_str().starts_with(prefix));
            if !ours {
                return Err(Error::NotEmpty { store: store.url(), found: info.name.to_string() });
            }
        }
    }
    // It may have to be the ledger one day.
    let unique = hex::encode(rand::random::<[u8; 16]>());
    lethe_store::probe(copy.ledger_store().as_ref(), &unique).await?;
    Ok(true)
}

/// Makes a repository of it, now that the ledger and the key ring are there.
pub(super) async fn found(repository: &Repository, copy: &Repository) -> Result<(), Error> {
    let bytes = objects::get(repository.store().as_ref(), layout::REPOSITORY, 1 << 20).await?;
    objects::create(copy.store().as_ref(), layout::REPOSITORY, bytes).await
}
