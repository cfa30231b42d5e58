//! The part of PostgreSQL's system catalogs that a snapshot keeps: what the closure and the loader must know.
//!
//! The schema itself is recreated from `pg_dump`'s archive. This catalog says how the stored rows are laid out, how
//! tables refer to each other and when two keys are equal. Attribute numbers are PostgreSQL's (`pg_attribute.attnum`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::Oid;
use crate::sql::quote_ident;

/// `pg_attribute.attnum`: 1 for the first column; gaps where columns were dropped.
pub type AttNum = i16;

/// Built-in objects have OIDs below this (`FirstNormalObjectId` in `access/transam.h`), the same on every server.
pub const FIRST_NORMAL_OID: Oid = 16384;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    pub tables: Vec<Table>,
    /// Foreign keys as they were declared: the copies that PostgreSQL keeps for partitions are left out.
    pub foreign_keys: Vec<ForeignKey>,
    /// Every type that a column uses, and the types those are made of.
    pub types: BTreeMap<Oid, Type>,
    /// Security labels of tables and columns by which `postgresql_anonymizer` would mask them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<SecurityLabel>,
}

/// `SECURITY LABEL FOR provider ON TABLE … IS 'label'` (`pg_seclabel`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityLabel {
    pub provider: String,
    pub table: Oid,
    /// None for the table itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<AttNum>,
    pub label: String,
}

impl Catalog {
    #[must_use]
    pub fn table(&self, oid: Oid) -> Option<&Table> {
        self.tables.iter().find(|table| table.oid == oid)
    }

    #[must_use]
    pub fn table_named(&self, name: &QualifiedName) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == *name)
    }

    /// Whether other tables inherit from this one, as its partitions do too.
    #[must_use]
    pub fn has_children(&self, oid: Oid) -> bool {
        self.tables.iter().any(|table| table.partition_of == Some(oid) || table.inherits.contains(&oid))
    }

    /// Follows domains down to the type that values are stored as.
    #[must_use]
    pub fn base_type(&self, oid: Oid) -> Option<&Type> {
        let mut current = self.types.get(&oid)?;
        // A domain over a domain over … : each step names another type, so their number bounds the walk.
        for _ in 0..self.types.len() {
            match current.kind {
                TypeKind::Domain { base, .. } => current = self.types.get(&base)?,
                _ => return Some(current),
            }
        }
        None
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualifiedName {
    pub schema: String,
    pub name: String,
}

impl QualifiedName {
    #[must_use]
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// The name as it stands in an SQL statement: both parts quoted.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.name))
    }
}

/// The name for people: quoted only where SQL would need it.
impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", display_ident(&self.schema), display_ident(&self.name))
    }
}

/// An identifier as a person would write it: plain if it is lower case and simple, quoted otherwise.
#[must_use]
pub fn display_ident(name: &str) -> String {
    let mut bytes = name.bytes();
    let plain_start = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let plain =
        plain_start && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain { name.to_owned() } else { quote_ident(name) }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub oid: Oid,
    pub name: QualifiedName,
    pub kind: TableKind,
    /// The partitioned table that this one is a direct partition of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_of: Option<Oid>,
    /// For a partitioned table, every column that its partition key or an expression in it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partition_columns: Vec<AttNum>,
    /// Direct parents by `INHERITS` (not partitioning).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<Oid>,
    /// Every column that is not dropped, in `attnum` order.
    pub columns: Vec<Column>,
    /// Primary keys and unique constraints or indexes over plain columns, all rows (no partial index).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_keys: Vec<UniqueKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckConstraint>,
    /// Set for a table that belongs to an extension and whose rows the extension asked to be dumped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<ExtensionTable>,
}

impl Table {
    #[must_use]
    pub fn column(&self, attnum: AttNum) -> Option<&Column> {
        self.columns.iter().find(|column| column.attnum == attnum)
    }

    #[must_use]
    pub fn column_named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that `COPY` carries, in order: generated columns are computed by the target.
    pub fn copied_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.generated)
    }

    #[must_use]
    pub fn primary_key(&self) -> Option<&UniqueKey> {
        self.unique_keys.iter().find(|key| key.primary)
    }
}

