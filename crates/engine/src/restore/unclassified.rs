//! Columns of which nobody has said whose data they hold.

use lethe_format::classification::Classification;
use lethe_format::manifest::Manifest;
use lethe_rules::coverage::objections as of_columns;
use lethe_rules::objection::Objection;

use super::RestoreOptions;
use crate::coverage::by_names;
use crate::ledger::VerifiedLedger;

/// By what the settings say and what was stored with the snapshot, together: a line that was lost does not open a column again. Nothing,
/// if neither names any kind of people. Whoever is on the ledger is somebody, named in the settings or not.
pub(super) fn objections(
    manifest: &Manifest,
    ledger: &VerifiedLedger,
    options: &RestoreOptions,
) -> Vec<Objection> {
    let mut classification = match (&options.classification, &manifest.classification) {
        (Some(settings), Some(stored)) => settings.clone().with(stored),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => return Vec::new(),
    };
    let subjects = ledger.erased().into_iter().map(|tombstones| tombstones.subject).collect();
    classification = classification.with(&Classification { subjects, not_personal: Vec::new() });
    of_columns(&by_names(&manifest.catalog, &options.references, &classification))
}
