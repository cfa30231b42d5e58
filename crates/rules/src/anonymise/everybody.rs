//! `[[mask]]`: what all rows of a table become in a database that holds masked data alone.
//!
//! Columns of one *group* give equal values for equal ones, so that joins survive: those with the same `as`, or else those that
//! are masked alike. What a group's values look like (how long, and how many random bits make each the only one) is therefore
//! decided over all of its columns.

use std::collections::{BTreeMap, BTreeSet};

use lethe_format::catalog::{AttNum, Catalog, Column, QualifiedName, Table};
use lethe_format::ids::Oid;
use lethe_format::manifest::{CopyFormat, TableData};
use lethe_format::reference::Reference;

use super::fake::shortest;
use super::fill::{By, Fill, Form, Made};
use super::group::{Shape, kind_of, usual_group};
use super::joins::{self, Fills};
use super::kind::Kind;
use super::lengths::element_of;
use super::random::RandomKind;
use super::{Anonymise, Replacement};
use crate::closure::{family, hazards};
use crate::key;
use crate::objection::{Code, Objection};

/// What the settings say about the columns of one table.
#[derive(Clone, Debug)]
pub struct TableMask {
    pub table: QualifiedName,
    pub columns: Vec<ColumnMask>,
    /// Set if a security label in the source says it.
    pub by_label: bool,
}

#[derive(Clone, Debug)]
pub struct ColumnMask {
    pub name: String,
    pub replacement: Replacement,
    /// `as`: columns with the same name give equal values for equal ones.
    pub group: Option<String>,
}

impl TableMask {
    /// For messages.
    fn object(&self) -> String {
        let source = if self.by_label { "security labels" } else { "[[mask]]" };
        format!("{source} of {}", self.table)
    }

    /// A text that is the same for the same rule, to notice that the settings have changed.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let column = |column: &ColumnMask| {
            format!("\0{}\0{}\0{:?}", column.name, column.replacement.fingerprint(), column.group)
        };
        self.columns.iter().map(column).fold(format!("mask\0{}", self.table), |text, part| text + &part)
    }
}

/// The masks of all tables, over stored rows.
#[derive(Debug, Default)]
pub struct Everybody {
    tables: BTreeMap<Oid, Vec<(usize, Fill)>>,
    pub(super) columns: Vec<Bound>,
    groups: Vec<String>,
    emptied: BTreeSet<Oid>,
}

/// One column of a table with rows of its own.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub table: Oid,
    pub column: AttNum,
    pub fill: Fill,
    /// The text of a constant.
    pub constant: Option<String>,
}

impl Everybody {
    /// Whether the column is masked in this table's rows. Of no use for a partitioned table, which has none.
    #[must_use]
    pub fn masks(&self, table: Oid, column: AttNum) -> bool {
        self.emptied.contains(&table) || self.bound(table, column).is_some()
    }

    pub(super) fn bound(&self, table: Oid, column: AttNum) -> Option<&Bound> {
        self.columns.iter().find(|bound| (bound.table, bound.column) == (table, column))
    }

    pub(crate) fn fills(&self, table: Oid) -> Option<&Vec<(usize, Fill)>> {
        self.tables.get(&table)
    }

    pub(crate) fn empties(&self, table: Oid) -> bool {
        self.emptied.contains(&table)
    }

    /// The tables that need rules whatever is erased.
    pub(crate) fn touched(&self) -> impl Iterator<Item = Oid> {
        self.tables.keys().chain(&self.emptied).copied()
    }

    /// One key for each group, from the key of the restore.
    pub(crate) fn keys(&self, secret: &[u8; 32]) -> Vec<[u8; 32]> {
        self.groups.iter().map(|group| *blake3::keyed_hash(secret, group.as_bytes()).as_bytes()).collect()
    }
}

