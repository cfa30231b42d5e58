//! `lethe`: what was typed, then what it means, then one command, then an exit code.

mod args;
mod commands;
mod failure;
mod output;
mod progress_bar;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Args::parse();
    start_logging();
    let output = output::Output::new(&args.common);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            return output.failure(&failure::Failure::from(lethe_engine::Error::Worker(cause.to_string())));
        }
    };
    match runtime.block_on(commands::run(args, &output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.failure(&failure),
    }
}

/// `RUST_LOG` decides; without it only warnings are shown.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
