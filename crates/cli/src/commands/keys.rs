//! `lethe keys list`, `add`, `remove`, `rewrap` and `seal`.

use jiff::Timestamp;
use lethe_engine::key_ring::{Change, plan_change, report};
use lethe_engine::{Repository, sealed_identity, write_new};
use lethe_format::audit::{Action, Facts};
use serde_json::json;

use super::audited::{audited, with_all};
use crate::args::{Keys, KeysChange, KeysSeal};
use crate::failure::Failure;
use crate::output::{Output, age, count};
use crate::settings::{Settings, recipients};

pub(crate) async fn run(settings: &Settings, command: Keys, output: &Output) -> Result<(), Failure> {
    if let Keys::Seal(args) = &command {
        return seal(settings, args, output).await;
    }
    let repository = settings.open_repository().await?;
    match command {
        Keys::List => list(&repository, output).await,
        Keys::Add(KeysChange { recipient, confirm }) => {
            change(settings, &repository, &Change::Add(recipients(&recipient)?), confirm, output).await
        }
        Keys::Remove(KeysChange { recipient, confirm }) => {
            change(settings, &repository, &Change::Remove(recipients(&recipient)?), confirm, output).await
        }
        Keys::Seal(_) => Ok(()),
        Keys::Rewrap(args) => change(settings, &repository, &Change::Rewrap, args.confirm, output).await,
    }
}

async fn seal(settings: &Settings, args: &KeysSeal, output: &Output) -> Result<(), Failure> {
    let stores = settings.open_stores().await?;
    let identities = settings.any_identities(stores.data.as_ref()).await?;
    let repository = Repository::id_in(stores.data.as_ref()).await?;
    let profile = settings.residency()?.profile;
    let opened = settings.open_repository().await?;
    let work = async {
        let sealed = sealed_identity::seal(profile, &args.kms_key, &identities, &repository).await?;
        write_new(&args.file, &sealed)?;
        Ok(Facts::default())
    };
    audited(settings, &opened, with_all(Action::KeysSeal), Box::pin(work)).await?;
    let file = args.file.display().to_string();
    output.say(format!("sealed for repository {repository}: {file}"));
    output.say("  instead of identity_file, lethe.toml needs:");
    output.say(format!(
        "  identity_kms = {{ ciphertext_file = {}, key_id = {} }}",
        toml::Value::String(file.clone()),
        toml::Value::String(args.kms_key.clone())
    ));
    output.summary("keys seal", &json!({"file": file, "key": args.kms_key, "repository": repository}));
    Ok(())
}

async fn list(repository: &Repository, output: &Output) -> Result<(), Failure> {
    let report = report(repository).await?;
    output.say("recipients, each of whom can open everything that is stored:");
    for listed in &report.recipients {
        let here = if listed.is_here { "  (its identity is here)" } else { "" };
        output.say(format!("  {}{here}", listed.recipient));
        output.item("recipient", listed);
    }
    output.say(format!(
        "changed {} ago; {} data keys so far",
        age(Timestamp::now(), report.changed_at),
        count(report.data_keys as u64)
    ));
    let snapshots = report.current_snapshots + report.older_snapshots.len();
    output.say(format!(
        "{} of {} snapshots are encrypted to the newest data key",
        count(report.current_snapshots as u64),
        count(snapshots as u64)
    ));
    report.warnings.iter().for_each(|warning| output.say(format!("warning: {warning}")));
    output.summary("keys list", &report);
    Ok(())
}

async fn change(
    settings: &Settings,
    repository: &Repository,
    change: &Change,
    confirm: bool,
    output: &Output,
) -> Result<(), Failure> {
    let plan = plan_change(repository, change, Timestamp::now())?;
    output.say("recipients after this:");
    plan.recipients.iter().for_each(|recipient| output.say(format!("  {recipient}")));
    if plan.new_data_key {
        output.say("whatever is written from then on is encrypted to a new data key:");
        output.say("  the next snapshot shares nothing with those before it and uploads everything");
        output.say("  snapshots that are stored already stay as they are, until they expire");
    } else {
        output.say("  they can open everything that is stored, at once");
    }
    plan.warnings.iter().for_each(|warning| output.say(format!("warning: {warning}")));
    if confirm {
        let counts = [("recipients".to_owned(), plan.recipients.len() as u64)];
        let work = async {
            plan.carry_out(repository).await?;
            Ok(Facts { counts: counts.into(), ..Facts::default() })
        };
        audited(settings, repository, with_all(Action::KeysChange), Box::pin(work)).await?;
        output.say("done");
    } else {
        output.say("nothing was changed: --confirm carries it out");
    }
    output.summary("keys", &json!({"plan": plan, "carried_out": confirm}));
    Ok(())
}
