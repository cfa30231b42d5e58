//! The row filter: the rows of one chunk in, the rows that may be loaded out.
//!
//! This is the place where an erased person's data ends. The filter is a pure function of the chunk and the finished
//! [`Filters`], so that chunks can be filtered in any order, on any worker. It walks the rows once; runs of surviving
//! rows are copied as they stand, and a chunk from which nothing is dropped is not copied at all.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lethe_format::ids::Oid;
use lethe_format::manifest::CopyFormat;
use lethe_format::{copy_binary, copy_text};

use crate::anonymise::{Filled, LookedUp, Masks, Originals};
use crate::closure::{
    FieldChange, NewField, Probe, Scratch, Sets, TableRules, Verdict, is_erased, is_hit, judge, verdict,
    without,
};
use crate::key::{KeyBuffer, KeyReader, ValueError};
use crate::objection::Objection;
use crate::only::{Owned, Wanted};

/// The finished closure: what is asked of each row.
#[derive(Debug)]
pub struct Filters {
    pub(crate) rules: BTreeMap<Oid, TableRules>,
    pub(crate) sets: Sets,
    pub(crate) masks: Masks,
    /// Set if a few subjects are restored alone: whose rows come back.
    pub(crate) owned: Option<Owned>,
    /// Set with it: which rows of shared tables come back.
    pub(crate) wanted: Option<Wanted>,
}

/// What random values are made from.
#[derive(Clone, Copy, Default)]
pub struct Seeds {
    /// For values that hang on a row's place: another one for each chunk.
    pub row: [u8; 32],
    /// For values that hang on the old value: one for the whole restore, and for no other.
    pub value: [u8; 32],
}

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seeds")
    }
}

/// What became of the rows of one chunk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub read: u64,
    pub loaded: u64,
    pub dropped: u64,
    /// Of the loaded rows, those with another value in some column.
    pub changed: u64,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.loaded += other.loaded;
        self.dropped += other.dropped;
        self.changed += other.changed;
    }
}

