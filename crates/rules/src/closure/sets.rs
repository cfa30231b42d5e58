//! The keys that are gone and the keys that changed, for each set of referenced columns.

use std::collections::HashMap;
use std::fmt;

use lethe_format::catalog::AttNum;
use lethe_format::ids::Oid;

use crate::key::{Domain, KeyBuffer, KeySet};

/// Index of a key set.
pub(crate) type SetId = usize;

/// What a key set is about. Foreign keys that refer to the same columns by the same equality share one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SetDefinition {
    /// True for tombstones, which may name rows that are not there; such a set is never shared with a foreign key.
    pub tombstones: bool,
    pub relation: Oid,
    pub columns: Vec<AttNum>,
    pub domains: Vec<Domain>,
}

#[derive(Debug, Default)]
pub(crate) struct Sets {
    pub definitions: Vec<SetDefinition>,
    /// Keys of dropped rows; for a subject, its tombstones.
    pub dropped: Vec<KeySet>,
    /// Old keys of surviving rows in which key columns became NULL.
    pub changed: Vec<ChangedKeys>,
    /// Keys that `SET DEFAULT` made rows refer to.
    pub needed: Vec<KeySet>,
    /// Those of `needed` that a surviving row has.
    pub alive: Vec<KeySet>,
    /// Where few are restored alone and every reference leads to a row: all keys that are theirs. Any other is gone.
    pub only: Vec<Option<KeySet>>,
}

impl Sets {
    pub(crate) fn add(&mut self, definition: SetDefinition, dropped: KeySet) -> SetId {
        self.needed.push(KeySet::new(&definition.domains));
        self.alive.push(KeySet::new(&definition.domains));
        self.dropped.push(dropped);
        self.changed.push(ChangedKeys::default());
        self.only.push(None);
        self.definitions.push(definition);
        self.definitions.len() - 1
    }

    pub(crate) fn find(&self, definition: &SetDefinition) -> Option<SetId> {
        self.definitions.iter().position(|known| known == definition)
    }

    pub(crate) fn is_empty(&self, set: SetId) -> bool {
        self.dropped[set].is_empty() && self.changed[set].is_empty() && self.only[set].is_none()
    }

    /// Whether the row with this key is gone.
    #[inline]
    pub(crate) fn is_gone(&self, set: SetId, key: &KeyBuffer) -> bool {
        self.dropped[set].contains(key) || self.only[set].as_ref().is_some_and(|only| !only.contains(key))
    }
}

/// Old keys, each with the positions in the key that became NULL, as a bit mask.
#[derive(Default)]
pub(crate) struct ChangedKeys(HashMap<Box<[u8]>, u64>);

impl ChangedKeys {
    pub(crate) fn insert(&mut self, key: &KeyBuffer, nulled: u64) -> bool {
        self.0.insert(key.to_bytes(), nulled) != Some(nulled)
    }

    pub(crate) fn get(&self, key: &KeyBuffer) -> Option<u64> {
        if self.0.is_empty() { None } else { self.0.get(&key.to_bytes()).copied() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for ChangedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChangedKeys({} keys)", self.0.len())
    }
}
