//! How far a flow is, on standard error: a bar on a terminal, and a line now and then where there is none.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lethe_engine::progress::{Progress, Unit, View};

use crate::live;
use crate::output::{Output, bytes, count, note};

/// Runs a flow and shows how far it is.
pub(crate) async fn show<T>(output: &Output, progress: &Progress, flow: impl Future<Output = T>) -> T {
    show_on(&ProgressBar::new(0), output, progress, flow).await
}

/// The same on a bar that others print above.
pub(crate) async fn show_on<T>(
    bar: &ProgressBar,
    output: &Output,
    progress: &Progress,
    flow: impl Future<Output = T>,
) -> T {
    live::watch(progress);
    if !output.shows_progress() {
        return flow.await;
    }
    if !std::io::stderr().is_terminal() {
        return with_lines(progress, flow).await;
    }
    let mut flow = std::pin::pin!(flow);
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut stage = "";
    let result = loop {
        tokio::select! {
            result = &mut flow => break result,
            _ = ticks.tick() => {
                let view = progress.view();
                if view.stage != stage {
                    stage = view.stage;
                    bar.reset();
                    bar.set_style(style(view.unit, view.total));
                    bar.set_message(stage);
                }
                bar.set_length(view.total);
                bar.set_position(view.done.min(view.total));
                bar.tick();
            }
        }
    };
    bar.finish_and_clear();
    result
}

/// What is over sooner says nothing.
const FIRST_LINE: Duration = Duration::from_secs(10);
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// For logs and pipes: whoever reads them later wants to know that it went on, and not each step of it.
async fn with_lines<T>(progress: &Progress, flow: impl Future<Output = T>) -> T {
    let mut flow = std::pin::pin!(flow);
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + FIRST_LINE, BETWEEN_LINES);
    let mut begun = Begun { stage: "", at: Instant::now(), done: 0 };
    loop {
        tokio::select! {
            result = &mut flow => return result,
            _ = ticks.tick() => {
                let view = progress.view();
                note(line(&view, begun.left(&view)));
                if view.stage != begun.stage {
                    begun = Begun { stage: view.stage, at: Instant::now(), done: view.done };
                }
            }
        }
    }
}

/// When a stage was first seen, and how far it was then.
struct Begun {
    stage: &'static str,
    at: Instant,
    done: u64,
}

impl Begun {
    /// The time that is left at the pace since then; none if that says nothing yet.
    fn left(&self, view: &View) -> Option<Duration> {
        let done = view.done.checked_sub(self.done).filter(|done| *done > 0)?;
        let rest = view.total.checked_sub(view.done)?;
        let is_same = self.stage == view.stage;
        is_same.then(|| self.at.elapsed().mul_f64(rest as f64 / done as f64))
    }
}

fn line(view: &View, left: Option<Duration>) -> String {
    let View { stage, unit, total, done } = view;
    let done = (*done).min(*total);
    let percent = done.saturating_mul(100) / (*total).max(1);
    let how_far = match (unit, total) {
        (_, 0) => String::new(),
        (Unit::Steps, _) => format!(": {} of {} ({percent} %)", count(done), count(*total)),
        (Unit::Bytes, _) => format!(": {} of {} ({percent} %)", bytes(done), bytes(*total)),
    };
    let left = left.map_or_else(String::new, |left| match left.as_secs() {
        seconds @ 0..120 => format!(", about {seconds} s left"),
        seconds => format!(", about {} min left", seconds / 60),
    });
    format!("{stage}{how_far}{left}")
}

/// No total means that nobody knows how long it takes.
fn style(unit: Unit, total: u64) -> ProgressStyle {
    let template = match (unit, total) {
        (_, 0) => "{spinner} {msg} {elapsed}",
        (Unit::Steps, _) => "{msg:>14} [{bar:30}] {pos}/{len} {elapsed}",
        (Unit::Bytes, _) => {
            "{msg:>14} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {elapsed}, about {eta} left"
        }
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_long() {
        let view = |total, done| View { stage: "load", unit: Unit::Steps, total, done };
        assert_eq!(line(&view(0, 7), None), "load");
        assert_eq!(
            line(&view(40, 10), Some(Duration::from_secs(90))),
            "load: 10 of 40 (25 %), about 90 s left"
        );
        let gigabytes = View { unit: Unit::Bytes, ..view(4 << 30, 1 << 30) };
        assert_eq!(
            line(&gigabytes, Some(Duration::from_secs(600))),
            "load: 1.0 GiB of 4.0 GiB (25 %), about 10 min left"
        );
        assert_eq!(line(&view(40, 50), None), "load: 40 of 40 (100 %)", "never more than all of it");
    }

    #[test]
    fn the_time_that_is_left_is_that_of_the_stage_that_was_begun() {
        let begun = Begun { stage: "load", at: Instant::now() - Duration::from_secs(10), done: 100 };
        let left =
            begun.left(&View { stage: "load", unit: Unit::Steps, total: 400, done: 200 }).expect("a pace");
        assert!((19..=21).contains(&left.as_secs()), "{left:?}");
        assert_eq!(begun.left(&View { stage: "finish", unit: Unit::Steps, total: 400, done: 200 }), None);
        assert_eq!(begun.left(&View { stage: "load", unit: Unit::Steps, total: 400, done: 100 }), None);
        assert_eq!(
            begun.left(&View { stage: "load", unit: Unit::Steps, total: 400, done: 50 }),
            None,
            "a count that begins again"
        );
    }
}
