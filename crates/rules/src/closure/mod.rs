//! The closure: from tombstones to rules for every row.
//!
//! 1. [`edges`] are the foreign keys and the references of the settings; [`reach`] follows them from the subjects' tables:
//!    which tables can lose or change rows at all.
//! 2. [`build`] turns each of them into *probes* of its children (is the row that this one refers to gone?) and
//!    *emits* of its parents (record the key of each row that goes).
//! 3. The caller scans the tables that [`Scan::next_scan`] names, parents first and cycles until nothing new is
//!    found, and shows every chunk to [`Scan::observe`]. Tables that nobody refers to need no scan.
//! 4. [`Closure::finish`] gives the [`Filters`], or every objection.
//!
//! The outcome is that of restoring everything and deleting the subjects on a server, with `NO ACTION` and `RESTRICT`
//! behaving as `CASCADE`. Where the server would refuse, or where its answer would hang on the order in which its
//! triggers fire, there is an objection instead of a guess.

mod build;
pub(crate) mod edges;
pub(crate) mod family;
pub(crate) mod hazards;
pub(crate) mod inside;
mod layouts;
mod new_field;
mod order;
mod reach;
mod restrict;
mod sets;
mod subjects;
mod table_rules;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lethe_format::catalog::Catalog;
use lethe_format::ids::Oid;
use lethe_format::manifest::TableData;

use crate::anonymise::{self, Anonymise, Everybody, Inactive, Masks};
use crate::key::{KeyBuffer, KeyReader};
use crate::ledger::Standing;
use crate::objection::{Code, Objection};
use crate::only::Owned;
use crate::row_filter::{Error, Filters, Row, for_each_row};
use crate::scan::Scan;
pub use edges::known_references;
pub(crate) use edges::{Edge, all_references};
pub(crate) use layouts::{Layouts, domains};
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::reference::Reference;
use order::Group;
pub(crate) use reach::columns_in;
pub(crate) use sets::{SetDefinition, Sets};
pub use subjects::{KeyError, SubjectKey, Tombstones, parse_keys, subject_key};
use table_rules::Effect;
pub(crate) use table_rules::{FieldChange, Guard, NewField, Probe, TableRules};
use verdict::RowChange;
pub(crate) use verdict::{Scratch, Verdict, is_asked, is_erased, is_hit, judge, verdict, without};

/// The tables of which whole rows may go with one of these subjects, by foreign keys and by the settings' references.
#[must_use]
pub(crate) fn droppable_tables(
    catalog: &Catalog,
    references: &[Reference],
    subject_tables: impl Iterator<Item = Oid>,
) -> BTreeSet<Oid> {
    // A reference that cannot be followed is an objection of its own.
    let (edges, _) = edges::edges(catalog, references);
    let tables = subject_tables.flat_map(|table| family::reached_by_delete(catalog, table));
    reach::reach(catalog, &edges, tables).droppable
}

/// The closure while it is being computed.
#[derive(Debug)]
pub struct Closure {
    rules: BTreeMap<Oid, TableRules>,
    sets: Sets,
    masks: Masks,
    inactive: Option<Inactive>,
    /// Set if a few subjects are restored alone.
    owned: Option<Owned>,
    objections: Vec<Objection>,
    groups: Vec<Group>,
    stage: Stage,
    /// Whether the pass under way found anything new.
    grew: bool,
    /// What was found in the pass under way; a later pass may settle it.
    pass_objections: BTreeSet<Objection>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// About to begin with a group.
    Before(usize),
    /// A pass over a group is under way.
    During(usize),
    /// Looking for the rows that `SET DEFAULT` refers to.
    Witnesses,
    Done,
}

impl Closure {
    /// `data` tells how the rows of each table are laid out; to it are bound the masks of everybody's rows.
    #[must_use]
    pub fn new(
        catalog: &Catalog,
        references: &[Reference],
        data: &[TableData],
        standing: &Standing,
        masks: (&Anonymise, &Arc<Everybody>),
    ) -> Self {
        Self::prepare((catalog, references, data), standing, masks, None)
    }

