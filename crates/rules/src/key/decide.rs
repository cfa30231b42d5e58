//! From PostgreSQL's catalogs to domains and readers: which equality a key has, or why it cannot be decided.

use lethe_format::catalog::{Catalog, Column, EqualityOperator, FIRST_NORMAL_OID, Type, TypeKind};
use lethe_format::ids::Oid;

use super::domain::{Domain, Reader, Source};

/// Why the equality of a key column cannot be decided without its server.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Undecidable {
    #[error("type {type_name} has an equality of its own, which only its server knows")]
    UnknownType { type_name: String },
    #[error("its collation may call different texts equal")]
    NondeterministicCollation,
    #[error("operator {operator} is not one of PostgreSQL's own")]
    ForeignOperator { operator: String },
    #[error("{child} is compared with {parent}, which depends on settings of the session")]
    MixedTypes { child: String, parent: String },
}

/// The equality of a column with itself: its type's default operator class. What a tombstone's key is compared by.
pub fn column_domain(catalog: &Catalog, column: &Column) -> Result<Domain, Undecidable> {
    if !column.deterministic {
        return Err(Undecidable::NondeterministicCollation);
    }
    Ok(domain_of(&source(catalog, column.type_oid)?))
}

/// The equality that a foreign key's operator applies to a pair of columns.
pub fn operator_domain(
    catalog: &Catalog,
    operator: &EqualityOperator,
    parent: &Column,
    child: &Column,
) -> Result<Domain, Undecidable> {
    if operator.oid >= FIRST_NORMAL_OID || operator.name != "=" {
        return Err(Undecidable::ForeignOperator { operator: operator.name.clone() });
    }
    if !parent.deterministic || !child.deterministic {
        return Err(Undecidable::NondeterministicCollation);
    }
    let (parent_source, child_source) = (source(catalog, parent.type_oid)?, source(catalog, child.type_oid)?);
    let mixed = || Undecidable::MixedTypes {
        child: type_name(catalog, child.type_oid),
        parent: type_name(catalog, parent.type_oid),
    };
    let domain = match (oid::of(operator.left), oid::of(operator.right)) {
        (Some(left), Some(right)) if left == right => left,
        // date = timestamp compares without a time zone; a time zone makes it depend on the session.
        (Some(Domain::Timestamp), Some(Domain::Exact(Source::Date)))
        | (Some(Domain::Exact(Source::Date)), Some(Domain::Timestamp)) => Domain::Timestamp,
        (Some(_), Some(_)) => return Err(mixed()),
        // Polymorphic operators (anyenum, anyarray, record, anyrange): the columns' own type decides.
        _ if operator.left == operator.right && parent_source == child_source => domain_of(&parent_source),
        _ => return Err(mixed()),
    };
    if reads(&parent_source, &domain) && reads(&child_source, &domain) { Ok(domain) } else { Err(mixed()) }
}

/// A reader of the column's values into the domain.
pub fn reader(catalog: &Catalog, column: &Column, domain: &Domain) -> Result<Reader, Undecidable> {
    let source = source(catalog, column.type_oid)?;
    if reads(&source, domain) {
        Ok(Reader { source, domain: domain.clone() })
    } else {
        let name = type_name(catalog, column.type_oid);
        Err(Undecidable::MixedTypes { child: name.clone(), parent: name })
    }
}

/// Whether the implicit cast from the type to the domain's type keeps values apart exactly as the server does.
fn reads(source: &Source, domain: &Domain) -> bool {
    let integer = matches!(source, Source::Int2 | Source::Int4 | Source::Int8);
    match domain {
        Domain::Integer => integer,
        Domain::Numeric => integer || *source == Source::Numeric,
        Domain::Float => integer || matches!(source, Source::Float4 | Source::Float8),
        Domain::Text => matches!(source, Source::Text | Source::BlankPadded),
        Domain::BlankPadded => *source == Source::BlankPadded || *source == Source::Text,
        Domain::Timestamp => matches!(source, Source::Timestamp | Source::Date),
        Domain::Interval => *source == Source::Interval,
        Domain::Network => *source == Source::Network,
        Domain::Exact(kind) => source == kind,
        Domain::Record(_) => matches!(source, Source::Record(_)),
        Domain::Array(_) => matches!(source, Source::Array(_)),
        Domain::Range(_) => matches!(source, Source::Range(_)),
    }
}