/// Why a chunk cannot be filtered. Nothing of it may be loaded then. Names tables, never values.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("a row of {table} cannot be read")]
    Rows {
        table: String,
        #[source]
        cause: RowError,
    },
    #[error("a key in a row of {table} cannot be read")]
    Key {
        table: String,
        #[source]
        cause: ValueError,
    },
    #[error("a row of {table} could not be decided: {problem}")]
    Undecided { table: String, problem: String },
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RowError {
    #[error(transparent)]
    Binary(#[from] copy_binary::Error),
    #[error(transparent)]
    Text(#[from] copy_text::Error),
}

impl Filters {
    /// The surviving rows of a chunk of the table, and the counts of all its rows.
    ///
    /// `row_count` is the manifest's: a table that no tombstone can reach is passed through without being walked.
    /// The same seeds make the same random values.
    ///
    /// # Errors
    /// If the rows do not parse, or a conflict shows that the plan should have found. Nothing may be loaded then.
    pub fn apply<'a>(
        &self,
        table: Oid,
        chunk: &'a [u8],
        row_count: u64,
        seeds: &Seeds,
    ) -> Result<(Cow<'a, [u8]>, Counts), Error> {
        let untouched = Counts { read: row_count, loaded: row_count, dropped: 0, changed: 0 };
        if !self.touches(table) {
            return Ok((Cow::Borrowed(chunk), untouched));
        }
        let Some(rules) = self.rules.get(&table) else {
            return Err(Error::Undecided { table: table.to_string(), problem: "it has no rules".to_owned() });
        };
        let masked = self.masks.touch(table);
        let emptied = self.masks.everybody.empties(table);
        let groups = self.masks.everybody.keys(&seeds.value);
        let mut scratch = Scratch::default();
        let mut output = Output { chunk, kept_from: 0, rows: None };
        let mut counts = Counts::default();
        for_each_row(rules, chunk, |row, place| {
            counts.read += 1;
            if emptied {
                counts.dropped += 1;
                return output.replace(place, |_| Ok(()));
            }
            let unreadable = |cause| Error::Key { table: rules.name.clone(), cause };
            let verdict = if self.owned.is_some() {
                self.judge(table, rules, row, &mut scratch).map_err(unreadable)?
            } else if is_hit(rules, &self.sets, row, &mut scratch).map_err(unreadable)? {
                verdict(rules, &scratch)
            } else if masked {
                Verdict::Keep
            } else {
                counts.loaded += 1;
                return Ok(());
            };
            let changes = match verdict {
                Verdict::Keep => Vec::new(),
                Verdict::Change(change) => change.fields,
                Verdict::Drop => {
                    counts.dropped += 1;
                    return output.replace(place, |_| Ok(()));
                }
                Verdict::Conflict(objection) => {
                    return Err(Error::Undecided { table: rules.name.clone(), problem: objection.problem });
                }
            };
            let number = counts.read;
            let changed = self.new_fields(rules, row, &changes, (seeds, number), &mut scratch.key)?;
            let after = with(row.fields, changed.iter().map(|(field, value)| (*field, value.as_deref())));
            let mut filled: Vec<Filled<'_>> = Vec::new();
            if masked {
                // What an erasure has taken away, no mask may bring back.
                let after = Row { format: row.format, fields: &after };
                filled = self
                    .masks
                    .apply(table, (row, &after), seeds, &groups, number, &mut scratch.key)
                    .map_err(unreadable)?;
            }
            counts.loaded += 1;
            if changes.is_empty() && filled.is_empty() {
                return Ok(());
            }
            counts.changed += 1;
            output.replace(place, |out| {
                let fields = with(&after, filled.iter().map(|(field, value)| (*field, value.as_deref())));
                write_row(rules, &fields, out)
            })
        })?;
        Ok((output.finish(), counts))
    }

    /// The new values of the fields that an erasure changes. `number` is the row's place in its chunk.
    fn new_fields<'a>(
        &'a self,
        rules: &TableRules,
        row: &Row<'_>,
        changes: &'a [FieldChange],
        (seeds, number): (&Seeds, u64),
        key: &mut KeyBuffer,
    ) -> Result<Vec<Filled<'a>>, Error> {
        let new_field = |FieldChange { field, becomes }: &'a FieldChange| {
            let value = match becomes {
                NewField::Null => None,
                NewField::Constant { copied, .. } => Some(Cow::Borrowed(copied.as_ref())),
                NewField::Made(made) => made
                    .by_row(row, *field, &self.masks.words, (seeds, number))
                    .map_err(|cause| Error::Key { table: rules.name.clone(), cause })?
                    .map(Cow::Owned),
                NewField::Without(probes) => without(rules, &self.sets, row, *field, probes, key)
                    .map_err(|cause| Error::Key { table: rules.name.clone(), cause })?
                    .map_err(|Objection { problem, .. }| Error::Undecided {
                        table: rules.name.clone(),
                        problem,
                    })?
                    .map(Cow::Owned),
            };
            Ok((*field, value))
        };
        changes.iter().map(new_field).collect()
    }

    /// What becomes of a row if a few subjects are restored alone.
    pub(crate) fn judge(
        &self,
        table: Oid,
        rules: &TableRules,
        row: &Row<'_>,
        scratch: &mut Scratch,
    ) -> Result<Verdict, ValueError> {
        if let Some(owned) = &self.owned
            && !owned.owns(table, row, scratch)?
        {
            return Ok(Verdict::Drop);
        }
        let verdict = judge(rules, &self.sets, row, scratch)?;
        if let (Some(wanted), Some(changes)) = (&self.wanted, verdict.changes())
            && !wanted.wants(table, row, changes, &mut scratch.key)?
        {
            return Ok(Verdict::Drop);
        }
        Ok(verdict)
    }

    /// The fields of a row that do not come back as they are; none if the row does not come back.
    pub(crate) fn new_values(
        &self,
        table: Oid,
        row: &Row<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<Vec<usize>>, ValueError> {
        let mut fields = Vec::new();
        if let Some(rules) = self.rules.get(&table) {
            let verdict = self.judge(table, rules, row, scratch)?;
            let Some(changes) = verdict.changes() else { return Ok(None) };
            fields.extend(changes.iter().map(|change| change.field));
        }
        if self.masks.touch(table) {
            let seeds = Seeds::default();
            let groups = self.masks.everybody.keys(&seeds.value);
            let masked = self.masks.apply(table, (row, row), &seeds, &groups, 0, &mut scratch.key)?;
            // A key that is masked for everybody still refers to the same row, which is masked alike.
            let for_everybody = self.masks.everybody.fills(table);
            let is_for_everybody =
                |position: &usize| for_everybody.into_iter().flatten().any(|(other, _)| other == position);
            let positions = masked.into_iter().map(|(position, _)| position);
            fields.extend(positions.filter(|position| !is_for_everybody(position)));
        }
        Ok(Some(fields))
    }

    /// How many of these rows of a restored table are those of somebody who was erased: there should be none. Rows that
    /// applications have added since count as well.
    ///
    /// # Errors
    /// If the rows do not parse.
    pub fn count_erased(&self, table: Oid, rows: &[u8]) -> Result<u64, Error> {
        let Some(rules) = self.rules.get(&table) else { return Ok(0) };
        let (mut key, mut erased) = (KeyBuffer::default(), 0);
        for_each_row(rules, rows, |row, _| {
            let unreadable = |cause| Error::Key { table: rules.name.clone(), cause };
            erased += u64::from(is_erased(rules, &self.sets, row, &mut key).map_err(unreadable)?);
            Ok::<_, Error>(())
        })?;
        Ok(erased)
    }

    /// The stored values of masked columns in the first rows of a chunk, for [`Self::look_for`]. The seeds are those that it was filtered with.
    ///
    /// # Errors
    /// If the rows do not parse.
    pub fn originals(&self, table: Oid, chunk: &[u8], most: u64, seeds: &Seeds) -> Result<Originals, Error> {
        let mut originals = Originals::default();
        let (Some(rules), Some(fills)) = (self.rules.get(&table), self.masks.everybody.fills(table)) else {
            return Ok(originals);
        };
        let groups = self.masks.everybody.keys(&seeds.value);
        let (mut key, mut number) = (KeyBuffer::default(), 0);
        for_each_row(rules, chunk, |row, _| {
            number += 1;
            if number > most {
                return Ok(());
            }
            let unreadable = |cause| Error::Key { table: rules.name.clone(), cause };
            let masked =
                self.masks.apply(table, (row, row), seeds, &groups, number, &mut key).map_err(unreadable)?;
            originals.add(row, fills, |field| masked.iter().any(|(masked, _)| *masked == field));
            Ok::<_, Error>(())
        })?;
        Ok(originals)
    }

    /// Looks for stored values in rows of a restored table: there should be none.
    ///
    /// # Errors
    /// If the rows do not parse.
    pub fn look_for(
        &self,
        table: Oid,
        originals: &Originals,
        rows: &[u8],
        found: &mut LookedUp,
    ) -> Result<(), Error> {
        let Some(rules) = self.rules.get(&table) else { return Ok(()) };
        for_each_row(rules, rows, |row, _| {
            originals.look(row, found);
            Ok::<_, Error>(())
        })
    }

    /// False if no row of the table can be dropped or changed.
    fn may_touch(&self, rules: &TableRules) -> bool {
        let any = |set: usize| !self.sets.is_empty(set);
        rules.probes.iter().any(|probe| any(probe.set) || probe.tombstones.is_some_and(any))
    }

    /// Whether rows of this table can be told from tombstones alone: a subject's own, and those that refer to it by a rule
    /// of the settings, which no server checks.
    #[must_use]
    pub fn is_subject(&self, table: Oid) -> bool {
        self.rules.get(&table).is_some_and(|rules| {
            rules.probes.iter().any(|probe| probe.is_subject || probe.tombstones.is_some())
        })
    }

    /// Whether rows of this table may be dropped or changed at all.
    #[must_use]
    pub fn touches(&self, table: Oid) -> bool {
        self.owned.is_some()
            || self.rules.get(&table).is_some_and(|rules| self.may_touch(rules))
            || self.masks.touch(table)
            || self.masks.everybody.empties(table)
    }

    /// Whether every row of the table is masked.
    #[must_use]
    pub fn masks_everybody(&self, table: Oid) -> bool {
        self.masks.everybody.fills(table).is_some()
    }

    /// Whether what stands in the target can be asked again for erased people's keys: not where those are masked.
    #[must_use]
    pub fn keeps_keys(&self, table: Oid) -> bool {
        let fills = self.masks.everybody.fills(table);
        let masked = |field: &usize| fills.into_iter().flatten().any(|(position, _)| position == field);
        self.rules.get(&table).is_none_or(|rules| {
            let asked = |probe: &Probe| {
                probe.fields.iter().copied().chain(probe.decisive()).any(|field| masked(&field))
            };
            !rules.probes.iter().any(asked)
        })
    }
}

