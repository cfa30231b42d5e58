//! Random schemas and rows: foreign-key graphs with cycles and self-references, composite keys, every action, keys of
//! many types, odd names, values that break careless parsers. Everything follows from the seed.

use std::fmt::Write as _;

use lethe_format::sql::{quote_ident, quote_literal};
use rand::seq::IndexedRandom as _;
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A database as a script, and what may be erased in it.
#[derive(Debug)]
pub struct Generated {
    pub script: String,
    /// Tables that have a key, with the key's columns.
    pub subjects: Vec<Subject>,
}

#[derive(Clone, Debug)]
pub struct Subject {
    pub table: String,
    pub columns: Vec<String>,
    pub integer: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Type {
    Int4,
    Int8,
    Uuid,
    Text,
    Varchar,
    Char,
    Numeric,
    Date,
    Timestamptz,
    Bytea,
    Float8,
    Interval,
    Pair,
}

const KEY_TYPES: [Type; 13] = [
    Type::Int4,
    Type::Int8,
    Type::Int8,
    Type::Uuid,
    Type::Text,
    Type::Varchar,
    Type::Char,
    Type::Numeric,
    Type::Date,
    Type::Timestamptz,
    Type::Bytea,
    Type::Float8,
    Type::Pair,
];

impl Type {
    fn sql(self) -> &'static str {
        match self {
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Uuid => "uuid",
            Self::Text => "text",
            Self::Varchar => "varchar(80)",
            Self::Char => "char(60)",
            Self::Numeric => "numeric",
            Self::Date => "date",
            Self::Timestamptz => "timestamptz",
            Self::Bytea => "bytea",
            Self::Float8 => "float8",
            Self::Interval => "interval",
            Self::Pair => "public.pair",
        }
    }

    /// The `index`-th value; different indexes give values that the type's equality tells apart.
    fn value(self, index: usize) -> String {
        let number = index as i64;
        match self {
            Self::Int4 => [0, -1, i64::from(i32::MAX), i64::from(i32::MIN)]
                .get(index)
                .copied()
                .unwrap_or(number * 3)
                .to_string(),
            Self::Int8 => [-1, i64::MAX, i64::MIN, 1 << 32, (1 << 31) - 1, -(1 << 40)]
                .get(index)
                .copied()
                .unwrap_or(number)
                .to_string(),
            Self::Uuid => format!("00000000-0000-4000-8000-{:012x}", index * 7919),
            Self::Text | Self::Varchar | Self::Char => nasty_text(index),
            Self::Numeric => match index {
                0 => "NaN".to_owned(),
                1 => "0".to_owned(),
                2 => "-0.0001".to_owned(),
                3 => "123456789012345678901234567890.5".to_owned(),
                _ => format!("{}.{}", number * 10_000, index % 10),
            },
            Self::Date => match index {
                0 => "infinity".to_owned(),
                1 => "-infinity".to_owned(),
                2 => "4713-01-01 BC".to_owned(),
                _ => format!("{:04}-{:02}-{:02}", 1990 + index % 60, index % 12 + 1, index / 60 % 28 + 1),
            },
            Self::Timestamptz => match index {
                0 => "infinity".to_owned(),
                1 => "0044-03-15 12:00:00+00 BC".to_owned(),
                _ => format!("2024-02-{:02} {:02}:00:00.{:06}+00", index % 28 + 1, index % 24, index),
            },
            Self::Bytea => format!("\\x00ff{index:06x}"),
            Self::Float8 => match index {
                0 => "NaN".to_owned(),
                1 => "-Infinity".to_owned(),
                2 => "0".to_owned(),
                _ => format!("{number}.25"),
            },
            Self::Interval => format!("{index} days"),
            Self::Pair => format!("({index},\"it's (a) \\\"\\\\pair\\\\\\\", {index}\")"),
        }
    }

    /// The same value in another spelling, where the type has one.
    fn alias(self, value: &str, rng: &mut impl Rng) -> String {
        match self {
            Self::Numeric if value.contains('.') => format!("{value}{}", "0".repeat(rng.random_range(0..4))),
            Self::Char => format!("{value}{}", " ".repeat(rng.random_range(0..3))),
            Self::Float8 if value == "0" && rng.random() => "-0".to_owned(),
            _ => value.to_owned(),
        }
    }

    /// Types of a referencing column that PostgreSQL lets refer to this one.
    fn child(self, rng: &mut impl Rng) -> Self {
        let others: &[Self] = match self {
            Self::Int4 => &[Self::Int4, Self::Int8],
            Self::Text | Self::Varchar => &[Self::Text, Self::Varchar, Self::Char],
            _ => return self,
        };
        *others.choose(rng).expect("a type")
    }
}

