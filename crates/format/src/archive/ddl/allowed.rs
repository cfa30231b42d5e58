//! Which statements a schema may hold. `pg_dump` writes definitions, comments and grants; whatever reads or writes rows,
//! runs code at once, changes the server beyond one database, or ends the transaction that it runs in was put there by
//! somebody else.
//!
//! This does not make a forged schema harmless: the functions that it defines run when a constraint, an index or a
//! trigger calls them, as whatever the restoring role may do. It keeps a changed schema from running something without
//! even that.

use super::Statement;
use crate::sql::{Words, statements};

/// A statement that does not belong in a schema.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the definition of {object} holds {found}, which pg_dump does not write")]
pub struct NotAllowed {
    /// Not as it stands in SQL.
    pub object: String,
    /// Its first words, or what is wrong with the text.
    pub found: String,
}

/// Checks every statement of a schema before the first one is run.
///
/// # Errors
/// The first one that is not allowed.
pub fn check(all: &[Statement]) -> Result<(), NotAllowed> {
    for statement in all {
        let refused = |found: String| NotAllowed { object: statement.object.clone(), found };
        definition(&statement.sql).map_err(refused)?;
        if let Some(owner) = &statement.owner {
            // A role completes it.
            let sql = owner.sql.clone() + "x";
            let parts = words(&sql).map_err(refused)?;
            let one =
                matches!(parts.as_slice(), [part] if part.words.first().is_some_and(|word| word == "ALTER"));
            if !one || !owner.sql.ends_with(" OWNER TO ") {
                return Err(refused("something else than a change of its owner".to_owned()));
            }
        }
    }
    Ok(())
}

fn words(sql: &str) -> Result<Vec<Words<'_>>, String> {
    if sql.contains('\0') {
        return Err("a zero byte".to_owned());
    }
    statements(sql).map_err(|_| "a quote, a comment or a parenthesis that does not end".to_owned())
}

fn definition(sql: &str) -> Result<(), String> {
    let mut in_body = false;
    for statement in words(sql)? {
        let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
        if in_body {
            match words.first().copied() {
                Some("END") if words.len() == 1 => in_body = false,
                Some(
                    "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "RETURN" | "VALUES" | "WITH" | "",
                ) => {}
                _ => return Err(shown(&words)),
            }
        } else if is_definition(&words) {
            in_body = statement.opens_body && is_routine(&words);
        } else {
            return Err(shown(&words));
        }
    }
    if in_body { Err("a function whose body does not end".to_owned()) } else { Ok(()) }
}

fn is_definition(words: &[&str]) -> bool {
    // What lies outside of one database, or changes how the server runs.
    const BEYOND: [&str; 6] = ["DATABASE", "ROLE", "USER", "GROUP", "TABLESPACE", "SYSTEM"];
    match words {
        ["CREATE" | "ALTER", "USER", "MAPPING", ..] => true,
        ["CREATE" | "ALTER", kind, ..] => !BEYOND.contains(kind),
        ["COMMENT", "ON", ..] | ["GRANT" | "REVOKE", ..] | ["SECURITY", "LABEL", ..] => true,
        // Grants by somebody else than the owner.
        ["SET" | "RESET", "SESSION", "AUTHORIZATION", ..] => true,
        _ => false,
    }
}

fn is_routine(words: &[&str]) -> bool {
    matches!(
        words,
        ["CREATE", "FUNCTION" | "PROCEDURE", ..] | ["CREATE", "OR", "REPLACE", "FUNCTION" | "PROCEDURE", ..]
    )
}

/// The key words alone: whatever is quoted may be anything.
fn shown(words: &[&str]) -> String {
    let words: Vec<&str> = words.iter().copied().take_while(|word| !word.is_empty()).take(3).collect();
    match words.join(" ") {
        text if text.is_empty() => "something that is no statement".to_owned(),
        // Names may be long and in any language.
        text => text.chars().filter(|c| !c.is_control()).take(60).collect(),
    }
}
