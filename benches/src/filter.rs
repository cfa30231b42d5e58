//! The filter alone: rows of two tables in memory, a person in a hundred of them erased, one processor.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use lethe_format::catalog::{
    Action, Catalog, Column, EqualityOperator, ForeignKey, KeyPair, Matching, QualifiedName, Table,
    TableKind, Type, TypeKind, UniqueKey,
};
use lethe_format::ids::Oid;
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::manifest::{CopyFormat, TableData};
use lethe_format::{copy_binary, copy_text};
use lethe_rules::anonymise::Anonymise;
use lethe_rules::closure::{Closure, Tombstones};
use lethe_rules::ledger::Standing;
use lethe_rules::row_filter::{Filters, Seeds};
use lethe_rules::scan::Scan as _;
use serde_json::json;

use crate::record::{Result, median};

const INT8: Oid = 20;
const BYTEA: Oid = 17;
const PEOPLE: u64 = 100_000;
const USERS: Oid = 1;
const REFERRING: Oid = 2;
/// Of the chunks that a snapshot writes, about (`docs/FORMAT.md`).
const CHUNK: usize = 8 << 20;

/// Gigabytes a second, for narrow and wide rows in both formats.
pub(crate) fn run(rounds: usize) -> Result {
    let mut measured = Vec::new();
    for (width, bytes) in [("narrow", 24), ("wide", 160)] {
        for (name, format) in [("binary", CopyFormat::Binary), ("text", CopyFormat::Text)] {
            let (chunk, rows) = chunk(format, bytes);
            let filters = filters(format);
            let speeds = (0..rounds).map(|_| {
                let clock = Instant::now();
                let (kept, counts) =
                    filters.apply(REFERRING, black_box(&chunk), rows, &Seeds::default()).expect("filtered");
                let seconds = clock.elapsed().as_secs_f64();
                assert!(counts.dropped > 0 && kept.len() < chunk.len(), "people are erased");
                chunk.len() as f64 / seconds / 1e9
            });
            let row = chunk.len() as u64 / rows;
            measured.push((format!("{name}, {width} rows of {row} bytes, GB/s"), median(speeds.collect())));
        }
    }
    Result::new(json!({ "what": "filter", "rounds": rounds, "chunk_bytes": CHUNK }), &measured, &[])
}

/// Rows `(id, user_id, at, payload)` until the chunk is full, and their number.
fn chunk(format: CopyFormat, payload: usize) -> (Vec<u8>, u64) {
    let payload = vec![b'x'; payload];
    let mut chunk = Vec::with_capacity(CHUNK + 1024);
    let mut rows = 0_u64;
    while chunk.len() < CHUNK {
        // A multiplicative hash spreads the people over the rows, as they are in a table by date.
        let user = rows.wrapping_mul(0x9e37_79b9_7f4a_7c15) % PEOPLE;
        let numbers = [rows, user, rows + 1_000_000_000_000];
        match format {
            CopyFormat::Binary => {
                let fields = numbers.map(u64::to_be_bytes);
                let [id, user, at] = [&fields[0], &fields[1], &fields[2]].map(|field| Some(&field[..]));
                copy_binary::write_row(&[id, user, at, Some(&payload)], &mut chunk).expect("a row");
            }
            CopyFormat::Text => {
                let fields = numbers.map(|number| number.to_string());
                let [id, user, at] = [&fields[0], &fields[1], &fields[2]].map(|field| Some(field.as_bytes()));
                copy_text::write_row(&[id, user, at, Some(&payload)], &mut chunk);
            }
        }
        rows += 1;
    }
    (chunk, rows)
}

/// Every hundredth person is erased.
fn filters(format: CopyFormat) -> Filters {
    let catalog = catalog();
    let layouts: Vec<_> = catalog
        .tables
        .iter()
        .map(|table| TableData {
            table: table.oid,
            format,
            columns: table.columns.iter().map(|column| column.attnum).collect(),
            chunks: Vec::new(),
        })
        .collect();
    let subject = SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns: None };
    let keys = Keys::Integers((0..PEOPLE).step_by(100).collect());
    let standing = Standing { erased: vec![Tombstones { subject, keys }], ..Standing::default() };
    let mut closure =
        Closure::new(&catalog, &[], &layouts, &standing, (&Anonymise::default(), &Default::default()));
    while closure.next_scan().is_some() {}
    closure.finish().expect("no objection")
}

fn catalog() -> Catalog {
    let column = |attnum: i16, name: &str, type_oid: Oid| Column {
        attnum,
        name: name.to_owned(),
        type_oid,
        typmod: -1,
        not_null: true,
        generated: false,
        identity: false,
        deterministic: true,
        default: None,
    };
    let table = |oid: Oid, name: &str, columns: Vec<Column>| Table {
        oid,
        name: QualifiedName::new("public", name),
        kind: TableKind::Plain,
        partition_of: None,
        partition_columns: Vec::new(),
        inherits: Vec::new(),
        columns,
        unique_keys: vec![UniqueKey {
            name: format!("{name}_pkey"),
            columns: vec![1],
            primary: true,
            nulls_not_distinct: false,
        }],
        checks: Vec::new(),
        extension: None,
    };
    let base = |oid: Oid, name: &str| Type {
        oid,
        name: QualifiedName::new("pg_catalog", name),
        kind: TypeKind::Base,
        extension: None,
        binary: true,
        labels: Vec::new(),
    };
    let foreign_key = ForeignKey {
        name: "events_user_id_fkey".to_owned(),
        child: REFERRING,
        parent: USERS,
        columns: vec![KeyPair {
            child: 2,
            parent: 1,
            operator: EqualityOperator { oid: 410, name: "=".to_owned(), left: INT8, right: INT8 },
        }],
        on_delete: Action::Cascade,
        set_columns: Vec::new(),
        on_update: Action::NoAction,
        matching: Matching::Simple,
        validated: true,
        enforced: true,
        temporal: false,
    };
    Catalog {
        tables: vec![
            table(USERS, "users", vec![column(1, "id", INT8)]),
            table(
                REFERRING,
                "events",
                vec![
                    column(1, "id", INT8),
                    column(2, "user_id", INT8),
                    column(3, "at", INT8),
                    column(4, "payload", BYTEA),
                ],
            ),
        ],
        foreign_keys: vec![foreign_key],
        types: BTreeMap::from([(INT8, base(INT8, "int8")), (BYTEA, base(BYTEA, "bytea"))]),
        labels: Vec::new(),
    }
}
