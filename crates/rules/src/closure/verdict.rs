//! The verdict over one row: kept, dropped or changed, or a conflict that nobody may decide by guessing.

use lethe_format::copy_text;
use lethe_format::manifest::CopyFormat;

use super::sets::Sets;
use super::table_rules::{Effect, FieldChange, Guard, NewField, OnChange, Probe, TableRules, contradict};
use crate::embedded::{self, Embedded};
use crate::key::{KeyBuffer, ValueError};
use crate::objection::{Code, Objection};
use crate::row_filter::Row;

#[derive(Debug)]
pub(crate) enum Verdict {
    Keep,
    Drop,
    Change(RowChange),
    /// The server would refuse, or the outcome hangs on the order in which its triggers fire.
    Conflict(Objection),
}

impl Verdict {
    /// What is changed in a row that stays; none if it does not.
    pub(crate) fn changes(&self) -> Option<&[FieldChange]> {
        match self {
            Self::Keep => Some(&[]),
            Self::Change(change) => Some(&change.fields),
            Self::Drop | Self::Conflict(_) => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct RowChange {
    /// Sorted by field, each field once.
    pub fields: Vec<FieldChange>,
    /// Probes whose foreign key, with the new values, needs a parent that is there.
    pub needs_parent: Vec<usize>,
}

/// Buffers that serve every row of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub key: KeyBuffer,
    hits: Vec<(usize, Option<u64>)>,
}

/// Judges a row.
#[inline]
pub(crate) fn judge(
    rules: &TableRules,
    sets: &Sets,
    row: &Row<'_>,
    scratch: &mut Scratch,
) -> Result<Verdict, ValueError> {
    Ok(if is_hit(rules, sets, row, scratch)? { verdict(rules, scratch) } else { Verdict::Keep })
}

/// Whether the row refers to anything that is gone or changed: the question that nearly every row answers with no. What it
/// refers to is left in `scratch`, for [`verdict`].
#[inline]
pub(crate) fn is_hit(
    rules: &TableRules,
    sets: &Sets,
    row: &Row<'_>,
    scratch: &mut Scratch,
) -> Result<bool, ValueError> {
    scratch.hits.clear();
    for (index, probe) in rules.probes.iter().enumerate() {
        let asked = !sets.is_empty(probe.set) || probe.tombstones.is_some();
        if !asked {
            continue;
        }
        let hit = if let Some(embedded) = &probe.embedded {
            let Some(hit) = hit_within(probe, embedded, sets, row, &mut scratch.key)? else { continue };
            (index, hit)
        } else if !row.read_key(&probe.fields, &probe.reader, &mut scratch.key)? {
            continue;
        } else if probe.is_gone(sets, &scratch.key) {
            (index, None)
        } else if let Some(nulled) = sets.changed[probe.set].get(&scratch.key) {
            (index, Some(nulled))
        } else {
            continue;
        };
        // Read last: few rows refer to anybody who is gone, whatever their kind.
        if is_asked(probe.guard.as_ref(), row, &mut scratch.key)? {
            scratch.hits.push(hit);
        }
    }
    Ok(!scratch.hits.is_empty())
}

/// Whether a reference that depends on another field is there in this row.
pub(crate) fn is_asked(
    guard: Option<&Guard>,
    row: &Row<'_>,
    key: &mut KeyBuffer,
) -> Result<bool, ValueError> {
    let Some(guard) = guard else { return Ok(true) };
    Ok(row.read_key(&guard.fields, &guard.reader, key)? && guard.value.contains(key))
}

/// Whether a row that is in the target already refers to somebody who was erased. Rows that came to it since do not count
/// as others' where few were restored alone.
pub(crate) fn is_erased(
    rules: &TableRules,
    sets: &Sets,
    row: &Row<'_>,
    key: &mut KeyBuffer,
) -> Result<bool, ValueError> {
    for probe in &rules.probes {
        let dropped = |set: usize, key: &KeyBuffer| sets.dropped[set].contains(key);
        let is_gone = |key: &KeyBuffer| {
            dropped(probe.set, key) || probe.tombstones.is_some_and(|set| dropped(set, key))
        };
        let erased = match (&probe.embedded, probe.fields.first()) {
            (Some(embedded), Some(field)) => embedded.any(row, *field, key, is_gone)?,
            _ if !matches!(probe.on_drop, Effect::Drop) => false,
            _ => row.read_key(&probe.fields, &probe.reader, key)? && is_gone(key),
        };
        if erased && is_asked(probe.guard.as_ref(), row, key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether any of the keys within the field is gone or, which counts more, was changed: then a server would refuse.
fn hit_within(
    probe: &Probe,
    embedded: &Embedded,
    sets: &Sets,
    row: &Row<'_>,
    key: &mut KeyBuffer,
) -> Result<Option<Option<u64>>, ValueError> {
    let Some(field) = probe.fields.first().copied() else { return Ok(None) };
    let changed = &sets.changed[probe.set];
    if !changed.is_empty() && !matches!(probe.on_change, OnChange::Never) {
        let mut nulled = None;
        embedded.any(row, field, key, |key| {
            nulled = changed.get(key);
            nulled.is_some()
        })?;
        if nulled.is_some() {
            return Ok(Some(nulled));
        }
    }
    Ok(embedded.any(row, field, key, |key| probe.is_gone(sets, key))?.then_some(None))
}

/// The field's new value as COPY carries it, none for NULL; an objection where the column does not take a NULL.
pub(crate) fn without(
    rules: &TableRules,
    sets: &Sets,
    row: &Row<'_>,
    field: usize,
    found_by: &[usize],
    key: &mut KeyBuffer,
) -> Result<Result<Option<Vec<u8>>, Objection>, ValueError> {
    let probes = found_by.iter().filter_map(|index| rules.probes.get(*index));
    let left = embedded::without(row, field, probes.clone(), sets, key)?;
    let Some(left) = left else {
        let mut refusals =
            probes.filter_map(|probe| Some((probe, probe.embedded.as_ref()?.null_refused.as_ref()?)));
        return Ok(match refusals.next() {
            Some((probe, reason)) => Err(refused(rules, probe, reason)),
            None => Ok(None),
        });
    };
    Ok(Ok(Some(match rules.format {
        CopyFormat::Binary => left,
        CopyFormat::Text => {
            let mut escaped = Vec::with_capacity(left.len());
            copy_text::escape_into(&left, &mut escaped);
            escaped
        }
    })))
}

/// What becomes of the row that was asked about last, and was hit.
pub(crate) fn verdict(rules: &TableRules, scratch: &Scratch) -> Verdict {
    let drops = |(index, nulled): &(usize, Option<u64>)| {
        nulled.is_none() && matches!(rules.probes[*index].on_drop, Effect::Drop)
    };
    if scratch.hits.iter().all(drops) {
        return Verdict::Drop;
    }
    resolve(rules, &scratch.hits)
}

/// One probe's effect on this row.
struct Hit<'a> {
    index: usize,
    probe: &'a Probe,
    /// None: the row is dropped.
    change: Option<Vec<FieldChange>>,
}

impl Hit<'_> {
    fn contradicts(&self, other: &Self) -> bool {
        let changes = self.change.as_ref().zip(other.change.as_ref());
        changes.is_some_and(|(one, other)| contradict(one, other))
    }

    fn changes(&self, field: usize) -> bool {
        self.change.as_ref().is_some_and(|change| change.iter().any(|change| change.field == field))
    }
}

/// Several references, or one that changes the row: the outcome must be the same in whatever order they fire.
fn resolve(rules: &TableRules, hits: &[(usize, Option<u64>)]) -> Verdict {
    let mut effects = Vec::new();
    for (index, nulled) in hits {
        match effect(rules, *index, *nulled) {
            Ok(hit) => effects.push(hit),
            Err(objection) => return Verdict::Conflict(objection),
        }
    }
    let Some(outcome) = outcome(&effects) else { return order_dependent(rules, &effects) };
    let touches_key = |hit: &Hit<'_>, fields: &[usize]| fields.iter().any(|field| hit.changes(*field));
    let touching_most = rules
        .emits
        .iter()
        .map(|emit| effects.iter().filter(|hit| touches_key(hit, &emit.fields)).count())
        .max();
    let touching_most = touching_most.unwrap_or(0);
    let needs_parent =
        |hit: &&Hit<'_>| matches!(&hit.probe.on_drop, Effect::Change(change) if change.needs_parent);
    match outcome {
        // Rows that refer to this one would be kept or dropped, depending on whether the change came before the drop.
        None if touching_most > 0 => order_dependent(rules, &effects),
        // Until it is dropped, the row may refer to a default that is gone by then, which the server refuses.
        None if effects.iter().any(|hit| needs_parent(&hit)) => order_dependent(rules, &effects),
        None => Verdict::Drop,
        // The second of two changes to one key no longer reaches the rows that refer to it.
        Some(_) if touching_most > 1 => order_dependent(rules, &effects),
        Some(fields) => Verdict::Change(RowChange {
            needs_parent: effects.iter().filter(needs_parent).map(|hit| hit.index).collect(),
            fields,
        }),
    }
}

fn refused(rules: &TableRules, probe: &Probe, reason: &str) -> Objection {
    Objection::new(Code::ErasureRefused, &rules.name, format!("{}: {reason}", probe.label))
        .hint("the server itself would refuse this erasure; decide what happens to the referencing rows, for instance by another ON DELETE action")
}

fn effect<'a>(rules: &'a TableRules, index: usize, nulled: Option<u64>) -> Result<Hit<'a>, Objection> {
    let probe = &rules.probes[index];
    let hit = |change| Hit { index, probe, change };
    let checked = |change: &'a super::table_rules::Change| match &change.refused {
        Some(reason) => Err(refused(rules, probe, reason)),
        None => Ok(change.fields.clone()),
    };
    let Some(nulled) = nulled else {
        return Ok(hit(match &probe.on_drop {
            Effect::Drop => None,
            Effect::Change(change) => Some(checked(change)?),
        }));
    };
    match &probe.on_change {
        OnChange::Never => Ok(hit(Some(Vec::new()))),
        OnChange::Refuse(reason) => Err(refused(rules, probe, reason)),
        OnChange::Change(change) => Ok(hit(Some(checked(change)?))),
        OnChange::Follow(by_position) => {
            let mut fields = Vec::new();
            for (position, change) in by_position.iter().enumerate() {
                if nulled & (1 << position) != 0 {
                    fields.extend(checked(change)?);
                }
            }
            Ok(hit(Some(fields)))
        }
    }
}

