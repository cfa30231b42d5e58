//! One file a command.

mod copy;
mod coverage;
mod doctor;
mod drill;
mod hold;
mod init;
mod keys;
mod metrics;
mod prune;
mod restore;
mod schedule;
mod snapshot;
mod snapshots;
mod tombstone;
mod verify;

use crate::args::{Args, Command};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

pub(crate) async fn run(args: Args, output: &Output) -> Result<(), Failure> {
    let Args { common, command } = args;
    if let Command::Init(init) = command {
        return init::run(&common, init, output).await;
    }
    let settings = Settings::load(&common)?;
    match command {
        Command::Init(_) => Ok(()),
        Command::Snapshot(args) => snapshot::run(&settings, args, output).await,
        Command::Snapshots => snapshots::run(&settings, output).await,
        Command::Tombstone(command) => tombstone::run(&settings, command, output).await,
        Command::Restore(args) => restore::run(&settings, args, output).await,
        Command::Drill(args) => drill::run(&settings, args, output).await,
        Command::Verify(args) => verify::run(&settings, args, output).await,
        Command::Coverage(args) => coverage::run(&settings, args, output).await,
        Command::Metrics(args) => metrics::run(&settings, args, output).await,
        Command::Copy(args) => copy::run(&settings, args, output).await,
        Command::Keys(command) => keys::run(&settings, command, output).await,
        Command::Doctor(args) => doctor::run(&settings, args, output).await,
        Command::Hold(command) => hold::run(&settings, command, output).await,
        Command::Prune(args) => prune::run(&settings, args, output).await,
    }
}
