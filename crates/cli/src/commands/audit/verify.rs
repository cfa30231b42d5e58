//! `lethe audit verify`.

use std::path::Path;

use lethe_engine::audit::read;
use lethe_engine::{Error, ExitCode};
use lethe_format::audit::export;
use serde_json::json;

use crate::args::AuditVerify;
use crate::failure::Failure;
use crate::output::{Output, count};
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, args: AuditVerify, output: &Output) -> Result<(), Failure> {
    match &args.file {
        Some(file) => exported(settings, file, args.public_key.as_deref(), output),
        None => stored(settings, args.public_key.as_deref(), output).await,
    }
}

/// Needs neither store nor settings.
fn exported(settings: &Settings, file: &Path, key: Option<&str>, output: &Output) -> Result<(), Failure> {
    let bytes = std::fs::read(file)
        .map_err(|cause| Failure::usage(format!("{} cannot be read: {cause}", file.display())))?;
    let key = settings.audit_public_key(key, None)?;
    let verified = export::verify(&bytes, key.as_ref()).map_err(|cause| Failure {
        code: ExitCode::Verification,
        ..Failure::failed(format!("{}: {cause}", file.display()))
            .hint("do not rely on it; ask for another one, and for the log's public key")
    })?;
    output.say(format!(
        "the export verifies: {} entries of a log of {}, made at {}",
        count(verified.entries.len() as u64),
        count(verified.checkpoint.size),
        verified.at
    ));
    output.say(format!("  root {}", verified.checkpoint.root));
    if key.is_none() {
        output.say(format!("  signed by {}", verified.key));
        output.say("  whether that is the company's key, the file cannot say: compare it with the one you were given (--public-key)");
    }
    output.summary(
        "audit",
        &json!({
            "entries": verified.entries.len(), "size": verified.checkpoint.size, "root": verified.checkpoint.root,
            "made_at": verified.at, "key": verified.key.to_string(), "key_is_known": key.is_some(),
        }),
    );
    Ok(())
}

async fn stored(settings: &Settings, key: Option<&str>, output: &Output) -> Result<(), Failure> {
    let repository = settings.open_repository().await?;
    let key = settings.audit_public_key(key, Some(&repository))?;
    let log = read(&repository, &settings.audit_last_seen(&repository), key.as_ref()).await?;
    let entries = log.entries.len() as u64;
    output.say(format!("the audit log verifies: {} entries", count(entries)));
    let opened = log.entries.iter().all(|(_, opened)| opened.is_some());
    if !opened {
        output.say("  what they say was not opened: there is no identity here");
    }
    match log.checkpoints {
        Some((0, _)) => output.say("  nothing is signed yet"),
        Some((number, size)) => output.say(format!(
            "  {} checkpoints are signed; the last one covers {} entries",
            count(number as u64),
            count(size)
        )),
        None => output.say(
            "  signatures were not checked: there is no key here (--public-key, or [audit] in lethe.toml)",
        ),
    }
    let signed = log.checkpoints.map(|(_, size)| size);
    output.summary("audit", &json!({"entries": entries, "signed": signed, "opened": opened}));
    // Somebody who has all other keys could have made up a log that nobody has signed.
    match signed {
        Some(0) if entries > 0 => {
            Err(Error::AuditLog { problem: "there are entries, and no checkpoint".to_owned() }.into())
        }
        _ => Ok(()),
    }
}