/// What is left of the row, in whatever order the triggers fire: nothing, or the changed fields. None if the orders do
/// not agree, or are too many to be played.
fn outcome(hits: &[Hit<'_>]) -> Option<Option<Vec<FieldChange>>> {
    let mut changed = Vec::new();
    let mut agreed = true;
    for group in dependent(hits) {
        // 120 orders; more references that all share columns are left to a person.
        if group.len() > 5 {
            return None;
        }
        let mut outcomes = permutations(group.len()).into_iter().map(|order| {
            let order: Vec<usize> = order.into_iter().map(|place| group[place]).collect();
            play(hits, &order)
        });
        let first = outcomes.next().flatten();
        let same = outcomes.all(|other| other == first);
        match first {
            // Whatever the others do, this group drops the row in any order.
            None if same => return Some(None),
            _ if !same => agreed = false,
            None => {}
            Some(fields) => changed.extend(fields),
        }
    }
    agreed.then_some(Some(one_for_each(changed)))
}

/// Hits in groups such that no hit changes a column that a hit of another group refers by, or overwrites otherwise: groups
/// cannot affect each other.
fn dependent(hits: &[Hit<'_>]) -> Vec<Vec<usize>> {
    let affects = |one: &Hit<'_>, other: &Hit<'_>| other.probe.decisive().any(|field| one.changes(field));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, hit) in hits.iter().enumerate() {
        let touches = |group: &Vec<usize>| {
            group
                .iter()
                .map(|other| &hits[*other])
                .any(|other| affects(hit, other) || affects(other, hit) || hit.contradicts(other))
        };
        let (joined, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(touches);
        groups = apart;
        groups.push(joined.into_iter().flatten().chain([index]).collect());
    }
    groups
}

/// What is left of the row when the triggers fire in this order: nothing, or the changed fields.
fn play(hits: &[Hit<'_>], order: &[usize]) -> Option<Vec<FieldChange>> {
    let mut changed: Vec<FieldChange> = Vec::new();
    for hit in order.iter().map(|index| &hits[*index]) {
        // A reference of which a column has changed no longer matches.
        if hit.probe.decisive().any(|field| changed.iter().any(|change| change.field == field)) {
            continue;
        }
        match &hit.change {
            None => return None,
            Some(change) => changed.extend(change.iter().cloned()),
        }
    }
    Some(one_for_each(changed))
}

/// One change for each field, sorted: a new value replaces what another change would have left of the old one, and all that is to
/// be taken out of one value is taken out together.
fn one_for_each(mut changes: Vec<FieldChange>) -> Vec<FieldChange> {
    changes.sort_by_key(|change| (change.field, matches!(change.becomes, NewField::Without(_))));
    let mut merged: Vec<FieldChange> = Vec::with_capacity(changes.len());
    for change in changes {
        let last = merged.last_mut().filter(|last| last.field == change.field);
        match (last.map(|last| &mut last.becomes), change.becomes) {
            (None, becomes) => merged.push(FieldChange { becomes, ..change }),
            (Some(NewField::Without(all)), NewField::Without(more)) => {
                all.extend(more);
                all.sort_unstable();
                all.dedup();
            }
            (Some(_), _) => {}
        }
    }
    merged
}

fn order_dependent(rules: &TableRules, hits: &[Hit<'_>]) -> Verdict {
    let mut labels: Vec<&str> = hits.iter().map(|hit| hit.probe.label.as_str()).collect();
    labels.sort_unstable();
    let problem =
        format!("what happens to a row hangs on the order in which these fire: {}", labels.join(", "));
    Verdict::Conflict(
        Objection::new(Code::OrderDependent, &rules.name, problem)
            .hint("give the foreign keys actions that agree, or columns of their own"),
    )
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |position| {
                    let mut longer = order.clone();
                    longer.insert(position, next);
                    longer
                })
            })
            .collect();
    }
    all
}
