//! `lethe audit new-key`.

use lethe_engine::audit::{new_key, read_key};
use serde_json::json;

use crate::args::AuditNewKey;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

pub(super) async fn run(settings: &Settings, args: AuditNewKey, output: &Output) -> Result<(), Failure> {
    let file = args.file.or_else(|| settings.signing_key_file()).ok_or_else(|| {
        Failure::usage("which file?").hint("name it, or name it as [audit] key_file in lethe.toml")
    })?;
    // Only the repository's name goes into the key, and that needs no other key.
    let stores = settings.open_stores().await?;
    let repository = lethe_engine::Repository::id_in(stores.data.as_ref()).await?;
    let is_new = !file.exists();
    if is_new {
        new_key(&file)?;
    }
    let key = read_key(&file, &repository)?;
    let public = key.public().to_string();
    if is_new {
        output.say(format!("{}: signs the audit log; keep a copy in your key store", file.display()));
    }
    output.say(format!("public key, for everybody who verifies: {public}"));
    output.summary("audit", &json!({"file": file, "made": is_new, "public_key": public}));
    Ok(())
}