fn nasty_text(index: usize) -> String {
    let nasty = [
        "\\N",
        "a\tb",
        "line\nbreak",
        "\\",
        "back\\slash\\n",
        "quote'\"",
        "Ünïcödé ☃",
        "NULL",
        "a,b{c}",
        "\r",
        "\u{1}x",
    ];
    match nasty.get(index) {
        Some(text) => (*text).to_owned(),
        None => format!("value {index}"),
    }
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    kind: Type,
    not_null: bool,
    default: Option<String>,
}

#[derive(Clone, Debug)]
struct Table {
    name: String,
    columns: Vec<Column>,
    /// Primary key first.
    keys: Vec<Vec<usize>>,
    rows: Vec<Vec<Option<String>>>,
    partitions: usize,
    /// A column whose type has no portable binary form.
    as_text: bool,
}

#[derive(Debug)]
struct Reference {
    child: usize,
    columns: Vec<usize>,
    parent: usize,
    key: Vec<usize>,
    clause: String,
}

/// A database from a seed.
#[must_use]
pub fn generate(seed: u64) -> Generated {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tables: Vec<Table> = (0..rng.random_range(2..8)).map(|index| table(index, &mut rng)).collect();
    let mut references = Vec::new();
    for child in 0..tables.len() {
        for _ in 0..*[0, 1, 1, 1, 2, 2, 3].choose(&mut rng).expect("a number") {
            // Mostly to the table before, so that chains grow long; sometimes anywhere, so that cycles close.
            let parent = match rng.random_range(0..10) {
                0..6 if child > 0 => child - 1,
                6..8 if child > 0 => rng.random_range(0..child),
                8 => child,
                _ => rng.random_range(0..tables.len()),
            };
            references.extend(reference(&mut tables, child, parent, &mut rng));
        }
    }
    fill(&mut tables, &references, &mut rng);
    let inherited = rng
        .random_bool(0.3)
        .then(|| rng.random_range(0..tables.len()))
        .filter(|index| tables[*index].partitions == 0);
    let subject = |table: &Table| Subject {
        table: table.name.clone(),
        columns: table.keys[0].iter().map(|column| table.columns[*column].name.clone()).collect(),
        integer: table.keys[0].len() == 1
            && matches!(table.columns[table.keys[0][0]].kind, Type::Int4 | Type::Int8),
    };
    Generated {
        script: script(&tables, &references, inherited),
        subjects: tables.iter().map(subject).collect(),
    }
}

fn table(index: usize, rng: &mut ChaCha8Rng) -> Table {
    let odd = ["plain", "Mixed Case", "select", "quo\"te", "ünï", "semi;colon--", "tab\tname"];
    let name = format!("{}_{index}", odd.choose(rng).expect("a name"));
    let width = if rng.random_bool(0.25) { 2 } else { 1 };
    let mut columns: Vec<Column> = (0..width)
        .map(|number| Column {
            name: if rng.random_bool(0.2) { format!("key \"{number}") } else { format!("k{number}") },
            kind: *KEY_TYPES.choose(rng).expect("a type"),
            not_null: true,
            default: None,
        })
        .collect();
    let mut keys = vec![(0..width).collect()];
    if rng.random_bool(0.4) {
        columns.push(Column {
            name: "other key".to_owned(),
            kind: *KEY_TYPES.choose(rng).expect("a type"),
            not_null: false,
            default: None,
        });
        keys.push(vec![width]);
    }
    columns.push(Column { name: "note".to_owned(), kind: Type::Text, not_null: false, default: None });
    columns.push(Column { name: "span".to_owned(), kind: Type::Interval, not_null: false, default: None });
    // A unique key of a partitioned table must include the partition key.
    let partitions = if rng.random_bool(0.2) && keys.len() == 1 && columns[0].kind != Type::Pair {
        rng.random_range(2..4)
    } else {
        0
    };
    Table { name, columns, keys, rows: Vec::new(), partitions, as_text: rng.random_bool(0.25) }
}

