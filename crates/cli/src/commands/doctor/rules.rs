//! Whether the settings speak of what is there, and of everything that may be people's.

use lethe_engine::{coverage, doctor};
use lethe_format::catalog::Catalog;
use lethe_format::manifest::Manifest;
use lethe_postgres::ConnectionSettings;
use lethe_rules::doctor::{Finding, coverage as judge_coverage, named};

use super::list::List;
use crate::failure::Failure;
use crate::settings::Settings;

/// Against the live source if it is given, else against the newest snapshot.
pub(super) async fn look(
    settings: &Settings,
    source: Option<&ConnectionSettings>,
    newest: Option<&Manifest>,
    list: &mut List<'_>,
) {
    let (catalog, place) = match (source, newest) {
        (Some(source), _) => match doctor::catalog_of(source).await {
            Ok(catalog) => (catalog, "the source".to_owned()),
            Err(error) => return list.failed("settings", error.into()),
        },
        (None, Some(newest)) => (newest.catalog.clone(), format!("snapshot {}", newest.snapshot)),
        (None, None) => {
            let advice = "lethe doctor --from URL looks at the live database";
            for check in ["settings", "coverage"] {
                list.add(Finding::unknown(
                    check,
                    "neither a snapshot that can be opened here nor --from",
                    advice,
                ));
            }
            return;
        }
    };
    match settings.named() {
        Ok(names) => list.extend(named(&catalog, &names, &place)),
        Err(failure) => list.failed("settings", failure),
    }
    list.tried("coverage", open_columns(settings, &catalog, &place));
}

fn open_columns(settings: &Settings, catalog: &Catalog, place: &str) -> Result<Finding, Failure> {
    let Some(classification) = settings.classification()? else { return Ok(judge_coverage(None, place)) };
    let columns = coverage::by_names(catalog, &settings.references()?, &classification);
    let open: Vec<String> = columns
        .iter()
        .filter(|column| column.is_open())
        .map(|column| format!("{}.{}", column.table, column.column))
        .collect();
    Ok(judge_coverage(Some(&open), place))
}
