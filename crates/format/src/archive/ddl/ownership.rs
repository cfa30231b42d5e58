//! Who owns what (`_getObjectDescription` and the end of `_printTocEntry` in `pg_backup_archiver.c`).

use super::super::Entry;
use super::qualified;

/// A statement that lacks only the role: the archive's `role`, or the one that the operator names instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// `ALTER TABLE "public"."users" OWNER TO `; a quoted role completes it.
    pub sql: String,
    /// Not quoted.
    pub role: String,
}

pub(super) fn find(entry: &Entry) -> Option<Ownership> {
    let role = entry.owner.clone()?;
    let drop = entry.drop_statement.trim_end_matches(['\n', ';']);
    // Without a DROP statement the object goes with another one, and so does its owner.
    if drop.is_empty() {
        return None;
    }
    let target = match entry.desc.as_str() {
        "COLLATION"
        | "CONVERSION"
        | "DOMAIN"
        | "EVENT TRIGGER"
        | "FOREIGN DATA WRAPPER"
        | "FOREIGN TABLE"
        | "MATERIALIZED VIEW"
        | "PROCEDURAL LANGUAGE"
        | "PUBLICATION"
        | "SCHEMA"
        | "SEQUENCE"
        | "SERVER"
        | "STATISTICS"
        | "SUBSCRIPTION"
        | "TABLE"
        | "TEXT SEARCH CONFIGURATION"
        | "TEXT SEARCH DICTIONARY"
        | "TYPE"
        | "VIEW" => format!("{} {}", entry.desc, qualified(entry)),
        // Their names need argument types, which the DROP statement has.
        "AGGREGATE" | "FUNCTION" | "OPERATOR" | "OPERATOR CLASS" | "OPERATOR FAMILY" | "PROCEDURE" => {
            drop.strip_prefix("DROP ")?.to_owned()
        }
        _ => return None,
    };
    Some(Ownership { sql: format!("ALTER {target} OWNER TO "), role })
}