/// Binds all rules, or says why they would break the database.
#[must_use]
pub fn bind(
    catalog: &Catalog,
    data: &[TableData],
    references: &[Reference],
    anonymise: &Anonymise,
) -> (Everybody, Vec<Objection>) {
    let emptied = anonymise.emptied.iter().filter_map(|name| catalog.table_named(name));
    let emptied = emptied.map(|table| table.oid).collect();
    let mut everybody = Everybody { emptied, ..Everybody::default() };
    let mut objections = Vec::new();
    let mut planned: Vec<Planned<'_>> = Vec::new();
    for rule in &anonymise.everybody {
        for column in &rule.columns {
            if let Err(objection) = plan(catalog, data, rule, column, &mut planned) {
                objections.push(objection);
            }
        }
    }
    let mut groups: BTreeMap<&str, Shape> = BTreeMap::new();
    for column in &planned {
        let shape = groups.entry(&column.group).or_default();
        if let Some((kind, _)) = &column.kind {
            shape.add(kind, column.rows, column.unique);
        }
    }
    everybody.groups = groups.keys().map(|group| (*group).to_owned()).collect();
    let mut fills = Fills::new();
    for column in &planned {
        let shape = groups.get(column.group.as_str()).cloned().unwrap_or_default();
        let group = groups.keys().position(|group| *group == column.group).unwrap_or_default();
        match column.fill(catalog, &shape, group) {
            Ok(fill) => {
                fills.insert((column.table.oid, column.column.attnum), fill);
            }
            Err(problem) => objections.push(column.refused(problem)),
        }
    }
    objections.extend(joins::embed(catalog, data, references, &mut fills));
    for planned in &planned {
        let (table, column) = (planned.table.oid, planned.column.attnum);
        let Some(fill) = fills.remove(&(table, column)) else { continue };
        let constant = match planned.replacement {
            Replacement::Constant(constant) => Some(constant.text.clone()),
            _ => None,
        };
        everybody.tables.entry(table).or_default().push((planned.position, fill.clone()));
        everybody.columns.push(Bound { table, column, fill, constant });
    }
    objections.extend(joins::unlike(catalog, references, &everybody));
    (everybody, objections)
}

/// One column of one leaf, before its group is known.
struct Planned<'a> {
    /// For messages.
    object: String,
    table: &'a Table,
    column: &'a Column,
    format: CopyFormat,
    position: usize,
    replacement: &'a Replacement,
    group: String,
    /// None for what is not made of random bits.
    kind: Option<(Kind, Form)>,
    unique: bool,
    rows: u64,
}

fn plan<'a>(
    catalog: &'a Catalog,
    data: &[TableData],
    rule: &'a TableMask,
    mask: &'a ColumnMask,
    planned: &mut Vec<Planned<'a>>,
) -> Result<(), Objection> {
    let object = rule.object();
    let refuse = |problem: String| Objection::new(Code::MaskRefused, &object, problem);
    let table = catalog
        .table_named(&rule.table)
        .ok_or_else(|| refuse("there is no such table in the snapshot".to_owned()))?;
    for leaf in family::reached_by_delete(catalog, table.oid) {
        let (Some(table), Some(layout)) = (catalog.table(leaf), data.iter().find(|data| data.table == leaf))
        else {
            continue;
        };
        let of = |problem: &str| refuse(format!("{}.{}: {problem}", table.name, mask.name));
        let column = table.column_named(&mask.name).ok_or_else(|| of("there is no such column"))?;
        let position =
            layout.columns.iter().position(|stored| *stored == column.attnum).ok_or_else(|| {
                of("it is computed by the server from other columns").hint("mask those other columns")
            })?;
        if planned.iter().any(|known| (known.table.oid, known.column.attnum) == (leaf, column.attnum)) {
            return Err(of("it is masked twice"));
        }
        let kind = kind_of(catalog, column, &mask.replacement)
            .map_err(|problem| of(&problem).hint("use \"null\" or a constant"))?;
        let group = match (&mask.group, &kind) {
            (Some(name), _) => format!("as {name}"),
            (None, kind) => kind.as_ref().map_or_else(String::new, |(kind, _)| usual_group(kind)),
        };
        planned.push(Planned {
            object: object.clone(),
            table,
            column,
            format: layout.format,
            position,
            replacement: &mask.replacement,
            group,
            kind,
            unique: table.unique_keys.iter().any(|key| key.columns.contains(&column.attnum)),
            rows: layout.rows(),
        });
    }
    Ok(())
}

