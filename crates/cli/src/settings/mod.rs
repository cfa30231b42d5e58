//! What was typed means this: flags over `LETHE_*` variables over `lethe.toml`.

mod anonymise;
mod audit;
mod classification;
mod drill;
mod identity;
mod large_objects;
mod mask;
mod named;
mod only;
mod reference;
mod residency;
mod retention;
mod second_store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lethe_engine::capture::{Capturing, Customer};
use lethe_engine::ledger::LastSeen;
use lethe_engine::{Keys, NamingKey, Recipient, Repository};
use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::SubjectRef;
use lethe_format::sql::parse_table_ref;
use lethe_postgres::ConnectionSettings;
use lethe_store::{Checksums, S3Settings, StoreEncryption};
use serde::Deserialize;

use crate::args::Common;
use crate::failure::Failure;
use anonymise::{AnonymiseSection, InactiveSection};
use audit::AuditSection;
use classification::NotPersonalSection;
use drill::DrillSection;
use identity::SealedIdentity;
use large_objects::{LargeObjectSection, LargeObjectsSection};
use mask::MaskSection;
use reference::ReferenceSection;
pub(crate) use reference::table_columns;
use residency::{ResidencySection, TargetSection};
use retention::{RetentionSection, ScheduleSection};
use second_store::SecondStoreSection;

const DEFAULT_FILE: &str = "lethe.toml";

