//! How far a flow has come: counters that anybody may read, and nothing about terminals.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A handle that flows write to and a display reads from. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Shared>);

#[derive(Default)]
struct Shared {
    observer: Option<Observer>,
    stage: Mutex<&'static str>,
    /// Bytes or statements, as the stage has it.
    total: AtomicU64,
    done: AtomicU64,
}

/// Told of each stage as it begins, by the flow itself: the stage waits until it returns.
pub type Observer = Box<dyn Fn(&'static str) + Send + Sync>;

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// One moment's view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    pub stage: &'static str,
    pub total: u64,
    pub done: u64,
}

impl Progress {
    #[must_use]
    pub fn observed(observer: Observer) -> Self {
        Self(Arc::new(Shared { observer: Some(observer), ..Shared::default() }))
    }

    /// Begins a stage with a total of units; the count starts again.
    pub fn stage(&self, name: &'static str, total: u64) {
        tracing::info!(stage = name, total, "begins");
        self.0.done.store(0, Ordering::Relaxed);
        self.0.total.store(total, Ordering::Relaxed);
        *self.0.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = name;
        if let Some(observer) = &self.0.observer {
            observer(name);
        }
    }

    pub fn advance(&self, units: u64) {
        self.0.done.fetch_add(units, Ordering::Relaxed);
    }

    #[must_use]
    pub fn view(&self) -> View {
        View {
            stage: *self.0.stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner),
            total: self.0.total.load(Ordering::Relaxed),
            done: self.0.done.load(Ordering::Relaxed),
        }
    }
}
