//! Writing: an entry when something begins, and one when it has ended.

use bytes::Bytes;
use jiff::Timestamp;
use lethe_format::audit::checkpoint::SigningKey;
use lethe_format::audit::merkle::Peaks;
use lethe_format::audit::{
    Action, Audience, Body, Entry, Facts, Header, Internal, Phase, Shared, VERSION, tenant_tag,
};
use lethe_format::ids::Digest;
use lethe_format::layout;
use lethe_format::ledger::{Head, Seq};
use lethe_store::{ObjectName, ObjectStore};

use super::{checkpoint, copy};
use crate::ledger::LastSeen;
use crate::{Error, Repository, age_file, error, objects};

/// How often another writer may be first before this gives up.
const ATTEMPTS: usize = 1000;
pub(super) const LIMIT: u64 = 1 << 20;

/// The log of a repository, and whoever writes to it.
#[derive(Debug)]
pub struct AuditLog {
    repository: Repository,
    last_seen: LastSeen,
    /// Without it entries are written, and somebody else's checkpoint covers them later.
    key: Option<SigningKey>,
    operator: String,
    host: String,
}

/// What is going to be done.
#[derive(Clone, Debug)]
pub struct Intent {
    pub action: Action,
    /// Whose data it concerns, by what customers are called here: an entry for each. None where that is not known, or everybody.
    pub tenants: Vec<String>,
    /// True if each customer may know of it.
    pub concerns_everyone: bool,
    pub request: Option<String>,
    pub facts: Facts,
}

impl Intent {
    #[must_use]
    pub fn of(action: Action, concerns_everyone: bool) -> Self {
        Self { action, tenants: Vec::new(), concerns_everyone, request: None, facts: Facts::default() }
    }
}

/// Something that has begun, on record.
#[derive(Debug)]
#[must_use = "what began has an end"]
pub struct Began<'a> {
    log: &'a AuditLog,
    intent: Intent,
    /// One for each customer.
    entries: Vec<(Seq, Option<Digest>)>,
}

/// What one entry holds besides its place.
#[derive(Clone)]
struct Content<'a> {
    phase: Phase,
    began: Option<Seq>,
    tenant: Option<Digest>,
    facts: &'a Facts,
    exit_code: Option<u8>,
    problem: Option<String>,
    loosened: Vec<String>,
}

impl<'a> Content<'a> {
    fn of(phase: Phase, facts: &'a Facts) -> Self {
        Self { phase, began: None, tenant: None, facts, exit_code: None, problem: None, loosened: Vec::new() }
    }
}

impl AuditLog {
    /// `operator` is who acts, `host` the machine it is done on.
    #[must_use]
    pub fn new(
        repository: Repository,
        last_seen: LastSeen,
        key: Option<SigningKey>,
        operator: String,
        host: String,
    ) -> Self {
        Self { repository, last_seen, key, operator, host }
    }

