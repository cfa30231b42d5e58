//! Rules about keys within values: whether a column holds what the rule says, and how it is read.

use lethe_format::catalog::{Catalog, Column, EqualityOperator, Table, TypeKind};
use lethe_format::json::{Needle, Take};
use lethe_format::reference::{Inside, OnErase, Reference, Removed};

use super::hazards::domain_rejects_null;
use crate::embedded::{Embedded, KeyForm, Place, WrittenKey, is_written};
use crate::key::{self, Domain, KeyReader};

/// What a rule says about the inside of its column.
#[derive(Clone, Debug)]
pub(crate) struct Within {
    pub inside: Inside,
    /// What is taken out; none if the rule drops the row or nulls the column.
    pub removed: Option<Removed>,
}

impl Within {
    /// Whether nothing may be left of a document.
    pub(super) fn may_leave_nothing(&self) -> bool {
        let has_name = |path: &lethe_format::json::Path| {
            path.steps().iter().any(|step| matches!(step, lethe_format::json::Step::Member(_)))
        };
        let in_object = self.inside.path.as_ref().is_none_or(has_name);
        match self.removed {
            Some(Removed::Object) => true,
            Some(Removed::Value) => !in_object,
            None => false,
        }
    }
}

/// Why a rule about the inside of a column cannot be followed.
pub(super) enum Refusal {
    Unsupported(String),
    Undecidable(String),
}

/// The rule's inside, if its columns are such that it can be followed.
pub(super) fn within(
    catalog: &Catalog,
    reference: &Reference,
    from: &[&Column],
    to: &[&Column],
) -> Result<Option<Within>, Refusal> {
    let removed = match &reference.on_erase {
        OnErase::Remove(removed) => Some(*removed),
        OnErase::Drop | OnErase::Null | OnErase::Mask { .. } | OnErase::Keep { .. } => None,
    };
    let unsupported = |problem: &str| Err(Refusal::Unsupported(problem.to_owned()));
    let inside = &reference.inside;
    if inside.is_whole() {
        return match removed {
            Some(_) => unsupported(
                "what is taken out must be an element of an array, or stand at a path of a document",
            ),
            None => Ok(None),
        };
    }
    let ([column], [parent]) = (from, to) else {
        return unsupported("a key within a value is one column's");
    };
    if inside.element && inside.path.is_some() {
        return unsupported("the elements of an array have no paths");
    }
    let element = array_element(catalog, column);
    if inside.element {
        let Some(element) = &element else {
            return Err(Refusal::Unsupported(format!("the column {} is no array", column.name)));
        };
        if removed.is_some() && domain_rejects_null(catalog, element.type_oid) {
            return unsupported("its elements are of a domain that does not take NULL");
        }
    } else if inside.path.is_some() {
        if json_kind(catalog, column).is_none() {
            return Err(Refusal::Unsupported(format!("the column {} is no json or jsonb", column.name)));
        }
    } else if removed.is_some() {
        return unsupported("nothing can be taken out of a text: say \"drop\" or \"null\"");
    }
    if removed == Some(Removed::Object) && inside.path.is_none() {
        return unsupported("only a document has objects that can be taken out");
    }
    if inside.text.is_some() && inside.path.is_none() && !is_text(catalog, element.as_ref().unwrap_or(column))
    {
        return Err(Refusal::Unsupported(format!("the column {} holds no text", column.name)));
    }
    domain(catalog, inside, column, parent).map_err(Refusal::Undecidable)?;
    Ok(Some(Within { inside: inside.clone(), removed }))
}

/// What a key within a value is compared as.
pub(super) fn domain(
    catalog: &Catalog,
    inside: &Inside,
    column: &Column,
    parent: &Column,
) -> Result<Domain, String> {
    if inside.path.is_none()
        && inside.text.is_none()
        && let Some(element) = array_element(catalog, column)
    {
        let base = catalog.base_type(parent.type_oid).map_or(parent.type_oid, |base| base.oid);
        let operator = EqualityOperator { oid: 0, name: "=".to_owned(), left: base, right: base };
        return key::operator_domain(catalog, &operator, parent, &element)
            .map_err(|reason| format!("an element of {} → {}: {reason}", column.name, parent.name));
    }
    let domain =
        key::column_domain(catalog, parent).map_err(|reason| format!("{}: {reason}", parent.name))?;
    if is_written(&domain) {
        Ok(domain)
    } else {
        Err(format!("values of the type of {} are written in more than one way", parent.name))
    }
}

/// How the keys in a column of one leaf are read. `as_text` says that its rows are stored in COPY's text format.
pub(crate) fn embedded(
    catalog: &Catalog,
    within: &Within,
    (table, column): (&Table, &Column),
    parent: &Column,
    domain: &Domain,
    as_text: bool,
) -> Result<Embedded, String> {
    let Within { inside, removed } = within;
    let reader = |column: &Column| key::reader(catalog, column, domain).map_err(|reason| reason.to_string());
    let missing = || format!("the column {} of {} is of another type", column.name, table.name);
    let key = if inside.path.is_none() && inside.text.is_none() {
        let reader = reader(&array_element(catalog, column).ok_or_else(missing)?)?;
        if as_text && !reader.has_text_form() {
            return Err(format!("the text form of {}.{} cannot be compared", table.name, column.name));
        }
        KeyForm::Stored(KeyReader::new(vec![reader]))
    } else {
        KeyForm::Written(WrittenKey::new(inside.text.clone(), reader(parent)?))
    };
    let place = match &inside.path {
        Some(path) => {
            let is_jsonb = json_kind(catalog, column).ok_or_else(missing)? == Json::Jsonb;
            Place::Document {
                needle: Needle::new(path, is_jsonb).map(Box::new),
                path: path.clone(),
                is_jsonb,
                take: if *removed == Some(Removed::Object) { Take::Object } else { Take::Value },
            }
        }
        None if inside.element => Place::Element,
        None => Place::Value,
    };
    Ok(Embedded { place, key, null_refused: None })
}

/// A column as it would be if it held one element of its array.
fn array_element(catalog: &Catalog, column: &Column) -> Option<Column> {
    match catalog.base_type(column.type_oid)?.kind {
        TypeKind::Array { element } => Some(Column { type_oid: element, ..column.clone() }),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Json {
    Json,
    Jsonb,
}

/// By OID (`pg_type.dat`).
fn json_kind(catalog: &Catalog, column: &Column) -> Option<Json> {
    match catalog.base_type(column.type_oid)?.oid {
        114 => Some(Json::Json),
        3802 => Some(Json::Jsonb),
        _ => None,
    }
}

fn is_text(catalog: &Catalog, column: &Column) -> bool {
    // text, name, varchar, char
    catalog.base_type(column.type_oid).is_some_and(|base| matches!(base.oid, 25 | 19 | 1043 | 1042))
}
