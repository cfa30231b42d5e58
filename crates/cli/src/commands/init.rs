//! `lethe init`. Keys are written before the repository that needs them: a crash leaves keys without a repository,
//! never a repository that nobody can open.

use std::path::Path;

use jiff::Timestamp;
use lethe_engine::audit::{new_key, read_key};
use lethe_engine::{Identities, NamingKey, Repository, write_secret};
use serde_json::json;

use crate::args::{Common, Init};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Settings;

const IDENTITY: &str = "lethe.key";
const NAMING_KEY: &str = "lethe.naming-key";
const AUDIT_KEY: &str = "lethe.audit-key";
const SETTINGS: &str = "lethe.toml";

pub(crate) async fn run(common: &Common, args: Init, output: &Output) -> Result<(), Failure> {
    for name in [IDENTITY, NAMING_KEY, AUDIT_KEY, SETTINGS] {
        let path = args.directory.join(name);
        if path.exists() {
            return Err(Failure::usage(format!("{} is already there", path.display()))
                .hint("a repository's keys are never overwritten; choose another --directory"));
        }
    }
    let settings = Settings::load(common)?.with_typed(args.residency, args.ledger_url);
    let url = settings.store_url()?.to_owned();
    let stores = settings.open_stores().await?;
    let own = args.recipient.is_empty().then(Identities::generate);
    let recipients = match &own {
        Some(identities) => identities.recipients(),
        None => crate::settings::recipients(&args.recipient)?,
    };
    Repository::refuse_if_not_empty(stores.data.as_ref()).await?;
    Repository::refuse_if_not_empty(stores.ledger.as_ref()).await?;

    let now = Timestamp::now();
    std::fs::create_dir_all(&args.directory)
        .map_err(|cause| Failure::usage(format!("{} cannot be made: {cause}", args.directory.display())))?;
    let naming_key = NamingKey::from_bytes(rand::random());
    if let Some(identities) = &own {
        write_secret(&args.directory.join(IDENTITY), &identities.to_text(now))?;
    }
    write_secret(&args.directory.join(NAMING_KEY), &naming_key.to_text())?;
    new_key(&args.directory.join(AUDIT_KEY))?;
    write_secret(&args.directory.join(SETTINGS), &settings_text(&settings, own.is_some())?)?;
    let repository =
        Repository::create_with_ledger(stores.data, stores.ledger, recipients, &naming_key, now).await?;
    let audit_key = read_key(&args.directory.join(AUDIT_KEY), repository.id())?;

    output.say(format!("created a repository in {url}"));
    if let Some(ledger) = settings.ledger_url() {
        output.say(format!("  with its ledger in {ledger}"));
    }
    if own.is_some() {
        say_file(output, &args.directory, IDENTITY, "opens every backup; keep a copy in your key store");
    }
    say_file(output, &args.directory, NAMING_KEY, "needed, beside lethe.toml, on hosts that take snapshots");
    say_file(output, &args.directory, AUDIT_KEY, "signs the audit log; keep a copy in your key store");
    say_file(output, &args.directory, SETTINGS, "the settings; name your subjects there");
    if repository.key_ring().recipients.len() == 1 {
        output.say("\nadvice: add a second recipient whose key is kept somewhere else (lethe keys add), before the first is lost");
    }
    output
        .say(format!("\npublic key of the audit log, for whoever verifies exports: {}", audit_key.public()));
    output.say("\nnext: lethe snapshot --from postgres://user@host/database");
    output.summary(
        "init",
        &json!({"store": url, "repository": repository.id(), "audit_key": audit_key.public().to_string()}),
    );
    Ok(())
}

fn say_file(output: &Output, directory: &Path, name: &str, what: &str) {
    output.say(format!("  {:<28} {what}", directory.join(name).display()));
}

fn settings_text(settings: &Settings, with_identity: bool) -> Result<String, Failure> {
    let identity = if with_identity {
        format!(
            "identity_file = \"{IDENTITY}\"            # or identity_command = \"…\"; not needed where only snapshots are taken\n"
        )
    } else {
        "# identity_file = \"…\"                  # needed to restore, and to verify the ledger\n".to_owned()
    };
    let quoted = |url: &str| toml::Value::String(url.to_owned());
    let mut url = format!("store = {}\n", quoted(settings.store_url()?));
    if let Some(ledger) = settings.ledger_url() {
        url.push_str(&format!("ledger_url = {}\n", quoted(ledger)));
    }
    let places = settings.places_text()?;
    Ok(format!(
        "{url}{identity}naming_key_file = \"{NAMING_KEY}\"\n\n\
         # Where servers are that are not on this machine: a restore goes to no other.\n\
         # [[target]]\n# host = \"db.example.eu\"\n# residency = \"eu-central-1\"\n# label = \"production\"         # staging, or any other name: masked data alone; see docs/STAGING.md\n\n\
         # A copy of everything in a second store, best at another provider; see docs/OPERATIONS.md.\n\
         # [second_store]\n# url = \"s3://…\"\n# profile = \"…\"              # of the AWS configuration files\n\n\
         # [snapshot]\n# from = \"postgres://user@host/database\"\n\n\
         # A kind of person that can be erased, and the key that names one (the primary key, if none is named).\n\
         # [subject.user]\n# table = \"public.users\"\n# key = [\"id\"]\n\n\
         # Whose row it is, where no foreign key says so; see docs/ERASURE.md.\n\
         # [[reference]]\n# from = \"public.posts(author_id)\"\n# to = \"public.users(id)\"\n# on_erase = \"drop\"         # or null, mask, or keep with because = \"…\"\n\n\
         # Columns that may look like a person's and are not; see lethe coverage.\n\
         # [[not_personal]]\n# columns = \"public.articles(title, body)\"\n# because = \"written by the editors\"\n\n\
         # What becomes of people who are anonymised: \"null\", \"random\" or {{ constant = \"…\" }} for each column.\n\
         # [[anonymise]]\n# subject = \"user\"\n# set = {{ email = \"random\", name = {{ constant = \"Former user\" }} }}\n\n\
         # What everybody becomes in a database that is not for production; see docs/STAGING.md.\n\
         # [[mask]]\n# table = \"public.users\"\n# set = {{ email = {{ fake = \"email\" }}, notes = \"null\" }}\n\n\
         # [inactive]\n# subject = \"user\"\n# column = \"last_seen_at\"\n# after = \"2 years\"\n\n\
         # [ledger]\n# max_age = \"1 hour\"           # a restore refuses an older ledger; needs heartbeats\n\n\
         [audit]\nkey_file = \"{AUDIT_KEY}\"             # on hosts without it nothing is signed; lethe audit verify says how far it is\n# require_request = true      # what people do needs --request REF, the instruction to do it\n# tenant = \"tenant\"           # the subject that your customers are\n\n\
         # [capture]\n# heartbeat = \"10 minutes\"\n# max_lag = \"15 minutes\"\n\n\
         {places}"
    ))
}