fn reference(tables: &mut [Table], child: usize, parent: usize, rng: &mut ChaCha8Rng) -> Option<Reference> {
    let key = tables[parent].keys.choose(rng).expect("a key").clone();
    let setting = rng.random_range(0..10);
    let share = rng.random_bool(0.1);
    let mut columns = Vec::new();
    for column in &key {
        let kind = tables[parent].columns[*column].kind.child(rng);
        let known = tables[child]
            .columns
            .iter()
            .position(|known| known.name.starts_with("ref") && known.kind == kind);
        let number = tables[child].columns.len();
        match known.filter(|_| share && columns.is_empty()) {
            Some(known) => columns.push(known),
            None => {
                let not_null = setting < 4 && rng.random_bool(0.5);
                tables[child].columns.push(Column {
                    name: format!("ref{number}"),
                    kind,
                    not_null,
                    default: None,
                });
                columns.push(number);
            }
        }
    }
    // Sometimes the reference is a key itself, so that nulling it changes what others refer to.
    if rng.random_bool(0.1) && tables[child].partitions == 0 && child != parent {
        tables[child].keys.push(columns.clone());
    }
    let mut clause = String::new();
    if rng.random_bool(0.15) {
        clause.push_str(" MATCH FULL");
    }
    match setting {
        0..2 => {}
        2 => clause.push_str(" ON DELETE RESTRICT"),
        3..6 => clause.push_str(" ON DELETE CASCADE"),
        6..8 => clause.push_str(" ON DELETE SET NULL"),
        8 => {
            let list: Vec<String> = columns
                .iter()
                .take(1)
                .map(|column| quote_ident(&tables[child].columns[*column].name))
                .collect();
            write!(clause, " ON DELETE SET NULL ({})", list.join(", ")).expect("write");
        }
        _ => {
            clause.push_str(" ON DELETE SET DEFAULT");
            for (column, key) in columns.iter().zip(&key) {
                let kind = tables[parent].columns[*key].kind;
                tables[child].columns[*column].default = Some(kind.value(5));
            }
        }
    }
    clause.push_str(["", "", " ON UPDATE CASCADE", " ON UPDATE SET NULL"].choose(rng).expect("a clause"));
    if rng.random_bool(0.2) {
        clause.push_str(" DEFERRABLE INITIALLY DEFERRED");
    }
    Some(Reference { child, columns, parent, key, clause })
}

fn fill(tables: &mut [Table], references: &[Reference], rng: &mut ChaCha8Rng) {
    let counts: Vec<usize> = tables.iter().map(|_| rng.random_range(0..60)).collect();
    for (table, count) in tables.iter_mut().zip(&counts) {
        for index in 0..*count {
            let value = |column: &Column| {
                let long = column.name == "note" && rng.random_bool(0.05);
                match column.kind {
                    Type::Text if long => Some("x".repeat(9000)),
                    kind => Some(kind.value(index)),
                }
            };
            let row = table.columns.iter().map(value).collect();
            table.rows.push(row);
        }
        for row in &mut table.rows {
            for (column, value) in table.columns.iter().zip(row.iter_mut()) {
                if !column.not_null && !column.name.starts_with("ref") && rng.random_bool(0.1) {
                    *value = None;
                }
            }
        }
    }
    for reference in references {
        for row in 0..tables[reference.child].rows.len() {
            let parents = counts[reference.parent];
            let target = if parents == 0 { None } else { Some(rng.random_range(0..parents)) };
            let null = rng.random_bool(0.15);
            let key: Option<Vec<String>> = target.filter(|_| !null).and_then(|target| {
                reference
                    .key
                    .iter()
                    .map(|column| tables[reference.parent].rows[target][*column].clone())
                    .collect()
            });
            for (position, column) in reference.columns.iter().enumerate() {
                let kind = tables[reference.child].columns[*column].kind;
                tables[reference.child].rows[row][*column] =
                    key.as_ref().map(|key| kind.alias(&key[position], rng));
            }
        }
    }
    // Rows that a constraint refuses are left out by the script, one by one.
}

