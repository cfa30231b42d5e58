use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::{Error, ObjectInfo, ObjectStore, UploadInfo, VersionInfo};

/// A whole listing from its pages; each is asked for when the one before has been read.
pub(crate) fn all<S>(store: S, prefix: &str) -> BoxStream<'static, Result<ObjectInfo, Error>>
where
    S: ObjectStore + Clone + 'static,
{
    let prefix = prefix.to_owned();
    let pages = stream::try_unfold(Some(None::<String>), move |cursor| {
        let (store, prefix) = (store.clone(), prefix.clone());
        async move {
            let Some(cursor) = cursor else { return Ok(None) };
            let page = store.list_page(&prefix, cursor.as_deref()).await?;
            Ok(Some((stream::iter(page.infos.into_iter().map(Ok)), page.next.map(Some))))
        }
    });
    pages.try_flatten().boxed()
}

/// A whole history from its pages: in the order of the names, and for each name the newest first.
pub(crate) async fn history(
    store: &impl ObjectStore,
    prefix: &str,
) -> Result<Option<Vec<VersionInfo>>, Error> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let Some(page) = store.versions_page(prefix, cursor.as_deref()).await? else { return Ok(None) };
        found.extend(page.infos);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    // Versions and delete markers are each in this order already, and the sort keeps it.
    found.sort_by(|one, other| {
        one.name.as_str().cmp(other.name.as_str()).then_with(|| other.modified.cmp(&one.modified))
    });
    Ok(Some(found))
}

/// All unfinished uploads below a prefix, from their pages; none if the store does not know the call.
pub async fn uploads(store: &dyn ObjectStore, prefix: &str) -> Result<Option<Vec<UploadInfo>>, Error> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let Some(page) = store.uploads_page(prefix, cursor.as_deref()).await? else { return Ok(None) };
        found.extend(page.infos);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(Some(found));
        }
    }
}