fn source(catalog: &Catalog, oid: Oid) -> Result<Source, Undecidable> {
    let unknown = || Undecidable::UnknownType { type_name: type_name(catalog, oid) };
    let base = catalog.base_type(oid).ok_or_else(unknown)?;
    match &base.kind {
        TypeKind::Enum => Ok(Source::Enum),
        TypeKind::Array { element } => Ok(Source::Array(Box::new(source(catalog, *element)?))),
        TypeKind::Range { subtype } => Ok(Source::Range(Box::new(source(catalog, *subtype)?))),
        TypeKind::Composite { fields } => {
            if fields.iter().any(|field| !field.deterministic) {
                return Err(Undecidable::NondeterministicCollation);
            }
            let fields: Result<_, _> = fields.iter().map(|field| source(catalog, field.type_oid)).collect();
            Ok(Source::Record(fields?))
        }
        TypeKind::Base if base.oid < FIRST_NORMAL_OID => oid::source(base.oid).ok_or_else(unknown),
        TypeKind::Base | TypeKind::Multirange { .. } | TypeKind::Pseudo | TypeKind::Domain { .. } => {
            Err(unknown())
        }
    }
}

/// The default equality of a type.
fn domain_of(source: &Source) -> Domain {
    match source {
        Source::Int2 | Source::Int4 | Source::Int8 => Domain::Integer,
        Source::Float4 | Source::Float8 => Domain::Float,
        Source::Numeric => Domain::Numeric,
        Source::Text => Domain::Text,
        Source::BlankPadded => Domain::BlankPadded,
        Source::Timestamp => Domain::Timestamp,
        Source::Interval => Domain::Interval,
        Source::Network => Domain::Network,
        Source::Record(fields) => Domain::Record(fields.iter().map(domain_of).collect()),
        Source::Array(element) => Domain::Array(Box::new(domain_of(element))),
        Source::Range(bound) => Domain::Range(Box::new(domain_of(bound))),
        exact => Domain::Exact(exact.clone()),
    }
}

fn type_name(catalog: &Catalog, oid: Oid) -> String {
    catalog.types.get(&oid).map_or_else(|| format!("with oid {oid}"), |Type { name, .. }| name.to_string())
}

/// Built-in types by OID (`pg_type.dat`); these numbers never change.
mod oid {
    use super::{Domain, Oid, Source};

    pub(super) fn source(oid: Oid) -> Option<Source> {
        Some(match oid {
            16 => Source::Bool,
            17 => Source::Bytea,
            18 => Source::Opaque("\"char\""),
            // name: its binary form is its text.
            19 | 25 | 1043 => Source::Text,
            20 => Source::Int8,
            21 => Source::Int2,
            23 => Source::Int4,
            26 => Source::Oid,
            700 => Source::Float4,
            701 => Source::Float8,
            790 => Source::Opaque("money"),
            829 => Source::Opaque("macaddr"),
            774 => Source::Opaque("macaddr8"),
            650 | 869 => Source::Network,
            1042 => Source::BlankPadded,
            1082 => Source::Date,
            1083 => Source::Opaque("time"),
            1114 => Source::Timestamp,
            1184 => Source::TimestampTz,
            1186 => Source::Interval,
            1266 => Source::Opaque("time with time zone"),
            1560 => Source::Opaque("bit"),
            1562 => Source::Opaque("bit varying"),
            1700 => Source::Numeric,
            2950 => Source::Uuid,
            3220 => Source::Opaque("pg_lsn"),
            5069 => Source::Opaque("xid8"),
            _ => return None,
        })
    }

    /// What a built-in operator compares when its operand has this type.
    pub(super) fn of(operand: Oid) -> Option<Domain> {
        source(operand).map(|source| super::domain_of(&source))
    }
}
