//! The table that an index or a constraint is built on, read off its SQL.
//!
//! An entry's tag does not tell: `a b c` is constraint `b c` of table `a`, or constraint `c` of table `a b`. Its
//! dependencies do not either: an index may depend on several tables through the functions in it. The SQL is exact,
//! and `pg_dump` writes it in one way only, with the table's schema.

use super::super::Entry;
use crate::sql::NameReader;

pub(super) struct Target {
    /// Its schema, which is the index's as well, and its name.
    pub(super) table: (String, String),
    /// The index's or the constraint's.
    pub(super) name: String,
}

pub(super) fn find(entry: &Entry) -> Option<Target> {
    let mut names = NameReader::new(&entry.definition);
    match entry.desc.as_str() {
        "INDEX" => index(&mut names),
        "CONSTRAINT" | "CHECK CONSTRAINT" | "FK CONSTRAINT" => constraint(&mut names),
        _ => None,
    }
}

/// `CREATE UNIQUE INDEX name ON ONLY schema.table USING …` (`pg_get_indexdef`).
fn index(names: &mut NameReader<'_>) -> Option<Target> {
    expect(names, "CREATE")?;
    names.word("UNIQUE");
    expect(names, "INDEX")?;
    let name = names.name().ok()?;
    expect(names, "ON")?;
    names.word("ONLY");
    Some(Target { table: table(names)?, name })
}

/// `ALTER TABLE ONLY schema.table ADD CONSTRAINT name …` (`dumpConstraint`); nothing for a domain's.
fn constraint(names: &mut NameReader<'_>) -> Option<Target> {
    expect(names, "ALTER")?;
    names.word("FOREIGN");
    expect(names, "TABLE")?;
    names.word("ONLY");
    let table = table(names)?;
    expect(names, "ADD")?;
    expect(names, "CONSTRAINT")?;
    Some(Target { table, name: names.name().ok()? })
}

fn table(names: &mut NameReader<'_>) -> Option<(String, String)> {
    let (schema, table) = names.qualified_name().ok()?;
    Some((schema?, table))
}

fn expect(names: &mut NameReader<'_>, word: &str) -> Option<()> {
    names.word(word).then_some(())
}
