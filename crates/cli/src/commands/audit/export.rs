//! `lethe audit export`.

use jiff::Timestamp;
use lethe_engine::Repository;
use lethe_engine::audit::export;
use lethe_format::audit::checkpoint::SigningKey;
use lethe_format::audit::{Action, Facts};
use serde_json::json;

use crate::args::{AuditExport, ExportFormat};
use crate::commands::audited::{audited, with_some};
use crate::commands::report::write;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::report::{self, Exported};
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, args: AuditExport, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let key = settings.signing_key(&repository)?.ok_or_else(|| {
        Failure::usage("an export is signed, and there is no key")
            .hint("[audit] key_file in lethe.toml, or LETHE_AUDIT_KEY_FILE; lethe audit new-key makes one")
    })?;
    // It cannot be made without the identity, and what cannot be done is not begun.
    repository.identities()?;
    let intent = with_some(Action::AuditExport, args.tenant.iter().cloned().collect());
    let work = make(settings, &repository, &key, &args, output);
    audited(settings, &repository, intent, Box::pin(work)).await
}

async fn make(
    settings: &Settings,
    repository: &Repository,
    key: &SigningKey,
    args: &AuditExport,
    output: &Output,
) -> Result<Facts, Failure> {
    let now = Timestamp::now();
    let last_seen = settings.audit_last_seen(repository);
    let made = export(repository, &last_seen, args.tenant.as_deref(), key, now).await?;
    let entries = made.verified.entries.len() as u64;
    let bytes = match args.format {
        ExportFormat::Jsonl => made.bytes,
        ExportFormat::Html => {
            let facts = report::Facts::Audit(Exported::new(args.tenant.clone(), made.verified));
            let report = report::Report {
                made_at: now,
                program: env!("CARGO_PKG_VERSION"),
                store: repository.store().url(),
                repository: Some(repository.id().to_owned()),
                facts,
            };
            report.page(args.lang.into()).into_bytes()
        }
    };
    write(output, args.out.as_deref(), &bytes)?;
    if let Some(file) = &args.out {
        output.say(format!("{} entries: {}", count(entries), file.display()));
        output.say(format!("  signed by {}", key.public()));
        output.summary("audit", &json!({"entries": entries, "file": file, "key": key.public().to_string()}));
    }
    Ok(Facts { counts: [("entries".to_owned(), entries)].into(), ..Facts::default() })
}