impl Planned<'_> {
    fn refused(&self, problem: String) -> Objection {
        let hint = if problem.contains("only ones") || problem.contains("characters") {
            "widen the column, or mask it with what has more values"
        } else {
            "say something else for this column in [[mask]], or nothing"
        };
        Objection::new(
            Code::MaskRefused,
            &self.object,
            format!("{}.{}: {problem}", self.table.name, self.column.name),
        )
        .hint(hint)
    }

    fn fill(&self, catalog: &Catalog, shape: &Shape, group: usize) -> Result<Fill, String> {
        if hazards::is_partition_key(catalog, self.table, &|attnum| attnum == self.column.attnum) {
            return Err("rows are partitioned by it".to_owned());
        }
        let Some((kind, form)) = self.kind.clone() else { return self.plain(catalog) };
        if self.unique && form != Form::Whole {
            return Err("a unique key over arrays cannot be kept by masks".to_owned());
        }
        if shape.mixed {
            return Err("columns with the same as are masked in different ways".to_owned());
        }
        let bits = shape.bits();
        let kind = match kind {
            Kind::Random(RandomKind::Text { len }) => {
                Kind::Random(RandomKind::Text { len: shape.limit.unwrap_or(len) })
            }
            Kind::Fake { fake, limit, .. } => Kind::Fake { fake, limit: shape.limit.unwrap_or(limit), bits },
            other => other,
        };
        match &kind {
            Kind::Fake { fake, limit, .. } if *limit < shortest(*fake, bits) => {
                return Err(format!(
                    "{limit} characters are too few for a made-up {}; it takes {}",
                    fake.word(),
                    shortest(*fake, bits)
                ));
            }
            Kind::Random(random) if shape.unique && !random.is_integer() && random.bits() < bits => {
                return Err(
                    "its type, or its length, has too few values for all of them to be the only ones"
                        .to_owned(),
                );
            }
            _ => {}
        }
        let is_tiny = matches!(&kind, Kind::Random(random) if random.is_tiny());
        let by = match form {
            _ if !is_tiny => By::Value { group, reader: self.reader(catalog) },
            Form::Whole => By::Row,
            Form::Elements(_) => By::Throw,
        };
        Ok(Fill::Made(Made { kind, by, form, within: None }))
    }

    /// Of the column's values, or of their elements.
    fn reader(&self, catalog: &Catalog) -> Option<key::Reader> {
        let element = element_of(catalog, self.column);
        let column = element.as_ref().unwrap_or(self.column);
        let domain = key::column_domain(catalog, column).ok()?;
        let reader = key::reader(catalog, column, &domain).ok()?;
        (self.format == CopyFormat::Binary || reader.has_text_form()).then_some(reader)
    }

    /// NULL or a constant.
    fn plain(&self, catalog: &Catalog) -> Result<Fill, String> {
        let keys = self.table.unique_keys.iter().filter(|key| key.columns.contains(&self.column.attnum));
        if self.replacement == &Replacement::Null {
            if keys.clone().any(|key| key.nulls_not_distinct) {
                return Err("its unique key does not allow the same value twice".to_owned());
            }
            return hazards::refuses_null(catalog, self.table, self.column).map_or(Ok(Fill::Null), Err);
        }
        if self.unique {
            return Err("its unique key does not allow the same value twice".to_owned());
        }
        super::bind::constant(self.format, self.replacement)
            .ok_or_else(|| "the constant is no value of its type".to_owned())
    }
}
