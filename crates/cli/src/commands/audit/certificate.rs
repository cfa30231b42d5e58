//! `lethe audit certificate`.

use jiff::Timestamp;
use lethe_engine::audit::certificate;

use crate::args::AuditCertificate;
use crate::commands::report::write_report;
use crate::failure::Failure;
use crate::output::Output;
use crate::report::{Facts, Report};
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, args: AuditCertificate, output: &Output) -> Result<(), Failure> {
    let reference = settings.request().ok_or_else(|| {
        Failure::usage("which request?").hint("--request REF, as it was given to lethe tombstone add")
    })?;
    let repository = settings.open_repository().await?;
    let now = Timestamp::now();
    let keep = settings.retention()?.keep;
    let facts = Facts::Certificate(certificate(&repository, &reference, keep, now).await?);
    let report = Report {
        made_at: now,
        program: env!("CARGO_PKG_VERSION"),
        store: repository.store().url(),
        repository: Some(repository.id().to_owned()),
        facts,
    };
    write_report(&report, &args.page, output)
}
