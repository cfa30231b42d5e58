use std::time::Duration;

use jiff::Timestamp;
use lethe_format::ledger::{BodyId, Drained as Mark, Keys, Kind, Seq, SubjectRef};
use lethe_postgres::capture::outbox;
use lethe_postgres::{ConnectionSettings, Purpose, Server};
use roaring::RoaringTreemap;
use serde::Serialize;

use crate::ledger::{self, LastSeen, NewEntry};
use crate::{Error, Repository};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunOptions {
    /// A heartbeat is written when the outbox is empty and the ledger's newest heartbeat is older than this.
    pub heartbeat: Duration,
}

/// What one run brought to the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Drained {
    pub keys: u64,
    pub entries: u64,
    pub heartbeat: bool,
    /// Whose people they were.
    #[serde(skip)]
    pub captured: Vec<Captured>,
}

/// People of one kind and of one customer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Captured {
    pub subject: SubjectRef,
    /// None if they are nobody's, or customers are not kept apart.
    pub tenant: Option<String>,
    pub people: u64,
    /// The ledger's entry.
    pub entry: Seq,
}

/// Brings everything that waits in the source's outbox to the ledger.
///
/// # Errors
/// [`Error::Usage`] if the capture is not installed, or another run is under way. Whatever the error, nothing is lost.
pub async fn run(
    repository: &Repository,
    source: &ConnectionSettings,
    last_seen: &LastSeen,
    options: RunOptions,
) -> Result<Drained, Error> {
    let server = Server::connect(source, Purpose::Capture).await?;
    if !outbox::is_installed(&server).await? {
        return Err(Error::Usage(
            "the capture is not installed in the source: lethe tombstone capture install".to_owned(),
        ));
    }
    if !server.lock_for_session("lethe capture").await? {
        return Err(Error::Usage("another lethe tombstone capture run is under way".to_owned()));
    }
    let mut drained = Drained::default();
    for batch in outbox::marked(&server).await? {
        bring(repository, &server, last_seen, &batch, &mut drained).await?;
    }
    loop {
        let batch = BodyId::from_bytes(rand::random());
        if !outbox::mark(&server, &batch).await? {
            break;
        }
        bring(repository, &server, last_seen, &batch, &mut drained).await?;
    }
    drained.heartbeat = beat(repository, &server, last_seen, options.heartbeat).await?;
    Ok(drained)
}

/// Ledger first, outbox second.
async fn bring(
    repository: &Repository,
    server: &Server,
    last_seen: &LastSeen,
    batch: &BodyId,
    drained: &mut Drained,
) -> Result<(), Error> {
    let Some(waiting) = outbox::batch(server, batch).await? else { return Ok(()) };
    let keys = keys(waiting.keys);
    drained.keys += keys.len();
    drained.entries += 1;
    let subject = waiting.subject;
    let entry = NewEntry {
        settled: true,
        nonce: Some(*batch),
        ..NewEntry::about(Kind::Erased, subject.clone(), keys)
    };
    let head = ledger::append(repository, last_seen, entry, None, Timestamp::now()).await?;
    let entry = head.map_or(0, |head| head.seq);
    let captured = waiting.tenants.into_iter();
    let captured =
        captured.map(|(tenant, people)| Captured { subject: subject.clone(), tenant, people, entry });
    drained.captured.extend(captured);
    outbox::delete(server, batch).await?;
    Ok(())
}

/// Integers in their usual spelling become a bitmap; all other keys stay as they are written.
fn keys(mut tuples: Vec<Vec<String>>) -> Keys {
    let integer = |tuple: &Vec<String>| match tuple.as_slice() {
        [only] => only.parse::<i64>().ok().filter(|number| number.to_string() == *only),
        _ => None,
    };
    let integers: Option<RoaringTreemap> =
        tuples.iter().map(|tuple| integer(tuple).map(i64::cast_unsigned)).collect();
    integers.map_or_else(
        || {
            tuples.sort();
            tuples.dedup();
            Keys::Tuples(std::mem::take(&mut tuples))
        },
        Keys::Integers,
    )
}

async fn beat(
    repository: &Repository,
    server: &Server,
    last_seen: &LastSeen,
    every: Duration,
) -> Result<bool, Error> {
    let headers = ledger::headers(repository).await?;
    let newest = headers.iter().filter(|header| header.drained.is_some()).map(|header| header.at).max();
    let age = newest.map(|at| Timestamp::now().duration_since(at));
    let due = age.is_none_or(|age| Duration::try_from(age).unwrap_or_default() >= every);
    let waiting = outbox::waiting(server).await?;
    if !due || waiting.waiting > 0 {
        return Ok(false);
    }
    let mark = Mark { source: waiting.source, at: waiting.at };
    let entry = NewEntry { drained: Some(mark), ..NewEntry::of(Kind::Heartbeat) };
    ledger::append(repository, last_seen, entry, None, Timestamp::now()).await?;
    Ok(true)
}
