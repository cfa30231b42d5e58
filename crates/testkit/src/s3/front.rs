//! What stands before the service: it writes down every request, and lets go wrong what was injected.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue, IF_MATCH, RANGE};
use hyper::service::Service;
use hyper::{Method, Request, Response};
use s3s::service::S3Service;

use super::connection::Reset;
use super::deletion::Doomed;
use super::fault::Fault;
use super::faulty_body::FaultyBody;
use super::iam::Policy;
use super::principal::{Principal, access_key, permission};
use super::{Misbehaviour, State, deletion, hetzner};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request as it arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its name in the API, `GetObject`.
    pub operation: &'static str,
    pub bucket: String,
    /// Empty if it was about the bucket.
    pub key: String,
    /// Whose signature it carries.
    pub access_key: Option<String>,
    /// What the principal needs for it: `s3:GetObject`.
    pub permission: Option<String>,
    /// True if that principal's policies, or the bucket's, do not allow it.
    pub denied: bool,
    /// What the store is asked to encrypt with: the algorithm, and the key if one is named.
    pub encryption: Option<String>,
    pub range: Option<String>,
    pub if_match: Option<String>,
    pub fault: Option<Fault>,
    /// Requests that were being served, this one included.
    pub at_once: usize,
}

impl Seen {
    /// True if it was about objects or their names, not about a bucket's settings.
    #[must_use]
    pub fn is_about_objects(&self) -> bool {
        self.operation.ends_with("Object")
            || matches!(self.operation, "ListObjectsV2" | "ListObjectVersions" | "Other")
    }
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
    fn arrived<B>(&self, request: &Request<B>) -> (Option<Fault>, bool, InFlight) {
        let operation = operation(request);
        let header = |name| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
        let mut state = lock(&self.state);
        state.in_flight += 1;
        let fault = state.faults.next(operation);
        let at_once = state.in_flight;
        // Of a deletion of many each is judged and written down by itself.
        let is_one = operation != "DeleteObjects";
        let denied = is_one && is_denied(&state, request);
        if is_one {
            state.seen.push(Seen {
                operation,
                bucket: bucket_of(request).to_owned(),
                key: key_of(request),
                access_key: access_key(request),
                permission: permission(request),
                denied,
                encryption: encryption(request),
                range: header(RANGE),
                if_match: header(IF_MATCH),
                fault,
                at_once,
            });
        }
        (fault, denied, InFlight(self.state.clone()))
    }

    /// Writes down what a DeleteObjects asks for, and gives what is not allowed.
    fn refused_deletions(&self, request: &Request<Bytes>, fault: Option<Fault>) -> Vec<Doomed> {
        let mut state = lock(&self.state);
        let (bucket, access_key) = (bucket_of(request), access_key(request));
        let policy = state.settings.get(bucket).and_then(|settings| settings.policy.as_deref());
        let policy = policy.map(Policy::parse);
        let who = state.principals.iter().find(|one| Some(&one.access_key) == access_key.as_ref()).cloned();
        let (at_once, secure) = (state.in_flight, !state.insecure);
        let mut refused = Vec::new();
        for doomed in deletion::doomed(request.body()) {
            let may = |who: &Principal| who.may_delete(request, &doomed, secure, policy.as_ref());
            let denied = who.as_ref().is_some_and(|who| !may(who));
            state.seen.push(Seen {
                operation: "DeleteObjects",
                bucket: bucket.to_owned(),
                key: doomed.key.clone(),
                access_key: access_key.clone(),
                permission: Some(doomed.permission().to_owned()),
                denied,
                encryption: None,
                range: None,
                if_match: None,
                fault,
                at_once,
            });
            if denied {
                refused.push(doomed);
            }
        }
        refused
    }

    /// Deletes what may be deleted, and says so of the rest.
    fn delete_in_part(&self, request: &Request<Bytes>, refused: &[Doomed]) -> Canned {
        let mut state = lock(&self.state);
        if let Some(bucket) = state.buckets.get_mut(bucket_of(request)) {
            for doomed in deletion::doomed(request.body()).iter().filter(|doomed| !refused.contains(doomed)) {
                match doomed.version.as_ref().and_then(|id| id.parse().ok()) {
                    Some(id) => bucket.delete_version(&doomed.key, id),
                    None => bucket.delete(&doomed.key),
                }
            }
        }
        Canned::ok(deletion::refusal(refused))
    }

