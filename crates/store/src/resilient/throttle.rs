//! Lets as many requests through at once as [`Aimd`] says, over all users of a store.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::aimd::Aimd;

#[derive(Clone, Debug)]
pub(super) struct Throttle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Somebody may go on: a request has ended or the limit has grown.
    free: Notify,
}

#[derive(Debug)]
struct State {
    aimd: Aimd,
    in_flight: usize,
}

impl Shared {
    /// A panic while the lock was held cannot have left the numbers half-changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, state: &mut State) -> Permit {
        state.in_flight += 1;
        Permit { shared: self.clone(), cuts: state.aimd.cuts() }
    }

    fn take_if_free(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state();
        (state.in_flight < state.aimd.limit()).then(|| self.take(&mut state))
    }
}

impl Throttle {
    pub(super) fn new(max_concurrency: usize) -> Self {
        let state = State { aimd: Aimd::new(max_concurrency), in_flight: 0 };
        Self(Arc::new(Shared { state: Mutex::new(state), free: Notify::new() }))
    }

    pub(super) fn limit(&self) -> usize {
        self.0.state().aimd.limit()
    }

    /// Waits for its turn, but at most for `patience`: a reader that nobody reads on holds its permit, and may be held
    /// by the very caller that waits here. The limit is a courtesy, and a request too many does no harm.
    pub(super) async fn acquire(&self, patience: Duration) -> Permit {
        let turn = async {
            loop {
                let mut free = pin!(self.0.free.notified());
                // In the queue before looking: whoever ends in between wakes this one.
                free.as_mut().enable();
                if let Some(permit) = self.0.take_if_free() {
                    return permit;
                }
                free.await;
            }
        };
        match tokio::time::timeout(patience, turn).await {
            Ok(permit) => permit,
            Err(_) => self.0.take(&mut self.0.state()),
        }
    }
}

/// One request on its way, until this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    shared: Arc<Shared>,
    cuts: u64,
}

impl Permit {
    pub(super) fn succeeded(&self) {
        let mut state = self.shared.state();
        let before = state.aimd.limit();
        state.aimd.succeeded();
        let grown = state.aimd.limit() > before;
        drop(state);
        if grown {
            self.shared.free.notify_one();
        }
    }

    pub(super) fn throttled(&self) {
        self.shared.state().aimd.throttled(self.cuts);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.state().in_flight -= 1;
        self.shared.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_limit_are_under_way() {
        let throttle = Throttle::new(8);
        throttle.acquire(HOUR).await.throttled();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        join_all((0..100).map(|_| async {
            let permit = throttle.acquire(HOUR).await;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(1)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            drop(permit);
        }))
        .await;
        assert_eq!(most.load(Ordering::SeqCst), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_holds_all_permits_is_not_locked_out() {
        let throttle = Throttle::new(1);
        let _held = throttle.acquire(HOUR).await;
        let _second = throttle.acquire(Duration::from_secs(30)).await;
    }
}