/// Keeps runs of rows; is materialised by the first row that is not kept as it stands.
struct Output<'a> {
    chunk: &'a [u8],
    /// Where the run of kept rows began that is not copied yet.
    kept_from: usize,
    rows: Option<Vec<u8>>,
}

impl<'a> Output<'a> {
    fn replace(
        &mut self,
        row: Place,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let rows = self.rows.get_or_insert_with(|| Vec::with_capacity(self.chunk.len()));
        rows.extend_from_slice(&self.chunk[self.kept_from..row.start]);
        self.kept_from = row.end;
        write(rows)
    }

    fn finish(self) -> Cow<'a, [u8]> {
        match self.rows {
            None => Cow::Borrowed(self.chunk),
            Some(mut rows) => {
                rows.extend_from_slice(&self.chunk[self.kept_from..]);
                Cow::Owned(rows)
            }
        }
    }
}

/// Where a row lies in its chunk.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    start: usize,
    end: usize,
}

/// One row, its fields as COPY wrote them.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub format: CopyFormat,
    pub fields: &'a [Option<&'a [u8]>],
}

impl Row<'_> {
    /// Reads a key; false if one of its columns is NULL, since NULL refers to nothing (`MATCH SIMPLE`).
    #[inline]
    pub(crate) fn read_key(
        &self,
        fields: &[usize],
        reader: &KeyReader,
        key: &mut KeyBuffer,
    ) -> Result<bool, ValueError> {
        let stored = |field: &usize| self.fields.get(*field).copied().flatten();
        if let ([only], CopyFormat::Binary) = (fields, self.format) {
            let Some(value) = stored(only) else { return Ok(false) };
            reader.binary(std::iter::once(value), key)?;
            return Ok(true);
        }
        if fields.iter().any(|field| stored(field).is_none()) {
            return Ok(false);
        }
        let values = fields.iter().filter_map(stored);
        match self.format {
            CopyFormat::Binary => reader.binary(values, key)?,
            CopyFormat::Text if !values.clone().any(copy_text::is_escaped) => reader.text(values, key)?,
            CopyFormat::Text => {
                let values: Result<Vec<_>, _> = fields.iter().map(|field| self.value(*field)).collect();
                self.read_values(&values?.into_iter().flatten().collect::<Vec<_>>(), reader, key)?;
            }
        }
        Ok(true)
    }
}