    /// DeleteObjects, whose body has to be read to know what it asks for.
    async fn answer_deletion(self, request: Request<Incoming>) -> Result<Response<FaultyBody>, BoxError> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, collect(body).await);
        let (fault, _, in_flight) = self.arrived(&request);
        if let Some(refusal) = fault.and_then(Fault::refusal) {
            return refused(refusal, self.reset, in_flight);
        }
        if lock(&self.state).misbehaviours.contains(&Misbehaviour::RefusesDeleteObjects) {
            return Canned::error(501, "NotImplemented").into_response(self.reset, in_flight);
        }
        let denied = self.refused_deletions(&request, fault);
        if !denied.is_empty() {
            return self.delete_in_part(&request, &denied).into_response(self.reset, in_flight);
        }
        let response = self.service.call(request.map(s3s::Body::from)).await?;
        self.finish(response, fault, in_flight)
    }

    fn finish(
        self,
        mut response: Response<s3s::Body>,
        fault: Option<Fault>,
        in_flight: InFlight,
    ) -> Result<Response<FaultyBody>, BoxError> {
        set_date(&mut response, lock(&self.state).clock);
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

    /// HeadBucket says where a bucket is also to those who may do nothing with it.
    fn denial(&self, request: &Request<Incoming>) -> Canned {
        let state = lock(&self.state);
        let tells_region = !state.misbehaviours.contains(&Misbehaviour::NoRegionHeader);
        let region = state.settings.get(bucket_of(request)).cloned().unwrap_or_default().region;
        let region = (tells_region && operation(request) == "HeadBucket").then_some(region);
        Canned { region, ..Canned::error(403, "AccessDenied") }
    }

    /// An answer that the service has no part in.
    fn canned(&self, request: &Request<Incoming>) -> Option<Canned> {
        let state = lock(&self.state);
        let hetzner = state.misbehaviours.contains(&Misbehaviour::HetznerRefusals);
        let refusal = if hetzner { hetzner::refusal(request) } else { None };
        if let Some((status, code)) = refusal {
            return Some(Canned::error(status, code));
        }
        let bucket = bucket_of(request);
        let settings = state.settings.get(bucket).cloned().unwrap_or_default();
        let is_there = state.buckets.contains_key(bucket);
        let tells_region = !state.misbehaviours.contains(&Misbehaviour::NoRegionHeader);
        let from = parameter(request, "continuation-token");
        if !is_there {
            return None;
        }
        if state.misbehaviours.contains(&Misbehaviour::CephListsInstead)
            && matches!(
                operation(request),
                "ListBucketInventoryConfigurations" | "ListBucketAnalyticsConfigurations"
            )
        {
            return Some(Canned::ok("<ListBucketResult><Name>x</Name></ListBucketResult>".to_owned()));
        }
        settings.answer(operation(request), tells_region, from.as_deref())
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<FaultyBody>, BoxError> {
        if operation(&request) == "DeleteObjects" {
            return self.answer_deletion(request).await;
        }
        let (fault, denied, in_flight) = self.arrived(&request);
        if let Some(refusal) = fault.and_then(Fault::refusal) {
            // A client that is still sending would see a reset instead of the answer.
            drain(request.into_body()).await;
            return refused(refusal, self.reset, in_flight);
        }
        if fault == Some(Fault::Stale) {
            let empty =
                Canned::ok("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>".into());
            return empty.into_response(self.reset, in_flight);
        }
        if denied {
            let denial = self.denial(&request);
            drain(request.into_body()).await;
            return denial.into_response(self.reset, in_flight);
        }
        if let Some(answer) = self.canned(&request) {
            drain(request.into_body()).await;
            let now = lock(&self.state).clock;
            let mut response = answer.into_response(self.reset, in_flight)?;
            set_date(&mut response, now);
            return Ok(response);
        }
        if let Some(Fault::Slow(time)) = fault {
            tokio::time::sleep(time).await;
        }
        let response = self.service.call(request.map(s3s::Body::from)).await?;
        self.finish(response, fault, in_flight)
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

/// Keys without policies belong to whoever owns everything.
fn is_denied<B>(state: &State, request: &Request<B>) -> bool {
    let key = access_key(request);
    let Some(principal) = state.principals.iter().find(|one| Some(&one.access_key) == key.as_ref()) else {
        return false;
    };
    let bucket = bucket_of(request);
    let policy = state.settings.get(bucket).and_then(|settings| settings.policy.as_deref());
    let is_there = state.buckets.get(bucket).is_some_and(|found| found.get(&key_of(request)).is_some());
    !principal.may(request, !state.insecure, policy.map(Policy::parse).as_ref(), is_there)
}

pub(super) fn bucket_of<B>(request: &Request<B>) -> &str {
    request.uri().path().trim_start_matches('/').split('/').next().unwrap_or("")
}

/// The object's key; empty if the request is about the bucket.
pub(super) fn key_of<B>(request: &Request<B>) -> String {
    let path = request.uri().path().trim_start_matches('/');
    decoded(path.split_once('/').map_or("", |(_, key)| key))
}

/// A parameter of the query.
pub(super) fn parameter<B>(request: &Request<B>, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or("");
    let mut parts = query.split('&').map(|part| part.split_once('=').unwrap_or((part, "")));
    parts.find(|(found, _)| *found == name).map(|(_, value)| decoded(value))
}

pub(super) fn asks<B>(request: &Request<B>, name: &str) -> bool {
    parameter(request, name).is_some()
}

/// `%2F` is a slash.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let digits = more.get(..2).filter(|_| *first == b'%').and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The operation's name in the API, from a path-style request.
pub(super) fn operation<B>(request: &Request<B>) -> &'static str {
    let of_object = !key_of(request).is_empty();
    let asks = |name: &str| asks(request, name);
    match (request.method(), of_object) {
        (&Method::DELETE, true) if asks("uploadId") => "AbortMultipartUpload",
        (_, true) if asks("uploadId") || asks("uploads") || asks("tagging") || asks("acl") => "Other",
        (&Method::GET, true) => "GetObject",
        (&Method::PUT, true) => "PutObject",
        (&Method::HEAD, true) => "HeadObject",
        (&Method::DELETE, true) => "DeleteObject",
        (&Method::POST, false) if asks("delete") => "DeleteObjects",
        (&Method::HEAD, false) => "HeadBucket",
        (&Method::GET, false) if asks("list-type") => "ListObjectsV2",
        (&Method::GET, false) if asks("versions") => "ListObjectVersions",
        (&Method::GET, false) if asks("location") => "GetBucketLocation",
        (&Method::GET, false) if asks("replication") => "GetBucketReplication",
        (&Method::GET, false) if asks("encryption") => "GetBucketEncryption",
        (&Method::GET, false) if asks("versioning") => "GetBucketVersioning",
        (&Method::GET, false) if asks("object-lock") => "GetObjectLockConfiguration",
        (&Method::GET, false) if asks("policy") => "GetBucketPolicy",
        (&Method::GET, false) if asks("logging") => "GetBucketLogging",
        (&Method::GET, false) if asks("inventory") => "ListBucketInventoryConfigurations",
        (&Method::GET, false) if asks("analytics") => "ListBucketAnalyticsConfigurations",
        (&Method::GET, false) if asks("notification") => "GetBucketNotificationConfiguration",
        (&Method::GET, false) if asks("lifecycle") => "GetBucketLifecycleConfiguration",
        (&Method::GET, false) if asks("publicAccessBlock") => "GetPublicAccessBlock",
        (&Method::GET, false) if asks("uploads") => "ListMultipartUploads",
        _ => "Other",
    }
}

fn encryption<B>(request: &Request<B>) -> Option<String> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let algorithm = header("x-amz-server-side-encryption")?;
    let key = header("x-amz-server-side-encryption-aws-kms-key-id").map(|key| format!(" {key}"));
    Some(algorithm.to_owned() + key.as_deref().unwrap_or_default())
}

async fn collect(mut body: Incoming) -> Bytes {
    let mut collected = Vec::new();
    while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.into_data() {
            collected.extend_from_slice(&data);
        }
    }
    collected.into()
}

