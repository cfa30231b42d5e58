//! How long a column's values, or the elements of its arrays, may be.

use lethe_format::catalog::{Catalog, Column, FIRST_NORMAL_OID, TypeKind};

use super::fake::LONGEST;

/// The most characters that a column of text takes; none if it is no text, or if only its domain knows.
pub(super) fn text_limit(catalog: &Catalog, column: &Column) -> Option<usize> {
    let base = catalog.base_type(column.type_oid)?;
    if base.oid >= FIRST_NORMAL_OID {
        return (base.kind == TypeKind::Base && base.name.name == "citext").then_some(LONGEST);
    }
    match base.oid {
        // `name` holds 63 bytes.
        19 => Some(63),
        25 => Some(LONGEST),
        1042 | 1043 if base.oid == column.type_oid => {
            // `varchar(n)` and `char(n)` have n + 4 as their typmod (`VARHDRSZ`).
            let limit = usize::try_from(column.typmod.saturating_sub(4)).ok();
            Some(limit.filter(|_| column.typmod > 4).unwrap_or(LONGEST).min(LONGEST))
        }
        _ => None,
    }
}

/// A column as it would be if it held one element of its array; none if it is no array, or if only its domain knows how long an
/// element may be.
pub(super) fn element_of(catalog: &Catalog, column: &Column) -> Option<Column> {
    let base = catalog.base_type(column.type_oid)?;
    let TypeKind::Array { element } = base.kind else { return None };
    // `int2vector` and `oidvector` have a text form of their own.
    let is_vector = matches!(base.oid, 22 | 30);
    let has_length = catalog
        .base_type(element)
        .is_some_and(|element| matches!(element.oid, 1042 | 1043 | 1560 | 1562 | 1700));
    let is_known = base.oid == column.type_oid || !has_length;
    (is_known && !is_vector).then(|| Column { type_oid: element, ..column.clone() })
}

/// The most characters of a text, or of an element of an array of texts; none if any number will do.
pub(super) fn longest_text(catalog: &Catalog, column: &Column) -> Option<usize> {
    let element = element_of(catalog, column);
    let column = element.as_ref().unwrap_or(column);
    match catalog.base_type(column.type_oid)?.oid {
        19 => Some(63),
        1042 | 1043 => usize::try_from(column.typmod.checked_sub(4)?).ok().filter(|limit| *limit > 0),
        _ => None,
    }
}
