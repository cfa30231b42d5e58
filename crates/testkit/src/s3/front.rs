//! What stands before the service: it writes down every request, and lets go wrong what was injected.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, IF_MATCH, RANGE};
use hyper::service::Service;
use hyper::{Method, Request, Response};
use s3s::service::S3Service;

use super::State;
use super::connection::Reset;
use super::fault::Fault;
use super::faulty_body::FaultyBody;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its name in the API, `GetObject`.
    pub operation: &'static str,
    pub range: Option<String>,
    pub if_match: Option<String>,
    pub fault: Option<Fault>,
    /// Requests that were being served, this one included.
    pub at_once: usize,
}

/// The service of one connection.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) service: S3Service,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) reset: Reset,
}

/// Counts a request as being served until this is dropped.
pub(super) struct InFlight(Arc<Mutex<State>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.0).in_flight -= 1;
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Front {
    fn arrived(&self, request: &Request<Incoming>) -> (Option<Fault>, InFlight) {
        let operation = operation(request);
        let header = |name| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
        let mut state = lock(&self.state);
        state.in_flight += 1;
        let fault = state.faults.next(operation);
        let at_once = state.in_flight;
        state.seen.push(Seen { operation, range: header(RANGE), if_match: header(IF_MATCH), fault, at_once });
        (fault, InFlight(self.state.clone()))
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<FaultyBody>, BoxError> {
        let (fault, in_flight) = self.arrived(&request);
        if let Some(refusal) = fault.and_then(Fault::refusal) {
            // A client that is still sending would see a reset instead of the answer.
            drain(request.into_body()).await;
            return refused(refusal, self.reset, in_flight);
        }
        if let Some(Fault::Slow(time)) = fault {
            tokio::time::sleep(time).await;
        }
        let response = self.service.call(request.map(s3s::Body::from)).await?;
        match fault {
            Some(Fault::LostAnswer) => {
                self.reset.store(true, Ordering::SeqCst);
                Err("the answer is lost".into())
            }
            Some(Fault::WrongAnswer) => {
                let refusal = (500, "InternalError", "We encountered an internal error.");
                refused(refusal, self.reset, in_flight)
            }
            _ => Ok(response.map(|body| FaultyBody::new(body, fault, self.reset, in_flight))),
        }
    }
}

impl Service<Request<Incoming>> for Front {
    type Response = Response<FaultyBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

/// The operation's name in the API, from a path-style request.
fn operation(request: &Request<Incoming>) -> &'static str {
    let path = request.uri().path().trim_start_matches('/');
    let of_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let query = request.uri().query().unwrap_or("");
    match (request.method(), of_object) {
        (&Method::GET, true) => "GetObject",
        (&Method::PUT, true) => "PutObject",
        (&Method::HEAD, true) => "HeadObject",
        (&Method::DELETE, true) => "DeleteObject",
        (&Method::GET, false) if query.contains("list-type=2") => "ListObjectsV2",
        (&Method::GET, false) if query.split('&').any(|part| part == "versions" || part == "versions=") => {
            "ListObjectVersions"
        }
        _ => "Other",
    }
}

async fn drain(mut body: Incoming) {
    while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
}

/// S3's form of an error.
fn refused(
    (status, code, message): (u16, &str, &str),
    reset: Reset,
    in_flight: InFlight,
) -> Result<Response<FaultyBody>, BoxError> {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let body = FaultyBody::new(s3s::Body::from(xml), None, reset, in_flight);
    Ok(Response::builder().status(status).header(CONTENT_TYPE, "application/xml").body(body)?)
}
