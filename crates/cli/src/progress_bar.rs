//! A bar on standard error while a flow runs; indicatif draws nothing where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lethe_engine::progress::Progress;

use crate::output::Output;

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
    if !output.shows_progress() {
        return flow.await;
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
                    bar.set_style(style(view.total));
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

/// Large totals are bytes, small ones statements, none means that nobody knows how long it takes.
fn style(total: u64) -> ProgressStyle {
    let template = match total {
        0 => "{spinner} {msg} {elapsed}",
        1..=99_999 => "{msg:>14} [{bar:30}] {pos}/{len} {elapsed}",
        _ => "{msg:>14} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {elapsed}, about {eta} left",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