    /// The closure if nothing comes back but what these own, and what that refers to: rows of others count as erased.
    #[must_use]
    pub fn of_few(
        catalog: &Catalog,
        references: &[Reference],
        data: &[TableData],
        standing: &Standing,
        masks: (&Anonymise, &Arc<Everybody>),
        owned: Owned,
    ) -> Self {
        Self::prepare((catalog, references, data), standing, masks, Some(owned))
    }

    fn prepare(
        (catalog, references, data): (&Catalog, &[Reference], &[TableData]),
        standing: &Standing,
        (anonymise, everybody): (&Anonymise, &Arc<Everybody>),
        owned: Option<Owned>,
    ) -> Self {
        let (edges, mut objections) = edges::edges(catalog, references);
        let mut bound = |tombstones: &[Tombstones]| -> Vec<subjects::BoundSubject> {
            let mut subjects = Vec::new();
            for tombstones in tombstones.iter().filter(|tombstones| !tombstones.keys.is_empty()) {
                match subjects::bind(catalog, tombstones) {
                    Ok(subject) => subjects.push(subject),
                    Err(objection) => objections.push(objection),
                }
            }
            subjects
        };
        let (erased, gone) = (bound(&standing.erased), bound(&standing.gone));
        let all = all_references(catalog, references);
        let (mut masks, more) = anonymise::bind(catalog, data, &all, &anonymise.masks, &standing.anonymised);
        objections.extend(more);
        let (erased_fields, more) = anonymise::bind_erased((catalog, &all), data, &standing.columns);
        objections.extend(more);
        masks.erased = erased_fields;
        (masks.everybody, masks.words) = (everybody.clone(), anonymise.words);
        let inactive = anonymise.inactive.as_ref().and_then(|rule| {
            let bound = anonymise::bind_inactive(catalog, data, rule, &masks);
            bound.map_err(|objection| objections.push(objection)).ok()
        });
        let read = inactive.iter().flat_map(|rule| rule.tables.iter().map(|bound| (bound.table, true)));
        let masked = masks.tables.keys().chain(masks.erased.keys()).copied().chain(masks.everybody.touched());
        let others = masked.map(|table| (table, false)).chain(read);
        let built = match &owned {
            None => build::build(catalog, &edges, data, erased, gone, others),
            Some(owned) => {
                let others = others.chain(data.iter().map(|data| (data.table, false)));
                let subjects = erased.into_iter().chain(restrict::nobody(owned)).collect();
                let mut built = build::build(catalog, &edges, data, subjects, gone, others);
                restrict::restrict(&mut built, catalog, owned);
                built
            }
        };
        objections.extend(built.objections);
        Self { masks, inactive, owned, ..Self::of_rules(built.rules, built.sets, objections) }
    }

    fn of_rules(rules: BTreeMap<Oid, TableRules>, sets: Sets, objections: Vec<Objection>) -> Self {
        let groups = order::groups(&rules);
        Self {
            rules,
            sets,
            masks: Masks::default(),
            inactive: None,
            owned: None,
            objections,
            groups,
            stage: Stage::Before(0),
            grew: false,
            pass_objections: BTreeSet::new(),
        }
    }

    /// The people that the rule for the inactive found, and the ledger does not know yet; complete when the scans are.
    #[must_use]
    pub fn newly_inactive(&self) -> Option<(SubjectRef, Keys)> {
        self.inactive.as_ref().and_then(Inactive::found)
    }

    /// The filters for every chunk.
    ///
    /// # Errors
    /// All objections, sorted. Also if scans are still due: a closure that is not complete must not filter anything.
    pub fn finish(self) -> Result<Filters, Vec<Objection>> {
        let mut objections = self.objections;
        if objections.is_empty() && self.stage != Stage::Done {
            objections.push(Objection::new(Code::OrderDependent, "the closure", "is not complete"));
        }
        if !objections.is_empty() {
            objections.sort();
            objections.dedup();
            return Err(objections);
        }
        Ok(Filters { rules: self.rules, sets: self.sets, masks: self.masks, owned: self.owned, wanted: None })
    }