/// `lethe.toml`. Paths in it are relative to its folder.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    store: Option<String>,
    identity_file: Option<PathBuf>,
    identity_command: Option<String>,
    identity_kms: Option<SealedIdentity>,
    naming_key_file: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    jobs: Option<usize>,
    memory: Option<String>,
    pg_bin: Option<PathBuf>,
    #[serde(default)]
    snapshot: SnapshotSection,
    #[serde(default)]
    s3: S3Section,
    #[serde(default)]
    ledger: LedgerSection,
    #[serde(default)]
    capture: CaptureSection,
    #[serde(default)]
    subject: BTreeMap<String, Subject>,
    #[serde(default)]
    reference: Vec<ReferenceSection>,
    #[serde(default)]
    large_object: Vec<LargeObjectSection>,
    #[serde(default)]
    large_objects: LargeObjectsSection,
    #[serde(default)]
    not_personal: Vec<NotPersonalSection>,
    #[serde(default)]
    anonymise: Vec<AnonymiseSection>,
    inactive: Option<InactiveSection>,
    #[serde(default)]
    mask: Vec<MaskSection>,
    /// A store for the ledger alone.
    ledger_url: Option<String>,
    second_store: Option<SecondStoreSection>,
    #[serde(default)]
    residency: ResidencySection,
    #[serde(default)]
    target: Vec<TargetSection>,
    #[serde(default)]
    retention: RetentionSection,
    #[serde(default)]
    schedule: ScheduleSection,
    #[serde(default)]
    drill: DrillSection,
    #[serde(default)]
    audit: AuditSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LedgerSection {
    /// A restore refuses a ledger whose newest entry is older.
    max_age: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptureSection {
    /// How often `capture run` writes a heartbeat while nobody is deleted.
    heartbeat: Option<String>,
    /// How long a deletion may wait in the outbox before it is an alarm.
    max_lag: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotSection {
    from: Option<String>,
    level: Option<i32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct S3Section {
    region: Option<String>,
    endpoint: Option<String>,
    #[serde(default)]
    path_style: bool,
    checksums: Option<ChecksumSetting>,
    /// What the store encrypts with, besides Lethe.
    #[serde(default)]
    sse: SseSetting,
    /// The key's ARN, for `sse = "kms"`.
    sse_kms_key: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SseSetting {
    /// The bucket's default.
    #[default]
    None,
    Aes256,
    Kms,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChecksumSetting {
    WhenSupported,
    WhenRequired,
}

/// A kind of person: `[subject.user]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    /// `schema.table`, as in SQL.
    table: String,
    /// The key's columns; the primary key if they are not named.
    key: Option<Vec<String>>,
    /// The columns that name the person's customer.
    tenant: Option<Columns>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Columns {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug)]
pub(crate) struct Settings {
    file: File,
    folder: PathBuf,
    store: Option<String>,
    /// The second store is to be used in place of the first.
    second: bool,
    quiet: bool,
    /// As typed.
    operator: Option<String>,
    request: Option<String>,
    /// As typed for `lethe init`.
    profile: Option<String>,
    ledger_url: Option<String>,
}

impl Settings {
    pub(crate) fn load(common: &Common) -> Result<Self, Failure> {
        let path = common.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        let file = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| unreadable(&path, &error))?,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && common.config.is_none() => {
                File::default()
            }
            Err(cause) => return Err(Failure::usage(format!("{} cannot be read: {cause}", path.display()))),
        };
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self {
            file,
            folder,
            store: common.store.clone(),
            second: common.second,
            quiet: common.quiet,
            operator: common.operator.clone(),
            request: common.request.clone(),
            profile: None,
            ledger_url: None,
        })
    }

    /// With what was typed for `lethe init`, which writes it down.
    pub(crate) fn with_typed(self, profile: Option<String>, ledger_url: Option<String>) -> Self {
        Self { profile, ledger_url, ..self }
    }

    pub(crate) fn store_url(&self) -> Result<&str, Failure> {
        self.store.as_deref().or(self.file.store.as_deref()).ok_or_else(|| {
            Failure::usage("no store is named")
                .hint("use --store URL, LETHE_STORE, or store = \"…\" in lethe.toml")
        })
    }

    fn s3(&self) -> Result<S3Settings, Failure> {
        let s3 = &self.file.s3;
        let encryption = match (s3.sse, &s3.sse_kms_key) {
            (SseSetting::None, None) => StoreEncryption::ByBucket,
            (SseSetting::Aes256, None) => StoreEncryption::Aes256,
            (SseSetting::Kms, Some(key)) => StoreEncryption::Kms { key: key.clone() },
            _ => {
                return Err(Failure::usage("sse = \"kms\" and sse_kms_key under [s3] go together")
                    .hint("sse_kms_key = \"arn:aws:kms:<region>:<account>:key/<id>\""));
            }
        };
        Ok(S3Settings {
            region: s3.region.clone().or_else(|| variable("LETHE_S3_REGION")),
            endpoint: s3.endpoint.clone().or_else(|| variable("LETHE_S3_ENDPOINT")),
            path_style: s3.path_style
                || variable("LETHE_S3_PATH_STYLE").is_some_and(|value| value == "true" || value == "1"),
            checksums: checksums(s3.checksums),
            encryption,
            ..S3Settings::default()
        })
    }

    pub(crate) fn store_encryption(&self) -> Result<StoreEncryption, Failure> {
        Ok(self.s3()?.encryption)
    }

    /// The repository with whatever keys are configured, and its copy if there is to be one.
    pub(crate) async fn open_repository(&self) -> Result<Repository, Failure> {
        let mut keys = Keys { identities: self.identities()?, naming_key: self.naming_key()? };
        let stores = self.open_stores().await?;
        if keys.identities.is_none() {
            keys.identities = self.unsealed(stores.data.as_ref()).await?;
        }
        let repository = Repository::open_with_ledger(stores.data, stores.ledger, &keys).await?;
        if self.second {
            return Ok(repository);
        }
        Ok(match self.second_stores().await? {
            Some(second) => repository.with_copy_in(second),
            None => repository,
        })
    }

    /// Where this host remembers the newest head that it has seen of a repository's ledger.
    pub(crate) fn last_seen(&self, repository: &Repository) -> LastSeen {
        LastSeen::new(&self.state_folder(), repository.id())
    }

    /// Where this host remembers what it has seen.
    fn state_folder(&self) -> PathBuf {
        let configured = variable("LETHE_STATE_DIR").map(PathBuf::from);
        let configured =
            configured.or_else(|| self.file.state_dir.as_ref().map(|folder| self.folder.join(folder)));
        configured.unwrap_or_else(|| {
            let home = variable("XDG_STATE_HOME").map(PathBuf::from);
            let home = home.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
            home.unwrap_or_else(|| PathBuf::from("/var/lib")).join("lethe")
        })
    }

    pub(crate) fn naming_key(&self) -> Result<Option<NamingKey>, Failure> {
        let path = variable("LETHE_NAMING_KEY_FILE").map(PathBuf::from);
        let path = path.or_else(|| self.file.naming_key_file.as_ref().map(|path| self.folder.join(path)));
        Ok(path.map(|path| NamingKey::read(&path)).transpose()?)
    }

    /// Files that the settings name secrets in, and what these are.
    pub(crate) fn key_files(&self) -> Vec<(&'static str, PathBuf)> {
        let named = |variable_name: &str, file: &Option<PathBuf>| {
            let typed = variable(variable_name).map(PathBuf::from);
            typed.or_else(|| file.as_ref().map(|path| self.folder.join(path)))
        };
        let files = [
            ("identity", named("LETHE_IDENTITY_FILE", &self.file.identity_file)),
            ("naming key", named("LETHE_NAMING_KEY_FILE", &self.file.naming_key_file)),
            ("signing key", self.signing_key_file()),
        ];
        files.into_iter().filter_map(|(what, path)| Some((what, path?))).collect()
    }

    /// Whether the second store is used in place of the first.
    pub(crate) fn is_second(&self) -> bool {
        self.second
    }

    /// A server as it was typed; a password there would be readable by everybody on this machine.
    pub(crate) fn typed_server(text: &str, flag: &str) -> Result<ConnectionSettings, Failure> {
        let settings = ConnectionSettings::parse(text, &variable)?;
        // The same text may have come from the environment, where it is nobody else's to read.
        let typed = std::env::args().any(|argument| argument.contains(text));
        if settings.has_password_in_text() && typed {
            return Err(Failure::usage(format!(
                "{flag} holds a password, which everybody on this machine can read"
            ))
            .hint("leave it out and use PGPASSWORD, ~/.pgpass or the LETHE_ variable"));
        }
        Ok(settings)
    }

    pub(crate) fn source(&self, typed: Option<&str>) -> Result<ConnectionSettings, Failure> {
        match (typed, &self.file.snapshot.from) {
            (Some(text), _) => Self::typed_server(text, "--from"),
            (None, Some(text)) => Ok(ConnectionSettings::parse(text, &variable)?),
            (None, None) => Err(Failure::usage("no database is named")
                .hint("use --from URL, LETHE_FROM, or from = \"…\" under [snapshot] in lethe.toml")),
        }
    }

    pub(crate) fn jobs(&self, typed: Option<usize>) -> Result<usize, Failure> {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let jobs = typed.or(self.file.jobs).unwrap_or(processors.min(8));
        if (1..=64).contains(&jobs) { Ok(jobs) } else { Err(Failure::usage("jobs must be between 1 and 64")) }
    }

    pub(crate) fn level(&self) -> Result<i32, Failure> {
        let level = self.file.snapshot.level.unwrap_or(1);
        if (1..=19).contains(&level) {
            Ok(level)
        } else {
            Err(Failure::usage("level must be between 1 and 19"))
        }
    }

    /// Bytes.
    pub(crate) fn memory(&self, typed: Option<&str>) -> Result<u64, Failure> {
        parse_size(typed.or(self.file.memory.as_deref()).unwrap_or("256M"))
    }

    pub(crate) fn pg_bin(&self) -> Option<PathBuf> {
        let typed = variable("LETHE_PG_BIN").map(PathBuf::from);
        typed.or_else(|| self.file.pg_bin.as_ref().map(|folder| self.folder.join(folder)))
    }

    /// A subject by its name in `lethe.toml`, or as `schema.table` or `schema.table(column, …)`.
    pub(crate) fn subject_ref(&self, name: &str) -> Result<SubjectRef, Failure> {
        let configured = self.file.subject.get(name);
        let text = configured.map_or(name, |subject| subject.table.as_str());
        let parsed = parse_table_ref(text).map_err(|error| self.unknown_subject(name, &error.to_string()))?;
        let Some(schema) = parsed.schema else {
            return Err(self.unknown_subject(name, "it is no subject of lethe.toml and names no schema"));
        };
        let columns = configured.and_then(|subject| subject.key.clone()).or(parsed.columns);
        Ok(SubjectRef {
            name: configured.map(|_| name.to_owned()),
            table: QualifiedName::new(schema, parsed.table),
            columns,
        })
    }

    /// All subjects of `lethe.toml`.
    pub(crate) fn subjects(&self) -> Result<Vec<SubjectRef>, Failure> {
        self.file.subject.keys().map(|name| self.subject_ref(name)).collect()
    }

    /// With the columns that name each person's customer; customers name themselves.
    pub(crate) fn captured_subjects(&self) -> Result<Vec<Capturing>, Failure> {
        let captured = |(name, section): (&String, &Subject)| {
            let customer = match &section.tenant {
                Some(_) if self.is_tenant(name) => {
                    return Err(Failure::usage(format!("[subject.{name}] are customers themselves"))
                        .hint("tenant belongs to the people of customers"));
                }
                None if self.is_tenant(name) => Customer::Themselves,
                None => Customer::None,
                Some(Columns::One(column)) => Customer::Named(vec![column.clone()]),
                Some(Columns::Several(columns)) => Customer::Named(columns.clone()),
            };
            Ok(Capturing { subject: self.subject_ref(name)?, customer })
        };
        self.file.subject.iter().map(captured).collect()
    }

    fn unknown_subject(&self, name: &str, problem: &str) -> Failure {
        let known: Vec<&str> = self.file.subject.keys().map(String::as_str).collect();
        let known =
            if known.is_empty() { String::new() } else { format!("; lethe.toml knows {}", known.join(", ")) };
        Failure::usage(format!("unknown subject {name}: {problem}"))
            .hint(format!("write schema.table or schema.table(column, …){known}"))
    }

    pub(crate) fn max_ledger_age(&self) -> Result<Option<Duration>, Failure> {
        self.file.ledger.max_age.as_deref().map(|text| duration("max_age", text)).transpose()
    }

    pub(crate) fn heartbeat(&self) -> Result<Duration, Failure> {
        duration("heartbeat", self.file.capture.heartbeat.as_deref().unwrap_or("10 minutes"))
    }

    pub(crate) fn max_capture_lag(&self) -> Result<Duration, Failure> {
        duration("max_lag", self.file.capture.max_lag.as_deref().unwrap_or("15 minutes"))
    }
}

fn checksums(setting: Option<ChecksumSetting>) -> Checksums {
    match setting {
        Some(ChecksumSetting::WhenRequired) => Checksums::WhenRequired,
        Some(ChecksumSetting::WhenSupported) => Checksums::WhenSupported,
        None => Checksums::ByEndpoint,
    }
}

/// age recipients as they were typed. Each is encrypted to once.
pub(crate) fn recipients(typed: &[String]) -> Result<Vec<Recipient>, Failure> {
    let mut recipients: Vec<Recipient> = Vec::new();
    for text in typed {
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY") {
            return Err(Failure::usage("a recipient is the public half of a key (age1…); this is the secret one")
                .hint("everybody on this machine could read it here: make a new key, and give what age-keygen -y prints"));
        }
        let recipient: Recipient =
            text.parse().map_err(|_| Failure::usage(format!("{text:?} is no age recipient (age1…)")))?;
        if !recipients.contains(&recipient) {
            recipients.push(recipient);
        }
    }
    Ok(recipients)
}

