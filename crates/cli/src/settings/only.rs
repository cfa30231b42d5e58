//! Who is restored alone: `--only SUBJECT=KEY`.

use std::collections::BTreeMap;

use lethe_format::ledger::{Keys, SubjectRef};
use lethe_rules::closure::Tombstones;

use super::Settings;
use crate::failure::Failure;

impl Settings {
    /// The typed subjects, those of one kind together.
    pub(crate) fn only(&self, typed: &[String]) -> Result<Vec<Tombstones>, Failure> {
        let mut kinds: BTreeMap<SubjectRef, Vec<Vec<String>>> = BTreeMap::new();
        for typed in typed {
            let Some((subject, key)) = typed.split_once('=').filter(|(_, key)| !key.is_empty()) else {
                return Err(Failure::usage("--only names no subject and key")
                    .hint("write --only tenant=42; a composite key with tabs between its values"));
            };
            let key: Vec<String> = key.split('\t').map(str::to_owned).collect();
            let keys = kinds.entry(self.subject_ref(subject)?).or_default();
            // Who is named twice is one.
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let tombstones = |(subject, keys)| Tombstones { subject, keys: Keys::Tuples(keys) };
        Ok(kinds.into_iter().map(tombstones).collect())
    }

    /// Those of the typed that are customers, as the audit log knows them.
    pub(crate) fn tenants_of(&self, typed: &[String]) -> Vec<String> {
        let tenants = typed.iter().filter_map(|typed| typed.split_once('='));
        tenants.filter(|(subject, _)| self.is_tenant(subject)).map(|(_, key)| key.to_owned()).collect()
    }
}