    fn to_scan(&self, group: &Group) -> Vec<Oid> {
        let due = |table: &Oid| {
            self.rules.get(table).is_some_and(|rules| {
                let set = |set: usize| !self.sets.is_empty(set);
                let asked =
                    rules.probes.iter().any(|probe| set(probe.set) || probe.tombstones.is_some_and(set));
                rules.read || !rules.lookouts.is_empty() || (rules.scan && asked)
            })
        };
        // Within a cycle a set that is empty now may not stay so, but only if some table's sets are not.
        group.tables.iter().copied().filter(due).collect()
    }

    fn witness_tables(&self) -> Vec<Oid> {
        let needed =
            |rules: &&TableRules| rules.emits.iter().any(|emit| !self.sets.needed[emit.set].is_empty());
        self.rules.values().filter(needed).map(|rules| rules.table).collect()
    }

    /// Every key that `SET DEFAULT` made a row refer to must be the key of a surviving row.
    fn check_witnesses(&mut self) {
        for rules in self.rules.values() {
            for probe in &rules.probes {
                let defaults = matches!(&probe.on_drop, Effect::Change(change) if change.needs_parent);
                let missing = self.sets.needed[probe.set].len() > self.sets.alive[probe.set].len();
                if defaults && missing {
                    let problem = format!(
                        "{}: its ON DELETE SET DEFAULT would refer to a row that is not there",
                        probe.label
                    );
                    self.objections.push(
                        Objection::new(Code::ErasureRefused, &rules.name, problem)
                            .hint("the server itself would refuse this erasure; keep the default's row, or change the action"),
                    );
                }
            }
        }
    }
}

impl Scan for Closure {
    fn next_scan(&mut self) -> Option<Vec<Oid>> {
        if !self.objections.is_empty() {
            return None;
        }
        loop {
            match self.stage {
                Stage::Before(group) => {
                    let Some(tables) = self.groups.get(group).map(|group| self.to_scan(group)) else {
                        self.stage = Stage::Witnesses;
                        let tables = self.witness_tables();
                        if tables.is_empty() {
                            continue;
                        }
                        return Some(tables);
                    };
                    if tables.is_empty() {
                        self.stage = Stage::Before(group + 1);
                        continue;
                    }
                    self.stage = Stage::During(group);
                    self.grew = false;
                    self.pass_objections.clear();
                    return Some(tables);
                }
                Stage::During(group) => {
                    let again = self.grew && self.groups.get(group).is_some_and(|group| group.cyclic);
                    if again {
                        self.stage = Stage::Before(group);
                        continue;
                    }
                    self.objections.extend(std::mem::take(&mut self.pass_objections));
                    self.stage = Stage::Before(group + 1);
                }
                Stage::Witnesses => {
                    self.stage = Stage::Done;
                    self.check_witnesses();
                }
                Stage::Done => return None,
            }
        }
    }

    fn observe(&mut self, table: Oid, chunk: &[u8]) -> Result<(), Error> {
        let Some(rules) = self.rules.get(&table) else { return Ok(()) };
        let mut scratch = Scratch::default();
        let mut key = KeyBuffer::default();
        let (sets, stage) = (&mut self.sets, self.stage);
        let (grew, objections) = (&mut self.grew, &mut self.pass_objections);
        let (masks, mut inactive, owned) = (&mut self.masks, self.inactive.as_mut(), self.owned.as_ref());
        for_each_row(rules, chunk, |row, _| {
            let unreadable = |cause| Error::Key { table: rules.name.clone(), cause };
            if let Some(owned) = owned
                && !owned.owns(table, row, &mut scratch).map_err(unreadable)?
            {
                if stage != Stage::Witnesses {
                    *grew |= restrict::record_others(rules, sets, row, &mut key).map_err(unreadable)?;
                }
                return Ok(());
            }
            let verdict = judge(rules, sets, row, &mut scratch).map_err(unreadable)?;
            if stage == Stage::Witnesses {
                return witness(rules, sets, row, &verdict, &mut key).map_err(unreadable);
            }
            if !matches!(verdict, Verdict::Drop) {
                for lookout in &rules.lookouts {
                    if row.read_key(&lookout.fields, &lookout.reader, &mut key).map_err(unreadable)?
                        && lookout.keys.contains(&key)
                    {
                        objections.insert(lookout.objection(&rules.name));
                    }
                }
                if let Some((inactive, keys)) = inactive
                    .as_deref_mut()
                    .and_then(|inactive| masks.keys.get_mut(inactive.mask).map(|keys| (inactive, keys)))
                {
                    inactive.observe(table, row, keys, &mut key).map_err(unreadable)?;
                }
            }
            match verdict {
                Verdict::Keep => {}
                Verdict::Drop => {
                    for emit in rules.emits.iter().filter(|emit| !emit.prefilled) {
                        if row.read_key(&emit.fields, &emit.reader, &mut key).map_err(unreadable)? {
                            *grew |= sets.dropped[emit.set].insert(&key);
                        }
                    }
                }
                Verdict::Change(change) => {
                    for FieldChange { field, becomes } in &change.fields {
                        if let NewField::Without(probes) = becomes {
                            let left = without(rules, sets, row, *field, probes, &mut key);
                            objections.extend(left.map_err(unreadable)?.err());
                        }
                    }
                    *grew |= record_change(rules, sets, row, &change, &mut key).map_err(unreadable)?;
                }
                Verdict::Conflict(objection) => {
                    objections.insert(objection);
                }
            }
            Ok(())
        })
    }
}

