//! What this run is doing, in numbers: served while it works (`--metrics-listen`), left in a file when it has ended
//! (`--metrics-textfile`). Labels are names of commands, stages and requests; no row is ever counted by what is in it.

pub(crate) mod listen;
pub(crate) mod page;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use lethe_engine::progress::{Counted, Progress, Unit};
use lethe_engine::replace_file;

use crate::failure::Failure;
use crate::output::warn;
use page::{Kind, Page};

/// The flows of this process, in the order in which they began. There is one process and one command in it, so there is one list.
static FLOWS: Mutex<Vec<Progress>> = Mutex::new(Vec::new());

/// From now on this flow's numbers are among those of the run.
pub(crate) fn watch(progress: &Progress) {
    let mut flows = FLOWS.lock().unwrap_or_else(PoisonError::into_inner);
    if !flows.iter().any(|known| known.is(progress)) {
        flows.push(progress.clone());
    }
}

/// Ends the stages that are under way, and with them their spans.
pub(crate) fn end() {
    FLOWS.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(Progress::end);
}

/// One command, from when it began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    command: &'static str,
    began: Timestamp,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
struct Ended {
    at: Timestamp,
    exit_code: u8,
    objections: usize,
}

impl Run {
    pub(crate) fn begin(command: &'static str) -> Self {
        Self { command, began: Timestamp::now() }
    }

    /// Serves the numbers for as long as the work lasts.
    ///
    /// # Errors
    /// The work's, and before it begins if nobody can listen there.
    pub(crate) async fn serving(
        self,
        address: Option<SocketAddr>,
        work: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let Some(address) = address else { return work.await };
        let listener = listen::bind(address).await?;
        let page = move || std::future::ready(Ok(self.page(None)));
        tokio::select! {
            result = work => result,
            () = listen::serve(listener, page) => Err(Failure::failed("the numbers are not served any more")),
        }
    }

    /// Leaves the numbers in a file. What was done is done, whether they could be written or not.
    pub(crate) fn leave(self, file: &Path, result: &Result<(), Failure>) {
        let (exit_code, objections) =
            result.as_ref().err().map_or((0, 0), |failure| (failure.code as u8, failure.objections.len()));
        let page = self.page(Some(Ended { at: Timestamp::now(), exit_code, objections }));
        if let Err(error) = replace_file(file, page.as_bytes()) {
            warn(Failure::from(error).in_one_line());
        }
    }

    fn page(self, ended: Option<Ended>) -> String {
        let mut page = Page::default();
        let command = ("command", self.command);
        let seconds = |at: Timestamp| at.as_millisecond() as f64 / 1000.0;
        let mut gauge = |name: &str, help: &str, value: f64| {
            page.family(name, Kind::Gauge, help, &[(&[command], value)]);
        };
        gauge("run_began_timestamp_seconds", "When the command began.", seconds(self.began));
        if let Some(Ended { at, exit_code, objections }) = ended {
            gauge("run_ended_timestamp_seconds", "When it ended.", seconds(at));
            gauge(
                "run_exit_code",
                "How it ended: 0 is done, all else is in lethe --help.",
                f64::from(exit_code),
            );
            gauge("run_objections", "What spoke against it.", objections as f64);
        }
        let flows: Vec<Progress> = FLOWS.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(view) = flows.last().map(Progress::view).filter(|view| ended.is_none() && view.total > 0)
        {
            let labels = [command, ("stage", view.stage), ("unit", unit(view.unit))];
            let mut now = |name: &str, help: &str, value: u64| {
                page.family(name, Kind::Gauge, help, &[(&labels, value as f64)]);
            };
            now("stage_total", "How much the stage that is under way has to do.", view.total);
            now("stage_done", "How much of it is done.", view.done.min(view.total));
        }
        let counted: Vec<Counted> = flows.iter().flat_map(Progress::counted).collect();
        let mut by_stage = |name: &str, help: &str, wanted: fn(&Counted) -> Option<f64>| {
            let samples: Vec<([(&str, &str); 2], f64)> = counted
                .iter()
                .filter_map(|counted| Some(([command, ("stage", counted.stage)], wanted(counted)?)))
                .collect();
            let samples: Vec<_> = samples.iter().map(|(labels, value)| (&labels[..], *value)).collect();
            page.family(name, Kind::Counter, help, &samples);
        };
        by_stage("stage_seconds_total", "How long each stage took.", |counted| {
            Some(counted.took.as_secs_f64())
        });
        by_stage("stage_bytes_total", "Bytes that went through each stage.", |counted| {
            (counted.unit == Unit::Bytes).then_some(counted.done as f64)
        });
        by_stage("stage_rows_total", "Rows that each stage copied or loaded.", |counted| {
            (counted.rows > 0).then_some(counted.rows as f64)
        });
        let retries: Vec<(String, f64)> = lethe_store::retries()
            .into_iter()
            .map(|(operation, count)| (operation.to_string(), count as f64))
            .collect();
        let labels: Vec<[(&str, &str); 2]> =
            retries.iter().map(|(operation, _)| [command, ("operation", operation.as_str())]).collect();
        let samples: Vec<_> =
            labels.iter().zip(&retries).map(|(labels, (_, count))| (&labels[..], *count)).collect();
        page.family("retries_total", Kind::Counter, "Requests to the stores that were made again.", &samples);
        page.into_text()
    }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "bytes",
        Unit::Steps => "steps",
    }
}
