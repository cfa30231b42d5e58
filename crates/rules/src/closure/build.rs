//! From the catalog and the tombstones to the rules of each table.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::{Action, AttNum, Catalog, ForeignKey, Matching};
use lethe_format::ids::Oid;
use lethe_format::manifest::{CopyFormat, TableData};

use super::edges::{Becomes, Edge};
use super::family;
use super::hazards::{self, NewValue};
use super::inside;
use super::layouts::{self, Layouts};
use super::new_field::new_field;
use super::reach::{self, Reach, columns_in};
use super::sets::{SetDefinition, SetId, Sets};
use super::subjects::BoundSubject;
use super::table_rules::{Change, Effect, Emit, FieldChange, Lookout, NewField, OnChange, Probe, TableRules};
use crate::embedded::Embedded;
use crate::key::{self, Domain, KeyReader};
use crate::objection::{Code, Objection};

/// The rules of every table that the erasure can reach, and the key sets that they ask.
pub(super) struct Built {
    pub rules: BTreeMap<Oid, TableRules>,
    pub sets: Sets,
    /// Sets that are asked by references which no server has checked: rows may refer to rows that are not there.
    pub unchecked: BTreeSet<SetId>,
    pub objections: Vec<Objection>,
}

/// `gone` are keys that no row may have; `others` are tables that need rules whatever is erased, with whether they must
/// be read.
pub(super) fn build(
    catalog: &Catalog,
    edges: &[Edge],
    data: &[TableData],
    subjects: Vec<BoundSubject>,
    gone: Vec<BoundSubject>,
    others: impl Iterator<Item = (Oid, bool)>,
) -> Built {
    let mut builder = Builder {
        catalog,
        edges,
        layouts: Layouts { catalog, data },
        sets: Sets::default(),
        rules: BTreeMap::new(),
        objections: Vec::new(),
    };
    let left_behind = builder.add_left_behind(subjects.iter().chain(&gone));
    let left_by = left_behind.iter().map(|set| builder.sets.definitions[*set].relation);
    let subject_tables: Vec<Oid> = subjects
        .iter()
        .map(|subject| subject.table)
        .chain(left_by)
        .flat_map(|table| family::reached_by_delete(catalog, table))
        .collect();
    let reach = reach::reach(catalog, edges, subject_tables);
    let subject_sets = builder.add_subjects(subjects);
    let (mut unvalidated, mut unchecked) = (Vec::new(), BTreeSet::new());
    for edge in reach.edges.iter().filter_map(|index| edges.get(*index)) {
        match builder.add_edge(edge, &left_behind, &reach) {
            Ok(Some(set)) if !edge.key.validated => {
                unchecked.insert(set);
                if !edge.by_rule {
                    unvalidated.push(set);
                }
            }
            Ok(_) => {}
            Err(objection) => builder.objections.push(objection),
        }
    }
    builder.prefill(&subject_sets, &unvalidated);
    builder.add_lookouts(gone);
    for (table, read) in others {
        builder.rules_of(table).read |= read;
    }
    builder.choose_scans();
    Built { rules: builder.rules, sets: builder.sets, unchecked, objections: builder.objections }
}

struct Builder<'a> {
    catalog: &'a Catalog,
    edges: &'a [Edge],
    layouts: Layouts<'a>,
    sets: Sets,
    rules: BTreeMap<Oid, TableRules>,
    objections: Vec<Objection>,
}

