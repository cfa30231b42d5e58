use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::{Error, ObjectInfo, ObjectStore};

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
