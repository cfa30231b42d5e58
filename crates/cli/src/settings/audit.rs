//! `[audit]`: who signs the log of what was done, and what must be said before anything is done.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lethe_engine::audit::{AuditLog, read_key};
use lethe_engine::ledger::LastSeen;
use lethe_engine::{Repository, replace_file};
use lethe_format::audit::checkpoint::{PublicKey, SigningKey};
use lethe_rules::audit::{Leeway, loosened};
use serde::Deserialize;

use super::{Settings, variable};
use crate::failure::Failure;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditSection {
    /// The secret that signs checkpoints and exports.
    key_file: Option<PathBuf>,
    /// Its public half, where only that is at hand.
    public_key: Option<String>,
    /// Whether what people do needs `--request`.
    #[serde(default)]
    require_request: bool,
    /// The subject whose keys are the customers.
    tenant: Option<String>,
}

/// The subject that customers are, unless the settings say otherwise.
const TENANT: &str = "tenant";

impl Settings {
    /// The log, in the name of whoever acts. What the settings allow more than when this host last acted is written down first.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub(crate) async fn audit_log(&self, repository: &Repository) -> Result<AuditLog, Failure> {
        let log = AuditLog::new(
            repository.clone(),
            self.audit_last_seen(repository),
            self.signing_key(repository)?,
            self.operator(),
            host(),
        );
        self.note_leeway(&log, repository).await?;
        Ok(log)
    }

    pub(crate) fn audit_last_seen(&self, repository: &Repository) -> LastSeen {
        LastSeen::of_audit_log(&self.state_folder(), repository.id())
    }

    pub(crate) fn signing_key_file(&self) -> Option<PathBuf> {
        let typed = variable("LETHE_AUDIT_KEY_FILE").map(PathBuf::from);
        typed.or_else(|| self.file.audit.key_file.as_ref().map(|file| self.folder.join(file)))
    }

    /// None where nothing is signed. A host that was given the settings without the key writes entries like any other.
    pub(crate) fn signing_key(&self, repository: &Repository) -> Result<Option<SigningKey>, Failure> {
        let Some(file) = self.signing_key_file() else { return Ok(None) };
        if let Err(cause) = fs::File::open(&file)
            && matches!(cause.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied)
        {
            self.warn(format!("{}: {cause}: the audit log is written, and not signed", file.display()));
            return Ok(None);
        }
        Ok(Some(read_key(&file, repository.id())?))
    }

    /// The key that signatures are checked with: the one that was typed, the one of the settings, or that of the secret one.
    pub(crate) fn audit_public_key(
        &self,
        typed: Option<&str>,
        repository: Option<&Repository>,
    ) -> Result<Option<PublicKey>, Failure> {
        match (typed.or(self.file.audit.public_key.as_deref()), repository) {
            (Some(text), _) => text.parse().map(Some).map_err(|_| {
                Failure::usage("the public key is none")
                    .hint("as lethe audit new-key prints it: lethe.audit/…+8 digits+…")
            }),
            (None, Some(repository)) => Ok(self.signing_key(repository)?.map(|key| key.public())),
            (None, None) => Ok(None),
        }
    }

    /// The reference of the instruction.
    pub(crate) fn request(&self) -> Option<String> {
        self.request.clone()
    }

    /// # Errors
    /// If the settings ask for the reference of an instruction, and there is none.
    pub(crate) fn require_request(&self) -> Result<(), Failure> {
        if self.file.audit.require_request && self.request.is_none() {
            return Err(Failure::usage("on whose instruction? [audit] of lethe.toml requires it")
                .hint("--request REF: a ticket, an order, the clause of a contract"));
        }
        Ok(())
    }

    /// Whether the keys of this subject are customers.
    pub(crate) fn is_tenant(&self, subject: &str) -> bool {
        self.file.audit.tenant.as_deref().unwrap_or(TENANT) == subject
    }

    /// Whether customers are kept apart here.
    pub(crate) fn has_tenants(&self) -> bool {
        self.file.audit.tenant.is_some() || self.file.subject.contains_key(TENANT)
    }

    fn operator(&self) -> String {
        let known = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(variable);
        let number = || format!("uid {}", rustix::process::getuid().as_raw());
        self.operator.clone().or(known).unwrap_or_else(number)
    }

    /// Written down before it is remembered: a crash in between writes it down twice.
    async fn note_leeway(&self, log: &AuditLog, repository: &Repository) -> Result<(), Failure> {
        let path = self.state_folder().join(format!("{}.leeway", repository.id()));
        let after = self.leeway()?;
        let before = known_leeway(&path)?;
        if before.as_ref() == Some(&after) {
            return Ok(());
        }
        let lines = before.map(|before| loosened(&before, &after)).unwrap_or_default();
        if !lines.is_empty() {
            for line in &lines {
                self.warn(format!("the settings allow more than they did on this host: {line}"));
            }
            log.settings_loosened(lines, Timestamp::now()).await?;
        }
        let failed = |cause| Failure::failed(format!("write {}: {cause}", path.display()));
        fs::create_dir_all(self.state_folder()).map_err(failed)?;
        let bytes = serde_json::to_vec(&after).map_err(|_| Failure::failed("settings are always JSON"))?;
        Ok(replace_file(&path, &bytes)?)
    }

    /// What the settings allow, where that touches a promise.
    fn leeway(&self) -> Result<Leeway, Failure> {
        let mut leeway = Leeway::default();
        let mut limit = |name: &str, limit: Option<std::time::Duration>| {
            leeway.limits.insert(name.to_owned(), limit.map(|limit| limit.as_secs()));
        };
        limit("[ledger] max_age, seconds", self.max_ledger_age()?);
        limit("[capture] max_lag, seconds", Some(self.max_capture_lag()?));
        limit("[retention] keep, seconds", self.retention()?.keep.try_into().ok());
        limit("[schedule] snapshot_every, seconds", self.snapshot_every()?);
        let residency = self.residency()?;
        for place in residency.profile.allowed() {
            leeway.permissions.insert(format!("data in {place}"));
        }
        for account in residency.accounts {
            leeway.permissions.insert(format!("account {account} in the bucket's policy"));
        }
        for label in residency.labels {
            leeway.permissions.insert(format!("restore to {} ({})", label.host, label.purpose));
        }
        for reference in self.references()? {
            match reference.keeps() {
                Some(_) => leeway.permissions.insert(format!("[[reference]] {reference} keeps rows")),
                None => leeway.guards.insert(format!("[[reference]] {reference}")),
            };
        }
        for mask in self.table_masks()? {
            let guards = mask.columns.iter().map(|column| format!("[[mask]] {}.{}", mask.table, column.name));
            leeway.guards.extend(guards);
        }
        for columns in self.file.not_personal.iter().map(|section| &section.columns) {
            leeway.permissions.insert(format!("[[not_personal]] {columns}"));
        }
        for subject in self.file.subject.keys() {
            leeway.guards.insert(format!("[subject.{subject}]"));
        }
        let sections = [
            ("[inactive]", self.file.inactive.is_some()),
            ("[second_store]", self.file.second_store.is_some()),
            ("[audit] require_request", self.file.audit.require_request),
            ("[audit] key_file", self.signing_key_file().is_some()),
        ];
        let guards = sections.into_iter().filter(|(_, is_there)| *is_there);
        leeway.guards.extend(guards.map(|(section, _)| section.to_owned()));
        Ok(leeway)
    }
}

fn known_leeway(path: &Path) -> Result<Option<Leeway>, Failure> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| {
            Failure::failed(format!("{} is damaged", path.display()))
                .hint("it holds what the settings allowed when this host last acted; remove it if you know that they were not loosened")
        }),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Failure::failed(format!("read {}: {cause}", path.display()))),
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
