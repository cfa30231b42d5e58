use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lethe_format::catalog::{Action, QualifiedName};
use lethe_format::ledger::{Keys, SubjectRef};
use lethe_format::manifest::CopyFormat;
use lethe_format::{copy_binary, copy_text};
use lethe_rules::anonymise::{Anonymise, ColumnMask, Replacement, TableMask, bind_everybody};
use lethe_rules::closure::{Closure, Tombstones};
use lethe_rules::ledger::Standing;
use lethe_rules::row_filter::Seeds;
use lethe_rules::scan::Scan as _;
use proptest::prelude::*;

use crate::schema::{FIRST, MASKED, NOTE, Reference, Row, Rule, catalog, data, encode, field, oid, rules};
use crate::{cases, seed};

/// A few tables, references among them, and rows whose references mostly exist.
#[derive(Clone, Debug)]
struct World {
    references: Vec<Reference>,
    tables: Vec<Vec<Row>>,
    erased: BTreeSet<i64>,
    /// Table that is erased from.
    subject: usize,
    text: Vec<bool>,
    /// Rows in each chunk.
    chunk: usize,
}

fn world() -> impl Strategy<Value = World> {
    (2..6_usize).prop_flat_map(|tables| {
        let reference = (
            0..tables,
            0..tables,
            prop_oneof![Just(Action::Cascade), Just(Action::NoAction), Just(Action::SetNull)],
            prop::option::of((prop::option::of(0..3_i64), any::<bool>())),
        )
            .prop_map(|(child, parent, action, rule)| Reference {
                child,
                parent,
                action,
                rule: rule.map(|(kind, masks)| Rule { kind, masks }),
            });
        let references = prop::collection::vec(reference, 0..8);
        (references, Just(tables)).prop_flat_map(|(references, tables)| {
            let width = |table: usize| references.iter().filter(|reference| reference.child == table).count();
            let rows: Vec<_> = (0..tables)
                .map(|table| {
                    let kind = prop::option::weighted(0.8, 0..3_i64);
                    let references =
                        prop::collection::vec(prop::option::weighted(0.8, 0..30_i64), width(table));
                    let row = (kind, references).prop_map(|(kind, references)| {
                        [kind, Some(5)].into_iter().chain(references).collect::<Row>()
                    });
                    prop::collection::vec(row, 0..30)
                })
                .collect();
            let text = prop::collection::vec(any::<bool>(), tables);
            (
                Just(references),
                rows,
                prop::collection::btree_set(0..35_i64, 0..8),
                0..tables,
                text,
                1..9_usize,
            )
                .prop_map(|(references, rows, erased, subject, text, chunk)| {
                    let number = |rows: Vec<Row>| -> Vec<Row> {
                        rows.into_iter()
                            .zip(0..)
                            .map(|(row, id)| std::iter::once(Some(id)).chain(row).collect())
                            .collect()
                    };
                    let mut tables: Vec<Vec<Row>> = rows.into_iter().map(number).collect();
                    only_valid_references(&references, &mut tables);
                    World { references, tables, erased, subject, text, chunk }
                })
        })
    })
}

fn only_valid_references(references: &[Reference], tables: &mut [Vec<Row>]) {
    // Rows that refer by a rule alone may refer to nobody.
    for (index, reference) in references.iter().enumerate().filter(|(_, reference)| reference.rule.is_none())
    {
        let parents = i64::try_from(tables[reference.parent].len()).expect("few rows");
        let field = field(references, index);
        for row in &mut tables[reference.child] {
            row[field] = row[field].filter(|key| *key < parents);
        }
    }
}

/// The slow, obvious reading: delete, then look at every row again until nothing changes.
fn naive(world: &World) -> Vec<Vec<Row>> {
    let mut gone: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); world.tables.len()];
    let keys = world.tables[world.subject].iter().filter_map(|row| row[0]);
    // A rule also reaches rows of people who are erased and not in the snapshot themselves.
    let refers_to_gone = |index: usize, reference: &Reference, row: &Row, gone: &[BTreeSet<i64>]| {
        let key = row[field(&world.references, index)];
        let counts = |rule: Rule| rule.kind.is_none() || rule.kind == row[1];
        key.is_some_and(|key| {
            let left_behind =
                reference.rule.is_some() && reference.parent == world.subject && world.erased.contains(&key);
            reference.rule.is_none_or(counts) && (gone[reference.parent].contains(&key) || left_behind)
        })
    };
    gone[world.subject] = keys.filter(|key| world.erased.contains(key)).collect();
    loop {
        let before = gone.clone();
        for (index, reference) in world.references.iter().enumerate() {
            if reference.action == Action::SetNull {
                continue;
            }
            for row in &world.tables[reference.child] {
                if refers_to_gone(index, reference, row, &gone) {
                    gone[reference.child].extend(row[0]);
                }
            }
        }
        if gone == before {
            break;
        }
    }
    let mut tables = world.tables.clone();
    for (table, rows) in tables.iter_mut().enumerate() {
        rows.retain(|row| row[0].is_some_and(|key| !gone[table].contains(&key)));
    }
    for (index, reference) in world.references.iter().enumerate() {
        for row in &mut tables[reference.child] {
            if refers_to_gone(index, reference, row, &gone) {
                row[field(&world.references, index)] = None;
                if reference.rule.is_some_and(|rule| rule.masks) {
                    row[NOTE] = Some(MASKED);
                }
            }
        }
    }
    tables
}

