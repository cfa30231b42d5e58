//! `lethe doctor`: everything that can be wrong and be found out before a restore is needed, in one list.

mod drill_host;
mod keys;
mod list;
mod logs;
pub(super) mod look;
mod rules;
pub(super) mod second_store;
mod servers;
mod stores;

use jiff::Timestamp;
use lethe_engine::reports;
use lethe_format::report::ReportKind;
use lethe_postgres::ConnectionSettings;
use serde::Serialize;

use self::list::List;
use self::look::Looked;
use crate::args::Doctor;
use crate::failure::Failure;
use crate::output::Output;
use crate::report::StoreSeen;
use crate::settings::Settings;

/// The content of `reports/residency`.
#[derive(Debug, Serialize)]
struct Residency<'a> {
    profile: String,
    stores: &'a [StoreSeen],
    targets: Vec<Target<'a>>,
    findings: &'a [String],
    /// Whether nothing speaks against where the data is.
    allowed: bool,
}

#[derive(Debug, Serialize)]
struct Target<'a> {
    host: &'a str,
    place: &'a str,
}

/// # Errors
/// If the settings cannot be read or a server is misspelled; all else is a finding. At the end, what is wrong.
pub(crate) async fn run(settings: &Settings, args: Doctor, output: &Output) -> Result<(), Failure> {
    let residency = settings.residency()?;
    let source = source(settings, &args)?;
    let into = args.into.as_deref().map(|text| Settings::typed_server(text, "--into")).transpose()?;
    output.say(format!("profile  {}", residency.profile));
    let mut list = List::new(output);
    stores::targets(settings, &mut list)?;
    keys::files(settings, &mut list);
    let found = stores::look(settings, &mut list).await;
    let (mut repository, mut newest) = (None, None);
    if let Some((stores, _)) = &found {
        list.tried("ledger's store", stores::race(stores).await);
        list.tried("clock", stores::clock(stores).await);
        list.tried("snapshots", stores::schedule(settings, stores).await);
        repository = keys::open(settings, stores, &mut list).await;
    }
    if let Some(repository) = &repository {
        newest = keys::newest(repository, &mut list).await;
        list.tried("ledger", logs::ledger(settings, repository).await);
        list.tried("audit log", logs::audit(settings, repository).await);
        logs::ages(settings, repository, &mut list).await;
    }
    rules::look(settings, source.as_ref(), newest.as_ref(), &mut list).await;
    list.tried("capture", servers::source(settings, source.as_ref()).await);
    drill_host::look(settings, &args, repository.as_ref(), newest.as_ref(), &mut list).await;
    servers::target(settings, into.as_ref(), args.label.clone(), repository.as_ref(), &mut list).await;
    if let Some((_, looked)) = found.filter(|_| args.record) {
        record(settings, &looked, list.is_allowed(), output).await?;
    }
    list.end(&residency.profile.to_string())
}

/// `--from` alone means the one of the settings.
fn source(settings: &Settings, args: &Doctor) -> Result<Option<ConnectionSettings>, Failure> {
    let typed = args.from.as_deref();
    typed.map(|text| settings.source(Some(text).filter(|text| !text.is_empty()))).transpose()
}

/// What was found of where data is, as evidence.
async fn record(settings: &Settings, looked: &Looked, allowed: bool, output: &Output) -> Result<(), Failure> {
    let residency = settings.residency()?;
    let hosts = residency.labels.iter();
    let report = Residency {
        profile: residency.profile.to_string(),
        stores: &looked.stores,
        targets: hosts.map(|label| Target { host: &label.host, place: &label.residency }).collect(),
        findings: &looked.findings,
        allowed,
    };
    let repository = settings.open_repository().await?;
    let id = reports::write(&repository, ReportKind::Residency, Timestamp::now(), &report).await?;
    output.say(format!("report: reports/residency/{id}.json"));
    Ok(())
}
