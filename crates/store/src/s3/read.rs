use std::ops::Range;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::S3Store;
use super::failure::status;
use crate::{Error, ObjectName, ObjectReader, ObjectStore as _, Operation};

impl S3Store {
    /// An object or a part of it: bytes from `range.start` up to, but without, `range.end`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Changed`] if it has another ETag, or what went wrong.
    pub(super) async fn get_part(
        &self,
        name: &ObjectName,
        range: Option<Range<u64>>,
        etag: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        // HTTP ranges name the last byte, and an empty one cannot be written.
        if range.as_ref().is_some_and(|range| range.start >= range.end) {
            let info = self.head(name).await?.ok_or_else(|| self.not_found(name))?;
            let body = stream::empty().boxed();
            return Ok(ObjectReader { name: name.clone(), store: self.url(), len: 0, etag: info.etag, body });
        }
        let request = self.client.get().get_object().bucket(&self.bucket).key(self.key(name));
        let start = range.as_ref().map(|range| range.start);
        let request =
            request.set_range(range.map(|range| format!("bytes={}-{}", range.start, range.end - 1)));
        let request = request.set_if_match(etag.map(str::to_owned));
        let output = request.send().await.map_err(|error| match status(&error) {
            Some(404) => self.not_found(name),
            Some(412) => Error::Changed { store: self.url(), name: name.clone() },
            _ => self.error(Operation::Get, name, error),
        })?;
        let found = output.e_tag().map(str::to_owned);
        // Some servers ignore If-Match on GET, so the answer's own ETag decides.
        if etag.is_some() && found.as_deref() != etag {
            return Err(Error::Changed { store: self.url(), name: name.clone() });
        }
        if let Some(start) = start
            && !begins_at(output.content_range(), start)
        {
            let problem = "the store answers a request for a part of it with another part";
            return Err(Error::failed(&self.url, Operation::Get, name, problem));
        }
        let len = output.content_length().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
        Ok(ObjectReader {
            name: name.clone(),
            store: self.url(),
            len,
            etag: found,
            body: self.body(name, output.body),
        })
    }

    pub(super) fn body(
        &self,
        name: &ObjectName,
        body: ByteStream,
    ) -> BoxStream<'static, Result<Bytes, Error>> {
        let (store, name) = (self.url.clone(), name.clone());
        stream::unfold(Some(body), move |body| {
            let (store, name) = (store.clone(), name.clone());
            async move {
                let mut body = body?;
                match body.next().await? {
                    Ok(piece) => Some((Ok(piece), Some(body))),
                    Err(cause) => {
                        let error = Error::Failed {
                            store: store.to_string(),
                            operation: Operation::Get,
                            name: name.to_string(),
                            retryable: true,
                            cause: cause.into(),
                        };
                        Some((Err(error), None))
                    }
                }
            }
        })
        .boxed()
    }
}

/// Whether an answer's `Content-Range` (`bytes 5-9/10`) begins at a place. Some servers answer with the whole object,
/// and without this header, which then begins at 0 all the same.
fn begins_at(content_range: Option<&str>, start: u64) -> bool {
    let Some(range) = content_range else { return start == 0 };
    let first = range.strip_prefix("bytes ").and_then(|range| range.split('-').next());
    first.and_then(|first| first.parse().ok()) == Some(start)
}

#[cfg(test)]
mod tests {
    use super::begins_at;

    #[test]
    fn a_part_begins_where_its_header_says() {
        assert!(begins_at(Some("bytes 5-9/10"), 5) && begins_at(None, 0));
        assert!(
            !begins_at(Some("bytes 0-9/10"), 5) && !begins_at(None, 5) && !begins_at(Some("lines 5-"), 5)
        );
    }
}
