use std::collections::BTreeMap;

use lethe_format::catalog::{
    Action, Catalog, Column, EqualityOperator, ForeignKey, KeyPair, Matching, QualifiedName, Table,
    TableKind, Type, TypeKind, UniqueKey,
};
use lethe_format::ids::Oid;
use lethe_format::manifest::{CopyFormat, TableData};
use lethe_format::mask::{Constant, Replacement};
use lethe_format::reference::{Inside, OnErase, TableColumns, When};
use lethe_format::{copy_binary, copy_text};

const INT8: Oid = 20;

/// Tables of bigint columns: a key `id`, a `kind`, a `note` and references `r0`, `r1`, …
pub(crate) fn catalog(tables: usize, references: &[Reference]) -> Catalog {
    let width = |table: usize| FIRST + references.iter().filter(|reference| reference.child == table).count();
    let column = |attnum: usize| Column {
        attnum: i16::try_from(attnum + 1).expect("few columns"),
        name: match attnum {
            0 => "id".to_owned(),
            1 => "kind".to_owned(),
            2 => "note".to_owned(),
            _ => format!("r{}", attnum - FIRST),
        },
        type_oid: INT8,
        typmod: -1,
        not_null: attnum == 0,
        generated: false,
        identity: false,
        deterministic: true,
        default: None,
    };
    let table = |index: usize| Table {
        oid: oid(index),
        name: QualifiedName::new("public", format!("t{index}")),
        kind: TableKind::Plain,
        partition_of: None,
        partition_columns: Vec::new(),
        inherits: Vec::new(),
        columns: (0..width(index)).map(column).collect(),
        unique_keys: vec![UniqueKey {
            name: "pk".to_owned(),
            columns: vec![1],
            primary: true,
            nulls_not_distinct: false,
        }],
        checks: Vec::new(),
        extension: None,
    };
    let foreign_keys = references
        .iter()
        .enumerate()
        .filter(|(_, reference)| reference.rule.is_none())
        .map(|(index, reference)| {
            let child = i16::try_from(field(references, index) + 1).expect("few columns");
            ForeignKey {
                name: format!("fk{index}"),
                child: oid(reference.child),
                parent: oid(reference.parent),
                columns: vec![KeyPair {
                    child,
                    parent: 1,
                    operator: EqualityOperator { oid: 410, name: "=".to_owned(), left: INT8, right: INT8 },
                }],
                on_delete: reference.action,
                set_columns: Vec::new(),
                on_update: Action::NoAction,
                matching: Matching::Simple,
                validated: true,
                enforced: true,
                temporal: false,
            }
        })
        .collect();
    let int8 = Type {
        oid: INT8,
        name: QualifiedName::new("pg_catalog", "int8"),
        kind: TypeKind::Base,
        extension: None,
        binary: true,
        labels: Vec::new(),
    };
    Catalog {
        tables: (0..tables).map(table).collect(),
        foreign_keys,
        types: BTreeMap::from([(INT8, int8)]),
        labels: Vec::new(),
    }
}

pub(crate) fn oid(table: usize) -> Oid {
    20_000 + u32::try_from(table).expect("few tables")
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    pub(crate) child: usize,
    pub(crate) parent: usize,
    pub(crate) action: Action,
    /// Not a foreign key but a rule of the settings.
    pub(crate) rule: Option<Rule>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// It is about rows of this kind alone.
    pub(crate) kind: Option<i64>,
    /// A row that stays gets another note.
    pub(crate) masks: bool,
}

/// What a note becomes.
pub(crate) const MASKED: i64 = 99;

pub(crate) const NOTE: usize = 2;

/// The position of the first reference in a row.
pub(crate) const FIRST: usize = 3;

/// The position of a reference in its child's rows.
pub(crate) fn field(references: &[Reference], index: usize) -> usize {
    FIRST + references[..index].iter().filter(|before| before.child == references[index].child).count()
}

/// The references that are no foreign keys, as the settings have them.
pub(crate) fn rules(references: &[Reference]) -> Vec<lethe_format::reference::Reference> {
    let side = |table: usize, column: String| TableColumns {
        table: QualifiedName::new("public", format!("t{table}")),
        columns: vec![column],
    };
    let rule = |(index, reference): (usize, &Reference)| {
        let rule = reference.rule?;
        Some(lethe_format::reference::Reference {
            inside: Inside::default(),
            from: side(reference.child, format!("r{}", field(references, index) - FIRST)),
            to: side(reference.parent, "id".to_owned()),
            when: rule.kind.map(|kind| When { column: "kind".to_owned(), equals: kind.to_string() }),
            on_erase: match reference.action {
                Action::SetNull if rule.masks => OnErase::Mask { set: vec![("note".to_owned(), masked())] },
                Action::SetNull => OnErase::Null,
                _ => OnErase::Drop,
            },
        })
    };
    references.iter().enumerate().filter_map(rule).collect()
}

fn masked() -> Replacement {
    let binary = Some(MASKED.to_be_bytes().to_vec());
    Replacement::Constant(Constant { text: MASKED.to_string(), binary })
}

/// A row: the key, its kind, its note, then the references.
pub(crate) type Row = Vec<Option<i64>>;

pub(crate) fn data(catalog: &Catalog, table: usize, format: CopyFormat) -> TableData {
    let columns = catalog.tables[table].columns.iter().map(|column| column.attnum).collect();
    TableData { table: oid(table), format, columns, chunks: Vec::new() }
}

pub(crate) fn encode(rows: &[Row], format: CopyFormat) -> Vec<u8> {
    let mut chunk = Vec::new();
    for row in rows {
        match format {
            CopyFormat::Binary => {
                let values: Vec<Option<[u8; 8]>> =
                    row.iter().map(|value| value.map(i64::to_be_bytes)).collect();
                let fields: Vec<Option<&[u8]>> =
                    values.iter().map(|value| value.as_ref().map(<[u8; 8]>::as_slice)).collect();
                copy_binary::write_row(&fields, &mut chunk).expect("a row");
            }
            CopyFormat::Text => {
                let values: Vec<Option<String>> =
                    row.iter().map(|value| value.map(|value| value.to_string())).collect();
                let fields: Vec<Option<&[u8]>> =
                    values.iter().map(|value| value.as_deref().map(str::as_bytes)).collect();
                copy_text::write_row(&fields, &mut chunk);
            }
        }
    }
    chunk
}