/// Without one of its own an answer carries this machine's.
fn set_date<B>(response: &mut Response<B>, now: Option<SystemTime>) {
    if let Some(date) = now.and_then(|now| HeaderValue::from_str(&http_date(now)).ok()) {
        response.headers_mut().insert(DATE, date);
    }
}

/// As RFC 9110 writes it in section 5.6.7.
fn http_date(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days % 7) as usize];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (mut year, mut day) = (1970, days);
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{weekday}, {:02} {} {year} {hour:02}:{minute:02}:{second:02} GMT", day + 1, months[month])
}

async fn drain(mut body: Incoming) {
    while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
}

/// An answer that is given as it stands.
pub(super) struct Canned {
    pub(super) status: u16,
    /// For the header `x-amz-bucket-region`.
    pub(super) region: Option<String>,
    pub(super) xml: String,
}

impl Canned {
    /// S3's form of an error.
    pub(super) fn error(status: u16, code: &str) -> Self {
        let xml = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
        Self { status, region: None, xml }
    }

    pub(super) fn ok(xml: String) -> Self {
        Self { status: 200, region: None, xml }
    }

    fn into_response(self, reset: Reset, in_flight: InFlight) -> Result<Response<FaultyBody>, BoxError> {
        // A bucket's policy is JSON.
        let xml = if !self.xml.starts_with('<') {
            self.xml
        } else {
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", self.xml)
        };
        let body = FaultyBody::new(s3s::Body::from(xml), None, reset, in_flight);
        let mut response = Response::builder().status(self.status).header(CONTENT_TYPE, "application/xml");
        if let Some(region) = &self.region {
            response = response.header("x-amz-bucket-region", region);
        }
        Ok(response.body(body)?)
    }
}

fn refused(
    (status, code, message): (u16, &str, &str),
    reset: Reset,
    in_flight: InFlight,
) -> Result<Response<FaultyBody>, BoxError> {
    let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Canned { status, region: None, xml }.into_response(reset, in_flight)
}
