//! Where the copy is: `[second_store]`.

use std::time::Duration;

use lethe_engine::Stores;
use lethe_rules::store_fitness::Use;
use lethe_store::{RetryPolicy, S3Settings};
use serde::Deserialize;

use super::{ChecksumSetting, Settings, checksums};
use crate::failure::Failure;

/// A store at another provider has its own endpoint and credentials.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecondStoreSection {
    url: String,
    /// A store for the ledger alone, as in the first place.
    ledger_url: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
    #[serde(default)]
    path_style: bool,
    checksums: Option<ChecksumSetting>,
    /// A profile of the AWS configuration files; without it the credentials are those of the first store.
    profile: Option<String>,
    /// Whether a snapshot is copied by whoever takes it: that needs the right to read what is stored.
    #[serde(default = "yes")]
    after_snapshot: bool,
}

fn yes() -> bool {
    true
}

impl SecondStoreSection {
    fn s3(&self) -> S3Settings {
        S3Settings {
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            path_style: self.path_style,
            checksums: checksums(self.checksums),
            profile: self.profile.clone(),
            ..S3Settings::default()
        }
    }
}

/// The first store does not wait longer for the second one than this, where it is only asked in passing.
const PATIENCE: Duration = Duration::from_secs(30);

impl Settings {
    /// The stores of the second place, which nobody has looked at yet.
    pub(crate) async fn second_stores(&self) -> Result<Option<Stores>, Failure> {
        let Some(section) = &self.file.second_store else { return Ok(None) };
        let (residency, s3) = (self.residency()?, section.s3());
        let policy = RetryPolicy { deadline: PATIENCE, ..RetryPolicy::default() };
        let purpose = if section.ledger_url.is_some() { Use::Data } else { Use::Ledger };
        let data = residency.open_second_store(&section.url, &s3, policy.clone(), purpose).await?;
        let ledger = match &section.ledger_url {
            None => data.clone(),
            Some(url) => residency.open_second_store(url, &s3, policy, Use::Ledger).await?,
        };
        Ok(Some(Stores { data, ledger }))
    }

    /// Whether a snapshot is copied as soon as it is taken.
    pub(crate) fn copies_after_snapshot(&self) -> bool {
        self.file.second_store.as_ref().is_some_and(|section| section.after_snapshot)
    }

    /// With `--second`: the second place is the repository, and there is no other.
    pub(super) fn second_as_first(&self) -> Result<(&str, Option<&str>, S3Settings), Failure> {
        let section = self.file.second_store.as_ref().ok_or_else(|| {
            Failure::usage("there is no second store").hint("name it under [second_store] in lethe.toml")
        })?;
        Ok((&section.url, section.ledger_url.as_deref(), section.s3()))
    }
}