fn filtered(world: &World, anonymise: &Anonymise) -> Vec<Vec<u8>> {
    let catalog = catalog(world.tables.len(), &world.references);
    let format = |table: usize| if world.text[table] { CopyFormat::Text } else { CopyFormat::Binary };
    let layouts: Vec<_> = (0..world.tables.len()).map(|table| data(&catalog, table, format(table))).collect();
    let subject = SubjectRef {
        name: None,
        table: QualifiedName::new("public", format!("t{}", world.subject)),
        columns: None,
    };
    let keys = Keys::Integers(world.erased.iter().map(|key| key.cast_unsigned()).collect());
    let standing = Standing { erased: vec![Tombstones { subject, keys }], ..Standing::default() };
    let references = rules(&world.references);
    let (everybody, refused) = bind_everybody(&catalog, &layouts, &references, anonymise);
    assert!(refused.is_empty(), "{refused:?}");
    let mut closure =
        Closure::new(&catalog, &references, &layouts, &standing, (anonymise, &Arc::new(everybody)));
    let mut scans = 0;
    while let Some(tables) = closure.next_scan() {
        for table in tables {
            let index = (table - oid(0)) as usize;
            for rows in world.tables[index].chunks(world.chunk) {
                closure.observe(table, &encode(rows, format(index))).expect("rows");
            }
        }
        scans += 1;
        assert!(scans < 500, "the closure does not end");
    }
    let filters = closure.finish().expect("no objection");
    (0..world.tables.len())
        .map(|table| {
            let mut out = Vec::new();
            for rows in world.tables[table].chunks(world.chunk) {
                let chunk = encode(rows, format(table));
                let (kept, counts) = filters
                    .apply(oid(table), &chunk, rows.len() as u64, &Seeds::default())
                    .expect("filtered");
                assert_eq!(counts.read, rows.len() as u64);
                assert_eq!(counts.read, counts.loaded + counts.dropped);
                out.extend_from_slice(&kept);
            }
            out
        })
        .collect()
}

/// Every key and every reference, of all tables.
fn masked_keys(world: &World) -> Anonymise {
    let catalog = catalog(world.tables.len(), &world.references);
    let mask =
        |name: &String| ColumnMask { name: name.clone(), replacement: Replacement::Random, group: None };
    let everybody = catalog.tables.iter().map(|table| TableMask {
        by_label: false,
        table: table.name.clone(),
        columns: table
            .columns
            .iter()
            .map(|column| &column.name)
            .filter(|name| !matches!(name.as_str(), "kind" | "note"))
            .map(mask)
            .collect(),
    });
    Anonymise { everybody: everybody.collect(), ..Anonymise::default() }
}

/// What [`encode`] wrote.
fn decode(mut rows: &[u8], width: usize, text: bool) -> Vec<Row> {
    let (mut fields, mut found) = (Vec::new(), Vec::new());
    loop {
        let next = if text {
            copy_text::next_row(rows, width, &mut fields).expect("rows")
        } else {
            copy_binary::next_row(rows, width, &mut fields).expect("rows")
        };
        let Some((_, rest)) = next else { return found };
        rows = rest;
        let number = |bytes: &[u8]| {
            if text {
                std::str::from_utf8(bytes).expect("UTF-8").parse().expect("a number")
            } else {
                i64::from_be_bytes(bytes.try_into().expect("eight bytes"))
            }
        };
        found.push(fields.iter().map(|field| field.map(number)).collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(2000), failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    /// Whatever the references, the formats and the cutting into chunks.
    #[test]
    fn the_filter_agrees_with_the_obvious_reading(world in world()) {
        let expected: Vec<Vec<u8>> = naive(&world)
            .iter()
            .enumerate()
            .map(|(table, rows)| encode(rows, if world.text[table] { CopyFormat::Text } else { CopyFormat::Binary }))
            .collect();
        prop_assert_eq!(filtered(&world, &Anonymise::default()), expected);
    }

    /// Masked keys are as many, different where they were, equal where they were, in every table and format; nobody erased is among them.
    #[test]
    fn masking_every_key_renames_what_is_left_and_nothing_else(world in world()) {
        let expected = naive(&world);
        let (mut names, mut taken) = (BTreeMap::new(), BTreeSet::new());
        for (table, chunk) in filtered(&world, &masked_keys(&world)).iter().enumerate() {
            let width = world.references.iter().filter(|reference| reference.child == table).count() + FIRST;
            let found = decode(chunk, width, world.text[table]);
            prop_assert_eq!(found.len(), expected[table].len());
            for (row, expected) in found.iter().zip(&expected[table]) {
                prop_assert_eq!(&row[1..FIRST], &expected[1..FIRST], "what is not masked");
                for column in (0..width).filter(|column| !(1..FIRST).contains(column)) {
                    prop_assert_eq!(row[column].is_some(), expected[column].is_some());
                    let (Some(new), Some(old)) = (row[column], expected[column]) else { continue };
                    if *names.entry(old).or_insert(new) == new {
                        taken.insert(new);
                    } else {
                        prop_assert!(false, "one key has two masks");
                    }
                }
            }
        }
        prop_assert_eq!(names.len(), taken.len(), "no mask is given twice");
    }
}
