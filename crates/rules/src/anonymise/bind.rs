//! From the settings' rules to masks over stored rows, or every objection.

use std::sync::Arc;

use lethe_format::catalog::{AttNum, Catalog, Column, Table};
use lethe_format::copy_text;
use lethe_format::ids::Oid;
use lethe_format::manifest::{CopyFormat, TableData};

use super::fake::shortest;
use super::fill::By;
use super::group::{kind_of, unique_bits};
use super::kind::Kind;
use super::{Constant, Fill, Made, Mask, MaskRule, Masks, Replacement};
use crate::closure::{Edge, SubjectKey, Tombstones, columns_in, family, hazards, parse_keys, subject_key};
use crate::key::{self, KeyReader, KeySet};
use crate::objection::{Code, Objection};

/// Binds all rules, and gives each subject's anonymised keys to its masks.
pub(crate) fn bind(
    catalog: &Catalog,
    data: &[TableData],
    edges: &[Edge],
    rules: &[MaskRule],
    anonymised: &[Tombstones],
) -> (Masks, Vec<Objection>) {
    let mut binder = Binder { catalog, data, edges, masks: Masks::default(), objections: Vec::new() };
    for rule in rules {
        if let Err(objection) = binder.add_rule(rule) {
            binder.objections.push(objection);
        }
    }
    for tombstones in anonymised {
        if let Err(objection) = binder.add_keys(tombstones) {
            binder.objections.push(objection);
        }
    }
    (binder.masks, binder.objections)
}

struct Binder<'a> {
    catalog: &'a Catalog,
    data: &'a [TableData],
    /// Everything by which one row refers to another.
    edges: &'a [Edge],
    masks: Masks,
    objections: Vec<Objection>,
}

