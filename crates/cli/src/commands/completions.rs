//! What lets a shell complete commands and flags.

use clap::CommandFactory as _;
use clap_complete::shells;

use crate::args::{Args, Completions, Shell};
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(args: &Completions, output: &Output) -> Result<(), Failure> {
    let mut command = Args::command();
    let mut script = Vec::new();
    match args.shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut command, "lethe", &mut script),
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut command, "lethe", &mut script),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut command, "lethe", &mut script),
    }
    output
        .document(&script)
        .map_err(|cause| Failure::failed(format!("the script cannot be written: {cause}")))
}
