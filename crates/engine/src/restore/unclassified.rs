//! Columns of which nobody has said whose data they hold.

use lethe_format::manifest::Manifest;
use lethe_postgres::capture::outbox_table;
use lethe_rules::coverage::{Evidence, coverage, objections as of_columns};
use lethe_rules::objection::Objection;

use super::RestoreOptions;

/// By what the settings say and what was stored with the snapshot, together: a line that was lost does not open a column again. Nothing,
/// if neither names any kind of people.
pub(super) fn objections(manifest: &Manifest, options: &RestoreOptions) -> Vec<Objection> {
    let classification = match (&options.classification, &manifest.classification) {
        (Some(settings), Some(stored)) => settings.clone().with(stored),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => return Vec::new(),
    };
    let columns = coverage(&manifest.catalog, &options.references, &classification, &Evidence::new());
    let outbox = outbox_table();
    let columns: Vec<_> = columns.into_iter().filter(|column| column.table != outbox).collect();
    of_columns(&columns)
}
