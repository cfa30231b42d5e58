//! A simulated company: a database, a ledger in a store that fails, snapshots, restores and a pruner, in any order, with
//! crashes between any two operations on the store and clocks that jump.
//!
//! The ledger, its expiry and the checks before a restore are the real code. The database, the outbox and the rows of a
//! snapshot are modelled by sets of ids, so that a step takes a fraction of a millisecond. After every step the promises
//! are checked; a world is replayed by its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use lethe_engine::ledger::{self, LastSeen, NewEntry, VerifiedLedger};
use lethe_engine::prune;
use lethe_engine::{Error, Repository};
use lethe_format::catalog::QualifiedName;
use lethe_format::ids::SnapshotId;
use lethe_format::layout;
use lethe_format::ledger::{BodyId, Head, Keys, Kind, Seq, SubjectRef};
use lethe_format::manifest::{ChunkIndex, LedgerWindow};
use lethe_rules::closure::Tombstones;
use lethe_rules::ledger::{Evidence, StoredSnapshot, plan_expiry, unrevoked};
use lethe_store::{ObjectName, ObjectStore as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::memory_store::{Fault, MemoryStore};
use crate::world::World;

/// A deletion that the source has noted and the ledger may not know yet.
#[derive(Clone, Debug)]
struct Waiting {
    id: u64,
    batch: Option<BodyId>,
}

/// A snapshot that is being taken, or that was.
#[derive(Clone, Debug)]
struct Snapshot {
    head: Head,
    /// Opened some time after the head was read; none before that.
    rows: Option<BTreeSet<u64>>,
    /// The head after the view was opened.
    after: Option<Seq>,
}

impl Snapshot {
    fn stored(&self, id: &SnapshotId) -> StoredSnapshot {
        let after = self.after.unwrap_or(Seq::MAX);
        StoredSnapshot { id: id.clone(), ledger: LedgerWindow { before: self.head.seq, after } }
    }

    fn rows(&self) -> BTreeSet<u64> {
        self.rows.clone().unwrap_or_default()
    }
}

/// A restore between its plan and its cut-over.
#[derive(Clone, Debug)]
struct Restore {
    snapshot: SnapshotId,
    rows: BTreeSet<u64>,
    planned_by: Seq,
    loaded: BTreeSet<u64>,
}

/// What a run of the simulation has seen, so that a run that never reached something is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    pub steps: u64,
    pub crashes: u64,
    pub restores: u64,
    pub late: u64,
    pub expired: u64,
    pub reused: u64,
    pub forgotten: u64,
    pub failovers: u64,
}

#[derive(Debug)]
pub struct Simulation {
    random: ChaCha8Rng,
    store: MemoryStore,
    repository: Repository,
    last_seen: LastSeen,
    _folder: tempfile::TempDir,
    now: Timestamp,
    next_id: u64,
    next_snapshot: u64,
    present: BTreeSet<u64>,
    outbox: Vec<Waiting>,
    /// Erasures that were confirmed to somebody: nobody of these may ever come back.
    promised: BTreeSet<u64>,
    /// Erasures whose writer crashed, or that wait in the outbox: both outcomes are right.
    uncertain: BTreeSet<u64>,
    /// Everybody whom the last reader of the ledger would have filtered.
    filtered: BTreeSet<u64>,
    /// Everybody who was revoked, or whose entries have expired.
    let_go: BTreeSet<u64>,
    /// Ids that were given to somebody else by mistake.
    reused: BTreeSet<u64>,
    begun: Vec<Snapshot>,
    snapshots: BTreeMap<SnapshotId, Snapshot>,
    restore: Option<Restore>,
    pub seen: Seen,
}

fn subject() -> SubjectRef {
    SubjectRef { name: Some("user".to_owned()), table: QualifiedName::new("public", "users"), columns: None }
}

fn ids(tombstones: &[Tombstones]) -> BTreeSet<u64> {
    tombstones
        .iter()
        .flat_map(|tombstones| match &tombstones.keys {
            Keys::Integers(set) => set.iter().collect::<Vec<_>>(),
            Keys::Tuples(_) => Vec::new(),
        })
        .collect()
}