impl Binder<'_> {
    fn add_rule(&mut self, rule: &MaskRule) -> Result<(), Objection> {
        let object = format!("[[anonymise]] of {}", rule.table);
        let shape = subject_key(self.catalog, &rule.subject)?;
        let keys = self.masks.keys_of(&shape);
        let unknown = |problem: String| Objection::new(Code::UnknownSubject, &object, problem);
        let table = self
            .catalog
            .table_named(&rule.table)
            .ok_or_else(|| unknown("there is no such table in the snapshot".to_owned()))?;
        let via = self.via(rule, &shape, table, &object)?;
        for leaf in family::reached_by_delete(self.catalog, table.oid) {
            let mask = self.mask(rule, &shape, table, &via, leaf, keys, &object)?;
            self.masks.tables.entry(leaf).or_default().push(mask);
        }
        Ok(())
    }

    /// The columns of the rule's table that hold the subject's key, in the key's order.
    fn via(
        &self,
        rule: &MaskRule,
        shape: &SubjectKey,
        table: &Table,
        object: &str,
    ) -> Result<Vec<AttNum>, Objection> {
        if let Some(names) = &rule.via {
            let column = |name: &String| {
                table.column_named(name).map(|column| column.attnum).ok_or_else(|| {
                    Objection::new(
                        Code::UnknownSubject,
                        object,
                        format!("{} has no column {name}", table.name),
                    )
                })
            };
            let via: Vec<AttNum> = names.iter().map(column).collect::<Result<_, _>>()?;
            if via.len() != shape.columns.len() {
                let problem = format!("via names {} columns, the key has {}", via.len(), shape.columns.len());
                return Err(Objection::new(Code::UnknownSubject, object, problem));
            }
            return Ok(via);
        }
        if table.oid == shape.table {
            return Ok(shape.columns.clone());
        }
        let mut candidates = self.catalog.foreign_keys.iter().filter_map(|key| {
            let child = |parent: &AttNum| {
                key.columns.iter().find(|pair| pair.parent == *parent).map(|pair| pair.child)
            };
            let fits = key.child == table.oid && key.parent == shape.table;
            let columns: Option<Vec<AttNum>> = shape.columns.iter().map(child).collect();
            columns.filter(|columns| fits && columns.len() == key.columns.len())
        });
        match (candidates.next(), candidates.next()) {
            (Some(only), None) => Ok(only),
            (found, _) => {
                let problem = if found.is_some() {
                    "several foreign keys lead to the subject"
                } else {
                    "no foreign key leads to the subject"
                };
                Err(Objection::new(Code::UnknownSubject, object, problem)
                    .hint("name the columns that hold the subject's key: via = [\"user_id\"]"))
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "everything that is known about one mask")]
    fn mask(
        &self,
        rule: &MaskRule,
        shape: &SubjectKey,
        table: &Table,
        via: &[AttNum],
        leaf: Oid,
        keys: usize,
        object: &str,
    ) -> Result<Mask, Objection> {
        let refuse = |code, problem: String| Objection::new(code, object, problem);
        let unknown = |problem: String| refuse(Code::UnknownSubject, problem);
        let (Some(found), Some(layout)) =
            (self.catalog.table(leaf), self.data.iter().find(|data| data.table == leaf))
        else {
            return Err(unknown("its rows are not in the snapshot".to_owned()));
        };
        let mapped = columns_in(self.catalog, table.oid, via, leaf)
            .ok_or_else(|| unknown(format!("{} lacks a column of it", found.name)))?;
        let (mut fields, mut readers) = (Vec::new(), Vec::new());
        for (attnum, domain) in mapped.iter().zip(shape.reader.domains()) {
            let column = found.column(*attnum).ok_or_else(|| unknown("a column is missing".to_owned()))?;
            let reader = key::reader(self.catalog, column, &domain)
                .ok()
                .filter(|reader| layout.format == CopyFormat::Binary || reader.has_text_form());
            let reader = reader.ok_or_else(|| {
                let problem = format!("{}.{} cannot be compared with the key", found.name, column.name);
                refuse(Code::UndecidableEquality, problem)
            })?;
            fields
                .push(field(layout, *attnum).ok_or_else(|| unknown("a key column is computed".to_owned()))?);
            readers.push(reader);
        }
        let mut fills = Vec::new();
        for (name, replacement) in &rule.columns {
            let column = found
                .column_named(name)
                .ok_or_else(|| unknown(format!("{} has no column {name}", found.name)))?;
            if let Some(problem) = refusal((self.catalog, self.edges), found, column, replacement) {
                return Err(refuse(Code::MaskRefused, format!("{}.{name}: {problem}", found.name)));
            }
            let Some(position) = field(layout, column.attnum) else {
                let problem = format!("{}.{name} is computed by the server from other columns", found.name);
                return Err(refuse(Code::MaskRefused, problem).hint("overwrite those other columns"));
            };
            let fill = fill(self.catalog, found, layout, column, replacement).map_err(|problem| {
                refuse(Code::MaskRefused, format!("{}.{name}: {problem}", found.name))
                    .hint("use \"null\" or a constant")
            })?;
            fills.push((position, fill));
        }
        Ok(Mask { keys, fields, reader: KeyReader::new(readers), fills })
    }

    fn add_keys(&mut self, tombstones: &Tombstones) -> Result<(), Objection> {
        let label = format!("subject {}", tombstones.subject);
        let shape = subject_key(self.catalog, &tombstones.subject)?;
        let Some(index) = self.masks.find(&shape) else {
            let problem = format!(
                "{} of its people are anonymised, and no columns are named that would be overwritten",
                tombstones.keys.len()
            );
            return Err(Objection::new(Code::MissingMask, &label, problem)
                .hint("add an [[anonymise]] section for the subject to lethe.toml"));
        };
        let keys = parse_keys(&shape, &tombstones.keys)
            .map_err(|error| Objection::new(Code::WrongKeyType, &label, error))?;
        if let Some(set) = self.masks.keys.get_mut(index) {
            set.extend(&keys);
        }
        Ok(())
    }
}

