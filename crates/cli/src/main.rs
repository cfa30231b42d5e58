//! `lethe`: what was typed, then what it means, then one command, then an exit code.

mod args;
mod commands;
mod failure;
mod hardening;
mod output;
mod progress_bar;
mod report;
mod settings;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Parser as _;

/// Chunks of many megabytes are made and dropped by many threads, and what they leave must go back to the system: the budget for memory
/// is a promise (docs/PERFORMANCE.md has the numbers).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hardening::harden();
    end_at_the_second_signal();
    let args = args::Args::parse();
    start_logging();
    let output = output::Output::new(&args.common);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            return output.failure(&failure::Failure::from(lethe_engine::Error::Worker(cause.to_string())));
        }
    };
    let run = async {
        tokio::select! {
            result = commands::run(args, &output) => result,
            () = interrupted() => Err(failure::Failure::interrupted()),
        }
    };
    let code = match runtime.block_on(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    };
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
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
