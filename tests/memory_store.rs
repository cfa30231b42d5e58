//! A store in memory that fails when it is told to: before or after it has done what was asked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use lethe_store::{
    Address, BucketFacts, Doomed, Error, NotDeleted, ObjectInfo, ObjectName, ObjectReader, ObjectStore,
    Operation, Page, UploadInfo, VersionInfo, WaysOut,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing has happened.
    Before,
    /// It has happened, and the answer is lost.
    After,
}

#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    /// Its clock, if it is not this machine's.
    now: Option<SystemTime>,
    /// Operations until the fault.
    fault: Option<(u64, Fault)>,
    /// Each operation lets others go first, once.
    takes_turns: bool,
    /// Set by whoever did.
    waits: bool,
}

#[derive(Clone, Debug)]
struct Stored {
    body: Bytes,
    modified: SystemTime,
}

impl State {
    fn now(&self) -> SystemTime {
        self.now.unwrap_or_else(SystemTime::now)
    }

    fn write(&mut self, name: &ObjectName, body: Bytes) {
        let modified = self.now();
        self.objects.insert(name.to_string(), Stored { body, modified });
    }
}

impl MemoryStore {
    /// Lets the operation after `operations` others fail, once; everything after it works again.
    pub fn fail_after(&self, operations: u64, fault: Fault) {
        self.state().fault = Some((operations, fault));
    }

    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// Sets the store's clock, by which it dates what is written from now on.
    pub fn set_clock(&self, now: SystemTime) {
        self.state().now = Some(now);
    }

    /// Lets each operation wait once before it is carried out, so that whoever polls several flows decides whose turn it is.
    pub fn take_turns(&self, takes_turns: bool) {
        self.state().takes_turns = takes_turns;
    }

    /// Whether an operation has come to wait since this was last asked.
    #[must_use]
    pub fn waits(&self) -> bool {
        std::mem::take(&mut self.state().waits)
    }

    async fn turn(&self) {
        let mut has_waited = !self.state().takes_turns;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            self.state().waits = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// Every object with the store's date of it.
    #[must_use]
    pub fn dated(&self) -> Vec<(String, Bytes, SystemTime)> {
        let state = self.state();
        let dated = |(name, stored): (&String, &Stored)| (name.clone(), stored.body.clone(), stored.modified);
        state.objects.iter().map(dated).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries an operation out, unless it is its turn to fail.
    fn operate<T>(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut State) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = self.state();
        let due = match &mut state.fault {
            Some((0, fault)) => Some(*fault),
            Some((operations, _)) => {
                *operations -= 1;
                None
            }
            None => None,
        };
        if due.is_some() {
            state.fault = None;
        }
        let failed = || Error::Failed {
            store: self.url(),
            operation,
            name: "an object".to_owned(),
            retryable: true,
            cause: std::io::Error::other("injected").into(),
        };
        match due {
            None => act(&mut state),
            Some(Fault::Before) => Err(failed()),
            Some(Fault::After) => act(&mut state).and_then(|_| Err(failed())),
        }
    }
}

fn info(name: &ObjectName, stored: &Stored) -> ObjectInfo {
    let len = stored.body.len() as u64;
    ObjectInfo { name: name.clone(), len, modified: stored.modified, etag: None }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    fn url(&self) -> String {
        "memory://".to_owned()
    }

    fn address(&self) -> Address {
        Address::Directory("/memory".into())
    }

    async fn bucket_facts(&self) -> Result<Option<BucketFacts>, Error> {
        Ok(None)
    }

    async fn ways_out(&self) -> Result<Option<WaysOut>, Error> {
        Ok(None)
    }

    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        self.turn().await;
        self.operate(Operation::Put, |state| {
            state.write(name, body);
            Ok(())
        })
    }

    async fn put_if_absent(&self, name: &ObjectName, body: Bytes) -> Result<(), Error> {
        self.turn().await;
        self.operate(Operation::Put, |state| {
            if state.objects.contains_key(name.as_str()) {
                return Err(Error::AlreadyExists { store: self.url(), name: name.clone() });
            }
            state.write(name, body);
            Ok(())
        })
    }

    async fn get(&self, name: &ObjectName) -> Result<ObjectReader, Error> {
        self.turn().await;
        let found = self.operate(Operation::Get, |state| Ok(state.objects.get(name.as_str()).cloned()))?;
        let Stored { body, .. } =
            found.ok_or_else(|| Error::NotFound { store: self.url(), name: name.clone() })?;
        Ok(ObjectReader {
            name: name.clone(),
            store: self.url(),
            len: body.len() as u64,
            etag: None,
            body: stream::iter([Ok(body)]).boxed(),
        })
    }

    async fn get_range(
        &self,
        name: &ObjectName,
        _range: Range<u64>,
        _etag: Option<&str>,
    ) -> Result<ObjectReader, Error> {
        // No flow of the simulation reads parts.
        Err(Error::NotFound { store: self.url(), name: name.clone() })
    }

    async fn head(&self, name: &ObjectName) -> Result<Option<ObjectInfo>, Error> {
        self.turn().await;
        self.operate(Operation::Head, |state| {
            Ok(state.objects.get(name.as_str()).map(|stored| info(name, stored)))
        })
    }

    /// Everything in one page.
    async fn list_page(&self, prefix: &str, _cursor: Option<&str>) -> Result<Page, Error> {
        self.turn().await;
        let infos = self.operate(Operation::List, |state| {
            let matching = state.objects.iter().filter(|(name, _)| name.starts_with(prefix));
            matching
                .map(|(name, stored)| Ok(info(&ObjectName::new(name.clone())?, stored)))
                .collect::<Result<Vec<_>, Error>>()
        })?;
        Ok(Page { infos, next: None })
    }

    async fn list(&self, prefix: &str) -> Result<BoxStream<'static, Result<ObjectInfo, Error>>, Error> {
        let page = self.list_page(prefix, None).await?;
        Ok(stream::iter(page.infos.into_iter().map(Ok)).boxed())
    }

    async fn delete(&self, name: &ObjectName) -> Result<(), Error> {
        self.turn().await;
        self.operate(Operation::Delete, |state| {
            state.objects.remove(name.as_str());
            Ok(())
        })
    }

    async fn versions_page(&self, _: &str, _: Option<&str>) -> Result<Option<Page<VersionInfo>>, Error> {
        Ok(None)
    }

    async fn versions(&self, _prefix: &str) -> Result<Option<Vec<VersionInfo>>, Error> {
        Ok(None)
    }

    async fn get_version(&self, name: &ObjectName, _version: &str) -> Result<ObjectReader, Error> {
        Err(Error::NotFound { store: self.url(), name: name.clone() })
    }

    async fn delete_version(&self, name: &ObjectName, _version: &str) -> Result<(), Error> {
        Err(Error::NotFound { store: self.url(), name: name.clone() })
    }

    /// Not all or nothing: a crash comes between any two of them.
    async fn delete_batch(&self, doomed: &[Doomed]) -> Result<Option<Vec<NotDeleted>>, Error> {
        for doomed in doomed {
            self.delete(&doomed.name).await?;
        }
        Ok(Some(Vec::new()))
    }

    async fn uploads_page(&self, _: &str, _: Option<&str>) -> Result<Option<Page<UploadInfo>>, Error> {
        Ok(None)
    }

    async fn abort_upload(&self, _: &UploadInfo) -> Result<(), Error> {
        Ok(())
    }

    async fn date(&self) -> Result<SystemTime, Error> {
        self.turn().await;
        self.operate(Operation::Look, |state| Ok(state.now()))
    }
}
