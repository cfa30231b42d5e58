//! A simulated year of backups: snapshots, pruners, restores, holds and people who are erased, with crashes between any two
//! operations on the store, several of them at once in any order, outages of weeks, and clocks that are wrong.
//!
//! What is stored is stored by the real code: the storing half of a snapshot, the pruner, leases and holds. The database is
//! modelled by block ranges with ids of people in them. After every step the promises are checked against what is in the
//! store; a world is replayed by its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use lethe_engine::ledger::{self, LastSeen};
use lethe_engine::prune::{self, PruneOptions};
use lethe_engine::snapshot::Uploads;
use lethe_engine::{Error, Repository, holds, leases};
use lethe_format::catalog::Catalog;
use lethe_format::ids::{Digest, SnapshotId, UploadId};
use lethe_format::layout::{self, SnapshotPart};
use lethe_format::ledger::Head;
use lethe_format::manifest::{Chunk, LargeObjects, Manifest, Source, VERSION};
use lethe_rules::retention::Retention;
use lethe_store::{ObjectName, ObjectStore as _};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::memory_store::{Fault, MemoryStore};
use crate::world::World;

type ChunkKey = (Digest, UploadId);

/// Block ranges of the database.
const RANGES: usize = 8;
/// How often a pruner runs.
const DAILY: SignedDuration = SignedDuration::from_hours(24);

/// What a run of the simulation has seen, so that a run that never reached something is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SeenInYear {
    pub steps: u64,
    pub snapshots: u64,
    pub shared_chunks: u64,
    pub prunes: u64,
    pub removed_snapshots: u64,
    pub removed_chunks: u64,
    pub crashes: u64,
    pub at_once: u64,
    pub held: u64,
    pub leased: u64,
    pub alarms: u64,
    pub discarded: u64,
    pub wrong_clocks: u64,
    pub took_too_long: u64,
    pub gone_people: u64,
}

impl SeenInYear {
    pub fn add(&mut self, other: Self) {
        self.steps += other.steps;
        self.snapshots += other.snapshots;
        self.shared_chunks += other.shared_chunks;
        self.prunes += other.prunes;
        self.removed_snapshots += other.removed_snapshots;
        self.removed_chunks += other.removed_chunks;
        self.crashes += other.crashes;
        self.at_once += other.at_once;
        self.held += other.held;
        self.leased += other.leased;
        self.alarms += other.alarms;
        self.discarded += other.discarded;
        self.wrong_clocks += other.wrong_clocks;
        self.took_too_long += other.took_too_long;
        self.gone_people += other.gone_people;
    }
}

/// A snapshot that is being taken.
struct Draft {
    uploads: Arc<Uploads>,
    id: SnapshotId,
    started_at: Timestamp,
    head: Head,
    /// What the database's view shows.
    view: Vec<BTreeSet<u64>>,
    chunks: Vec<Chunk>,
}

/// A snapshot whose manifest was, or may have been, written.
#[derive(Clone, Debug)]
struct Taken {
    started_at: Timestamp,
    chunks: BTreeSet<ChunkKey>,
}

pub struct RetentionWorld {
    random: ChaCha8Rng,
    store: MemoryStore,
    repository: Repository,
    last_seen: LastSeen,
    _folder: tempfile::TempDir,
    begun_at: Timestamp,
    now: Timestamp,
    ranges: Vec<BTreeSet<u64>>,
    next_person: u64,
    /// When each of them was erased.
    erased: BTreeMap<u64, Timestamp>,
    /// Whose rows each content holds.
    contents: BTreeMap<Digest, BTreeSet<u64>>,
    drafts: Vec<Draft>,
    taken: BTreeMap<SnapshotId, Taken>,
    /// The chunks of those that somebody began to commit.
    attempted: BTreeMap<SnapshotId, BTreeSet<ChunkKey>>,
    held: BTreeMap<SnapshotId, Timestamp>,
    discarded: BTreeSet<SnapshotId>,
    next_snapshot_at: Timestamp,
    next_prune_at: Timestamp,
    pub seen: SeenInYear,
}

impl std::fmt::Debug for RetentionWorld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RetentionWorld at {}: {:?}", self.now, self.seen)
    }
}