impl<'a> Row<'a> {
    /// One value, not escaped; none for NULL.
    pub(crate) fn value(&self, field: usize) -> Result<Option<Cow<'a, [u8]>>, ValueError> {
        let stored = self.fields.get(field).copied().flatten();
        match (stored, self.format) {
            (None, _) => Ok(None),
            (Some(stored), CopyFormat::Binary) => Ok(Some(Cow::Borrowed(stored))),
            (Some(stored), CopyFormat::Text) => copy_text::unescape(stored)
                .map(Some)
                .map_err(|_| ValueError::Malformed { expected: "escaped text" }),
        }
    }

    /// Reads a key from values that are not escaped.
    pub(crate) fn read_values(
        &self,
        values: &[Cow<'_, [u8]>],
        reader: &KeyReader,
        key: &mut KeyBuffer,
    ) -> Result<(), ValueError> {
        match self.format {
            CopyFormat::Binary => reader.binary(values.iter().map(AsRef::as_ref), key),
            CopyFormat::Text => reader.text(values.iter().map(AsRef::as_ref), key),
        }
    }
}

/// A row's fields, some of them with other values.
fn with<'a>(
    fields: &'a [Option<&'a [u8]>],
    values: impl Iterator<Item = (usize, Option<&'a [u8]>)>,
) -> Cow<'a, [Option<&'a [u8]>]> {
    let mut fields = Cow::Borrowed(fields);
    for (position, value) in values {
        if let Some(field) = fields.to_mut().get_mut(position) {
            *field = value;
        }
    }
    fields
}

/// Walks the rows of a chunk.
pub(crate) fn for_each_row<E: From<Error>>(
    rules: &TableRules,
    chunk: &[u8],
    mut visit: impl FnMut(&Row<'_>, Place) -> Result<(), E>,
) -> Result<(), E> {
    let mut fields = Vec::new();
    let mut rest = chunk;
    loop {
        let next = match rules.format {
            CopyFormat::Binary => {
                copy_binary::next_row(rest, rules.field_count, &mut fields).map_err(RowError::from)
            }
            CopyFormat::Text => {
                copy_text::next_row(rest, rules.field_count, &mut fields).map_err(RowError::from)
            }
        };
        let next = next.map_err(|cause| Error::Rows { table: rules.name.clone(), cause })?;
        let Some((row, after)) = next else { return Ok(()) };
        let start = chunk.len() - rest.len();
        visit(&Row { format: rules.format, fields: &fields }, Place { start, end: start + row.len() })?;
        rest = after;
    }
}

fn write_row(rules: &TableRules, fields: &[Option<&[u8]>], out: &mut Vec<u8>) -> Result<(), Error> {
    match rules.format {
        CopyFormat::Binary => copy_binary::write_row(fields, out)
            .map_err(|cause| Error::Rows { table: rules.name.clone(), cause: cause.into() }),
        CopyFormat::Text => {
            copy_text::write_row(fields, out);
            Ok(())
        }
    }
}
