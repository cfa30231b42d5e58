//! The rule for people who were not seen for long: whoever an old snapshot would bring back is anonymised on the way.

use lethe_format::catalog::Catalog;
use lethe_format::ids::Oid;
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::manifest::{CopyFormat, TableData};
use roaring::RoaringTreemap;

use super::Masks;
use super::random::uuid_text;
use crate::closure::{family, subject_key};
use crate::key::{self, Domain, KeyBuffer, KeyReader, KeySet, Reader, Source, ValueError};
use crate::objection::{Code, Objection};
use crate::row_filter::Row;

/// `[inactive]` of the settings.
#[derive(Clone, Debug)]
pub struct InactiveRule {
    pub subject: SubjectRef,
    /// A `date`, `timestamp` or `timestamptz` column of the subject's table.
    pub column: String,
    /// Whoever was last seen before this is anonymised: microseconds since 2000-01-01, PostgreSQL's epoch.
    pub before: i64,
}

/// The rule bound to the rows of each of the subject's tables.
#[derive(Debug)]
pub(crate) struct Inactive {
    pub subject: SubjectRef,
    before: i64,
    pub tables: Vec<InactiveTable>,
    /// Index into [`Masks::keys`].
    pub mask: usize,
    integers: RoaringTreemap,
    tuples: Vec<Vec<String>>,
}

#[derive(Debug)]
pub(crate) struct InactiveTable {
    pub table: Oid,
    fields: Vec<usize>,
    key: KeyReader,
    seen_field: usize,
    seen: Reader,
}

/// Binds the rule. Its people are collected in a key set of their own, which the subject's masks ask.
pub(crate) fn bind(
    catalog: &Catalog,
    data: &[TableData],
    rule: &InactiveRule,
    masks: &Masks,
) -> Result<Inactive, Objection> {
    let object = format!("[inactive], subject {}", rule.subject);
    let shape = subject_key(catalog, &rule.subject)?;
    let mask = masks.find(&shape);
    let mask = mask.ok_or_else(|| {
        Objection::new(Code::MissingMask, &object, "no columns are named that would be overwritten")
            .hint("add an [[anonymise]] section for the subject to lethe.toml")
    })?;
    let mut tables = Vec::new();
    for leaf in family::reached_by_delete(catalog, shape.table) {
        let (Some(table), Some(layout)) = (catalog.table(leaf), data.iter().find(|data| data.table == leaf))
        else {
            continue;
        };
        let unknown = |problem: String| Objection::new(Code::UnknownSubject, &object, problem);
        let column = table
            .column_named(&rule.column)
            .ok_or_else(|| unknown(format!("{} has no column {}", table.name, rule.column)))?;
        let position = |attnum: i16| layout.columns.iter().position(|stored| *stored == attnum);
        let domain = key::column_domain(catalog, column).ok();
        let times = [Domain::Timestamp, Domain::Exact(Source::TimestampTz), Domain::Exact(Source::Date)];
        let seen = domain.filter(|domain| times.contains(domain));
        let seen = seen.and_then(|domain| key::reader(catalog, column, &domain).ok());
        let (Some(seen), Some(seen_field)) = (seen, position(column.attnum)) else {
            return Err(unknown(format!("{}.{} holds no date or time", table.name, column.name)));
        };
        let mapped =
            crate::closure::columns_in(catalog, shape.table, &shape.columns, leaf).unwrap_or_default();
        let fields: Option<Vec<usize>> = mapped.iter().map(|attnum| position(*attnum)).collect();
        let fields = fields.ok_or_else(|| unknown(format!("the key is not stored in {}", table.name)))?;
        if !shape
            .reader
            .columns()
            .iter()
            .all(|column| layout.format == CopyFormat::Text || printable(&column.source))
        {
            return Err(unknown(
                "its key cannot be written to the ledger: it is no number, text or UUID".to_owned(),
            ));
        }
        tables.push(InactiveTable { table: leaf, fields, key: shape.reader.clone(), seen_field, seen });
    }
    Ok(Inactive {
        subject: rule.subject.clone(),
        before: rule.before,
        tables,
        mask,
        integers: RoaringTreemap::new(),
        tuples: Vec::new(),
    })
}

impl Inactive {
    /// Notes the row's person if it was not seen since; people without a time are left alone.
    pub(crate) fn observe(
        &mut self,
        table: Oid,
        row: &Row<'_>,
        keys: &mut KeySet,
        buffer: &mut KeyBuffer,
    ) -> Result<(), ValueError> {
        let Some(bound) = self.tables.iter().find(|bound| bound.table == table) else { return Ok(()) };
        let Some(value) = row.value(bound.seen_field)? else { return Ok(()) };
        if micros(&bound.seen, row.format, &value)? >= self.before
            || !row.read_key(&bound.fields, &bound.key, buffer)?
            || !keys.insert(buffer)
        {
            return Ok(());
        }
        let mut tuple = Vec::new();
        for (field, reader) in bound.fields.iter().zip(bound.key.columns()) {
            let Some(value) = row.value(*field)? else { return Ok(()) };
            tuple.push(text(&reader.source, row.format, &value)?);
        }
        match tuple.as_slice() {
            [only] if bound.key.domains() == [Domain::Integer] => {
                let number: i64 = only.parse().map_err(|_| ValueError::Malformed { expected: "integer" })?;
                self.integers.insert(number.cast_unsigned());
            }
            _ => self.tuples.push(tuple),
        }
        Ok(())
    }

    /// Whom the ledger does not know yet.
    pub(crate) fn found(&self) -> Option<(SubjectRef, Keys)> {
        if !self.integers.is_empty() {
            return Some((self.subject.clone(), Keys::Integers(self.integers.clone())));
        }
        (!self.tuples.is_empty()).then(|| (self.subject.clone(), Keys::Tuples(self.tuples.clone())))
    }
}

fn printable(source: &Source) -> bool {
    matches!(source, Source::Int2 | Source::Int4 | Source::Int8 | Source::Text | Source::Uuid)
}

/// A date or time as microseconds since 2000-01-01.
fn micros(reader: &Reader, format: CopyFormat, value: &[u8]) -> Result<i64, ValueError> {
    let mut canonical = Vec::new();
    match format {
        CopyFormat::Binary => reader.binary(value, &mut canonical)?,
        CopyFormat::Text => reader.text(value, &mut canonical)?,
    }
    if let Ok(bytes) = <[u8; 8]>::try_from(canonical.as_slice()) {
        return Ok(i64::from_be_bytes(bytes));
    }
    let bytes: [u8; 4] =
        canonical.as_slice().try_into().map_err(|_| ValueError::Malformed { expected: "date or time" })?;
    Ok(i64::from(i32::from_be_bytes(bytes)).saturating_mul(86_400_000_000))
}

fn text(source: &Source, format: CopyFormat, value: &[u8]) -> Result<String, ValueError> {
    let malformed = ValueError::Malformed { expected: "key" };
    if format == CopyFormat::Binary {
        let number = match source {
            Source::Int2 => value.try_into().ok().map(|bytes| i64::from(i16::from_be_bytes(bytes))),
            Source::Int4 => value.try_into().ok().map(|bytes| i64::from(i32::from_be_bytes(bytes))),
            Source::Int8 => value.try_into().ok().map(i64::from_be_bytes),
            _ => None,
        };
        if let Some(number) = number {
            return Ok(number.to_string());
        }
        if *source == Source::Uuid
            && let Ok(bytes) = value.try_into()
        {
            return Ok(uuid_text(bytes));
        }
    }
    String::from_utf8(value.to_vec()).map_err(|_| malformed)
}
