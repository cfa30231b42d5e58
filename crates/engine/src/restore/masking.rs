//! What the target is for, and so whether people go there as they are.
//!
//! A target that is for production or for a drill gets real people. Every other one gets masked data alone: all rows of tables with a
//! `[[mask]]` are masked, every column that may hold people's data must have one, what nobody can look into (large objects) and what
//! Lethe itself keeps of keys stays away, and nothing is noted about people because of it.

use std::sync::Arc;

use lethe_format::classification::Classification;
use lethe_format::manifest::Manifest;
use lethe_postgres::capture::is_own_table;
use lethe_postgres::{Server, ServerError, facts};
use lethe_rules::anonymise::{Everybody, Labelled, Question, bind_everybody, labelled};
use lethe_rules::coverage::{personal_columns, unmasked, unmasked_objections};
use lethe_rules::objection::Objection;
use lethe_rules::target_label::{Said, TargetLabel, decide};
use serde::{Deserialize, Serialize};

use super::mask_check::MaskCheck;
use super::target::Begun;
use super::{RestoreOptions, words};
use crate::Error;
use crate::ledger::VerifiedLedger;

/// How much is masked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Masked {
    /// Columns with a `[[mask]]`.
    pub columns: u64,
    /// Rows of their tables that are loaded.
    pub rows: u64,
    /// What was compared afterwards with what is stored.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub check: MaskCheck,
}

fn is_nothing(check: &MaskCheck) -> bool {
    *check == MaskCheck::default()
}

/// What the security labels of the source have to say.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct MaskLabels {
    /// Columns that are masked by their label, since the settings say nothing of them.
    pub columns: u64,
    /// Columns of which the settings say something else than their label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overruled: Vec<String>,
    /// Tables of which a label asks for a sample: here all rows come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sampled: Vec<String>,
}

impl From<&Labelled> for MaskLabels {
    fn from(found: &Labelled) -> Self {
        Self {
            columns: found.masks.iter().map(|mask| mask.columns.len() as u64).sum(),
            overruled: found.overruled.clone(),
            sampled: found.sampled.clone(),
        }
    }
}

/// The masks of everybody's rows, as they are bound to a snapshot once.
#[derive(Clone, Debug, Default)]
pub(super) struct BoundMasks {
    pub everybody: Arc<Everybody>,
    pub labels: MaskLabels,
}

/// The target's label, by everybody who says anything of it.
pub(super) async fn label(
    server: &Server,
    begun: Option<&Begun>,
    options: &RestoreOptions,
) -> Result<Result<TargetLabel, Objection>, Error> {
    let written = facts::database_label(server).await?;
    let database = written.as_deref().or(begun.map(|begun| begun.label.as_str()));
    let said = Said { typed: options.label.as_ref(), server: options.server_label.as_ref(), database };
    Ok(decide(&server.settings().database(), said))
}

/// Real people keep what they are, but for those that are anonymised.
pub(super) fn leave_out(options: &mut RestoreOptions) {
    options.anonymise.everybody.clear();
}

/// The masks of the settings, and of the source's security labels where the settings say nothing.
pub(super) fn require(manifest: &Manifest, options: &mut RestoreOptions) -> Labelled {
    let own = manifest.catalog.tables.iter().map(|table| &table.name).filter(|name| is_own_table(name));
    options.anonymise.emptied = own.cloned().collect();
    // A copy for tests must not put anybody on the ledger; and all of them are masked already.
    options.anonymise.inactive = None;
    let classification = said(manifest, options);
    let found = labelled(&manifest.catalog, &options.anonymise.everybody, &classification);
    options.anonymise.everybody.extend(found.masks.iter().cloned());
    found
}

/// Binds the masks to the snapshot's rows, and asks the server about `CHECK` constraints. Constants have their binary form by then
/// ([`super::constants`]).
pub(super) async fn bind(
    server: &Server,
    manifest: &Manifest,
    ledger: &VerifiedLedger,
    options: &RestoreOptions,
) -> Result<(Everybody, Vec<Objection>), Error> {
    let catalog = &manifest.catalog;
    let (masks, mut objections) =
        bind_everybody(catalog, &manifest.tables, &options.references, &options.anonymise);
    objections.extend(unmasked_of(manifest, ledger, options, &masks));
    let (questions, more) = masks.questions(catalog, &words::english(), &rand::random());
    objections.extend(more);
    for question in &questions {
        objections.extend(ask(server, question).await?);
    }
    Ok((masks, objections))
}

/// By the settings and by what was stored with the snapshot, together.
fn said(manifest: &Manifest, options: &RestoreOptions) -> Classification {
    let settings = options.classification.clone().unwrap_or_default();
    let said = Classification { not_personal: options.not_personal.clone(), ..Classification::default() };
    let classification = settings.with(&said);
    match &manifest.classification {
        Some(stored) => classification.with(stored),
        None => classification,
    }
}

fn unmasked_of(
    manifest: &Manifest,
    ledger: &VerifiedLedger,
    options: &RestoreOptions,
    masks: &Everybody,
) -> Vec<Objection> {
    let subjects = ledger.erased().into_iter().map(|tombstones| tombstones.subject).collect();
    let known = Classification { subjects, not_personal: Vec::new() };
    let classification = said(manifest, options).with(&known);
    let mut personal = personal_columns(&manifest.catalog, &options.references, &classification);
    personal.retain(|(table, _)| !is_own_table(table));
    unmasked_objections(&unmasked(&manifest.catalog, &personal, masks))
}

/// One constraint, tried with made-up values. Its types and functions may be the restored database's own: then nobody can tell.
async fn ask(server: &Server, question: &Question) -> Result<Option<Objection>, Error> {
    server.run("BEGIN READ ONLY", "ask", server.settings()).await?;
    let answer = server.client().query_one(&question.sql, &[]).await;
    server.run("ROLLBACK", "ask", server.settings()).await?;
    Ok(match answer {
        Ok(row) if row.get::<_, Option<bool>>(0) == Some(true) => None,
        Ok(_) => Some(question.objection(false)),
        Err(cause) if cause.as_db_error().is_some() => Some(question.objection(true)),
        Err(cause) => {
            let (object, cause) = (server.settings().to_string(), Box::new(ServerError::from(cause)));
            return Err(lethe_postgres::Error::Server { stage: "ask", object, cause }.into());
        }
    })
}
