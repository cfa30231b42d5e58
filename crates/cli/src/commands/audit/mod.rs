//! `lethe audit`: what was done to personal data.

mod certificate;
mod export;
mod list;
mod new_key;
mod verify;

use crate::args::Audit;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, command: Audit, output: &Output) -> Result<(), Failure> {
    match command {
        Audit::List(args) => list::run(settings, &args, output).await,
        Audit::Verify(args) => verify::run(settings, args, output).await,
        Audit::Export(args) => export::run(settings, args, output).await,
        Audit::Certificate(args) => certificate::run(settings, args, output).await,
        Audit::NewKey(args) => new_key::run(settings, args, output).await,
    }
}
