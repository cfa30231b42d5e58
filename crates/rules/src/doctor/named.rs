//! Whether the settings speak of what is there.

use lethe_format::catalog::{Catalog, QualifiedName, display_ident};

use super::Finding;

/// A table and columns of it that some setting names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// Where: `[subject.user]`.
    pub setting: String,
    pub table: QualifiedName,
    pub columns: Vec<String>,
}

/// `place` is what the catalog is of.
#[must_use]
pub fn named(catalog: &Catalog, named: &[Named], place: &str) -> Vec<Finding> {
    const CHECK: &str = "settings";
    const ADVICE: &str =
        "was it renamed? Correct lethe.toml: a rule about what is not there keeps nobody away";
    let missing: Vec<Finding> = named
        .iter()
        .flat_map(|named| lacking(catalog, named))
        .map(|what| Finding::wrong(CHECK, format!("{what}, which is not in {place}"), ADVICE))
        .collect();
    if missing.is_empty() {
        return vec![Finding::ok(CHECK, format!("every table and column that they name is in {place}"))];
    }
    missing
}

fn lacking(catalog: &Catalog, named: &Named) -> Vec<String> {
    let Named { setting, table, columns } = named;
    let Some(known) = catalog.tables.iter().find(|known| known.name == *table) else {
        return vec![format!("{setting} names table {table}")];
    };
    let is_there = |name: &str| known.column_named(name).is_some();
    let missing = columns.iter().filter(|name| !is_there(name));
    missing.map(|name| format!("{setting} names column {table}.{}", display_ident(name))).collect()
}

/// `open` are the columns of which nobody has said whose data they hold, none if the settings name no kind of people.
#[must_use]
pub fn coverage(open: Option<&[String]>, place: &str) -> Finding {
    const CHECK: &str = "coverage";
    match open {
        None => Finding::unknown(
            CHECK,
            "no kind of people is named",
            "[subject.user] with table = \"public.users\" in lethe.toml: whose data is it?",
        ),
        Some([]) => Finding::ok(
            CHECK,
            format!("what becomes of every column of {place} that may refer to people is said"),
        ),
        Some(open @ [first, ..]) => Finding::wrong(
            CHECK,
            format!(
                "{} columns of {place} may refer to people and nothing says what becomes of them, {first} among them",
                open.len()
            ),
            "lethe coverage --suggest writes what can be guessed; until then a restore objects",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Ok, Unknown, Wrong};
    use super::*;

    #[test]
    fn what_is_not_there_is_named() {
        let column = serde_json::json!({"attnum": 1, "name": "id", "type_oid": 20, "typmod": -1, "not_null": true, "generated": false, "identity": false, "deterministic": true, "default": null});
        let table = serde_json::json!({"oid": 1, "name": {"schema": "public", "name": "users"}, "kind": "plain", "columns": [column]});
        let catalog = serde_json::json!({"tables": [table], "foreign_keys": [], "types": {}});
        let catalog: Catalog = serde_json::from_value(catalog).expect("a catalog");
        let name = QualifiedName::new("public", "users");
        let of = |table: &QualifiedName, columns: &[&str]| Named {
            setting: "[subject.user]".to_owned(),
            table: table.clone(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
        };
        let verdicts = |all: &[Named]| named(&catalog, all, "snapshot x");
        assert_eq!(verdicts(&[of(&name, &["id"])])[0].verdict, Ok);
        assert_eq!(verdicts(&[])[0].verdict, Ok);
        let found = verdicts(&[
            of(&name, &["id", "mail", "Name"]),
            of(&QualifiedName::new("public", "persons"), &["id"]),
        ]);
        let texts: Vec<&str> = found.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(
            texts,
            [
                "[subject.user] names column public.users.mail, which is not in snapshot x",
                "[subject.user] names column public.users.\"Name\", which is not in snapshot x",
                "[subject.user] names table public.persons, which is not in snapshot x",
            ]
        );
        assert!(found.iter().all(|finding| finding.verdict == Wrong));
    }

    #[test]
    fn coverage_is_open_closed_or_not_to_be_told() {
        assert_eq!(coverage(None, "x").verdict, Unknown);
        assert_eq!(coverage(Some(&[]), "x").verdict, Ok);
        let open = ["public.a.b".to_owned(), "public.a.c".to_owned()];
        let found = coverage(Some(&open), "x");
        assert_eq!(found.verdict, Wrong);
        assert!(found.what.contains("2 columns") && found.what.contains("public.a.b"), "{}", found.what);
    }
}
