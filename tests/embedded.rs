//! Random tables with keys in arrays, documents and texts, random rules about them, and the slow, obvious way to follow those
//! rules on a server. Everything follows from the seed.
//!
//! The oracle asks PostgreSQL itself what stands at a path: it puts a mark in the place of each scalar of a document, one after the
//! other, and looks whether `jsonb_path_query` finds the mark.

use std::fmt::Write as _;

use lethe_format::catalog::QualifiedName;
use lethe_format::json::Path;
use lethe_format::mask::{Constant, Replacement};
use lethe_format::reference::{Inside, KeyPattern, OnErase, Reference, Removed, TableColumns, When};
use lethe_format::sql::quote_literal;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A database, the rules, who is erased, and what the rules come to.
#[derive(Debug)]
pub struct Generated {
    pub script: String,
    pub references: Vec<Reference>,
    pub erased: Vec<String>,
    pub integer: bool,
    /// To be run in a copy of the database.
    pub oracle: String,
}

/// The type of the people's keys, its arrays, and how the oracle reads it from a text.
const KINDS: [(&str, &[&str], &str); 5] = [
    ("int4", &["int4[]", "int8[]", "int2[]"], "key_int"),
    ("int8", &["int8[]", "int4[]"], "key_int"),
    ("uuid", &["uuid[]"], "key_uuid"),
    ("text", &["text[]", "varchar(60)[]"], "key_text"),
    ("numeric", &["numeric[]"], "key_numeric"),
];
const NAMES: [&str; 6] = ["id", "ids", "actor", "by", "x y", "größe"];
const PATTERN: &str = "user:{}!";

/// People in the table; keys above are of people who left something behind.
const PEOPLE: usize = 20;
const KEYS: usize = 26;

struct Maker {
    rng: ChaCha8Rng,
    kind: &'static str,
}

