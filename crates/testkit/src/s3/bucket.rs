//! The content of one bucket: every key with its versions, the newest last. No I/O, no locks.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: u64,
    pub(crate) modified: SystemTime,
    /// None for a delete marker.
    pub(crate) body: Option<Bytes>,
}

impl Version {
    /// Changes with every write, whatever the content.
    pub(crate) fn etag(&self) -> String {
        format!("{:032x}", self.id)
    }
}

/// An upload in parts that nobody has finished.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) begun: SystemTime,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) versioned: bool,
    pub(crate) uploads: Vec<Upload>,
    keys: BTreeMap<String, Vec<Version>>,
    last_id: u64,
    /// What new versions are dated by, if not by this machine's clock.
    pub(crate) clock: Option<SystemTime>,
}

/// What a write asks for before it happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Condition {
    None,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: etag`
    Is(String),
}

impl Bucket {
    pub(crate) fn versioned() -> Self {
        Self { versioned: true, ..Self::default() }
    }

    /// The newest version, unless it is a delete marker.
    pub(crate) fn get(&self, key: &str) -> Option<&Version> {
        self.keys.get(key)?.last().filter(|version| version.body.is_some())
    }

    pub(crate) fn get_version(&self, key: &str, id: u64) -> Option<&Version> {
        self.keys.get(key)?.iter().find(|version| version.id == id)
    }

    /// Checks and writes in one step: the caller holds the lock.
    pub(crate) fn put(&mut self, key: &str, body: Bytes, condition: &Condition) -> Option<&Version> {
        let holds = match condition {
            Condition::None => true,
            Condition::Absent => self.get(key).is_none(),
            Condition::Is(etag) => self.get(key).is_some_and(|version| version.etag() == *etag),
        };
        if !holds {
            return None;
        }
        self.add(key, Some(body));
        self.get(key)
    }

    pub(crate) fn delete(&mut self, key: &str) {
        if self.versioned {
            self.add(key, None);
        } else {
            self.keys.remove(key);
        }
    }

    pub(crate) fn delete_version(&mut self, key: &str, id: u64) {
        if let Some(versions) = self.keys.get_mut(key) {
            versions.retain(|version| version.id != id);
            if versions.is_empty() {
                self.keys.remove(key);
            }
        }
    }

    fn add(&mut self, key: &str, body: Option<Bytes>) {
        self.last_id += 1;
        let modified = self.clock.unwrap_or_else(SystemTime::now);
        let version = Version { id: self.last_id, modified, body };
        let versions = self.keys.entry(key.to_owned()).or_default();
        if !self.versioned {
            versions.clear();
        }
        versions.push(version);
    }

    /// Current objects whose key begins with `prefix` and comes after `after`, in order.
    pub(crate) fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Version)> {
        let from = if after > prefix { after } else { prefix };
        let keys = self.keys.range(from.to_owned()..).map(|(key, _)| key.as_str());
        let keys = keys.filter(move |key| *key > after || after.is_empty());
        keys.take_while(move |key| key.starts_with(prefix)).filter_map(|key| Some((key, self.get(key)?)))
    }

    /// Every version of every key, the newest first.
    pub(crate) fn versions(&self, prefix: &str) -> Vec<(String, Version, bool)> {
        let keys = self.keys.iter().filter(|(key, _)| key.starts_with(prefix));
        keys.flat_map(|(key, versions)| {
            let newest = versions.len();
            let numbered = versions.iter().enumerate().rev();
            numbered.map(move |(index, version)| (key.clone(), version.clone(), index + 1 == newest))
        })
        .collect()
    }

    pub(crate) fn current(&self) -> Vec<(String, Bytes)> {
        let body = |(key, version): (&str, &Version)| Some((key.to_owned(), version.body.clone()?));
        self.list("", "").filter_map(body).collect()
    }
}
