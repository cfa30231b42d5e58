//! A real HTTP S3 server inside the test process, in memory, with truly atomic conditional writes and versioning.
//!
//! Ready-made small servers let several racing writers win or keep objects whose checksum was wrong, so the tests have
//! this one. What real stores get wrong is available under its name: [`Misbehaviour`] for what they always do, [`Kind`]
//! for all that one product does, [`BucketSettings`] for what a bucket says of itself, [`Fault`] for what happens to
//! some [`Requests`].

mod bucket;
mod connection;
mod deletion;
mod fault;
mod faulty_body;
mod front;
mod hetzner;
mod iam;
mod kind;
mod pretend;
mod principal;
mod service;
mod settings;
mod ways_out;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use bucket::{Bucket, Upload};
use connection::Connection;
use fault::Faults;
use front::Front;
use service::Service;

pub use fault::{Fault, Requests};
pub use front::Seen;
pub use iam::{Asked, Policy, is_allowed};
pub use kind::Kind;
pub use pretend::Pretend;
pub use principal::{ACCOUNT, Principal};
pub use settings::{BucketSettings, Replication};
pub use ways_out::WaysOut;

/// What real stores get wrong, by who does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Misbehaviour {
    /// `If-None-Match` and `If-Match` are ignored on PUT.
    GarageIgnoresConditions,
    /// In a versioned bucket every writer of a conditional PUT is told that it was first.
    CephVersionedEveryoneWins,
    /// HeadBucket does not say where the bucket is.
    NoRegionHeader,
    /// An object is stored though its checksum does not hold.
    AcceptsWrongChecksums,
    /// An object is refused because its checksum does not hold, and stored all the same.
    KeepsObjectsOfWrongChecksums,
    /// `If-Match` is ignored on GET.
    IgnoresIfMatchOnGet,
    /// `If-Match` is ignored on DELETE.
    IgnoresConditionsOnDelete,
    /// A conditional PUT looks first and writes later: of writers that race several win.
    LooksBeforeItWrites,
    /// DeleteObjects is not known.
    RefusesDeleteObjects,
    /// What Hetzner's documentation lists as not supported is refused.
    HetznerRefusals,
    /// Who asks for inventories or analytics, which it does not have, gets a list of objects.
    CephListsInstead,
}

/// The state that the server and the test share.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) buckets: std::collections::BTreeMap<String, Bucket>,
    pub(crate) settings: std::collections::BTreeMap<String, BucketSettings>,
    pub(crate) misbehaviours: BTreeSet<Misbehaviour>,
    /// Names of the operations that were called, in order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) faults: Faults,
    /// Every request that arrived, in order, also those that never became a call.
    pub(crate) seen: Vec<Seen>,
    /// Requests that are being served.
    pub(crate) in_flight: usize,
    /// Who may use the server besides the owner of everything.
    pub(crate) principals: Vec<Principal>,
    /// The server's clock, if it is not this machine's.
    pub(crate) clock: Option<SystemTime>,
    /// Policies are told that requests come without TLS.
    pub(crate) insecure: bool,
}

/// The keys that requests may be signed with.
#[derive(Debug)]
struct Keys(Arc<Mutex<State>>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> s3s::S3Result<SecretKey> {
        if access_key == ACCESS_KEY {
            return Ok(SecretKey::from(SECRET_KEY));
        }
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = state.principals.iter().find(|principal| principal.access_key == access_key);
        found
            .map(|principal| SecretKey::from(principal.secret_key.clone()))
            .ok_or_else(|| s3s::s3_error!(InvalidAccessKeyId))
    }
}

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

pub const ACCESS_KEY: &str = "LETHETESTACCESSKEY";
pub const SECRET_KEY: &str = "lethe-test-secret-key";
pub const REGION: &str = "eu-central-1";

