//! A body that goes on where it broke off, with bytes of the same object or with none.

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::time::{Instant, timeout};

use super::ResilientStore;
use super::attempts::Attempts;
use super::retry::Task;
use super::throttle::Permit;
use crate::{Error, ObjectName, ObjectReader, ObjectStore as _, Operation};

/// Where a body comes from.
pub(super) enum Origin {
    /// The object of that name, from this byte on.
    Current { start: u64 },
    /// One version of it, whole. Versions never change, but cannot be asked for in parts.
    Version(String),
}

/// The rest of an object, or of a part of one.
struct Transfer {
    store: ResilientStore,
    name: ObjectName,
    etag: Option<String>,
    version: Option<String>,
    /// Places in the object: where the body begins, where the next byte belongs, and one past the last byte.
    start: u64,
    at: u64,
    end: u64,
    /// None after it broke off.
    source: Option<Source>,
    attempts: Attempts,
}

struct Source {
    body: BoxStream<'static, Result<Bytes, Error>>,
    /// Bytes that come first and have been passed on before.
    skip: u64,
    /// The request is under way until its body is gone.
    _permit: Permit,
}

impl Source {
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        let piece = self.body.next().await?;
        Some(piece.map(|mut piece| {
            let skipped = self.skip.min(piece.len() as u64);
            self.skip -= skipped;
            piece.split_off(skipped as usize)
        }))
    }
}

impl ResilientStore {
    /// Wraps the reader of a request that has been answered.
    pub(super) fn resuming(
        &self,
        reader: ObjectReader,
        origin: Origin,
        permit: Permit,
        attempts: Attempts,
    ) -> ObjectReader {
        let (start, version) = match origin {
            Origin::Current { start } => (start, None),
            Origin::Version(version) => (0, Some(version)),
        };
        let transfer = Transfer {
            store: self.clone(),
            name: reader.name.clone(),
            etag: reader.etag.clone(),
            version,
            start,
            at: start,
            end: start + reader.len,
            source: Some(Source { body: reader.body, skip: 0, _permit: permit }),
            attempts,
        };
        let body = stream::try_unfold(transfer, |mut transfer| async {
            Ok(transfer.next().await?.map(|piece| (piece, transfer)))
        });
        ObjectReader { body: body.into_stream().boxed(), ..reader }
    }
}

impl Transfer {
    /// The next bytes, none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let task = Task::new(Operation::Get, &self.name);
        let idle_timeout = self.store.policy.idle_timeout;
        loop {
            if self.source.is_none() {
                self.source = Some(self.reconnect(&task).await?);
            }
            let Some(source) = &mut self.source else { continue };
            let since = Instant::now();
            let piece = timeout(idle_timeout, source.next()).await;
            let complete = self.at == self.end;
            let failure = match piece {
                Ok(Some(Ok(piece))) if piece.len() as u64 > self.end - self.at => {
                    return Err(self.wrong_length(piece.len() as u64));
                }
                Ok(Some(Ok(piece))) if piece.is_empty() => continue,
                Ok(Some(Ok(piece))) => {
                    self.at += piece.len() as u64;
                    self.attempts.progressed(Instant::now());
                    return Ok(Some(piece));
                }
                Ok(None) | Err(_) if complete => return Ok(None),
                // What is wrong after the last byte is the whole: a checksum that does not hold.
                Ok(Some(Err(failure))) if complete => return Err(self.corrupt(failure)),
                Ok(Some(Err(failure))) => failure,
                Ok(None) => self.wrong_length(0),
                Err(_) => self.store.stalled(&task, idle_timeout),
            };
            self.source = None;
            // Without an ETag nobody could say that the rest is the same object's.
            if self.etag.is_none() && self.at > self.start {
                return Err(failure);
            }
            self.store.wait(&task, &mut self.attempts, since, failure).await?;
        }
    }

    async fn reconnect(&mut self, task: &Task) -> Result<Source, Error> {
        let (store, name, rest) = (&self.store, &self.name, self.at..self.end);
        let (etag, version) = (self.etag.as_deref(), self.version.as_deref());
        // A version comes whole again.
        let (first, skip) = if version.is_some() { (self.start, self.at - self.start) } else { (self.at, 0) };
        let call = || async {
            let call = match version {
                Some(version) => store.inner.get_version(name, version),
                None => store.inner.get_range(name, rest.clone(), etag),
            };
            let reader = store.in_time(task, store.policy.idle_timeout, call).await?;
            let same_object = etag.is_none() || reader.etag.as_deref() == etag;
            if same_object && reader.len == rest.end - first {
                Ok(reader)
            } else {
                Err(Error::Changed { store: store.url(), name: name.clone() })
            }
        };
        let (reader, permit) = store.retry(task, &mut self.attempts, call).await?;
        Ok(Source { body: reader.body, skip, _permit: permit })
    }

    fn wrong_length(&self, more: u64) -> Error {
        Error::WrongLength {
            store: self.store.url(),
            name: self.name.clone(),
            expected: self.end - self.start,
            read: self.at - self.start + more,
        }
    }

    fn corrupt(&self, cause: Error) -> Error {
        let (store, len) = (self.store.url(), self.end - self.start);
        Error::Corrupt { store, name: self.name.clone(), len, cause: Box::new(cause) }
    }
}
