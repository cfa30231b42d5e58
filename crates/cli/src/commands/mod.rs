//! One file a command.

mod audit;
mod audited;
mod completions;
mod copy;
mod coverage;
mod doctor;
mod drill;
mod hold;
mod init;
mod keys;
mod man;
mod metrics;
mod prune;
mod report;
mod restore;
mod schedule;
mod snapshot;
mod snapshots;
mod tombstone;
mod verify;

use crate::args::{Args, Command, Common};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) async fn run(args: Args, output: &Output) -> Result<(), Failure> {
    let Args { common, command } = args;
    match command {
        Command::Init(args) => init::run(&common, args, output).await,
        Command::Completions(args) => completions::run(&args, output),
        Command::Man(args) => man::run(&args, output),
        command => run_with_settings(&common, command, output).await,
    }
}

async fn run_with_settings(common: &Common, command: Command, output: &Output) -> Result<(), Failure> {
    let settings = Settings::load(common)?;
    match command {
        Command::Init(_) | Command::Completions(_) | Command::Man(_) => Ok(()),
        Command::Snapshot(args) => Box::pin(snapshot::run(&settings, args, output)).await,
        Command::Snapshots => Box::pin(snapshots::run(&settings, output)).await,
        Command::Tombstone(command) => Box::pin(tombstone::run(&settings, command, output)).await,
        Command::Restore(args) => Box::pin(restore::run(&settings, args, output)).await,
        Command::Drill(args) => Box::pin(drill::run(&settings, args, output)).await,
        Command::Verify(args) => Box::pin(verify::run(&settings, args, output)).await,
        Command::Coverage(args) => Box::pin(coverage::run(&settings, args, output)).await,
        Command::Metrics(args) => Box::pin(metrics::run(&settings, args, output)).await,
        Command::Copy(args) => Box::pin(copy::run(&settings, args, output)).await,
        Command::Keys(command) => Box::pin(keys::run(&settings, command, output)).await,
        Command::Doctor(args) => Box::pin(doctor::run(&settings, args, output)).await,
        Command::Hold(command) => Box::pin(hold::run(&settings, command, output)).await,
        Command::Audit(command) => Box::pin(audit::run(&settings, command, output)).await,
        Command::Report(command) => Box::pin(report::run(&settings, command, output)).await,
        Command::Prune(args) => Box::pin(prune::run(&settings, args, output)).await,
    }
}