/// Notes the old keys of a changed row, and what its new values refer to.
fn record_change(
    rules: &TableRules,
    sets: &mut Sets,
    row: &Row<'_>,
    change: &RowChange,
    key: &mut KeyBuffer,
) -> Result<bool, crate::key::ValueError> {
    let mut grew = false;
    let changed = |field: usize| change.fields.iter().find(|change| change.field == field);
    for emit in &rules.emits {
        let nulled = emit.fields.iter().enumerate().filter(|(_, field)| changed(**field).is_some());
        let mask = nulled.fold(0_u64, |mask, (position, _)| mask | 1 << position);
        if mask != 0 && row.read_key(&emit.fields, &emit.reader, key)? {
            grew |= sets.changed[emit.set].insert(key, mask);
        }
    }
    for probe in change.needs_parent.iter().filter_map(|index| rules.probes.get(*index)) {
        if new_key(row, &change.fields, &probe.fields, &probe.reader, key)? {
            // A key that is needed is no reason for another pass: it drops and changes nothing.
            sets.needed[probe.set].insert(key);
        }
    }
    Ok(grew)
}

/// Reads the key that a row refers to after the change; false if a part of it is NULL.
pub(crate) fn new_key(
    row: &Row<'_>,
    changes: &[FieldChange],
    fields: &[usize],
    reader: &KeyReader,
    key: &mut KeyBuffer,
) -> Result<bool, crate::key::ValueError> {
    if !changes.iter().any(|change| fields.contains(&change.field)) {
        return row.read_key(fields, reader, key);
    }
    let mut values = Vec::new();
    for field in fields {
        let value = match changes.iter().find(|change| change.field == *field) {
            Some(change) => match &change.becomes {
                NewField::Constant { plain, .. } => Some(std::borrow::Cow::Borrowed(plain.as_ref())),
                // What is made up, or left of another value, is no key of anybody.
                NewField::Null | NewField::Made(_) | NewField::Without(_) => None,
            },
            None => row.value(*field)?,
        };
        match value {
            Some(value) => values.push(value),
            None => return Ok(false),
        }
    }
    row.read_values(&values, reader, key)?;
    Ok(true)
}

/// Notes that a surviving row has a key that is needed.
fn witness(
    rules: &TableRules,
    sets: &mut Sets,
    row: &Row<'_>,
    verdict: &Verdict,
    key: &mut KeyBuffer,
) -> Result<(), crate::key::ValueError> {
    let changed: &[FieldChange] = match verdict {
        Verdict::Keep => &[],
        Verdict::Change(change) => &change.fields,
        Verdict::Drop | Verdict::Conflict(_) => return Ok(()),
    };
    for emit in &rules.emits {
        let stays = !changed.iter().any(|change| emit.fields.contains(&change.field));
        if stays && row.read_key(&emit.fields, &emit.reader, key)? && sets.needed[emit.set].contains(key) {
            sets.alive[emit.set].insert(key);
        }
    }
    Ok(())
}