impl Builder<'_> {
    fn add_subjects(&mut self, subjects: Vec<BoundSubject>) -> Vec<SetId> {
        let mut sets = Vec::new();
        for subject in subjects {
            let BoundSubject { label, table, columns, domains, keys } = subject;
            let definition = SetDefinition {
                tombstones: true,
                relation: table,
                columns: columns.clone(),
                domains: domains.clone(),
            };
            let set = self.sets.add(definition, keys);
            sets.push(set);
            for leaf in family::reached_by_delete(self.catalog, table) {
                let probe =
                    self.layouts.reader_in(table, &columns, leaf, &domains).map(|(fields, reader)| Probe {
                        label: format!("subject {label}"),
                        is_subject: true,
                        fields,
                        reader,
                        embedded: None,
                        guard: None,
                        set,
                        tombstones: None,
                        on_drop: Effect::Drop,
                        on_change: OnChange::Never,
                    });
                match probe {
                    Ok(probe) => self.add_probe(leaf, probe),
                    Err(problem) => {
                        let objection =
                            Objection::new(Code::UndecidableEquality, format!("subject {label}"), problem);
                        self.objections.push(objection);
                    }
                }
            }
        }
        sets
    }

    /// Without a foreign key, rows may have been left behind by people who are not in the snapshot any more. The keys of
    /// all of them, for the subjects that a rule refers to.
    fn add_left_behind<'b>(&mut self, subjects: impl Iterator<Item = &'b BoundSubject>) -> Vec<SetId> {
        let mut sets: Vec<SetId> = Vec::new();
        for BoundSubject { table, columns, domains, keys, .. } in subjects {
            let refers = |edge: &Edge| {
                edge.by_rule && edge.key.parent == *table && edge.key.columns.len() == columns.len()
            };
            if !self.edges.iter().any(refers) {
                continue;
            }
            let definition = SetDefinition {
                tombstones: true,
                relation: *table,
                columns: columns.clone(),
                domains: domains.clone(),
            };
            match sets.iter().find(|set| self.sets.definitions[**set] == definition) {
                Some(set) => self.sets.dropped[*set].extend(keys),
                None => sets.push(self.sets.add(definition, keys.clone())),
            }
        }
        sets
    }

    fn add_lookouts(&mut self, gone: Vec<BoundSubject>) {
        for BoundSubject { label, table, columns, domains, keys } in gone {
            for leaf in family::reached_by_delete(self.catalog, table) {
                match self.layouts.reader_in(table, &columns, leaf, &domains) {
                    Ok((fields, reader)) => self.rules_of(leaf).lookouts.push(Lookout {
                        label: label.clone(),
                        fields,
                        reader,
                        keys: keys.clone(),
                    }),
                    Err(problem) => self.objections.push(Objection::new(
                        Code::UndecidableEquality,
                        format!("subject {label}"),
                        problem,
                    )),
                }
            }
        }
    }

    /// Adds the reference's probes to its children and the recording of keys to its parents.
    fn add_edge(
        &mut self,
        edge: &Edge,
        left_behind: &[SetId],
        reach: &Reach,
    ) -> Result<Option<SetId>, Objection> {
        let key = &edge.key;
        let (Some(child), Some(parent)) = (self.catalog.table(key.child), self.catalog.table(key.parent))
        else {
            return Ok(None);
        };
        let object = edge.object(child);
        if key.temporal {
            let problem = "references over periods of time are not followed";
            return Err(Objection::new(Code::UnsupportedReference, object, problem));
        }
        if key.columns.len() > 64 {
            return Err(Objection::new(Code::UnsupportedReference, object, "it has more than 64 columns"));
        }
        let undecidable = |problem: String| Objection::new(Code::UndecidableEquality, &object, problem);
        let domains = layouts::domains(self.catalog, edge, parent, child).map_err(undecidable)?;
        let parent_columns: Vec<AttNum> = key.columns.iter().map(|pair| pair.parent).collect();
        let definition = SetDefinition {
            tombstones: false,
            relation: key.parent,
            columns: parent_columns.clone(),
            domains: domains.clone(),
        };
        let set = match self.sets.find(&definition) {
            Some(set) => set,
            None => {
                let set = self.sets.add(definition, key::KeySet::new(&domains));
                for leaf in family::leaves(self.catalog, key.parent) {
                    let (fields, reader) = self
                        .layouts
                        .reader_in(key.parent, &parent_columns, leaf, &domains)
                        .map_err(undecidable)?;
                    self.rules_of(leaf).emits.push(Emit { fields, reader, set, prefilled: false });
                }
                set
            }
        };
        let child_columns = reach::all_columns(key);
        let tombstones = left_behind.iter().copied().find(|set| {
            let subject = &self.sets.definitions[*set];
            edge.by_rule
                && subject.relation == key.parent
                && subject.columns == parent_columns
                && subject.domains == domains
        });
        for leaf in family::leaves(self.catalog, key.child) {
            let (fields, reader, embedded) = match &edge.within {
                None => {
                    let (fields, reader) = self
                        .layouts
                        .reader_in(key.child, &child_columns, leaf, &domains)
                        .map_err(undecidable)?;
                    (fields, reader, None)
                }
                Some(_) => {
                    let (field, embedded) = self.embedded(edge, leaf, &domains).map_err(undecidable)?;
                    (vec![field], KeyReader::new(Vec::new()), Some(embedded))
                }
            };
            let takes_out = edge.within.as_ref().is_some_and(|within| within.removed.is_some());
            let on_drop = match key.on_delete {
                Action::NoAction | Action::Restrict | Action::Cascade => Effect::Drop,
                Action::SetNull if takes_out => Effect::Change(self.removal(edge, leaf)?),
                Action::SetNull | Action::SetDefault => {
                    Effect::Change(self.change(edge, leaf, &edge.changes_on_delete())?)
                }
            };
            let on_change = self.on_change(edge, leaf, reach)?;
            let guard = edge
                .when
                .as_ref()
                .map(|when| self.layouts.guard(when, leaf))
                .transpose()
                .map_err(undecidable)?;
            let probe = Probe {
                label: edge.label(),
                is_subject: false,
                fields,
                reader,
                embedded,
                guard,
                set,
                tombstones,
                on_drop,
                on_change,
            };
            self.add_probe(leaf, probe);
        }
        Ok(Some(set))
    }

    /// How the keys within a column are read: its field, and the rest.
    fn embedded(&self, edge: &Edge, leaf: Oid, domains: &[Domain]) -> Result<(usize, Embedded), String> {
        let missing = "a column is not in the snapshot";
        let (Some(within), [pair], [domain]) = (&edge.within, edge.key.columns.as_slice(), domains) else {
            return Err(missing.to_owned());
        };
        let mapped = columns_in(self.catalog, edge.key.child, &[pair.child], leaf).ok_or(missing)?;
        let [attnum] = mapped.as_slice() else { return Err(missing.to_owned()) };
        let table = self.catalog.table(leaf).ok_or(missing)?;
        let column = table.column(*attnum).ok_or(missing)?;
        let parent = self.catalog.table(edge.key.parent).and_then(|parent| parent.column(pair.parent));
        let as_text = self.layouts.of(leaf).is_some_and(|data| data.format == CopyFormat::Text);
        let field = self.layouts.field(leaf, *attnum)?;
        let mut embedded =
            inside::embedded(self.catalog, within, (table, column), parent.ok_or(missing)?, domain, as_text)?;
        if within.may_leave_nothing() {
            embedded.null_refused =
                hazards::refusal(self.catalog, self.edges, table, &edge.key, &[(*attnum, NewValue::Null)]);
        }
        Ok((field, embedded))
    }

    /// The change that takes keys out of the only column of a rule, in one leaf; by the probe that is added next.
    fn removal(&mut self, edge: &Edge, leaf: Oid) -> Result<Change, Objection> {
        let mut change = self.change(edge, leaf, &edge.changes_on_delete())?;
        let mapped = columns_in(self.catalog, edge.key.child, &reach::set_columns(&edge.key), leaf);
        let values: Vec<_> =
            mapped.unwrap_or_default().into_iter().map(|attnum| (attnum, NewValue::Remainder)).collect();
        change.refused = self
            .catalog
            .table(leaf)
            .and_then(|table| hazards::refusal(self.catalog, self.edges, table, &edge.key, &values));
        let probe = self.rules_of(leaf).probes.len();
        for field in &mut change.fields {
            field.becomes = NewField::Without(vec![probe]);
        }
        Ok(change)
    }

    fn on_change(&self, edge: &Edge, leaf: Oid, reach: &Reach) -> Result<OnChange, Objection> {
        let key = &edge.key;
        let parents = family::leaves(self.catalog, key.parent);
        let may_change = parents.iter().any(|parent| {
            let columns: Vec<AttNum> = key.columns.iter().map(|pair| pair.parent).collect();
            let mapped = columns_in(self.catalog, key.parent, &columns, *parent).unwrap_or_default();
            reach
                .changeable
                .get(parent)
                .is_some_and(|changed| mapped.iter().any(|column| changed.contains(column)))
        });
        if !may_change {
            return Ok(OnChange::Never);
        }
        Ok(match key.on_update {
            Action::NoAction | Action::Restrict => {
                OnChange::Refuse("a referenced key would become NULL while rows refer to it".to_owned())
            }
            Action::Cascade => {
                let each =
                    key.columns.iter().map(|pair| self.change(edge, leaf, &[(pair.child, Becomes::Null)]));
                OnChange::Follow(each.collect::<Result<_, _>>()?)
            }
            action => {
                let becomes = if action == Action::SetDefault { Becomes::Default } else { Becomes::Null };
                let columns: Vec<_> =
                    reach::all_columns(key).into_iter().map(|column| (column, becomes)).collect();
                OnChange::Change(self.change(edge, leaf, &columns)?)
            }
        })
    }

    /// The change that these new values make to the columns (of the reference's child) in one leaf.
    fn change(&self, edge: &Edge, leaf: Oid, columns: &[(AttNum, Becomes<'_>)]) -> Result<Change, Objection> {
        let object = format!("foreign key {}", edge.key.name);
        let missing = |what: &str| {
            Objection::new(Code::UnsupportedReference, &object, format!("{what} is not in the snapshot"))
        };
        let table = self.catalog.table(leaf).ok_or_else(|| missing("its table"))?;
        let attnums: Vec<AttNum> = columns.iter().map(|(attnum, _)| *attnum).collect();
        let mapped =
            columns_in(self.catalog, edge.key.child, &attnums, leaf).ok_or_else(|| missing("a column"))?;
        let (mut fields, mut values, mut refused, mut needs_parent) = (Vec::new(), Vec::new(), None, false);
        for (attnum, (own, becomes)) in mapped.into_iter().zip(columns) {
            let field = self
                .layouts
                .field(leaf, attnum)
                .map_err(|problem| Objection::new(Code::UnsupportedReference, &object, problem))?;
            let becomes = new_field(self.layouts, (table, attnum), *becomes).unwrap_or_else(|reason| {
                refused.get_or_insert(reason);
                NewField::Null
            });
            // Rows that refer by a rule alone may refer to nobody, such as to 0.
            let refers = || edge.key.columns.iter().any(|pair| pair.child == *own);
            needs_parent |= matches!(becomes, NewField::Constant { .. }) && !edge.by_rule && refers();
            values.push((attnum, NewValue::of(&becomes)));
            fields.push(FieldChange { field, becomes });
        }
        let refused =
            refused.or_else(|| hazards::refusal(self.catalog, self.edges, table, &edge.key, &values));
        Ok(Change { fields, refused, needs_parent })
    }

    fn add_probe(&mut self, leaf: Oid, probe: Probe) {
        self.rules_of(leaf).probes.push(probe);
    }

    fn rules_of(&mut self, leaf: Oid) -> &mut TableRules {
        let layouts = self.layouts;
        self.rules.entry(leaf).or_insert_with(|| TableRules::none(layouts, leaf))
    }

    /// Where rows can only be dropped because a tombstone names them, and the key that others refer to is the
    /// tombstone's key, the dropped keys are known without reading the table.
    ///
    /// They are then a superset: a tombstone's row may not be there. That changes nothing if every reference was
    /// validated, since nothing refers to a row that is not there.
    fn prefill(&mut self, subject_sets: &[SetId], unvalidated: &[SetId]) {
        for rules in self.rules.values_mut() {
            let only_subjects = rules.probes.iter().all(|probe| subject_sets.contains(&probe.set));
            if !only_subjects {
                continue;
            }
            for emit in rules.emits.iter_mut().filter(|emit| !unvalidated.contains(&emit.set)) {
                let same_key = |probe: &Probe| {
                    probe.fields == emit.fields && probe.reader.domains() == emit.reader.domains()
                };
                if rules.probes.iter().all(same_key) {
                    emit.prefilled = true;
                    for probe in &rules.probes {
                        let keys = self.sets.dropped[probe.set].clone();
                        self.sets.dropped[emit.set].extend(&keys);
                    }
                }
            }
        }
    }

    fn choose_scans(&mut self) {
        for rules in self.rules.values_mut() {
            let records = rules.emits.iter().any(|emit| !emit.prefilled);
            let changes = |probe: &Probe| match (&probe.on_drop, &probe.on_change) {
                (Effect::Change(change), _) => change.refused.is_some() || change.needs_parent,
                (Effect::Drop, OnChange::Never) => false,
                (Effect::Drop, _) => true,
            };
            let conflicting = rules.probes.iter().enumerate().any(|(index, probe)| match &probe.on_drop {
                Effect::Drop => false,
                Effect::Change(change) => {
                    let shares = |other: &Probe| {
                        let decides = |field: usize| change.fields.iter().any(|change| change.field == field);
                        let contradicts =
                            matches!(&other.on_drop, Effect::Change(other) if change.contradicts(other));
                        contradicts || other.decisive().any(decides)
                    };
                    rules.probes.iter().enumerate().any(|(other, probe)| other != index && shares(probe))
                }
            });
            let may_be_refused = |probe: &Probe| {
                probe.embedded.as_ref().is_some_and(|embedded| embedded.null_refused.is_some())
            };
            rules.scan = records
                || conflicting
                || rules.probes.iter().any(|probe| changes(probe) || may_be_refused(probe));
        }
    }
}

/// `MATCH FULL` allows all columns to be NULL, or none.
pub(super) fn breaks_full_match(key: &ForeignKey, nulled: impl Fn(AttNum) -> bool) -> bool {
    let count = key.columns.iter().filter(|pair| nulled(pair.child)).count();
    key.matching == Matching::Full && count > 0 && count < key.columns.len()
}