impl S3Server {
    /// Starts a server on a free port of the loopback interface.
    ///
    /// # Panics
    /// If no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State::default()));
        let mut builder = S3ServiceBuilder::new(Service::new(state.clone()));
        builder.set_auth(Keys(state.clone()));
        // Requests are signed at the time that answers carry, which a test may choose.
        let mut config = S3Config::default();
        config.presigned_url_max_skew_time_secs = u32::MAX;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        let service = builder.build();
        let shared = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (connection, reset) = Connection::new(stream);
                let front = Front { service: service.clone(), state: shared.clone(), reset };
                tokio::spawn(async move {
                    // A client that goes away is no matter for the server.
                    let _ = Builder::new().serve_connection(TokioIo::new(connection), front).await;
                });
            }
        });
        Self { address, state, task }
    }

    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn create_bucket(&self, name: &str) {
        self.state().buckets.entry(name.to_owned()).or_default();
    }

    pub fn create_versioned_bucket(&self, name: &str) {
        self.state().buckets.insert(name.to_owned(), Bucket::versioned());
    }

    /// Makes a bucket the copy of another, with every version, mark and date.
    ///
    /// # Panics
    /// If there is no other.
    pub fn copy_bucket(&self, from: &str, to: &str) {
        let mut state = self.state();
        let copy = state.buckets.get(from).expect("a bucket").clone();
        state.buckets.insert(to.to_owned(), copy);
    }

    /// From now on it is this time for the server: what is written is dated by it, and answers carry it.
    pub fn set_clock(&self, now: SystemTime) {
        let mut state = self.state();
        state.clock = Some(now);
        for bucket in state.buckets.values_mut() {
            bucket.clock = Some(now);
        }
    }

    /// Leaves an upload that somebody began and nobody will finish.
    pub fn leave_upload(&self, bucket: &str, key: &str, begun: SystemTime) {
        let mut state = self.state();
        if let Some(bucket) = state.buckets.get_mut(bucket) {
            let id = format!("upload-{}", bucket.uploads.len());
            bucket.uploads.push(Upload { key: key.to_owned(), id, begun });
        }
    }

    /// Keys of unfinished uploads.
    #[must_use]
    pub fn uploads(&self, bucket: &str) -> Vec<String> {
        let state = self.state();
        let uploads = state.buckets.get(bucket).map(|bucket| bucket.uploads.as_slice()).unwrap_or_default();
        uploads.iter().map(|upload| upload.key.clone()).collect()
    }

    /// Every version and delete marker of a bucket with its date.
    #[must_use]
    pub fn history(&self, bucket: &str) -> Vec<(String, SystemTime)> {
        let state = self.state();
        let versions = state.buckets.get(bucket).map(|bucket| bucket.versions("")).unwrap_or_default();
        versions.into_iter().map(|(key, version, _)| (key, version.modified)).collect()
    }

    pub fn misbehave(&self, how: Misbehaviour) {
        self.state().misbehaviours.insert(how);
    }

    /// From now on it does what this product does.
    pub fn behave_like(&self, kind: Kind) {
        self.state().misbehaviours = kind.misbehaviours().iter().copied().collect();
    }

    /// Changes what a bucket says of itself.
    pub fn configure(&self, bucket: &str, change: impl FnOnce(&mut BucketSettings)) {
        change(self.state().settings.entry(bucket.to_owned()).or_default());
    }

    /// Lets somebody in who may do what their policies and the bucket's say: everything else is answered with
    /// `403 AccessDenied`. The owner of everything, whose keys are [`ACCESS_KEY`] and [`SECRET_KEY`], is limited by neither.
    pub fn admit(&self, principal: Principal) {
        self.state().principals.push(principal);
    }

    /// What policies are told about requests; by default that they come over TLS, as they do from outside.
    pub fn pretend_insecure(&self, insecure: bool) {
        self.state().insecure = insecure;
    }

    /// A client for the SDK that sends every request here, whatever host it was for.
    #[must_use]
    pub fn pretend(&self) -> Pretend {
        Pretend::new(self.address)
    }

    /// Lets something go wrong with requests that arrive from now on.
    pub fn inject(&self, fault: Fault, requests: Requests) {
        self.state().faults.add(fault, requests);
    }

    /// Takes back all that was injected.
    pub fn recover(&self) {
        self.state().faults.clear();
    }

    /// The requests that arrived since this was last called.
    #[must_use]
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    /// The current objects of a bucket.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Vec<(String, Bytes)> {
        self.state().buckets.get(bucket).map(Bucket::current).unwrap_or_default()
    }

    /// How often an operation was called, by its name in the API.
    #[must_use]
    pub fn calls(&self, operation: &str) -> usize {
        self.state().calls.iter().filter(|call| **call == operation).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