/// Made of the row's place alone: what is made from the old value is a pseudonym.
pub(crate) fn fill(
    catalog: &Catalog,
    table: &Table,
    layout: &TableData,
    column: &Column,
    replacement: &Replacement,
) -> Result<Fill, String> {
    let (kind, form) = match kind_of(catalog, column, replacement)? {
        None => {
            return constant(layout.format, replacement)
                .ok_or_else(|| "the constant is no value of its type".to_owned());
        }
        Some((Kind::Fake { fake, limit, .. }, form)) => {
            let unique = table.unique_keys.iter().any(|key| key.columns.contains(&column.attnum));
            let bits = if unique { unique_bits(layout.rows()) } else { 0 };
            if limit < shortest(fake, bits) {
                return Err(format!("{limit} characters are too few for a made-up {}", fake.word()));
            }
            (Kind::Fake { fake, limit, bits }, form)
        }
        Some(random) => random,
    };
    Ok(Fill::Made(Made { kind, by: By::Row, form, within: None }))
}

/// Why the column must not be overwritten so: the restored database would contradict itself.
pub(super) fn refusal(
    (catalog, edges): (&Catalog, &[Edge]),
    table: &Table,
    column: &Column,
    replacement: &Replacement,
) -> Option<String> {
    let is = |attnum: AttNum, relation: Oid| {
        columns_in(catalog, relation, &[attnum], table.oid).is_some_and(|mapped| mapped[0] == column.attnum)
    };
    for edge in edges {
        let key = &edge.key;
        // A value that holds keys may go as a whole: then none of them is left.
        let refers = edge.within.is_none()
            && family::leaves(catalog, key.child).contains(&table.oid)
            && key.columns.iter().any(|pair| is(pair.child, key.child));
        let referred = family::leaves(catalog, key.parent).contains(&table.oid)
            && key.columns.iter().any(|pair| is(pair.parent, key.parent));
        if refers || referred {
            return Some(format!("it is a part of {}", edge.label()));
        }
    }
    for unique in table.unique_keys.iter().filter(|unique| unique.columns.contains(&column.attnum)) {
        if unique.primary {
            return Some("it is a part of the primary key".to_owned());
        }
        let same = match replacement {
            Replacement::Constant(_) => unique.columns.len() == 1,
            Replacement::Null => unique.nulls_not_distinct,
            Replacement::Random | Replacement::Fake(_) => false,
        };
        if same {
            return Some(format!("unique key {} does not allow the same value twice", unique.name));
        }
    }
    if hazards::is_partition_key(catalog, table, &|attnum| attnum == column.attnum) {
        return Some("rows are partitioned by it".to_owned());
    }
    (*replacement == Replacement::Null).then(|| hazards::refuses_null(catalog, table, column)).flatten()
}

/// NULL or a constant in the table's COPY format; none if no server has converted it yet.
pub(super) fn constant(format: CopyFormat, replacement: &Replacement) -> Option<Fill> {
    let Replacement::Constant(Constant { text, binary }) = replacement else { return Some(Fill::Null) };
    Some(Fill::Constant(match format {
        CopyFormat::Text => {
            let mut escaped = Vec::new();
            copy_text::escape_into(text.as_bytes(), &mut escaped);
            escaped.into()
        }
        CopyFormat::Binary => Arc::from(binary.clone()?),
    }))
}

fn field(layout: &TableData, attnum: AttNum) -> Option<usize> {
    layout.columns.iter().position(|column| *column == attnum)
}

impl Masks {
    pub(super) fn find(&self, shape: &SubjectKey) -> Option<usize> {
        self.subjects.iter().position(|known| *known == (shape.table, shape.columns.clone()))
    }

    fn keys_of(&mut self, shape: &SubjectKey) -> usize {
        self.find(shape).unwrap_or_else(|| {
            self.subjects.push((shape.table, shape.columns.clone()));
            self.keys.push(KeySet::new(&shape.reader.domains()));
            self.keys.len() - 1
        })
    }
}
