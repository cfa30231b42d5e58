//! `lethe`: what was typed, then what it means, then one command, then an exit code.

mod args;
mod commands;
mod failure;
mod hardening;
mod live;
mod output;
mod progress_bar;
mod report;
mod settings;
mod traces;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Parser as _;
use tracing::Instrument as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Chunks of many megabytes are made and dropped by many threads, and what they leave must go back to the system: the budget for memory
/// is a promise (docs/PERFORMANCE.md has the numbers).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hardening::harden();
    end_at_the_second_signal();
    let args = args::Args::parse();
    let output = output::Output::new(&args.common);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            return output.failure(&failure::Failure::from(lethe_engine::Error::Worker(cause.to_string())));
        }
    };
    let (traces, problem) = match traces::Traces::begin(args.common.otlp.as_deref(), runtime.handle()) {
        Ok(traces) => (traces, None),
        Err(problem) => (None, Some(problem)),
    };
    start_logging(traces.as_ref());
    if let Some(problem) = problem {
        output::warn(format!("no spans are sent: {problem}"));
    }
    let run = live::Run::begin(args.command.name());
    let (listen, textfile) = (args.common.metrics_listen, args.common.metrics_textfile.clone());
    let span = tracing::info_span!("command", otel.name = format!("lethe {}", args.command.name()));
    let work = async {
        let result = tokio::select! {
            result = run.serving(listen, commands::run(args, &output)) => result,
            () = interrupted() => Err(failure::Failure::interrupted()),
        };
        live::end();
        result
    };
    let result = runtime.block_on(work.instrument(span));
    if let Some(file) = textfile {
        run.leave(&file, &result);
    }
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    };
    if let Some(traces) = traces {
        traces.end();
    }
    // A chunk that is being compressed may come to its end; whatever takes longer is left.
    runtime.shutdown_timeout(Duration::from_secs(2));
    code
}

/// SIGINT or SIGTERM. What is under way is left as a crash would leave it, which every flow is made for.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// A second SIGINT or SIGTERM ends the process inside its handler: also where everything else waits for a pipe that nobody
/// reads, or for a disk that does not answer.
fn end_at_the_second_signal() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let first = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the flag that the first one sets is looked at before. Without them a second one changes nothing.
        let code = lethe_engine::ExitCode::Interrupted as i32;
        let _ = signal_hook::flag::register_conditional_shutdown(signal, code, first.clone());
        let _ = signal_hook::flag::register(signal, first.clone());
    }
}

/// `RUST_LOG` decides; without it only warnings are shown.
/// Spans go to a collector, if one is named, whatever is shown here.
fn start_logging(traces: Option<&traces::Traces>) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    let shown = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let sent = traces.map(|traces| {
        tracing_opentelemetry::layer()
            .with_tracer(traces.tracer())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(traces::is_ours))
    });
    tracing_subscriber::registry().with(shown.with_filter(filter)).with(sent).init();
}
