//! An answer's body on its way out, and what happens to it.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::connection::Reset;
use super::fault::Fault;
use super::front::InFlight;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Long enough for what was sent before a reset to arrive; if it does not, the client sees fewer bytes, as it may.
const FLUSH: Duration = Duration::from_millis(10);

pub(super) struct FaultyBody {
    inner: s3s::Body,
    fault: Option<Fault>,
    reset: Reset,
    sent: u64,
    flush: Option<Pin<Box<Sleep>>>,
    /// The request is being served until its body is gone.
    _in_flight: InFlight,
}

impl FaultyBody {
    pub(super) fn new(inner: s3s::Body, fault: Option<Fault>, reset: Reset, in_flight: InFlight) -> Self {
        Self { inner, fault, reset, sent: 0, flush: None, _in_flight: in_flight }
    }

    /// The place after which nothing more may come.
    fn end(&self) -> Option<u64> {
        match self.fault {
            Some(Fault::ResetMidBody { at } | Fault::StallMidBody { at } | Fault::ShortBody { at }) => {
                Some(at)
            }
            _ => None,
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if matches!(self.fault, Some(Fault::StallMidBody { .. })) {
            return Poll::Pending;
        }
        ready!(self.flush.get_or_insert_with(|| Box::pin(tokio::time::sleep(FLUSH))).as_mut().poll(cx));
        if matches!(self.fault, Some(Fault::ResetMidBody { .. })) {
            self.reset.store(true, Ordering::SeqCst);
        }
        Poll::Ready(Some(Err("the body ends here".into())))
    }

    fn passed(&mut self, data: Bytes) -> Bytes {
        let start = self.sent;
        let data = match self.end() {
            Some(end) => data.slice(..data.len().min((end - start) as usize)),
            None => data,
        };
        self.sent += data.len() as u64;
        match self.fault {
            Some(Fault::WrongBytes { at }) if (start..self.sent).contains(&at) => {
                let mut wrong = BytesMut::from(&data[..]);
                wrong[(at - start) as usize] ^= 1;
                wrong.freeze()
            }
            _ => data,
        }
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.end().is_some_and(|end| self.sent >= end) {
            return self.poll_end(cx);
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(frame.map(|frame| Ok(frame?.map_data(|data| self.passed(data)))))
    }

    fn is_end_stream(&self) -> bool {
        self.end().is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