/// A configuration table of an extension: `pg_extension.extconfig` and `extcondition`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionTable {
    pub extension: String,
    /// The `WHERE …` clause of `pg_extension_config_dump`, empty for all rows.
    pub condition: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A table with rows of its own: an ordinary table or a leaf partition.
    Plain,
    /// A partitioned table: its rows are those of its partitions.
    Partitioned,
    /// A foreign table: its rows live elsewhere and are not copied.
    Foreign,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    pub attnum: AttNum,
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
    #[serde(default)]
    pub not_null: bool,
    /// `GENERATED ALWAYS AS (…)`: not part of the stored rows.
    #[serde(default)]
    pub generated: bool,
    #[serde(default)]
    pub identity: bool,
    /// False if the column's collation may call different bytes equal (`pg_collation.collisdeterministic`).
    #[serde(default = "yes")]
    pub deterministic: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultValue>,
}

/// A column's default, as far as `ON DELETE SET DEFAULT` needs it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultValue {
    /// The server evaluated it, and it can have no other value.
    Constant {
        /// The text form, `None` for NULL.
        text: Option<String>,
        /// The binary form in hexadecimal, `None` for NULL.
        binary: Option<String>,
    },
    /// `nextval(…)`, `now()`, a function that is not immutable …
    Computed,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniqueKey {
    pub name: String,
    pub columns: Vec<AttNum>,
    #[serde(default)]
    pub primary: bool,
    /// `NULLS NOT DISTINCT` (PostgreSQL 15).
    #[serde(default)]
    pub nulls_not_distinct: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckConstraint {
    pub name: String,
    pub columns: Vec<AttNum>,
    /// `pg_get_expr`: the condition as SQL.
    pub expression: String,
}

/// One declared foreign key (`pg_constraint`, `contype = 'f'`, `conparentid = 0`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    pub name: String,
    /// The referencing table.
    pub child: Oid,
    /// The referenced table.
    pub parent: Oid,
    /// Referencing and referenced columns, pairwise.
    pub columns: Vec<KeyPair>,
    pub on_delete: Action,
    /// The column list of `SET NULL (…)` and `SET DEFAULT (…)` (PostgreSQL 15); empty means all referencing columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_columns: Vec<AttNum>,
    pub on_update: Action,
    pub matching: Matching,
    /// False for `NOT VALID`: rows may exist whose parent does not.
    pub validated: bool,
    /// False for `NOT ENFORCED` (PostgreSQL 18): the server does nothing about it.
    #[serde(default = "yes")]
    pub enforced: bool,
    /// `FOREIGN KEY (…, PERIOD …)` (PostgreSQL 18).
    #[serde(default)]
    pub temporal: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    pub child: AttNum,
    pub parent: AttNum,
    /// `pg_constraint.conpfeqop`: the operator that decides, `parent = child`.
    pub operator: EqualityOperator,
}

/// The equality operator of one key column (`pg_operator`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EqualityOperator {
    pub oid: Oid,
    /// `oprname`, `=` for all built-in ones.
    pub name: String,
    pub left: Oid,
    pub right: Oid,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    Simple,
    Full,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Type {
    pub oid: Oid,
    pub name: QualifiedName,
    pub kind: TypeKind,
    /// The extension that the type belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// True if the type has both a send and a receive function of its own.
    #[serde(default)]
    pub binary: bool,
    /// An enum's labels in their order (`pg_enum`). Snapshots of earlier versions lack them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    Base,
    Enum,
    Domain {
        base: Oid,
        /// True if the server accepts `NULL::domain`.
        accepts_null: bool,
    },
    Array {
        element: Oid,
    },
    /// Field types in order.
    Composite {
        fields: Vec<CompositeField>,
    },
    Range {
        subtype: Oid,
    },
    Multirange {
        range: Oid,
    },
    Pseudo,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompositeField {
    pub name: String,
    pub type_oid: Oid,
    /// As for [`Column::deterministic`].
    #[serde(default = "yes")]
    pub deterministic: bool,
}

fn yes() -> bool {
    true
}
