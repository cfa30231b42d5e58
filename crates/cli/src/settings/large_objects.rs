//! Whose large objects are: `[[large_object]]` and `[large_objects]`.

use lethe_format::catalog::QualifiedName;
use lethe_format::reference::TableColumns;
use lethe_format::sql::parse_table_ref;
use serde::Deserialize;

use super::Settings;
use crate::failure::Failure;

/// A column whose values are numbers of large objects.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LargeObjectSection {
    /// `schema.table(column)`.
    column: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LargeObjectsSection {
    /// What becomes of those to which no row refers.
    #[serde(default)]
    unreferenced: Unreferenced,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unreferenced {
    #[default]
    Drop,
    Keep,
}

impl Settings {
    pub(crate) fn large_object_columns(&self) -> Result<Vec<TableColumns>, Failure> {
        let column = |section: &LargeObjectSection| {
            let wrong = |problem: &str| {
                Failure::usage(format!("[[large_object]] column {:?}: {problem}", section.column))
                    .hint("column = \"public.files(body_oid)\"")
            };
            let parsed = parse_table_ref(&section.column).map_err(|error| wrong(&error.to_string()))?;
            let schema = parsed.schema.ok_or_else(|| wrong("it names no schema"))?;
            let columns = parsed.columns.filter(|columns| columns.len() == 1);
            let columns = columns.ok_or_else(|| wrong("it does not name one column"))?;
            Ok(TableColumns { table: QualifiedName::new(schema, parsed.table), columns })
        };
        self.file.large_object.iter().map(column).collect()
    }

    pub(crate) fn keeps_unreferenced_large_objects(&self) -> bool {
        self.file.large_objects.unreferenced == Unreferenced::Keep
    }
}
