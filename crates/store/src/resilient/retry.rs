//! One call, repeated until it succeeds, fails for good, or has been tried for too long.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

use super::attempts::Attempts;
use super::throttle::Permit;
use super::{ResilientStore, retries};
use crate::{Error, ObjectStore as _, Operation};

/// What is being done to which object, for messages.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) operation: Operation,
    pub(super) name: String,
}

impl Task {
    pub(super) fn new(operation: Operation, name: impl Display) -> Self {
        Self { operation, name: name.to_string() }
    }
}

impl ResilientStore {
    /// Calls until a call succeeds. The permit is the successful request's: the caller keeps it until all of the
    /// answer has come.
    ///
    /// # Errors
    /// The first that is not retryable, or [`Error::GaveUp`] with the last.
    pub(super) async fn retry<T, F>(
        &self,
        task: &Task,
        attempts: &mut Attempts,
        call: impl Fn() -> F + Send + Sync,
    ) -> Result<(T, Permit), Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        loop {
            let permit = self.throttle.acquire(self.policy.idle_timeout).await;
            match call().await {
                Ok(value) => {
                    permit.succeeded();
                    return Ok((value, permit));
                }
                Err(error) => {
                    if matches!(error, Error::Throttled { .. }) {
                        permit.throttled();
                    }
                    drop(permit);
                    self.wait(task, attempts, Instant::now(), error).await?;
                }
            }
        }
    }

    /// After a failure: waits for the next attempt. `since` is when the attempt stopped being of use.
    ///
    /// # Errors
    /// The failure itself if it is not retryable, or [`Error::GaveUp`].
    pub(super) async fn wait(
        &self,
        task: &Task,
        attempts: &mut Attempts,
        since: Instant,
        failure: Error,
    ) -> Result<(), Error> {
        if !failure.is_retryable() {
            return Err(failure);
        }
        let now = Instant::now();
        let Some(delay) = attempts.failed(&self.policy, since, now, rand::random()) else {
            return Err(Error::GaveUp {
                store: self.url(),
                operation: task.operation,
                name: task.name.clone(),
                attempts: attempts.failures(),
                tried: attempts.tried(now),
                cause: Box::new(failure),
            });
        };
        retries::note(task.operation);
        self.report(task, attempts.failures(), delay, &failure);
        tokio::time::sleep(delay).await;
        Ok(())
    }

    /// A first failure is everyday business; one that stays is worth a line on the screen.
    fn report(&self, task: &Task, failures: u32, delay: Duration, failure: &Error) {
        let Task { operation, name } = task;
        let cause = std::error::Error::source(failure).map(ToString::to_string).unwrap_or_default();
        if failures < 4 {
            tracing::debug!(%operation, %name, failures, ?delay, error = %failure, %cause, "tried again");
        } else {
            tracing::warn!(%operation, %name, failures, ?delay, error = %failure, %cause, "tried again");
        }
    }

    /// Waits for an answer no longer than `limit`.
    pub(super) async fn in_time<T>(
        &self,
        task: &Task,
        limit: Duration,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        match tokio::time::timeout(limit, call).await {
            Ok(result) => result,
            Err(_) => Err(self.stalled(task, limit)),
        }
    }

    pub(super) fn stalled(&self, Task { operation, name }: &Task, waited: Duration) -> Error {
        Error::Stalled { store: self.url(), operation: *operation, name: name.clone(), waited }
    }
}