type Flow<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Lets several flows go on in a random order: whenever one is about to use the store, the next is drawn. What a flow does on
/// other threads is waited for, so that a seed always gives the same order.
async fn at_once<T>(random: &mut ChaCha8Rng, store: &MemoryStore, flows: Vec<Flow<'_, T>>) -> Vec<T> {
    store.take_turns(true);
    let _ = store.waits();
    let mut running: Vec<(usize, Flow<'_, T>)> = flows.into_iter().enumerate().collect();
    let mut done: Vec<(usize, T)> = Vec::new();
    while !running.is_empty() {
        let place = random.random_range(0..running.len());
        let ended = {
            let flow = &mut running[place].1;
            std::future::poll_fn(|context| match flow.as_mut().poll(context) {
                Poll::Ready(value) => Poll::Ready(Some(value)),
                Poll::Pending if store.waits() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await
        };
        if let Some(value) = ended {
            done.push((running.swap_remove(place).0, value));
        }
    }
    store.take_turns(false);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, value)| value).collect()
}

fn system_time(at: Timestamp) -> SystemTime {
    let since = Duration::from_millis(at.as_millisecond().unsigned_abs());
    SystemTime::UNIX_EPOCH + since
}

impl RetentionWorld {
    pub async fn new(seed: u64) -> Self {
        let store = MemoryStore::default();
        let now: Timestamp = "2026-11-23T00:00:00Z".parse().expect("a time");
        store.set_clock(system_time(now));
        let repository = World::repository(Arc::new(store.clone())).await;
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let folder = folder.expect("a folder");
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            last_seen: LastSeen::new(folder.path(), repository.id()),
            _folder: folder,
            store,
            repository,
            begun_at: now,
            now,
            ranges: vec![BTreeSet::new(); RANGES],
            next_person: 0,
            erased: BTreeMap::new(),
            contents: BTreeMap::new(),
            drafts: Vec::new(),
            taken: BTreeMap::new(),
            attempted: BTreeMap::new(),
            held: BTreeMap::new(),
            discarded: BTreeSet::new(),
            next_snapshot_at: now,
            next_prune_at: now,
            seen: SeenInYear::default(),
        }
    }

    /// Lives for some days, then lets everything come to rest and expire.
    ///
    /// # Panics
    /// If a promise is broken.
    pub async fn run(&mut self, days: i64) {
        let end = self.begun_at + SignedDuration::from_hours(24 * days);
        while self.now < end {
            self.step().await;
        }
        self.rest().await;
    }

    fn pass(&mut self, time: SignedDuration) {
        self.now += time;
        self.store.set_clock(system_time(self.now));
    }

    async fn step(&mut self) {
        self.seen.steps += 1;
        let hours = self.random.random_range(1..14);
        let minutes = self.random.random_range(0..60);
        self.pass(SignedDuration::from_mins(hours * 60 + minutes));
        self.live();
        if self.random.random_bool(0.01) {
            // Nobody notices for weeks that nothing runs.
            let until = self.now + SignedDuration::from_hours(24 * self.random.random_range(5..45));
            let snapshots = self.random.random();
            if snapshots {
                self.next_snapshot_at = until;
            }
            if !snapshots || self.random.random() {
                self.next_prune_at = until;
            }
        }
        if self.random.random_bool(0.15) {
            let fault = if self.random.random() { Fault::Before } else { Fault::After };
            let operations = self.random.random_range(0..60);
            self.store.fail_after(operations, fault);
        }
        if self.now >= self.next_snapshot_at {
            self.next_snapshot_at = self.now + SignedDuration::from_hours(self.random.random_range(6..48));
            self.begin_snapshot().await;
        }
        if self.now >= self.next_prune_at {
            self.next_prune_at = self.now + DAILY;
            self.prune().await;
        }
        // Some are left alone for long.
        if !self.drafts.is_empty() && self.random.random_bool(0.8) {
            let place = self.random.random_range(0..self.drafts.len());
            self.go_on_with_snapshot(place).await;
        }
        if self.random.random_bool(0.02) {
            self.restore_beside_a_pruner().await;
        }
        if self.random.random_bool(0.01) {
            self.hold().await;
        }
        self.store.heal();
        self.check_live_snapshots().await;
    }

    /// The applications write; some people are erased.
    fn live(&mut self) {
        let range = self.random.random_range(0..RANGES);
        self.ranges[range].insert(self.next_person);
        self.next_person += 1;
        if self.random.random_bool(0.5) {
            let range = self.random.random_range(0..RANGES);
            if let Some(person) = self.ranges[range].pop_first() {
                self.erased.insert(person, self.now);
            }
        }
    }

    /// This machine's time: a few minutes off.
    fn host_time(&mut self) -> Timestamp {
        self.now + SignedDuration::from_secs(self.random.random_range(-280..280))
    }

    /// Every error of a flow is a crash of its process: what it knew is lost, what it wrote is there.
    fn note<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Error::TookTooLong { .. }) => {
                self.seen.took_too_long += 1;
                None
            }
            Err(Error::Store(_) | Error::LedgerUnreadable { .. }) => {
                self.seen.crashes += 1;
                None
            }
            Err(error) => panic!("an error that no fault explains: {error:?}"),
        }
    }

    async fn begin_snapshot(&mut self) {
        let started_at = self.host_time();
        let head = ledger::head(&self.repository).await;
        let Some(head) = self.note(head) else { return };
        let uploads = Uploads::begin(&self.repository, 1, started_at).await;
        let Some(uploads) = self.note(uploads).map(Arc::new) else { return };
        let id = SnapshotId::new(started_at, self.random.random());
        self.drafts.push(Draft {
            uploads,
            id,
            started_at,
            head,
            view: self.ranges.clone(),
            chunks: Vec::new(),
        });
    }

    async fn go_on_with_snapshot(&mut self, place: usize) {
        // The process dies in the middle, now and then, or works for days.
        if self.random.random_bool(0.02) {
            self.drafts.swap_remove(place);
            return;
        }
        if self.drafts[place].chunks.is_empty() {
            for range in 0..RANGES {
                if self.store_range(place, range).await.is_none() {
                    self.drafts.swap_remove(place);
                    return;
                }
            }
            if self.random.random_bool(0.1) {
                return;
            }
        }
        let draft = self.drafts.swap_remove(place);
        let chunks = draft.chunks.iter().map(|chunk| (chunk.name, chunk.upload)).collect();
        self.attempted.insert(draft.id.clone(), chunks);
        if self.random.random_bool(0.3) {
            self.commit_beside_a_pruner(&draft).await;
        } else {
            let committed = commit(&self.repository, &draft).await;
            self.committed(&draft, committed).await;
        }
    }

    async fn store_range(&mut self, place: usize, range: usize) -> Option<()> {
        let people = self.drafts[place].view[range].clone();
        let plain = format!("{range}:{people:?}\n");
        let stored = self.drafts[place].uploads.store(plain.into_bytes(), 1).await;
        let chunk = self.note(stored)?;
        self.contents.insert(chunk.name, people);
        let draft = &mut self.drafts[place];
        let old = self.taken.values().any(|taken| taken.chunks.contains(&(chunk.name, chunk.upload)));
        self.seen.shared_chunks += u64::from(old);
        draft.chunks.push(chunk);
        Some(())
    }

    async fn committed(&mut self, draft: &Draft, result: Result<(), Error>) {
        self.note(result);
        self.store.heal();
        let manifest = ObjectName::new(layout::manifest(&draft.id)).expect("a name");
        if self.store.head(&manifest).await.expect("heals").is_some() {
            self.seen.snapshots += 1;
            let chunks = draft.chunks.iter().map(|chunk| (chunk.name, chunk.upload)).collect();
            self.taken.insert(draft.id.clone(), Taken { started_at: draft.started_at, chunks });
        }
    }

    fn options(&self) -> PruneOptions {
        PruneOptions::default()
    }

    async fn commit_beside_a_pruner(&mut self, draft: &Draft) {
        self.seen.at_once += 1;
        let (options, host) = (self.options(), self.host_time());
        let (repository, last_seen, store) =
            (self.repository.clone(), self.last_seen.clone(), self.store.clone());
        let flows: Vec<Flow<'_, Result<(), Error>>> = vec![
            Box::pin(commit(&repository, draft)),
            Box::pin(async { prune_once(&repository, &options, &last_seen, host).await.map(|_| ()) }),
        ];
        let mut results = at_once(&mut self.random, &store, flows).await.into_iter();
        let committed = results.next().expect("two flows");
        let pruned = results.next().expect("two flows");
        self.committed(draft, committed).await;
        match pruned {
            Err(Error::Ceiling { .. }) => self.seen.alarms += 1,
            other => {
                self.note(other);
            }
        }
        self.after_prune(false).await;
    }

    async fn prune(&mut self) {
        if self.random.random_bool(0.02) {
            return self.prune_with_a_wrong_clock().await;
        }
        let (options, host, other_host) = (self.options(), self.host_time(), self.host_time());
        let (repository, last_seen, store) =
            (self.repository.clone(), self.last_seen.clone(), self.store.clone());
        let results = if self.random.random_bool(0.2) {
            self.seen.at_once += 1;
            let flows: Vec<Flow<'_, Result<prune::Receipt, Error>>> = vec![
                Box::pin(prune_once(&repository, &options, &last_seen, host)),
                Box::pin(prune_once(&repository, &options, &last_seen, other_host)),
            ];
            at_once(&mut self.random, &store, flows).await
        } else {
            vec![prune_once(&repository, &options, &last_seen, host).await]
        };
        let (mut is_whole, mut alarm) = (true, false);
        for result in results {
            match result {
                Ok(receipt) => {
                    self.seen.prunes += 1;
                    self.seen.removed_snapshots += receipt.removed_snapshots.len() as u64;
                    self.seen.removed_chunks += receipt.removed_chunks as u64;
                    assert!(receipt.left.is_empty() && receipt.remains.is_empty());
                }
                Err(Error::Ceiling { remains }) => {
                    self.seen.alarms += 1;
                    assert!(remains.iter().all(|one| one.what.starts_with("snapshot ")), "{remains:?}");
                    alarm = true;
                }
                other => {
                    is_whole = false;
                    self.note(other);
                }
            }
        }
        if alarm {
            self.answer_the_alarm().await;
        }
        self.after_prune(is_whole).await;
    }

    /// D1: somebody has to decide.
    async fn answer_the_alarm(&mut self) {
        self.store.heal();
        let Some((last, _)) = self.newest_stored() else { return };
        match self.random.random_range(0..4) {
            0 => {
                let options =
                    PruneOptions { discard: BTreeSet::from([last.clone()]), ..PruneOptions::default() };
                let done = prune_once(&self.repository, &options, &self.last_seen, self.now).await;
                done.expect("what is discarded goes");
                self.discarded.insert(last);
                self.seen.discarded += 1;
            }
            1 => self.next_snapshot_at = self.now,
            2 => self.add_hold(last).await,
            _ => {}
        }
    }

    fn newest_stored(&self) -> Option<(SnapshotId, Taken)> {
        let present = self.manifests();
        let newest = self.taken.iter().filter(|(id, _)| present.contains(*id));
        newest
            .max_by_key(|(id, taken)| (taken.started_at, (*id).clone()))
            .map(|(id, taken)| (id.clone(), taken.clone()))
    }

    async fn prune_with_a_wrong_clock(&mut self) {
        self.store.heal();
        self.seen.wrong_clocks += 1;
        let before = self.store.dated().len();
        let off = SignedDuration::from_hours(if self.random.random() { 24 * 40 } else { -24 * 40 });
        let error =
            prune::plan(&self.repository, &self.options(), self.now + off).await.expect_err("refuses");
        assert!(matches!(error, Error::Clocks { .. }), "{error}");
        assert_eq!(self.store.dated().len(), before);
    }

    async fn hold(&mut self) {
        self.store.heal();
        let present: Vec<SnapshotId> = self.manifests().into_iter().collect();
        if !present.is_empty() {
            let id = present[self.random.random_range(0..present.len())].clone();
            self.add_hold(id).await;
        }
    }

    async fn add_hold(&mut self, id: SnapshotId) {
        let until = self.now + SignedDuration::from_hours(24 * self.random.random_range(1..30));
        holds::add(&self.repository, &id, until, "an order", "legal", self.now).await.expect("hold");
        let end = self.held.entry(id).or_insert(until);
        *end = (*end).max(until);
    }

    /// A restore takes a lease, a pruner runs while it reads, and it finds everything until the ceiling.
    async fn restore_beside_a_pruner(&mut self) {
        self.store.heal();
        let retention = Retention::default();
        let present = self.manifests();
        let mut old: Vec<SnapshotId> =
            self.taken.keys().filter(|id| present.contains(*id)).cloned().collect();
        old.sort_by_key(|id| self.taken[id].started_at);
        let Some(id) = old.first().cloned() else { return };
        let taken = self.taken[&id].clone();
        // Just after it expired, and before the ceiling.
        let (expired, ceiling) = (taken.started_at + retention.keep, taken.started_at + retention.ceiling);
        if self.now < expired && self.random.random_bool(0.5) && expired.duration_since(self.now) < DAILY {
            self.pass(expired.duration_since(self.now) + SignedDuration::from_mins(10));
        }
        let is_past = self.now + SignedDuration::from_mins(10) >= ceiling;
        let (store, repository, last_seen) =
            (self.store.clone(), self.repository.clone(), self.last_seen.clone());
        let (options, now) = (self.options(), self.now);
        let found = leases::during(&repository, &id, async {
            match prune_once(&repository, &options, &last_seen, now).await {
                Ok(_) | Err(Error::Ceiling { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            let names: BTreeSet<String> = store.dated().into_iter().map(|(name, ..)| name).collect();
            let has = |key: &ChunkKey| names.contains(&layout::chunk(&key.0, &key.1));
            names.contains(&layout::manifest(&id)) && taken.chunks.iter().all(has)
        })
        .await;
        if !is_past {
            assert!(found, "{id} was leased, of {}, and went at {}", taken.started_at, self.now);
            self.seen.leased += u64::from(self.now >= expired);
        }
        let leases = self.store.dated().into_iter().filter(|(name, ..)| name.starts_with(layout::LEASES));
        assert_eq!(leases.count(), 0, "a restore that ends takes its lease with it");
        self.after_prune(false).await;
    }

    /// What a reader would find.
    fn manifests(&self) -> BTreeSet<SnapshotId> {
        let objects = self.store.dated();
        objects.iter().filter_map(|(name, ..)| layout::snapshot_of_manifest(name)).collect()
    }

    /// At any moment, whatever has crashed: no chunk that a manifest names is gone.
    async fn check_live_snapshots(&mut self) {
        let names: BTreeSet<String> = self.store.dated().into_iter().map(|(name, ..)| name).collect();
        for id in self.manifests() {
            let Some(taken) = self.taken.get(&id) else {
                panic!("{id} has a manifest that nobody knows to have written");
            };
            for key in &taken.chunks {
                assert!(
                    names.contains(&layout::chunk(&key.0, &key.1)),
                    "a chunk of {id}, of {}, is gone at {}",
                    taken.started_at,
                    self.now
                );
            }
        }
    }

    /// After a prune that came to its end: nothing is left that nobody has a right to.
    async fn after_prune(&mut self, is_whole: bool) {
        self.store.heal();
        self.check_live_snapshots().await;
        if !is_whole {
            return;
        }
        let retention = Retention::default();
        // Hosts' clocks are a few minutes off.
        let slack = SignedDuration::from_mins(11);
        let objects = self.store.dated();
        let present = self.manifests();
        let newest = self.newest_stored().map(|(id, _)| id);
        let mut needed: BTreeSet<&ChunkKey> = BTreeSet::new();
        let mut excused: BTreeSet<&ChunkKey> = BTreeSet::new();
        for id in &present {
            let taken = &self.taken[id];
            let is_held = self.held.get(id).is_some_and(|until| *until > self.now);
            let is_last = newest.as_ref() == Some(id);
            let age = self.now.duration_since(taken.started_at);
            if is_held || is_last {
                excused.extend(&taken.chunks);
                self.seen.held += u64::from(is_held && age > retention.ceiling);
            } else {
                assert!(age < retention.keep + slack, "{id} is {age:#} old and nobody needs it");
            }
            needed.extend(&taken.chunks);
        }
        let grace = |modified: &SystemTime| {
            self.now.duration_since(Timestamp::try_from(*modified).expect("a time")) < retention.grace + slack
        };
        // One that has an index may get its manifest at any moment.
        for (name, _, modified) in &objects {
            if let Some((id, SnapshotPart::Index)) = layout::snapshot_part(name)
                && grace(modified)
            {
                needed.extend(&self.attempted[&id]);
            }
        }
        for (name, _, modified) in &objects {
            if let Some((id, part)) = layout::snapshot_part(name) {
                let is_whole = part == SnapshotPart::Manifest || present.contains(&id);
                assert!(is_whole || grace(modified), "{name} belongs to no snapshot");
            }
            let Some(key) = layout::chunk_of_name(name) else { continue };
            assert!(
                needed.contains(&key) || grace(modified),
                "nobody needs {name} at {}; it was named by {:?}, and there are {present:?}",
                self.now,
                self.taken
                    .iter()
                    .filter(|(_, taken)| taken.chunks.contains(&key))
                    .map(|(id, _)| id)
                    .collect::<Vec<_>>()
            );
            // Nobody who was erased before the ceiling is in it, unless somebody answers for that.
            let people = self.contents.get(&key.0).into_iter().flatten();
            let gone = people.filter_map(|person| self.erased.get(person));
            for erased_at in gone {
                let since = self.now.duration_since(*erased_at);
                assert!(
                    since < retention.ceiling || excused.contains(&key),
                    "somebody who was erased {since:#} ago is still in {name}"
                );
            }
        }
        let long_ago = |at: &&Timestamp| self.now.duration_since(**at) > retention.ceiling;
        self.seen.gone_people = self.erased.values().filter(long_ago).count() as u64;
    }

    /// With a store that works and a new database: the next pruners let everything go that was there.
    async fn rest(&mut self) {
        self.store.heal();
        self.drafts.clear();
        for range in 0..RANGES {
            while let Some(person) = self.ranges[range].pop_first() {
                self.erased.insert(person, self.now);
            }
        }
        self.begin_snapshot().await;
        self.go_on_until_committed().await;
        self.pass(SignedDuration::from_hours(24 * 36));
        self.begin_snapshot().await;
        self.go_on_until_committed().await;
        self.held.retain(|_, until| *until > self.now);
        let done = prune_once(&self.repository, &PruneOptions::default(), &self.last_seen, self.now).await;
        done.expect("nothing is in its way");
        self.after_prune(true).await;
        // All that is left is the last snapshot, which holds nobody.
        let chunks = self.store.dated().into_iter().filter_map(|(name, ..)| layout::chunk_of_name(&name));
        for key in chunks {
            let people = self.contents.get(&key.0).expect("somebody wrote it");
            let held = self.held.keys().any(|id| self.taken[id].chunks.contains(&key));
            assert!(people.is_empty() || held, "{people:?} were erased 36 days ago");
        }
    }

    async fn go_on_until_committed(&mut self) {
        while !self.drafts.is_empty() {
            self.go_on_with_snapshot(0).await;
        }
    }
}

async fn prune_once(
    repository: &Repository,
    options: &PruneOptions,
    last_seen: &LastSeen,
    host: Timestamp,
) -> Result<prune::Receipt, Error> {
    let plan = prune::plan(repository, options, host).await?;
    prune::carry_out(repository, &plan, options, last_seen, host).await.map(|(_, receipt)| receipt)
}

/// A snapshot of these contents, stored by the real code at a time; returns its chunks as well.
pub async fn store_snapshot(
    repository: &Repository,
    started_at: Timestamp,
    contents: &[&str],
) -> (SnapshotId, Vec<Chunk>) {
    let head = ledger::head(repository).await.expect("a head");
    let uploads = Arc::new(Uploads::begin(repository, 1, started_at).await.expect("begin"));
    let mut chunks = Vec::new();
    for content in contents {
        chunks.push(uploads.store(content.as_bytes().to_vec(), 1).await.expect("store"));
    }
    let id = SnapshotId::new(started_at, 0);
    let draft = Draft { uploads, id: id.clone(), started_at, head, view: Vec::new(), chunks };
    commit(repository, &draft).await.expect("commit");
    (id, draft.chunks)
}

/// A snapshot that names these chunks, whoever stored them.
pub async fn try_store_manifest(
    repository: &Repository,
    started_at: Timestamp,
    chunks: Vec<Chunk>,
) -> Result<SnapshotId, Error> {
    let head = ledger::head(repository).await.expect("a head");
    let uploads = Arc::new(Uploads::begin(repository, 1, started_at).await.expect("begin"));
    let id = SnapshotId::new(started_at, 1);
    let draft = Draft { uploads, id: id.clone(), started_at, head, view: Vec::new(), chunks };
    commit(repository, &draft).await?;
    Ok(id)
}

/// Schema, index and manifest of a database without tables: its rows are in what would be large objects.
async fn commit(repository: &Repository, draft: &Draft) -> Result<(), Error> {
    let schema = draft.uploads.write_schema(&draft.id, b"schema".to_vec()).await?;
    draft
        .uploads
        .commit(&Manifest {
            version: VERSION,
            repository: repository.id().to_owned(),
            snapshot: draft.id.clone(),
            started_at: draft.started_at,
            finished_at: draft.started_at,
            source: Source {
                server_version: 150_000,
                database: "source".to_owned(),
                encoding: "UTF8".to_owned(),
                collate: "C".to_owned(),
                ctype: "C".to_owned(),
                locale_provider: "c".to_owned(),
                collation_version: None,
            },
            ledger_head: draft.head,
            ledger_seq_after: draft.head.seq,
            capture: None,
            schema,
            catalog: Catalog::default(),
            tables: Vec::new(),
            references: Vec::new(),
            classification: None,
            sequences: Vec::new(),
            large_objects: LargeObjects { chunks: draft.chunks.clone(), ..LargeObjects::default() },
            extensions: Vec::new(),
            populated_views: Vec::new(),
            roles: Vec::new(),
            tablespaces: Vec::new(),
        })
        .await
}
