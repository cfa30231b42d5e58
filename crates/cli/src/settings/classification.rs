//! Whose data it is: `[subject.…]` and `[[not_personal]]`.

use lethe_format::catalog::QualifiedName;
use lethe_format::classification::{Classification, NotPersonal};
use lethe_format::sql::parse_table_ref;
use serde::Deserialize;

use super::Settings;
use crate::failure::Failure;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotPersonalSection {
    /// `schema.table(column, …)`, or `schema.table` for all that is not named like a person's data.
    pub(super) columns: String,
    because: String,
}

impl Settings {
    /// None if no kind of people is named: then nobody can tell what is whose.
    pub(crate) fn classification(&self) -> Result<Option<Classification>, Failure> {
        let not_personal = self.not_personal()?;
        let subjects = self.subjects()?;
        Ok((!subjects.is_empty()).then_some(Classification { subjects, not_personal }))
    }

    /// Columns that are nobody's, whoever is named.
    pub(crate) fn not_personal(&self) -> Result<Vec<NotPersonal>, Failure> {
        let not_personal = self.file.not_personal.iter().map(|section| {
            not_personal(section).map_err(|problem| {
                Failure::usage(format!("[[not_personal]] columns {:?}: {problem}", section.columns))
                    .hint("columns = \"public.articles(title, body)\", because = \"…\"")
            })
        });
        not_personal.collect()
    }
}

fn not_personal(section: &NotPersonalSection) -> Result<NotPersonal, String> {
    let parsed = parse_table_ref(&section.columns).map_err(|error| error.to_string())?;
    let schema = parsed.schema.ok_or("it names no schema")?;
    let because = section.because.trim();
    if because.is_empty() {
        return Err("it needs a reason: because = \"…\"".to_owned());
    }
    Ok(NotPersonal {
        table: QualifiedName::new(schema, parsed.table),
        columns: parsed.columns,
        because: because.to_owned(),
    })
}