fn script(tables: &[Table], references: &[Reference], inherited: Option<usize>) -> String {
    let mut sql = String::from(
        "SET timezone = 'UTC'; SET client_min_messages = error;\nCREATE TYPE public.pair AS (a int, b text); CREATE TYPE public.mood AS ENUM ('sad', 'ok');\n",
    );
    for table in tables {
        let mut parts = Vec::new();
        for column in &table.columns {
            let null = if column.not_null { " NOT NULL" } else { "" };
            let default = column
                .default
                .as_ref()
                .map(|value| format!(" DEFAULT {}::{}", quote_literal(value), column.kind.sql()));
            parts.push(format!(
                "{} {}{null}{}",
                quote_ident(&column.name),
                column.kind.sql(),
                default.unwrap_or_default()
            ));
        }
        if table.as_text {
            parts.push("moods public.mood[] DEFAULT '{ok,sad}'".to_owned());
        }
        for (index, key) in table.keys.iter().enumerate() {
            let kind = if index == 0 { "PRIMARY KEY" } else { "UNIQUE" };
            parts.push(format!("{kind} ({})", names(table, key)));
        }
        let partition = if table.partitions > 0 {
            format!(" PARTITION BY HASH ({})", names(table, &table.keys[0][..1]))
        } else {
            String::new()
        };
        writeln!(sql, "CREATE TABLE public.{} ({}){partition};", quote_ident(&table.name), parts.join(", "))
            .expect("write");
        for part in 0..table.partitions {
            let name = quote_ident(&format!("{} part {part}", table.name));
            writeln!(
                sql,
                "CREATE TABLE public.{name} PARTITION OF public.{} FOR VALUES WITH (MODULUS {}, REMAINDER {part});",
                quote_ident(&table.name),
                table.partitions
            )
            .expect("write");
        }
    }
    for (index, reference) in references.iter().enumerate() {
        let (child, parent) = (&tables[reference.child], &tables[reference.parent]);
        writeln!(
            sql,
            "ALTER TABLE public.{} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES public.{} ({}){};",
            quote_ident(&child.name),
            quote_ident(&format!("fk {index}")),
            names(child, &reference.columns),
            quote_ident(&parent.name),
            names(parent, &reference.key),
            reference.clause
        )
        .expect("write");
    }
    sql.push_str("SET session_replication_role = replica;\n");
    for table in tables {
        for row in &table.rows {
            let values: Vec<String> = row
                .iter()
                .map(|value| value.as_ref().map_or("NULL".to_owned(), |value| quote_literal(value)))
                .collect();
            writeln!(
                sql,
                "DO $do$ BEGIN INSERT INTO public.{} ({}) VALUES ({}); EXCEPTION WHEN integrity_constraint_violation THEN NULL; END $do$;",
                quote_ident(&table.name),
                names(table, &(0..table.columns.len()).collect::<Vec<_>>()),
                values.join(", ")
            )
            .expect("write");
        }
    }
    if let Some(index) = inherited {
        let table = &tables[index];
        let name = quote_ident(&format!("heir of {}", table.name));
        writeln!(sql, "CREATE TABLE public.{name} () INHERITS (public.{});", quote_ident(&table.name))
            .expect("write");
        writeln!(
            sql,
            "INSERT INTO public.{name} SELECT * FROM public.{} LIMIT 20;",
            quote_ident(&table.name)
        )
        .expect("write");
    }
    // What was left out may have been referred to: such rows go, until everything that is there is consistent.
    sql.push_str("DO $do$ DECLARE gone int := 1; n int; BEGIN WHILE gone > 0 LOOP gone := 0;\n");
    for reference in references {
        let (child, parent) = (&tables[reference.child], &tables[reference.parent]);
        let pair = |(column, key): (&usize, &usize)| {
            format!(
                "p.{} = c.{}",
                quote_ident(&parent.columns[*key].name),
                quote_ident(&child.columns[*column].name)
            )
        };
        let pairs: Vec<String> = reference.columns.iter().zip(&reference.key).map(pair).collect();
        let nulls: Vec<String> = reference
            .columns
            .iter()
            .map(|column| format!("c.{} IS NOT NULL", quote_ident(&child.columns[*column].name)))
            .collect();
        let full = reference.clause.contains("MATCH FULL");
        let nulls = nulls.join(if full { " OR " } else { " AND " });
        writeln!(
            sql,
            "DELETE FROM ONLY_{0} c WHERE ({1}) AND NOT EXISTS (SELECT 1 FROM ONLY_{2} p WHERE {3}); GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;",
            reference.child,
            nulls,
            reference.parent,
            pairs.join(" AND ")
        )
        .expect("write");
    }
    sql.push_str("END LOOP; END $do$;\nSET session_replication_role = origin;\n");
    // A partitioned table has no rows of its own, and ONLY would find none.
    for (index, table) in tables.iter().enumerate().rev() {
        let only = if table.partitions > 0 { "" } else { "ONLY " };
        sql = sql.replace(&format!("ONLY_{index} "), &format!("{only}public.{} ", quote_ident(&table.name)));
    }
    sql
}

fn names(table: &Table, columns: &[usize]) -> String {
    columns.iter().map(|column| quote_ident(&table.columns[*column].name)).collect::<Vec<_>>().join(", ")
}