pub(crate) fn duration(setting: &str, text: &str) -> Result<Duration, Failure> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    parsed.ok_or_else(|| {
        Failure::usage(format!("{setting} = {text:?} is no length of time"))
            .hint("write \"90 seconds\", \"10 minutes\" or \"2 hours\"")
    })
}

/// A time, or a day, of which `of_day` makes one (UTC).
pub(crate) fn time_or_day(
    text: &str,
    of_day: impl FnOnce(Date) -> Result<Date, jiff::Error>,
) -> Result<Timestamp, Failure> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let midnight = |day: Date| TimeZone::UTC.to_timestamp(of_day(day)?.at(0, 0, 0, 0));
    text.parse().and_then(midnight).map_err(|_| {
        Failure::usage(format!("{text:?} is no day and no time"))
            .hint("write 2027-02-01 or 2027-02-01T12:00:00Z")
    })
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The parser's message without the line it quotes, which may hold a password.
fn unreadable(path: &Path, error: &toml::de::Error) -> Failure {
    let place = error.span().map(|span| format!(" at byte {}", span.start)).unwrap_or_default();
    Failure::usage(format!("{} cannot be read{place}: {}", path.display(), error.message()))
}

fn parse_size(text: &str) -> Result<u64, Failure> {
    let invalid = || Failure::usage(format!("{text:?} is not a size")).hint("write 256M or 1G");
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let shift = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        _ => return Err(invalid()),
    };
    let bytes =
        digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)).ok_or_else(invalid)?;
    if bytes >= 1 << 20 { Ok(bytes) } else { Err(Failure::usage("the memory must be 1M at least")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(parse_size("256M").ok(), Some(256 << 20));
        assert_eq!(parse_size("1GiB").ok(), Some(1 << 30));
        for wrong in ["", "M", "1X", "-1M", "1.5G", "99999999999999G", "1K"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