    /// Writes down that something is about to be done.
    ///
    /// # Errors
    /// [`Error::NotLogged`]: then it must not be done.
    pub async fn begin(&self, intent: Intent, now: Timestamp) -> Result<Began<'_>, Error> {
        let action = intent.action;
        let entries = self.try_begin(&intent, now).await;
        let entries = entries.map_err(|cause| Error::NotLogged { action, cause: Box::new(cause) })?;
        Ok(Began { log: self, intent, entries })
    }

    async fn try_begin(&self, intent: &Intent, now: Timestamp) -> Result<Vec<(Seq, Option<Digest>)>, Error> {
        let mut entries = Vec::new();
        for tenant in self.tenants(intent)? {
            let content = Content { tenant, ..Content::of(Phase::Began, &intent.facts) };
            entries.push((self.append(intent, content, now).await?.header.seq, tenant));
        }
        Ok(entries)
    }

    /// Whom there is an entry for: each of the customers, or one for all or none of them.
    fn tenants(&self, intent: &Intent) -> Result<Vec<Option<Digest>>, Error> {
        let key = self.repository.naming_key()?;
        let tags = intent.tenants.iter().map(|tenant| Some(tenant_tag(tenant, key.as_bytes())));
        let tags: Vec<Option<Digest>> = tags.collect();
        Ok(if tags.is_empty() { vec![None] } else { tags })
    }

    /// Writes down that the settings of this host allow more than they did.
    ///
    /// # Errors
    /// [`Error::NotLogged`].
    pub async fn settings_loosened(&self, loosened: Vec<String>, now: Timestamp) -> Result<(), Error> {
        self.note(&Intent::of(Action::SettingsLoosened, false), loosened, now).await
    }

    /// Writes down what has been done already.
    ///
    /// # Errors
    /// [`Error::NotLogged`].
    pub async fn done(&self, intent: &Intent, now: Timestamp) -> Result<(), Error> {
        self.note(intent, Vec::new(), now).await
    }

    async fn note(&self, intent: &Intent, loosened: Vec<String>, now: Timestamp) -> Result<(), Error> {
        let action = intent.action;
        let written = async {
            for tenant in self.tenants(intent)? {
                let loosened = loosened.clone();
                let content = Content { tenant, loosened, ..Content::of(Phase::Done, &intent.facts) };
                self.append(intent, content, now).await?;
            }
            Ok(())
        };
        written.await.map_err(|cause| Error::NotLogged { action, cause: Box::new(cause) })
    }

    /// Writes the next entry and returns it once it is durable.
    async fn append(&self, intent: &Intent, content: Content<'_>, now: Timestamp) -> Result<Entry, Error> {
        let store = self.repository.ledger_store().as_ref();
        let naming_key = *self.repository.naming_key()?.as_bytes();
        let body = self.body(intent, &content)?;
        let (shared, internal) = body.hashes();
        let sealed = self.seal(body).await?;
        let mut last = newest(&self.repository, &self.last_seen).await?;
        for _ in 0..ATTEMPTS {
            let seq = last.as_ref().map_or(Some(0), |last| last.header.seq.checked_add(1));
            let seq = seq.ok_or_else(|| Error::audit("it has no numbers left"))?;
            let header = Header {
                version: VERSION,
                repository: self.repository.id().to_owned(),
                seq,
                prev: last.as_ref().map(Entry::leaf),
                at: now,
                action: intent.action,
                phase: content.phase,
                began: content.began,
                audience: audience(intent, &content),
                shared,
                internal,
            };
            let none = Peaks::default();
            let before = last.as_ref().map_or(&none, |last| &last.peaks);
            let name = layout::audit_entry(seq);
            let entry = Entry::new(header, sealed.clone(), before).map_err(Error::format(&name))?;
            let bytes = Bytes::from(entry.to_bytes(&naming_key).map_err(Error::format(&name))?);
            if objects::is_first(store, &name, &bytes, LIMIT).await? {
                self.last_seen.advance(&Head { seq, hash: entry.leaf() })?;
                copy::follow(&self.repository, seq, &bytes).await;
                return Ok(entry);
            }
            // Somebody else was first: theirs is the last one now, or one after it.
            last = newest(&self.repository, &self.last_seen).await?;
        }
        Err(Error::audit(format!("other writers were first {ATTEMPTS} times in a row")))
    }

    fn body(&self, intent: &Intent, content: &Content<'_>) -> Result<Body, Error> {
        // What concerns everybody is told without the numbers, which are about everybody's people, and without the reference of one
        // customer's instruction.
        let of_all = audience(intent, content) == Audience::Everyone;
        let facts = if of_all {
            Facts {
                snapshot: content.facts.snapshot.clone(),
                ledger: content.facts.ledger,
                ..Facts::default()
            }
        } else {
            content.facts.clone()
        };
        let shared = Shared {
            salt: Digest::from_bytes(rand::random()),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            tenant: content.tenant,
            request: if of_all { None } else { intent.request.clone() },
            facts,
        };
        let internal = Internal {
            salt: Digest::from_bytes(rand::random()),
            operator: self.operator.clone(),
            host: self.host.clone(),
            request: intent.request.clone(),
            facts: content.facts.clone(),
            exit_code: content.exit_code,
            problem: content.problem.clone(),
            loosened: content.loosened.clone(),
        };
        Body::new(&shared, &internal).map_err(Error::format("an entry of the audit log"))
    }

    async fn seal(&self, body: Body) -> Result<Vec<u8>, Error> {
        let recipients = self.repository.recipients()?.to_vec();
        objects::off_runtime(move || {
            let plain = body.to_bytes().map_err(Error::format("an entry of the audit log"))?;
            age_file::encrypt(&recipients, &plain)
        })
        .await
    }
}

fn audience(intent: &Intent, content: &Content<'_>) -> Audience {
    match content.tenant {
        Some(_) => Audience::Tenant,
        None if intent.concerns_everyone => Audience::Everyone,
        None => Audience::Company,
    }
}

