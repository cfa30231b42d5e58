//! Where data may be: `[residency]`, `[[target]]`, and where the ledger is.

use lethe_engine::Stores;
use lethe_engine::residency::Residency;
use lethe_rules::residency::{Label, Profile};
use lethe_rules::store_fitness::Use;
use lethe_rules::target_label::TargetLabel;
use lethe_store::RetryPolicy;
use serde::Deserialize;

use super::{Settings, duration};
use crate::failure::Failure;
use crate::output::warn;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResidencySection {
    /// `de` or `eu`.
    profile: Option<String>,
    /// How long a look at a store is good for.
    recheck: Option<String>,
    /// Ours: whom a bucket's policy may let in.
    #[serde(default)]
    accounts: Vec<String>,
}

/// What is known of a server: `[[target]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetSection {
    /// As it is written where the server is named.
    host: String,
    /// The code of the place that it is in.
    residency: String,
    /// What it is for.
    label: TargetLabel,
}

/// Twelve digits, or as Hetzner's policies name a project.
fn is_account(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (text.len() == 12 && is_number(text)) || text.strip_prefix('p').is_some_and(is_number)
}

impl Settings {
    pub(crate) fn residency(&self) -> Result<Residency, Failure> {
        let section = &self.file.residency;
        let profile = match self.profile.as_deref().or(section.profile.as_deref()) {
            None => Profile::default(),
            Some(text) => text.parse().map_err(|()| {
                Failure::usage(format!("there is no residency profile {text:?}"))
                    .hint("profile = \"de\" (Germany, the default) or \"eu\" (the European Union)")
            })?,
        };
        let unchanged = Residency::default();
        let recheck = match &section.recheck {
            None => unchanged.recheck,
            Some(text) => duration("recheck", text)?,
        };
        let labels = self.file.target.iter().map(|target| Label {
            host: target.host.clone(),
            residency: target.residency.clone(),
            purpose: target.label.clone(),
        });
        if let Some(text) = section.accounts.iter().find(|text| !is_account(text)) {
            return Err(Failure::usage(format!("{text:?} is no account"))
                .hint("accounts = [\"111122223333\"], or at Hetzner the project, [\"p1234567\"]"));
        }
        Ok(Residency { profile, recheck, labels: labels.collect(), accounts: section.accounts.clone() })
    }

    /// Opens the stores if they are where they may be; nothing has been read or written before that is known.
    pub(crate) async fn open_stores(&self) -> Result<Stores, Failure> {
        let (stores, warnings) = self.look_at_stores().await?;
        for warning in warnings {
            self.warn(warning);
        }
        Ok(stores)
    }

    /// On standard error, unless nothing but errors is wanted.
    pub(crate) fn warn(&self, text: impl AsRef<str>) {
        if !self.quiet {
            warn(text);
        }
    }

    /// The same, with the warnings.
    pub(crate) async fn look_at_stores(&self) -> Result<(Stores, Vec<String>), Failure> {
        let residency = self.residency()?;
        let mut warnings = Vec::new();
        if residency.profile == Profile::Eu {
            warnings.push(
                "the residency profile is eu: data may be anywhere in the European Union, not in Germany alone"
                    .to_owned(),
            );
        }
        let (store_url, ledger_url, s3) = if self.second {
            self.second_as_first()?
        } else {
            (self.store_url()?, self.ledger_url(), self.s3()?)
        };
        let purpose = if ledger_url.is_some() { Use::Data } else { Use::Ledger };
        let open = |url, purpose| residency.open_store(url, &s3, RetryPolicy::default(), purpose);
        let (data, more) = open(store_url, purpose).await?;
        warnings.extend(more);
        let ledger = match ledger_url {
            None => data.clone(),
            Some(url) => {
                let (ledger, more) = open(url, Use::Ledger).await?;
                warnings.extend(more);
                ledger
            }
        };
        Ok((Stores { data, ledger }, warnings))
    }

    /// Where the ledger is, if not in the store.
    pub(crate) fn ledger_url(&self) -> Option<&str> {
        self.ledger_url.as_deref().or(self.file.ledger_url.as_deref())
    }

    /// What `lethe init` writes down of it, as TOML: what was chosen, and what could be as a comment.
    pub(crate) fn places_text(&self) -> Result<String, Failure> {
        let residency = self.residency()?;
        let comment = if residency.profile == Profile::default() { "# " } else { "" };
        let mut text = format!(
            "{comment}[residency]\n{comment}profile = \"{}\"               # eu: the European Union, not Germany alone\n# recheck = \"15 minutes\"\n# accounts = [\"111122223333\"]  # yours: whom the bucket's policy may let in\n\n",
            residency.profile
        );
        let s3 = self.s3()?;
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut lines: Vec<String> = [("region", &s3.region), ("endpoint", &s3.endpoint)]
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} = {}\n", quoted(value.as_deref()?))))
            .collect();
        if s3.path_style {
            lines.push("path_style = true\n".to_owned());
        }
        text.push_str(&if lines.is_empty() {
            "# [s3]\n# region = \"eu-central-1\"\n# endpoint = \"https://fsn1.your-objectstorage.com\"\n"
                .to_owned()
        } else {
            format!("[s3]\n{}", lines.concat())
        });
        Ok(text)
    }
}
