//! How far a flow has come: counters that anybody may read, and nothing about terminals.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A handle that flows write to and a display reads from. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Shared>);

#[derive(Default)]
struct Shared {
    observer: Option<Observer>,
    stages: Mutex<Vec<Stage>>,
    total: AtomicU64,
    done: AtomicU64,
    rows: AtomicU64,
}

/// What a stage is counted in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Unit {
    /// Statements, tables, documents.
    #[default]
    Steps,
    Bytes,
}

#[derive(Debug)]
struct Stage {
    name: &'static str,
    unit: Unit,
    begun: Instant,
    /// Set when it ended.
    counted: Option<Counted>,
    /// Ends with the stage.
    _span: tracing::Span,
}

/// What a stage has done; several of the same name are added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    pub stage: &'static str,
    pub unit: Unit,
    pub done: u64,
    pub rows: u64,
    pub took: Duration,
}

/// Told of each stage as it begins, by the flow itself: the stage waits until it returns.
pub type Observer = Box<dyn Fn(&'static str) + Send + Sync>;

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("stages", &self.stages).finish_non_exhaustive()
    }
}

/// One moment's view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    pub stage: &'static str,
    pub unit: Unit,
    /// 0 if nobody knows.
    pub total: u64,
    pub done: u64,
}

impl Progress {
    #[must_use]
    pub fn observed(observer: Observer) -> Self {
        Self(Arc::new(Shared { observer: Some(observer), ..Shared::default() }))
    }

    /// Begins a stage with a total of statements, tables or the like; the count starts again.
    pub fn stage(&self, name: &'static str, total: u64) {
        self.begin(name, total, Unit::Steps);
    }

    /// Begins a stage with a total of bytes.
    pub fn stage_of_bytes(&self, name: &'static str, total: u64) {
        self.begin(name, total, Unit::Bytes);
    }

    fn begin(&self, name: &'static str, total: u64, unit: Unit) {
        tracing::info!(stage = name, total, "begins");
        self.end();
        self.0.total.store(total, Ordering::Relaxed);
        let span = tracing::info_span!("stage", otel.name = name, stage = name);
        let stage = Stage { name, unit, begun: Instant::now(), counted: None, _span: span };
        self.stages().push(stage);
        if let Some(observer) = &self.0.observer {
            observer(name);
        }
    }

    /// Ends the stage that is under way, if one is.
    pub fn end(&self) {
        let mut stages = self.stages();
        let (done, rows) = (self.0.done.swap(0, Ordering::Relaxed), self.0.rows.swap(0, Ordering::Relaxed));
        if let Some(last) = stages.last_mut().filter(|last| last.counted.is_none()) {
            last.counted = Some(last.with(done, rows));
            last._span = tracing::Span::none();
        }
    }

    pub fn advance(&self, units: u64) {
        self.0.done.fetch_add(units, Ordering::Relaxed);
    }

    /// Rows that were copied or loaded.
    pub fn rows(&self, rows: u64) {
        self.0.rows.fetch_add(rows, Ordering::Relaxed);
    }

    #[must_use]
    pub fn view(&self) -> View {
        let (stage, unit) = self.stages().last().map_or(("", Unit::Steps), |last| (last.name, last.unit));
        View {
            stage,
            unit,
            total: self.0.total.load(Ordering::Relaxed),
            done: self.0.done.load(Ordering::Relaxed),
        }
    }

    /// Everything so far, in the order in which the stages were first begun.
    #[must_use]
    pub fn counted(&self) -> Vec<Counted> {
        let stages = self.stages();
        let mut all: Vec<Counted> = Vec::new();
        for stage in stages.iter() {
            let now = || stage.with(self.0.done.load(Ordering::Relaxed), self.0.rows.load(Ordering::Relaxed));
            let counted = stage.counted.unwrap_or_else(now);
            match all.iter_mut().find(|known| (known.stage, known.unit) == (counted.stage, counted.unit)) {
                Some(known) => {
                    known.done = known.done.saturating_add(counted.done);
                    known.rows = known.rows.saturating_add(counted.rows);
                    known.took = known.took.saturating_add(counted.took);
                }
                None => all.push(counted),
            }
        }
        all
    }

    /// Whether both are handles of the same flow.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn stages(&self) -> MutexGuard<'_, Vec<Stage>> {
        self.0.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    fn with(&self, done: u64, rows: u64) -> Counted {
        Counted { stage: self.name, unit: self.unit, done, rows, took: self.begun.elapsed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_one_name_are_added_up() {
        let progress = Progress::default();
        assert_eq!(progress.view(), View { stage: "", unit: Unit::Steps, total: 0, done: 0 });
        progress.stage_of_bytes("load", 100);
        progress.advance(60);
        progress.rows(3);
        assert_eq!(progress.view(), View { stage: "load", unit: Unit::Bytes, total: 100, done: 60 });
        progress.stage("views", 2);
        progress.advance(1);
        progress.stage_of_bytes("load", 40);
        progress.advance(40);
        progress.rows(2);
        let counts = |counted: &Counted| (counted.stage, counted.done, counted.rows);
        let so_far: Vec<_> = progress.counted().iter().map(counts).collect();
        assert_eq!(so_far, [("load", 100, 5), ("views", 1, 0)]);
        progress.end();
        assert_eq!(
            progress.counted().iter().map(counts).collect::<Vec<_>>(),
            so_far,
            "the end changes no count"
        );
        let took = progress.counted()[0].took;
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(progress.counted()[0].took, took, "what has ended takes no more time");
    }
}
