//! What an erasure follows: the foreign keys, and what the settings say beside them or instead of them.

use lethe_format::catalog::{
    Action, AttNum, Catalog, Column, EqualityOperator, ForeignKey, KeyPair, Matching, Table,
};
use lethe_format::ledger::Keys;
use lethe_format::mask::Replacement;
use lethe_format::reference::{OnErase, Reference, TableColumns};

use super::inside::{self, Refusal, Within};
use super::reach;
use super::subjects::{SubjectKey, parse_keys};
use crate::key::{self, KeyReader, KeySet};
use crate::objection::{Code, Objection};

/// A foreign key, or a reference of the settings in the form of one.
#[derive(Debug)]
pub(crate) struct Edge {
    pub key: ForeignKey,
    /// True if no foreign key says so: then rows may refer to rows that are not there.
    pub by_rule: bool,
    /// Set if the key is not the value of its column, but stands within it.
    pub within: Option<Within>,
    pub when: Option<Condition>,
    /// Columns of the child that are overwritten in rows that stay, if the settings name any.
    pub overwrite: Vec<(AttNum, Replacement)>,
}

/// What a column becomes in a row that stays.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Becomes<'a> {
    Null,
    Default,
    Overwritten(&'a Replacement),
}

impl Edge {
    /// A foreign key as the server has it.
    fn declared(key: &ForeignKey) -> Self {
        Self { key: key.clone(), by_rule: false, within: None, when: None, overwrite: Vec::new() }
    }

    /// The columns of the child that change in a row whose parent goes, if it stays itself.
    pub(crate) fn changes_on_delete(&self) -> Vec<(AttNum, Becomes<'_>)> {
        let becomes = match self.key.on_delete {
            Action::NoAction | Action::Restrict | Action::Cascade => return Vec::new(),
            Action::SetNull => Becomes::Null,
            Action::SetDefault => Becomes::Default,
        };
        let referring = reach::set_columns(&self.key);
        let says_otherwise = self.overwrite.iter().any(|(column, _)| referring.contains(column));
        let referring = referring.into_iter().filter(|_| !says_otherwise).map(|column| (column, becomes));
        let named = self.overwrite.iter().map(|(column, how)| (*column, Becomes::Overwritten(how)));
        referring.chain(named).collect()
    }

    /// For messages.
    pub(crate) fn label(&self) -> String {
        let kind = if self.by_rule { "reference" } else { "foreign key" };
        format!("{kind} {}", self.key.name)
    }

    /// What an objection is about; the name of a foreign key is one of its table's alone.
    pub(crate) fn object(&self, child: &Table) -> String {
        if self.by_rule { self.label() } else { format!("{} of {}", self.label(), child.name) }
    }
}

/// The reference is there only in rows in which a column of the child has one value.
#[derive(Debug)]
pub(crate) struct Condition {
    pub column: SubjectKey,
    pub value: KeySet,
}

/// The foreign keys that the server enforces, with the settings' actions where they say something else; then the settings'
/// own references.
pub(crate) fn edges(catalog: &Catalog, references: &[Reference]) -> (Vec<Edge>, Vec<Objection>) {
    let declared = catalog.foreign_keys.iter().filter(|key| key.enforced);
    let mut edges: Vec<Edge> = declared.map(Edge::declared).collect();
    let mut objections = Vec::new();
    for reference in references {
        match bind(catalog, reference) {
            Ok(bound) => {
                let is_plain = bound.when.is_none() && bound.within.is_none();
                let same = |edge: &&mut Edge| is_plain && joins_the_same(&edge.key, &bound.key);
                match (edges.iter_mut().filter(|edge| !edge.by_rule).find(same), &reference.on_erase) {
                    (Some(_), OnErase::Keep { .. }) => objections.push(
                        Objection::new(
                            Code::UnsupportedReference,
                            object(reference),
                            "it is a foreign key, so a row cannot be kept without the row that it refers to",
                        )
                        .hint("say on_erase = \"drop\" or \"null\", or give the rows another parent first"),
                    ),
                    (Some(edge), _) => {
                        edge.key.on_delete = bound.key.on_delete;
                        edge.key.set_columns = Vec::new();
                        edge.overwrite = bound.overwrite;
                    }
                    (None, OnErase::Keep { .. }) => {}
                    (None, _) => edges.push(bound),
                }
            }
            Err(objection) => objections.push(objection),
        }
    }
    (edges, objections)
}

/// Everything by which one row refers to another, whatever an erasure does about it: all foreign keys, and the settings'
/// references, those included by which rows are kept. What cannot be bound is an objection of [`edges`].
pub(crate) fn all_references(catalog: &Catalog, references: &[Reference]) -> Vec<Edge> {
    let declared = catalog.foreign_keys.iter();
    declared
        .map(Edge::declared)
        .chain(references.iter().filter_map(|reference| bind(catalog, reference).ok()))
        .collect()
}

/// Those of the references whose tables and columns are in the catalog, and an objection to each of the others.
#[must_use]
pub fn known_references(catalog: &Catalog, references: &[Reference]) -> (Vec<Reference>, Vec<Objection>) {
    let mut known = Vec::new();
    let mut objections = Vec::new();
    for reference in references {
        match named(catalog, reference) {
            Ok(_) => known.push(reference.clone()),
            Err(objection) => objections.push(objection),
        }
    }
    (known, objections)
}

fn object(reference: &Reference) -> String {
    format!("reference {reference}")
}

/// The tables and columns that a reference names.
struct Named<'a> {
    child: &'a Table,
    from: Vec<&'a Column>,
    parent: &'a Table,
    to: Vec<&'a Column>,
    /// The column of the condition, and its value as text.
    when: Option<(&'a Column, &'a str)>,
    overwritten: Vec<(&'a Column, &'a Replacement)>,
}

