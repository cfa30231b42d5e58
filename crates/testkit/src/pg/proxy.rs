//! A server's socket with somebody in between, who knows enough of the protocol to count what goes by (PostgreSQL
//! documentation, "Message Formats"), and does something at a message that was chosen.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::PgServer;

/// Which message of a client: counted over all connections from when it was chosen, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// Of those that the server answers: the start of a session, a simple query, the end of an extended one.
    Request(u64),
    /// Of those that carry rows of a COPY.
    Data(u64),
}

/// What happens there.
pub enum Act {
    /// The connection is cut before the message reaches the server.
    Cut,
    /// The server gets the message and acts on it; the connection is cut instead of the answer.
    LoseAnswer,
    /// This is done, and then the message goes on.
    Call(Box<dyn FnOnce() + Send>),
}

impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cut => "Cut",
            Self::LoseAnswer => "LoseAnswer",
            Self::Call(_) => "Call",
        })
    }
}

/// Stands in front of a server until it is dropped.
#[derive(Debug)]
pub struct PgProxy {
    folder: TempDir,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: PathBuf,
    requests: AtomicU64,
    data: AtomicU64,
    plan: Mutex<Option<(At, Act)>>,
}

impl PgProxy {
    /// # Panics
    /// If there can be no socket.
    #[must_use]
    pub fn start(server: &PgServer) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let shared = Arc::new(Shared {
            server: server.socket(),
            requests: AtomicU64::new(0),
            data: AtomicU64::new(0),
            plan: Mutex::new(None),
        });
        let for_all = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, for_all.clone()));
            }
        });
        Self { folder, shared, task }
    }

    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}", self.folder.path().display())
    }

    /// Counts from the beginning again, and does this once.
    pub fn at(&self, at: At, act: Act) {
        let mut plan = self.shared.plan();
        self.shared.requests.store(0, Ordering::SeqCst);
        self.shared.data.store(0, Ordering::SeqCst);
        *plan = Some((at, act));
    }

    /// True while what was chosen is still to happen.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.shared.plan().is_some()
    }

    /// Requests since the last choice; then nothing happens any more.
    pub fn take_requests(&self) -> u64 {
        *self.shared.plan() = None;
        self.shared.requests.swap(0, Ordering::SeqCst)
    }
}

impl Drop for PgProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn plan(&self) -> std::sync::MutexGuard<'_, Option<(At, Act)>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, message: &Message) -> Option<Act> {
        let mut plan = self.plan();
        let here = match message.kind {
            // The start of a session; Query, Sync and PasswordMessage.
            None | Some(b'Q' | b'S' | b'p') => At::Request(self.requests.fetch_add(1, Ordering::SeqCst)),
            Some(b'd') => At::Data(self.data.fetch_add(1, Ordering::SeqCst)),
            Some(_) => return None,
        };
        plan.take_if(|(at, _)| *at == here).map(|(_, act)| act)
    }
}

/// A message as it stands on the wire; the first one of a session has no kind.
struct Message {
    kind: Option<u8>,
    bytes: Vec<u8>,
}

async fn read(from: &mut OwnedReadHalf, has_kind: bool) -> std::io::Result<Message> {
    let mut bytes = vec![0; if has_kind { 5 } else { 4 }];
    from.read_exact(&mut bytes).await?;
    let start = usize::from(has_kind);
    let len =
        u32::from_be_bytes([bytes[start], bytes[start + 1], bytes[start + 2], bytes[start + 3]]) as usize;
    bytes.resize(start + len, 0);
    from.read_exact(&mut bytes[start + 4..]).await?;
    Ok(Message { kind: has_kind.then(|| bytes[0]), bytes })
}

/// Both ends are closed when either direction ends.
async fn connection(client: UnixStream, shared: Arc<Shared>) {
    let Ok(server) = UnixStream::connect(&shared.server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let (deaf, answered) = (AtomicBool::new(false), Notify::new());
    tokio::select! {
        _ = requests(from_client, to_server, &shared, &deaf, &answered) => {}
        _ = answers(from_server, to_client, &deaf, &answered) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    deaf: &AtomicBool,
    answered: &Notify,
) -> std::io::Result<()> {
    let mut has_kind = false;
    loop {
        let message = read(&mut from, has_kind).await?;
        has_kind = true;
        match shared.next(&message) {
            None => to.write_all(&message.bytes).await?,
            Some(Act::Cut) => return Ok(()),
            Some(Act::LoseAnswer) => {
                deaf.store(true, Ordering::SeqCst);
                to.write_all(&message.bytes).await?;
                // The answer of a server that ends over it does not come.
                let _ = tokio::time::timeout(Duration::from_secs(5), answered.notified()).await;
                return Ok(());
            }
            Some(Act::Call(act)) => {
                tokio::task::spawn_blocking(act).await.map_err(std::io::Error::other)?;
                to.write_all(&message.bytes).await?;
            }
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    deaf: &AtomicBool,
    answered: &Notify,
) -> std::io::Result<()> {
    loop {
        let message = read(&mut from, true).await?;
        if !deaf.load(Ordering::SeqCst) {
            to.write_all(&message.bytes).await?;
        } else if matches!(message.kind, Some(b'Z' | b'G')) {
            // ReadyForQuery, or CopyInResponse: the server has done what it was asked for.
            answered.notify_one();
        }
    }
}