impl Began<'_> {
    /// Writes down that it was done.
    ///
    /// # Errors
    /// [`Error::EndNotLogged`]: it is done all the same.
    pub async fn done(self, facts: Facts, now: Timestamp) -> Result<(), Error> {
        self.end(Content::of(Phase::Done, &facts), now).await
    }

    /// Writes down that it failed. `problem` is what the program has printed, which holds no row values.
    ///
    /// # Errors
    /// [`Error::EndNotLogged`].
    pub async fn failed(self, exit_code: u8, problem: String, now: Timestamp) -> Result<(), Error> {
        let facts = self.intent.facts.clone();
        let content = Content::of(Phase::Failed, &facts);
        self.end(Content { exit_code: Some(exit_code), problem: Some(problem), ..content }, now).await
    }

    async fn end(self, content: Content<'_>, now: Timestamp) -> Result<(), Error> {
        let action = self.intent.action;
        let write = async {
            let mut last = None;
            for (began, tenant) in &self.entries {
                let content = Content { began: Some(*began), tenant: *tenant, ..content.clone() };
                last = Some(self.log.append(&self.intent, content, now).await?);
            }
            Ok::<_, Error>(last)
        };
        let last = write.await.map_err(|cause| Error::EndNotLogged { action, cause: Box::new(cause) })?;
        if let (Some(key), Some(last)) = (&self.log.key, last)
            && let Err(cause) = checkpoint::write(&self.log.repository, key, &last.peaks).await
        {
            let cause = error::with_causes(&cause);
            tracing::warn!(%cause, "the audit log was written, and not signed: the next checkpoint covers it");
        }
        Ok(())
    }
}

/// The last entry; none of a log that has not begun.
///
/// # Errors
/// [`Error::AuditLog`] if it lacks what this host has seen of it: writing on would hide that.
async fn newest(repository: &Repository, last_seen: &LastSeen) -> Result<Option<Entry>, Error> {
    let store = repository.ledger_store().as_ref();
    let known = last_seen.head()?;
    let Some(seq) = last_number(store, known.as_ref().map(|known| known.seq)).await? else {
        return match known {
            None => Ok(None),
            Some(known) => Err(lost(&known)),
        };
    };
    copy::check_ahead(repository, seq.saturating_add(1)).await?;
    let last = entry(repository, seq).await?.ok_or_else(|| Error::audit(format!("entry {seq} is gone")))?;
    if let Some(known) = known {
        let seen = if known.seq == seq { Some(last.clone()) } else { entry(repository, known.seq).await? };
        if seen.is_none_or(|seen| seen.leaf() != known.hash) {
            return Err(lost(&known));
        }
    }
    Ok(Some(last))
}

pub(super) fn lost(known: &Head) -> Error {
    Error::audit(format!(
        "this host has seen entry {} before, and it is not there any more: the log was rolled back or replaced",
        known.seq
    ))
}

pub(super) async fn entry(repository: &Repository, seq: Seq) -> Result<Option<Entry>, Error> {
    let name = layout::audit_entry(seq);
    let bytes = objects::get_if_there(repository.ledger_store().as_ref(), &name, LIMIT).await?;
    let Some(bytes) = bytes else { return Ok(None) };
    let wrong = |problem: String| Error::audit(format!("entry {seq}: {problem}"));
    let entry = Entry::from_bytes(&bytes, repository.naming_key()?.as_bytes())
        .map_err(|cause| wrong(cause.to_string()))?;
    if entry.header.seq != seq || entry.header.repository != repository.id() {
        return Err(wrong("it is another one than its name says".to_owned()));
    }
    Ok(Some(entry))
}

/// The number of the last entry, found without a listing, which would be long after some years: there are no gaps, so what is there
/// can be bisected.
pub(super) async fn last_number(store: &dyn ObjectStore, known: Option<Seq>) -> Result<Option<Seq>, Error> {
    let is_there = async |seq: Seq| {
        Ok::<_, Error>(store.head(&ObjectName::new(layout::audit_entry(seq))?).await?.is_some())
    };
    let mut there = known.unwrap_or(0);
    if !is_there(there).await? {
        return Ok(None);
    }
    let mut step: u64 = 1;
    while is_there(there.saturating_add(step)).await? {
        there = there.saturating_add(step);
        step = step.saturating_mul(2);
    }
    let mut gone = there.saturating_add(step);
    while gone - there > 1 {
        let middle = there + (gone - there) / 2;
        if is_there(middle).await? {
            there = middle;
        } else {
            gone = middle;
        }
    }
    Ok(Some(there))
}