impl Maker {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.rng).expect("something")
    }

    fn key(&self, number: usize) -> String {
        match self.kind {
            "uuid" => format!("00000000-0000-4000-8000-{:012x}", number * 7919),
            "text" => {
                let nasty =
                    ["NULL", "a \"b\"", "back\\slash", "{c},d", "tab\there", "ä☃", "", "line\nbreak", "5"];
                nasty.get(number).map_or_else(|| format!("p{number}"), |text| (*text).to_owned())
            }
            "numeric" => format!("{number}.5"),
            _ => number.to_string(),
        }
    }

    fn any_key(&mut self) -> String {
        let number = self.rng.random_range(0..KEYS);
        self.key(number)
    }

    fn array(&mut self, mut element: impl FnMut(&mut Self) -> String) -> String {
        let mut item = |maker: &mut Self| {
            if maker.rng.random_bool(0.1) { "NULL".to_owned() } else { quote_literal(&element(maker)) }
        };
        let count = self.rng.random_range(0..6);
        if self.rng.random_bool(0.15) && count > 0 {
            let row = |maker: &mut Self, item: &mut dyn FnMut(&mut Self) -> String| {
                format!("[{}]", (0..count).map(|_| item(maker)).collect::<Vec<_>>().join(","))
            };
            return format!("ARRAY[{},{}]", row(self, &mut item), row(self, &mut item));
        }
        format!("ARRAY[{}]", (0..count).map(|_| item(self)).collect::<Vec<_>>().join(","))
    }

    /// A document in any spelling.
    fn document(&mut self, depth: usize) -> String {
        let blank = |maker: &mut Self| maker.one(&["", "", " ", "\n\t"]);
        let choice = self.rng.random_range(0..if depth == 0 { 3 } else { 8 });
        match choice {
            0 => self.string(),
            1 if self.kind != "uuid" && self.kind != "text" => {
                let key = self.any_key();
                format!(
                    "{key}{}",
                    if key.contains('.') { self.one(&["", "0"]) } else { self.one(&["", "", ".0", "e0"]) }
                )
            }
            1 | 2 => {
                self.one(&["null", "true", "17e2", "-0.50", "123456789012345678901234567890.120"]).to_owned()
            }
            3..6 => {
                let names: Vec<&str> = NAMES.into_iter().filter(|_| self.rng.random_bool(0.4)).collect();
                let members: Vec<String> = names
                    .into_iter()
                    .map(|name| {
                        format!("{}\"{name}\"{}: {}", blank(self), blank(self), self.document(depth - 1))
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            _ => {
                let count = self.rng.random_range(0..4);
                let items: Vec<String> = (0..count)
                    .map(|_| format!("{}{}{}", blank(self), self.document(depth - 1), blank(self)))
                    .collect();
                format!("[{}]", items.join(","))
            }
        }
    }

    fn string(&mut self) -> String {
        let key = self.any_key();
        let text = match self.rng.random_range(0..4) {
            0 => PATTERN.replace("{}", &key),
            1 => "nobody".to_owned(),
            _ => key,
        };
        serde_json::Value::from(text).to_string()
    }

    fn path(&mut self) -> Path {
        let mut text = "$".to_owned();
        for _ in 0..self.rng.random_range(0..4) {
            match self.rng.random_range(0..10) {
                0..2 => text.push_str("[*]"),
                2 => text.push_str("[0]"),
                3 => text.push_str("[1]"),
                _ => write!(text, ".{}", serde_json::Value::from(self.one(&NAMES))).expect("write"),
            }
        }
        Path::parse(&text).expect("a path")
    }
}

/// A database from a seed.
#[must_use]
pub fn generate(seed: u64) -> Generated {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (kind, arrays, reads) = *KINDS.choose(&mut rng).expect("a kind");
    let mut maker = Maker { rng, kind };
    let mut script = format!("CREATE TABLE users (id {kind} PRIMARY KEY, handle text UNIQUE);\n");
    for number in 0..PEOPLE {
        let key = quote_literal(&maker.key(number));
        writeln!(script, "INSERT INTO users VALUES ({key}, 'handle {number}');").expect("write");
    }
    let mut references = Vec::new();
    let tables = maker.rng.random_range(1..4);
    for table in 0..tables {
        let array = maker.one(arrays);
        let not_null = if maker.rng.random_bool(0.15) { " NOT NULL" } else { "" };
        let pin = if maker.rng.random() { ", pin regclass DEFAULT 'users'" } else { "" };
        writeln!(
            script,
            "CREATE TABLE t{table} (id serial PRIMARY KEY, kind text, a {array}, b text[], c varchar(80), d jsonb{not_null}, e json, note text{pin});"
        )
        .expect("write");
        for _ in 0..maker.rng.random_range(1..25) {
            let shift = maker.one(&["", "", "[2:6]="]);
            let keyed = |maker: &mut Maker| {
                let key = maker.any_key();
                maker.one(&[PATTERN, PATTERN, "{}", "team:{}!"]).replace("{}", &key)
            };
            let of = maker.array(Maker::any_key);
            // A lower bound other than 1 where five elements stand in a line.
            let a = if shift.is_empty() || of.contains('[') && of.matches('[').count() > 1 {
                format!("{of}::{array}")
            } else {
                let five: Vec<String> =
                    (0..5).map(|_| serde_json::Value::from(maker.any_key()).to_string()).collect();
                format!(
                    "{}::{array}",
                    quote_literal(&format!(
                        "{shift}{{{}}}",
                        five.join(",").replace("\\n", "n").replace("\\t", "t")
                    ))
                )
            };
            let b = maker.array(keyed);
            let (c, d, e) = (quote_literal(&keyed(&mut maker)), maker.document(3), maker.document(3));
            writeln!(
                script,
                "INSERT INTO t{table} (kind, a, b, c, d, e, note) VALUES ({}, {a}, {b}::text[], {c}, {}, {}, 'noted');",
                maker.one(&["'x'", "'y'", "NULL"]),
                quote_literal(&d),
                quote_literal(&e)
            )
            .expect("write");
        }
        for column in ["a", "b", "c", "d", "d", "e"] {
            if maker.rng.random_bool(0.6) {
                references.push(rule(&mut maker, table, tables, column));
            }
        }
    }
    let mut unique: Vec<Reference> = Vec::new();
    for reference in references {
        if !unique.iter().any(|other| other.is_about_the_same(&reference)) {
            unique.push(reference);
        }
    }
    let mut erased: Vec<String> = Vec::new();
    for number in (0..KEYS).filter(|number| *number >= 24 || number % 5 == 0) {
        if maker.rng.random_bool(0.8) {
            erased.push(maker.key(number));
        }
    }
    if erased.is_empty() {
        erased.push(maker.key(1));
    }
    let oracle = oracle(kind, reads, tables, &unique, &erased);
    Generated { script, references: unique, erased, integer: kind.starts_with("int"), oracle }
}

fn rule(maker: &mut Maker, table: usize, tables: usize, column: &str) -> Reference {
    let side = |table: String, column: &str| TableColumns {
        table: QualifiedName::new("public", table),
        columns: vec![column.to_owned()],
    };
    let pattern = || Some(KeyPattern::parse(PATTERN).expect("a pattern"));
    let is_document = matches!(column, "d" | "e");
    let inside = match column {
        "a" => Inside { element: true, ..Inside::default() },
        "b" => Inside { element: true, text: pattern(), ..Inside::default() },
        "c" => Inside { text: pattern(), ..Inside::default() },
        _ => Inside {
            path: Some(maker.path()),
            text: pattern().filter(|_| maker.rng.random_bool(0.3)),
            element: false,
        },
    };
    let removed = if is_document { maker.one(&[Removed::Value, Removed::Object]) } else { Removed::Value };
    let on_erase = match maker.rng.random_range(0..5) {
        0 => OnErase::Drop,
        1 => OnErase::Null,
        2 => OnErase::Mask { set: vec![("note".to_owned(), masked())] },
        _ if column == "c" => OnErase::Null,
        _ => OnErase::Remove(removed),
    };
    // What refers to another table, or to its own, goes on from row to row.
    let to = if column != "a" && maker.rng.random_bool(0.2) {
        side(format!("t{}", maker.rng.random_range(0..tables)), "id")
    } else {
        side("users".to_owned(), "id")
    };
    let when = maker.rng.random_bool(0.2).then(|| When { column: "kind".to_owned(), equals: "x".to_owned() });
    Reference { from: side(format!("t{table}"), column), inside, to, when, on_erase }
}

/// What a note becomes of which the row stays.
const MASKED: &str = "tab\there";

fn masked() -> Replacement {
    Replacement::Constant(Constant { text: MASKED.to_owned(), binary: None })
}

const FUNCTIONS: &str = r#"
SET jit = off;
CREATE SCHEMA o;
CREATE FUNCTION o.key_int(t text) RETURNS int8 LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN t ~ '^[+-]?[0-9]{1,18}$' THEN t::int8 END $$;
CREATE FUNCTION o.key_numeric(t text) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN t ~ '^[+-]?[0-9]+([.][0-9]*)?$' THEN t::numeric END $$;
CREATE FUNCTION o.key_uuid(t text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN t ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN t::uuid END $$;
CREATE FUNCTION o.key_text(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT t $$;
-- The key's text within a text; none if it is another one.
CREATE FUNCTION o.piece(t text, is_keyed boolean) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN NOT is_keyed THEN t WHEN t LIKE 'user:%!' THEN substr(t, 6, length(t) - 6) END $$;
-- What a JSON scalar is as a key's text.
CREATE FUNCTION o.scalar(v jsonb, is_keyed boolean, takes_numbers boolean) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE jsonb_typeof(v) WHEN 'string' THEN o.piece(v #>> '{}', is_keyed)
                   WHEN 'number' THEN CASE WHEN takes_numbers AND NOT is_keyed THEN trim_scale((v #>> '{}')::numeric)::text END END $$;
CREATE FUNCTION o.scalars(doc jsonb) RETURNS TABLE (p text[], v jsonb) LANGUAGE sql IMMUTABLE AS $$
    WITH RECURSIVE w(p, v) AS (
        SELECT '{}'::text[], doc UNION ALL
        SELECT w.p || c.k, c.v FROM w, LATERAL (
            SELECT key, value FROM jsonb_each(CASE jsonb_typeof(w.v) WHEN 'object' THEN w.v ELSE '{}' END) UNION ALL
            SELECT (i - 1)::text, e FROM jsonb_array_elements(CASE jsonb_typeof(w.v) WHEN 'array' THEN w.v ELSE '[]' END) WITH ORDINALITY a(e, i)) c(k, v))
    SELECT w.p, w.v FROM w WHERE jsonb_typeof(w.v) IN ('string', 'number') $$;
CREATE FUNCTION o.found(doc jsonb, path jsonpath) RETURNS TABLE (p text[], v jsonb) LANGUAGE sql IMMUTABLE AS $$
    SELECT s.p, s.v FROM o.scalars(doc) s WHERE EXISTS (
        SELECT FROM jsonb_path_query(CASE WHEN s.p = '{}' THEN '"<mark>"' ELSE jsonb_set(doc, s.p, '"<mark>"') END, path) m WHERE m = '"<mark>"') $$;
-- The path of the innermost object around a place, or the place.
CREATE FUNCTION o.object_of(doc jsonb, p text[]) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce((SELECT p[1:n] FROM generate_series(cardinality(p) - 1, 0, -1) n WHERE jsonb_typeof(doc #> p[1:n]) = 'object' ORDER BY n DESC LIMIT 1), p) $$;
CREATE FUNCTION o.cut(doc jsonb, paths text[]) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE q text; BEGIN
    FOR q IN SELECT DISTINCT u COLLATE "C" AS u FROM unnest(paths) u WHERE NOT EXISTS (
        SELECT FROM unnest(paths) o WHERE o <> u AND (u::text[])[1:cardinality(o::text[])] = o::text[]) ORDER BY 1 DESC LOOP
        IF q::text[] = '{}' THEN RETURN NULL; END IF;
        doc := doc #- q::text[];
    END LOOP; RETURN doc; END $$;
CREATE FUNCTION o.take(a anyarray, gone anyarray) RETURNS anyarray LANGUAGE plpgsql AS $$
    DECLARE i int; BEGIN
    FOR i IN 1..coalesce(cardinality(gone), 0) LOOP
        IF array_ndims(a) > 1 THEN a := array_replace(a, gone[i], NULL); ELSE a := array_remove(a, gone[i]); END IF;
    END LOOP; RETURN a; END $$;
"#;

/// Whatever the rules find in the rows as they are: who goes, to the end; then what is left of the others.
fn oracle(kind: &str, reads: &str, tables: usize, references: &[Reference], erased: &[String]) -> String {
    let mut sql = FUNCTIONS.to_owned();
    let wide = if kind.starts_with("int") { "int8" } else { kind };
    writeln!(sql, "CREATE TABLE o.users (v {wide} PRIMARY KEY);").expect("write");
    for key in erased {
        writeln!(sql, "INSERT INTO o.users VALUES ({});", quote_literal(key)).expect("write");
    }
    for table in 0..tables {
        writeln!(sql, "CREATE TABLE o.t{table} (v int8 PRIMARY KEY);").expect("write");
    }
    let parts: Vec<Parts> = references.iter().map(|reference| Parts::of(reference, kind, reads)).collect();
    let mut drops = String::new();
    for (reference, parts) in
        references.iter().zip(&parts).filter(|(reference, _)| reference.on_erase == OnErase::Drop)
    {
        let table = &reference.from.table.name;
        writeln!(
            drops,
            "INSERT INTO o.{table} SELECT r.id FROM {table} r WHERE {} ON CONFLICT DO NOTHING; GET DIAGNOSTICS n = ROW_COUNT; more := more OR n > 0;",
            parts.hit
        )
        .expect("write");
    }
    writeln!(sql, "DO $$ DECLARE more boolean := true; n int; BEGIN WHILE more LOOP more := false; {drops} END LOOP; END $$;").expect("write");
    for table in 0..tables {
        let masks = references.iter().zip(&parts).filter(|(rule, _)| {
            rule.from.table.name == format!("t{table}") && matches!(rule.on_erase, OnErase::Mask { .. })
        });
        let hits: Vec<&str> = masks.map(|(_, parts)| parts.hit.as_str()).collect();
        if !hits.is_empty() {
            let note = quote_literal(MASKED);
            writeln!(sql, "UPDATE t{table} r SET note = {note} WHERE {};", hits.join(" OR ")).expect("write");
        }
        for column in ["a", "b", "c", "d", "e"] {
            let of = |reference: &&(&Reference, &Parts)| {
                reference.0.from.table.name == format!("t{table}") && reference.0.from.columns == [column]
            };
            let rules: Vec<(&Reference, &Parts)> = references.iter().zip(&parts).collect();
            let mine: Vec<_> = rules.iter().filter(of).collect();
            let nulls: Vec<&str> = mine
                .iter()
                .filter(|(rule, _)| matches!(rule.on_erase, OnErase::Null | OnErase::Mask { .. }))
                .map(|(_, parts)| parts.hit.as_str())
                .collect();
            let removes: Vec<_> =
                mine.iter().filter(|(rule, _)| matches!(rule.on_erase, OnErase::Remove(_))).collect();
            let mut value = format!("r.{column}");
            if matches!(column, "d" | "e") {
                let paths: Vec<&str> = removes.iter().map(|(_, parts)| parts.gone.as_str()).collect();
                if !paths.is_empty() {
                    let cast = if column == "e" { "::json" } else { "" };
                    value = format!(
                        "o.cut(r.{column}::jsonb, ARRAY(SELECT q::text FROM ({}) all_of(q))){cast}",
                        paths.join(" UNION ALL ")
                    );
                }
            } else {
                for (_, parts) in removes {
                    value = format!("o.take({value}, {})", parts.gone);
                }
            }
            if nulls.is_empty() && value == format!("r.{column}") {
                continue;
            }
            let null = if nulls.is_empty() { "false".to_owned() } else { nulls.join(" OR ") };
            // Each column is found in the rows as they were, since no rule reads another rule's column.
            writeln!(sql, "UPDATE t{table} r SET {column} = CASE WHEN {null} THEN NULL ELSE {value} END WHERE NOT EXISTS (SELECT FROM o.t{table} g WHERE g.v = r.id);").expect("write");
        }
    }
    for table in 0..tables {
        writeln!(sql, "DELETE FROM t{table} r USING o.t{table} g WHERE g.v = r.id;").expect("write");
    }
    sql.push_str("DELETE FROM users r USING o.users g WHERE g.v = r.id; DROP SCHEMA o CASCADE;");
    sql
}

/// What a rule comes to in SQL, about a row `r`.
struct Parts {
    /// Whether the row refers to anybody who is gone.
    hit: String,
    /// What is to be taken out: the paths, or an array of the elements.
    gone: String,
}

impl Parts {
    fn of(reference: &Reference, kind: &str, reads: &str) -> Self {
        let (column, gone) = (&reference.from.columns[0], format!("o.{}", reference.to.table.name));
        let (reads, kind) =
            if reference.to.table.name == "users" { (reads, kind) } else { ("key_int", "int4") };
        let keyed = reference.inside.text.is_some();
        let when = if reference.when.is_some() { "r.kind = 'x' AND " } else { "" };
        let is_gone = |key: &str| format!("EXISTS (SELECT FROM {gone} g WHERE g.v = {key})");
        if let Some(path) = &reference.inside.path {
            let whole =
                if path.to_string().ends_with("[*]") { path.to_string() } else { format!("{path}[*]") };
            let numbers = kind.starts_with("int") || kind == "numeric";
            let found = format!("o.found(r.{column}::jsonb, {}) f", quote_literal(&whole));
            let key = format!("o.{reads}(o.scalar(f.v, {keyed}, {numbers}))");
            let place = match reference.on_erase {
                OnErase::Remove(Removed::Object) => format!("o.object_of(r.{column}::jsonb, f.p)"),
                _ => "f.p".to_owned(),
            };
            return Self {
                hit: format!("({when}EXISTS (SELECT FROM {found} WHERE {}))", is_gone(&key)),
                gone: format!("SELECT {place} FROM {found} WHERE {when}{}", is_gone(&key)),
            };
        }
        if reference.inside.element {
            let key = if keyed { format!("o.{reads}(o.piece(u, true))") } else { "u".to_owned() };
            return Self {
                hit: format!("({when}EXISTS (SELECT FROM unnest(r.{column}) u WHERE {}))", is_gone(&key)),
                gone: format!("ARRAY(SELECT u FROM unnest(r.{column}) u WHERE {when}{})", is_gone(&key)),
            };
        }
        let key = format!("o.{reads}(o.piece(r.{column}, true))");
        Self { hit: format!("({when}{})", is_gone(&key)), gone: String::new() }
    }
}
