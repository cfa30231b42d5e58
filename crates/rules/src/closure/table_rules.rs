//! What may happen to a row of one table, as indexes into its fields: the plan's form of the foreign keys.

use std::sync::Arc;

use lethe_format::ids::Oid;
use lethe_format::manifest::CopyFormat;

use super::layouts::Layouts;
use super::sets::SetId;
use super::sets::Sets;
use crate::anonymise::Made;
use crate::embedded::Embedded;
use crate::key::{KeyBuffer, KeyReader, KeySet};
use crate::objection::{Code, Objection};

/// Everything that decides about the rows of one table.
#[derive(Debug)]
pub(crate) struct TableRules {
    pub table: Oid,
    /// For messages.
    pub name: String,
    pub format: CopyFormat,
    /// Fields of each row, as COPY wrote them.
    pub field_count: usize,
    pub probes: Vec<Probe>,
    pub emits: Vec<Emit>,
    pub lookouts: Vec<Lookout>,
    /// True if the rule for inactive people must read this table.
    pub read: bool,
    /// True if the closure must read this table before any row is loaded.
    pub scan: bool,
}

impl TableRules {
    /// For a table of whose rows nothing is asked.
    pub(crate) fn none(layouts: Layouts<'_>, table: Oid) -> Self {
        let layout = layouts.of(table);
        Self {
            table,
            name: layouts.name(table),
            format: layout.map_or(CopyFormat::Binary, |data| data.format),
            field_count: layout.map_or(0, |data| data.columns.len()),
            probes: Vec::new(),
            emits: Vec::new(),
            lookouts: Vec::new(),
            read: false,
            scan: false,
        }
    }
}

/// One question to ask of each row: is the row that these fields refer to gone, or changed?
#[derive(Debug)]
pub(crate) struct Probe {
    /// The foreign key, the reference or the subject, for messages.
    pub label: String,
    /// True if the key is a subject's own, false for a reference.
    pub is_subject: bool,
    /// Positions of the key's columns in the row.
    pub fields: Vec<usize>,
    pub reader: KeyReader,
    /// Set if the one field holds keys within its value; then `reader` reads none of them.
    pub embedded: Option<Embedded>,
    /// The question is asked only of rows with this value.
    pub guard: Option<Guard>,
    pub set: SetId,
    /// Tombstones that are asked as well: of people whose rows need not be in the snapshot.
    pub tombstones: Option<SetId>,
    pub on_drop: Effect,
    pub on_change: OnChange,
}

impl Probe {
    /// The fields that decide whether the row refers to anything.
    /// A key within a value is looked for in the value as it was stored, whatever else becomes of that.
    pub(crate) fn decisive(&self) -> impl Iterator<Item = usize> {
        let guards = self.guard.iter().flat_map(|guard| &guard.fields);
        let own = self.fields.iter().filter(|_| self.embedded.is_none());
        own.chain(guards).copied()
    }

    /// Whether the row that the key refers to goes, or went long ago.
    #[inline]
    pub(crate) fn is_gone(&self, sets: &Sets, key: &KeyBuffer) -> bool {
        let dropped = |set: SetId| sets.is_gone(set, key);
        dropped(self.set) || self.tombstones.is_some_and(dropped)
    }
}

/// A field, and the one value of it that counts.
#[derive(Debug)]
pub(crate) struct Guard {
    pub fields: Vec<usize>,
    pub reader: KeyReader,
    pub value: KeySet,
}

#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Drop,
    Change(Change),
}

/// Fields that get another value.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub fields: Vec<FieldChange>,
    /// Why the server would, or might, refuse this change.
    pub refused: Option<String>,
    /// True if the row afterwards refers to a row that must be there (`SET DEFAULT`).
    pub needs_parent: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FieldChange {
    pub field: usize,
    pub becomes: NewField,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum NewField {
    Null,
    Constant {
        /// In the table's COPY format (escaped, for text).
        copied: Arc<[u8]>,
        /// As a key reader takes it (not escaped).
        plain: Arc<[u8]>,
    },
    Made(Made),
    /// Its old value but for what these probes, by their index, find in it.
    Without(Vec<usize>),
}

/// Constants stand in the schema or the settings, but a habit of printing values would not stop there.
impl std::fmt::Debug for NewField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "NULL",
            Self::Constant { .. } => "a constant",
            Self::Made(_) => "made up",
            Self::Without(_) => "what is left",
        })
    }
}

impl NewField {
    /// Whether it matters which of the two comes first. What is taken out of a value goes together with anything.
    fn contradicts(&self, other: &Self) -> bool {
        !matches!(self, Self::Without(_)) && !matches!(other, Self::Without(_)) && self != other
    }
}

impl Change {
    /// Whether both give one field a value, and not the same.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        contradict(&self.fields, &other.fields)
    }
}

/// Whether both give one field a value, and not the same.
pub(super) fn contradict(one: &[FieldChange], other: &[FieldChange]) -> bool {
    let differs = |change: &FieldChange, other: &FieldChange| {
        change.field == other.field && change.becomes.contradicts(&other.becomes)
    };
    one.iter().any(|change| other.iter().any(|other| differs(change, other)))
}

/// `ON UPDATE`, for a referenced key in which columns became NULL.
#[derive(Clone, Debug)]
pub(crate) enum OnChange {
    /// The referenced key cannot change.
    Never,
    /// `CASCADE`: the paired fields become NULL as well; the change that nulls each field alone, by key position.
    Follow(Vec<Change>),
    Change(Change),
    /// `NO ACTION` and `RESTRICT`: the server refuses.
    Refuse(String),
}

/// A key that others refer to: recorded when its row is dropped or changed.
#[derive(Debug)]
pub(crate) struct Emit {
    pub fields: Vec<usize>,
    pub reader: KeyReader,
    pub set: SetId,
    /// True if the set holds the keys of all rows that can be dropped already, so that no scan is needed for it.
    pub prefilled: bool,
}

/// Keys that were gone from the database before the snapshot was taken: a row that has one is somebody else.
#[derive(Debug)]
pub(crate) struct Lookout {
    /// The subject, for messages.
    pub label: String,
    pub fields: Vec<usize>,
    pub reader: KeyReader,
    pub keys: KeySet,
}

impl Lookout {
    pub(crate) fn objection(&self, table: &str) -> Objection {
        let problem = format!(
            "{table} holds rows whose ids were erased, and gone, before the snapshot was taken: the ids were given to somebody else"
        );
        Objection::new(Code::IdReuse, format!("subject {}", self.label), problem).hint(
            "if they are other people, take the ids off the ledger (lethe tombstone revoke) and give them new ids soon; if they are the same people, their deletion failed: add them again (lethe tombstone add)",
        )
    }
}