impl Simulation {
    pub async fn new(seed: u64) -> Self {
        let store = MemoryStore::default();
        let repository = World::repository(Arc::new(store.clone())).await;
        // A file system in memory, where there is one: what is synced there takes no time.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            last_seen: LastSeen::new(folder.path(), repository.id()),
            _folder: folder,
            store,
            repository,
            now: "2026-11-23T00:00:00Z".parse().expect("a time"),
            next_id: 1,
            next_snapshot: 0,
            present: BTreeSet::new(),
            outbox: Vec::new(),
            promised: BTreeSet::new(),
            uncertain: BTreeSet::new(),
            filtered: BTreeSet::new(),
            let_go: BTreeSet::new(),
            reused: BTreeSet::new(),
            begun: Vec::new(),
            snapshots: BTreeMap::new(),
            restore: None,
            seen: Seen::default(),
        }
    }

    /// Takes some steps, then lets everything come to rest, and checks what must hold then.
    ///
    /// # Panics
    /// If a promise is broken.
    pub async fn run(&mut self, steps: u64) {
        for _ in 0..steps {
            self.step().await;
        }
        self.rest().await;
    }

    async fn step(&mut self) {
        self.seen.steps += 1;
        // Clocks jump by up to two days in either direction, now and then.
        let jump =
            if self.random.random_bool(0.02) { self.random.random_range(-172_800..172_800) } else { 60 };
        self.now = self.now.checked_add(SignedDuration::from_secs(jump)).expect("a time");
        if self.random.random_bool(0.1) {
            let fault = if self.random.random() { Fault::Before } else { Fault::After };
            let operations = self.random.random_range(0..12);
            self.store.fail_after(operations, fault);
        }
        match self.random.random_range(0..100_u32) {
            0..15 => self.create(),
            15..27 => self.delete(),
            27..34 => self.write_ahead().await,
            34..44 => self.capture().await,
            44..49 => self.begin_snapshot().await,
            49..64 => self.go_on_with_snapshot().await,
            64..70 => self.plan_restore().await,
            70..80 => self.cut_over().await,
            80..88 => self.drop_snapshot().await,
            88..96 => self.prune(&mut || false).await,
            96 => self.revoke().await,
            97..99 => self.reuse(),
            _ => self.heartbeat().await,
        }
        self.store.heal();
        self.check_snapshots().await;
    }

    fn create(&mut self) {
        for _ in 0..self.random.random_range(1..4) {
            self.present.insert(self.next_id);
            self.next_id += 1;
        }
    }

    fn any_present(&mut self) -> Option<u64> {
        if self.present.is_empty() {
            return None;
        }
        let place = self.random.random_range(0..self.present.len());
        self.present.iter().nth(place).copied()
    }

    /// The application deletes a row; the trigger notes it in the same transaction.
    fn delete(&mut self) {
        if let Some(id) = self.any_present() {
            self.present.remove(&id);
            self.outbox.push(Waiting { id, batch: None });
            self.uncertain.insert(id);
        }
    }

    /// The ledger first; the row goes later, by `delete`, or never.
    async fn write_ahead(&mut self) {
        let Some(id) = self.any_present() else { return };
        self.uncertain.insert(id);
        if self.append(Kind::Erased, id, false, None).await.is_ok() {
            self.promised.insert(id);
            self.uncertain.remove(&id);
        }
    }

    async fn append(
        &mut self,
        kind: Kind,
        id: u64,
        settled: bool,
        nonce: Option<BodyId>,
    ) -> Result<Option<Head>, Error> {
        let keys = Keys::Integers([id].into_iter().collect());
        let entry = NewEntry { settled, nonce, ..NewEntry::about(kind, subject(), keys) };
        let appended = ledger::append(&self.repository, &self.last_seen, entry, None, self.now).await;
        self.note(appended)
    }

    /// Every error of a flow is a crash of its process: what it knew is lost, what it wrote is there.
    fn note<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            assert!(
                matches!(
                    error,
                    Error::Store(_) | Error::LedgerUnreadable { .. } | Error::ForgottenMeanwhile { .. }
                ),
                "an error that no fault explains: {error:?}"
            );
            self.seen.crashes += 1;
        }
        result
    }

    /// One round of the capture: batches that were left behind, then what waits.
    async fn capture(&mut self) {
        let left_behind: Vec<BodyId> = self.outbox.iter().filter_map(|waiting| waiting.batch).collect();
        for batch in left_behind {
            if self.bring(batch).await.is_err() {
                return;
            }
        }
        while let Some(waiting) = self.outbox.iter_mut().find(|waiting| waiting.batch.is_none()) {
            let batch = BodyId::from_bytes(self.random.random());
            waiting.batch = Some(batch);
            if self.random.random_bool(0.05) || self.bring(batch).await.is_err() {
                return;
            }
        }
    }

    async fn bring(&mut self, batch: BodyId) -> Result<(), Error> {
        let Some(id) = self.outbox.iter().find(|waiting| waiting.batch == Some(batch)).map(|found| found.id)
        else {
            return Ok(());
        };
        self.append(Kind::Erased, id, true, Some(batch)).await?;
        // Whoever has been given the id meanwhile was not erased.
        if !self.reused.contains(&id) || !self.present.contains(&id) {
            self.promised.insert(id);
            self.uncertain.remove(&id);
        }
        // A crash between the ledger and the outbox.
        if !self.random.random_bool(0.05) {
            self.outbox.retain(|waiting| waiting.batch != Some(batch));
        }
        Ok(())
    }

    /// The head first, then the view of the rows, then the head again: each some time after the other.
    async fn begin_snapshot(&mut self) {
        let head = ledger::head(&self.repository).await;
        if let Ok(head) = self.note(head) {
            self.begun.push(Snapshot { head, rows: None, after: None });
        }
    }

    async fn go_on_with_snapshot(&mut self) {
        if self.begun.is_empty() {
            return;
        }
        let place = self.random.random_range(0..self.begun.len());
        if self.begun[place].rows.is_none() {
            self.begun[place].rows = Some(self.present.clone());
        } else if self.begun[place].after.is_none() {
            let head = ledger::head(&self.repository).await;
            match self.note(head) {
                Ok(head) => self.begun[place].after = Some(head.seq),
                Err(_) => {
                    self.begun.swap_remove(place);
                }
            }
        } else {
            self.commit_snapshot(place).await;
        }
    }

    async fn commit_snapshot(&mut self, place: usize) {
        let snapshot = self.begun.swap_remove(place);
        self.next_snapshot += 1;
        let minute = self.next_snapshot;
        let id: SnapshotId = format!(
            "20260101T{:02}{:02}{:02}Z-{minute:06x}",
            minute / 3600 % 24,
            minute / 60 % 60,
            minute % 60
        )
        .parse()
        .expect("an id");
        if self.write_snapshot(&id, &snapshot).await.is_ok() {
            self.snapshots.insert(id, snapshot);
        } else {
            self.forget_or_find(id, snapshot).await;
        }
    }

    async fn write_snapshot(&mut self, id: &SnapshotId, snapshot: &Snapshot) -> Result<(), Error> {
        let index = ChunkIndex {
            version: 1,
            snapshot: id.clone(),
            started_at: self.now,
            ledger: snapshot.stored(id).ledger,
            data_key: self.repository.data_key().to_owned(),
            chunks: Vec::new(),
        };
        let key = self.repository.naming_key().expect("a key");
        let index = Bytes::from(index.to_bytes(key.as_bytes()).expect("an index"));
        let put = self.store.put(&ObjectName::new(layout::chunk_index(id)).expect("a name"), index).await;
        self.note(put.map_err(Error::from))?;
        let manifest = ObjectName::new(layout::manifest(id)).expect("a name");
        let put = self.store.put_if_absent(&manifest, Bytes::from_static(b"manifest")).await;
        self.note(put.map_err(Error::from))?;
        let checked = prune::check_still_needed_is_kept(&self.repository, &snapshot.stored(id)).await;
        if let Err(Error::ForgottenMeanwhile { .. }) = &checked {
            self.seen.forgotten += 1;
            self.store.heal();
            self.store.delete(&manifest).await.expect("heals");
        }
        self.note(checked)
    }

    /// After a crash while it was committed a snapshot is there if its manifest is.
    async fn forget_or_find(&mut self, id: SnapshotId, snapshot: Snapshot) {
        self.store.heal();
        let manifest = ObjectName::new(layout::manifest(&id)).expect("a name");
        if self.store.head(&manifest).await.expect("heals").is_some() {
            self.snapshots.insert(id, snapshot);
        }
    }

    fn any_snapshot(&mut self) -> Option<SnapshotId> {
        if self.snapshots.is_empty() {
            return None;
        }
        let place = self.random.random_range(0..self.snapshots.len());
        self.snapshots.keys().nth(place).cloned()
    }

    async fn trusted(&mut self) -> Result<VerifiedLedger, Error> {
        let ledger = ledger::read_trusted(&self.repository, &self.last_seen).await;
        let ledger = self.note(ledger)?;
        // Whoever was filtered once is filtered for ever, but for those who were revoked or expired.
        let erased = ids(&ledger.standing(0).erased);
        let lost: Vec<&u64> =
            self.filtered.iter().filter(|id| !erased.contains(*id) && !self.let_go.contains(*id)).collect();
        assert!(lost.is_empty(), "the filter has forgotten {lost:?}");
        self.filtered = erased;
        Ok(ledger)
    }

    async fn plan_restore(&mut self) {
        let Some(id) = self.any_snapshot() else { return };
        let Ok(ledger) = self.trusted().await else { return };
        let snapshot = self.snapshots[&id].clone();
        let (head, rows) = (snapshot.head, snapshot.rows());
        if ledger.check_for_stored(&snapshot.stored(&id), &head).is_err() {
            // The crash of a snapshot's last check may leave one that was forgotten meanwhile: it is refused.
            return;
        }
        if let Some(loaded) = self.filter(&ledger, head.seq, &rows) {
            self.restore = Some(Restore { snapshot: id, rows, planned_by: ledger.head().seq, loaded });
        }
    }

    /// The rows that survive; none if an id was given to somebody else, which is an objection.
    fn filter(&mut self, ledger: &VerifiedLedger, head: Seq, rows: &BTreeSet<u64>) -> Option<BTreeSet<u64>> {
        let standing = ledger.standing(head);
        let gone = ids(&standing.gone);
        if let Some(id) = rows.intersection(&gone).next() {
            assert!(self.reused.contains(id), "{id} is called reused, and was not");
            self.seen.reused += 1;
            return None;
        }
        Some(rows.difference(&ids(&standing.erased)).copied().collect())
    }

    async fn cut_over(&mut self) {
        let Some(mut restore) = self.restore.take() else { return };
        for _ in 0..10 {
            let Ok(ledger) = self.trusted().await else { return };
            let Some(snapshot) = self.snapshots.get(&restore.snapshot).cloned() else { return };
            if ledger.check_for_stored(&snapshot.stored(&restore.snapshot), &snapshot.head).is_err() {
                return;
            }
            if ledger.speaks_of_people_after(restore.planned_by) {
                self.seen.late += 1;
                restore.planned_by = ledger.head().seq;
                match self.filter(&ledger, snapshot.head.seq, &restore.rows) {
                    Some(loaded) => restore.loaded = loaded,
                    None => return,
                }
            }
            // Somebody may come in between reading and appending.
            if self.random.random_bool(0.3) {
                self.write_ahead().await;
            }
            let entry = NewEntry { snapshot: Some(restore.snapshot.clone()), ..NewEntry::of(Kind::CutOver) };
            let head = ledger.head();
            let cut = ledger::append(&self.repository, &self.last_seen, entry, Some(head), self.now).await;
            match self.note(cut) {
                Err(_) => return,
                Ok(None) => continue,
                Ok(Some(_)) => {
                    self.open(&restore);
                    return;
                }
            }
        }
    }

    /// Applications connect to the restored database: nobody who was promised to be gone may be there, and everybody
    /// else must be.
    fn open(&mut self, restore: &Restore) {
        self.seen.restores += 1;
        let back: Vec<&u64> = restore.loaded.intersection(&self.promised).collect();
        assert!(back.is_empty(), "erased people are back: {back:?}");
        let lost = restore.rows.difference(&restore.loaded);
        let lost: Vec<&u64> =
            lost.filter(|id| !self.promised.contains(*id) && !self.uncertain.contains(*id)).collect();
        assert!(lost.is_empty(), "living people are lost: {lost:?}");
        // Now and then the restored database becomes the source. What the old one had not reported is lost with it:
        // those people are back, or not, and nobody was told that they were erased.
        if self.random.random_bool(0.1) {
            self.seen.failovers += 1;
            self.present.clone_from(&restore.loaded);
            self.outbox.clear();
            // Snapshots of the old source that were under way end with it.
            self.begun.clear();
        }
    }

    async fn drop_snapshot(&mut self) {
        let Some(id) = self.any_snapshot() else { return };
        let manifest = ObjectName::new(layout::manifest(&id)).expect("a name");
        self.store.heal();
        self.store.delete(&manifest).await.expect("heals");
        self.snapshots.remove(&id);
    }

    /// The real rule and the real order of writes; whether the oldest snapshot holds somebody is known here. `between`
    /// may let something happen between the decision and the writes.
    async fn prune(&mut self, between: &mut impl FnMut() -> bool) {
        let headers = ledger::headers(&self.repository).await;
        let Ok(headers) = self.note(headers) else { return };
        let stored = prune::stored_snapshots(&self.repository).await;
        let Ok(stored) = self.note(stored) else { return };
        let Ok(ledger) = self.trusted().await else { return };
        let random_unknown = self.random.random_bool(0.2);
        let expiry = plan_expiry(&headers, &stored, |seq, asked| {
            let people = ids(&unrevoked(ledger.entries(), seq));
            let held =
                |id: &SnapshotId| self.snapshots.get(id).map(|found| !people.is_disjoint(&found.rows()));
            let held: Option<Vec<bool>> = asked.iter().map(held).collect();
            match held {
                Some(held) if !random_unknown => {
                    if held.contains(&true) {
                        Evidence::Holds
                    } else {
                        Evidence::HoldsNone
                    }
                }
                _ => Evidence::Unknown,
            }
        });
        if between() || self.random.random_bool(0.3) {
            // A snapshot that was begun long ago is committed just now.
            self.store.heal();
            for _ in 0..3 {
                Box::pin(self.go_on_with_snapshot()).await;
            }
        }
        self.seen.expired += expiry.expire.len() as u64;
        let going = expiry.expire.iter().chain(&expiry.remove);
        let keys = going.filter_map(|seq| ledger.entries().get(*seq as usize)?.keys.as_ref());
        for keys in keys {
            if let Keys::Integers(set) = keys {
                self.let_go.extend(set.iter());
            }
        }
        let done = prune::carry_out_expiry(&self.repository, &expiry, &self.last_seen, self.now).await;
        let _ = self.note(done);
    }

    /// Somebody was put on the ledger by mistake, and is still there.
    async fn revoke(&mut self) {
        let wrongly: Vec<u64> = self.present.intersection(&self.promised).copied().collect();
        let Some(id) = wrongly.first().copied() else { return };
        self.uncertain.insert(id);
        self.promised.remove(&id);
        self.let_go.insert(id);
        // From here on either outcome is right until the row is deleted: the writer may crash.
        let _ = self.append(Kind::Revoked, id, false, None).await;
    }

    /// An id that was erased is given to somebody else, against all rules.
    fn reuse(&mut self) {
        let free: Vec<u64> = self.promised.difference(&self.present).copied().collect();
        if free.is_empty() {
            return;
        }
        let id = free[self.random.random_range(0..free.len())];
        self.present.insert(id);
        self.reused.insert(id);
        // Whoever has the id now was never erased, and cannot be told from whoever was.
        self.promised.remove(&id);
        self.uncertain.insert(id);
    }

    async fn heartbeat(&mut self) {
        let entry = NewEntry::of(Kind::Heartbeat);
        let appended = ledger::append(&self.repository, &self.last_seen, entry, None, self.now).await;
        let _ = self.note(appended);
    }

    /// Never early: as long as a snapshot holds somebody who was erased after its head, the entry that says so has its
    /// body, or the snapshot is refused.
    async fn check_snapshots(&mut self) {
        if self.random.random_bool(0.8) {
            return;
        }
        let ledger = ledger::read_verified(&self.repository).await.expect("the ledger always verifies");
        for (id, snapshot) in &self.snapshots {
            if ledger.check_for_stored(&snapshot.stored(id), &snapshot.head).is_err() {
                continue;
            }
            let standing = ledger.standing(snapshot.head.seq);
            let mut covered = ids(&standing.erased);
            covered.extend(ids(&standing.gone));
            let rows = snapshot.rows();
            let open: Vec<&u64> =
                rows.iter().filter(|id| self.promised.contains(*id) && !covered.contains(*id)).collect();
            let story = |entry: &lethe_rules::ledger::Entry| {
                let header = &entry.header;
                let keys = entry.keys.as_ref().map(|keys| match keys {
                    Keys::Integers(set) => set.iter().collect::<Vec<_>>(),
                    Keys::Tuples(_) => Vec::new(),
                });
                format!(
                    "{} {} settled {} {keys:?} expiry {:?}",
                    header.seq, header.kind, header.settled, header.expiry
                )
            };
            assert!(
                open.is_empty(),
                "snapshot {id} of entry {} would bring back {open:?}; the ledger:\n{}",
                snapshot.head.seq,
                ledger.entries().iter().map(story).collect::<Vec<_>>().join("\n")
            );
        }
    }

    /// With a store that works and nothing under way.
    async fn rest(&mut self) {
        self.store.heal();
        self.begun.clear();
        self.restore = None;
        self.capture_all().await;
        let ledger = ledger::read_verified(&self.repository).await.expect("verifies");
        // Nobody is deleted and unknown to the ledger, unless the entry has expired.
        let expired = ledger.entries().iter().filter(|entry| entry.header.kind == Kind::Expired).count();
        assert!(self.outbox.is_empty());
        // Not before, and not much later: once every deletion was carried out and a new snapshot is the only one, the
        // next prune lets every erasure go.
        for id in self.snapshots.keys().cloned().collect::<Vec<_>>() {
            let manifest = ObjectName::new(layout::manifest(&id)).expect("a name");
            self.store.delete(&manifest).await.expect("heals");
        }
        self.snapshots.clear();
        let named = ids(&ledger.standing(0).erased);
        self.present.retain(|id| !named.contains(id));
        self.begin_snapshot().await;
        for _ in 0..3 {
            self.go_on_with_snapshot().await;
        }
        for _ in 0..20 {
            self.prune(&mut || false).await;
        }
        let ledger = ledger::read_verified(&self.repository).await.expect("verifies");
        let kept: Vec<Seq> = ledger
            .entries()
            .iter()
            .filter(|entry| entry.keys.is_some())
            .map(|entry| entry.header.seq)
            .collect();
        assert!(kept.is_empty(), "nobody needs {kept:?} any more ({expired} times some had expired before)");
    }

    async fn capture_all(&mut self) {
        for _ in 0..100 {
            if self.outbox.is_empty() {
                return;
            }
            self.capture().await;
        }
    }
}
