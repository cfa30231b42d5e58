//! Erased people who are named in the schema itself.

use lethe_format::manifest::Manifest;
use lethe_rules::objection::Objection;
use lethe_rules::row_filter::Filters;
use lethe_rules::schema_text::{self, ErasedAddresses, SchemaText};

use super::{RestoreOptions, scan};
use crate::ledger::VerifiedLedger;
use crate::progress::Progress;
use crate::{Error, Repository};

/// By their keys, which the ledger has.
pub(super) fn by_keys(
    manifest: &Manifest,
    texts: &[SchemaText],
    ledger: &VerifiedLedger,
    options: &RestoreOptions,
) -> Vec<Objection> {
    schema_text::objections(&manifest.catalog, &options.references, texts, &ledger.erased())
}

/// By their addresses, which only their rows have: subjects' tables are read, if any address stands in the schema.
pub(super) async fn by_addresses(
    repository: &Repository,
    manifest: &Manifest,
    texts: &[SchemaText],
    filters: &Filters,
    jobs: usize,
    progress: &Progress,
) -> Result<Vec<Objection>, Error> {
    let mut asked = ErasedAddresses::new(&manifest.catalog, &manifest.tables, filters, texts);
    scan::show(repository, manifest, jobs, &mut asked, progress).await?;
    Ok(asked.objections())
}