fn named<'a>(catalog: &'a Catalog, reference: &'a Reference) -> Result<Named<'a>, Objection> {
    let unknown = |problem: String| {
        Objection::new(Code::UnknownReference, object(reference), problem)
            .hint("a table or column that was renamed needs a rule for each of its names")
    };
    let column = |table: &'a Table, name: &str| {
        table.column_named(name).ok_or_else(|| unknown(format!("{} has no column {name}", table.name)))
    };
    let side = |side: &TableColumns| {
        let table = catalog
            .table_named(&side.table)
            .ok_or_else(|| unknown(format!("there is no table {}", side.table)))?;
        let columns = side.columns.iter().map(|name| column(table, name)).collect::<Result<Vec<_>, _>>()?;
        Ok((table, columns))
    };
    let ((child, from), (parent, to)) = (side(&reference.from)?, side(&reference.to)?);
    let when = reference.when.as_ref().map(|when| Ok((column(child, &when.column)?, when.equals.as_str())));
    let overwritten = reference.overwritten().iter().map(|(name, how)| Ok((column(child, name)?, how)));
    Ok(Named {
        child,
        parent,
        when: when.transpose()?,
        overwritten: overwritten.collect::<Result<_, Objection>>()?,
        from,
        to,
    })
}

fn bind(catalog: &Catalog, reference: &Reference) -> Result<Edge, Objection> {
    let Named { child, from, parent, to, when, overwritten } = named(catalog, reference)?;
    let refuse = |problem: String| Objection::new(Code::UnsupportedReference, object(reference), problem);
    if from.len() != to.len() || from.is_empty() {
        return Err(refuse(format!("{} columns refer to {}", from.len(), to.len())));
    }
    let unique = parent.unique_keys.iter().find(|key| {
        key.columns.len() == to.len() && to.iter().all(|column| key.columns.contains(&column.attnum))
    });
    let Some(unique) = unique else {
        let problem = format!("no primary key or unique constraint of {} is on these columns", parent.name);
        return Err(
            refuse(problem).hint("of two rows with the same key, one may be erased and the other not")
        );
    };
    let made = |how: &Replacement| matches!(how, Replacement::Random | Replacement::Fake(_));
    let refers = |column: &Column| from.iter().any(|other| other.attnum == column.attnum);
    if let Some((column, _)) = overwritten.iter().find(|(column, how)| refers(column) && made(how)) {
        let problem = format!("the column {} would refer to nobody, or to somebody by chance", column.name);
        return Err(refuse(problem).hint("say \"null\", or a constant for it"));
    }
    let within = inside::within(catalog, reference, &from, &to).map_err(|refusal| match refusal {
        Refusal::Unsupported(problem) => refuse(problem),
        Refusal::Undecidable(problem) => {
            Objection::new(Code::UndecidableEquality, object(reference), problem)
        }
    })?;
    let mut columns = Vec::new();
    for (child, parent) in from.iter().zip(&to) {
        let base = catalog.base_type(parent.type_oid).map_or(parent.type_oid, |base| base.oid);
        let operator = EqualityOperator { oid: 0, name: "=".to_owned(), left: base, right: base };
        columns.push(KeyPair { child: child.attnum, parent: parent.attnum, operator });
    }
    // In the key's own order, which is that of a subject.
    columns.sort_by_key(|pair| unique.columns.iter().position(|column| *column == pair.parent));
    Ok(Edge {
        key: ForeignKey {
            name: reference.to_string(),
            child: child.oid,
            parent: parent.oid,
            columns,
            on_delete: match reference.on_erase {
                OnErase::Null | OnErase::Remove(_) | OnErase::Mask { .. } => Action::SetNull,
                OnErase::Drop | OnErase::Keep { .. } => Action::Cascade,
            },
            set_columns: Vec::new(),
            // Nobody follows a key that changes; the plan objects if one does.
            on_update: Action::NoAction,
            matching: Matching::Simple,
            validated: false,
            enforced: true,
            temporal: false,
        },
        by_rule: true,
        within,
        overwrite: overwritten.into_iter().map(|(column, how)| (column.attnum, how.clone())).collect(),
        when: when
            .map(|(column, equals)| condition(catalog, reference, child, column, equals))
            .transpose()?,
    })
}

fn condition(
    catalog: &Catalog,
    reference: &Reference,
    table: &Table,
    column: &Column,
    equals: &str,
) -> Result<Condition, Objection> {
    let undecidable = |reason| {
        let problem = format!("the column {} of {} cannot be compared: {reason}", column.name, table.name);
        Objection::new(Code::UndecidableEquality, object(reference), problem)
    };
    let domain = key::column_domain(catalog, column).map_err(undecidable)?;
    let reader = key::reader(catalog, column, &domain).map_err(undecidable)?;
    let key =
        SubjectKey { table: table.oid, columns: vec![column.attnum], reader: KeyReader::new(vec![reader]) };
    let value = parse_keys(&key, &Keys::Tuples(vec![vec![equals.to_owned()]])).map_err(|_| {
        let problem = format!("what {} should equal is no value of its type", column.name);
        Objection::new(Code::UnsupportedReference, object(reference), problem)
    })?;
    Ok(Condition { column: key, value })
}

fn joins_the_same(key: &ForeignKey, other: &ForeignKey) -> bool {
    let pairs = |key: &ForeignKey| {
        let mut pairs: Vec<_> = key.columns.iter().map(|pair| (pair.child, pair.parent)).collect();
        pairs.sort_unstable();
        pairs
    };
    key.child == other.child && key.parent == other.parent && pairs(key) == pairs(other)
}
