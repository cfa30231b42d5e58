//! Checking what is stored, without a server to restore into.
//!
//! 1. *Ledger*: every entry and body; without an identity the chain of headers.
//! 2. *Documents*: each snapshot's manifest opens, agrees with its chunk index and fits the ledger.
//! 3. *Store*: by one listing, every chunk and every schema is there with its length.
//! 4. *Data*, if asked for: each chunk is fetched once, whatever the number of snapshots that name it, and goes through
//!    the same stages as in a restore: hash, decryption, decompression, the content's own name; then every row is
//!    looked at.
//! 5. *Affected*: which tables of which snapshots suffer from what was found.
//!
//! Nothing is written but the head of the ledger that this host has seen. Whatever is wrong with one object is a
//! finding, and the next one is looked at; a store that does not answer ends the run. Memory holds a fixed number of
//! bytes for each distinct chunk, and rows within the budget.

mod affected;
mod data;
mod documents;
mod finding;
mod ledger;
mod listing;
mod part;

use std::time::Instant;

use lethe_format::ids::SnapshotId;
use lethe_format::ledger::Head;
use serde::Serialize;

use crate::ledger::LastSeen;
use crate::progress::Progress;
use crate::restore::{Wanted, choose, snapshot_ids};
use crate::{Error, ExitCode, Repository};
pub use data::ReadCounts;
pub use finding::{Affected, Finding, Kind};
pub use listing::Unnamed;
pub use part::Part;

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// One snapshot; none for all of them.
    pub snapshot: Option<Wanted>,
    /// Which chunks are fetched and looked into; none for no chunk at all.
    pub read_data: Option<Part>,
    /// Chunks fetched at once.
    pub jobs: usize,
    /// Bytes of chunks in memory at once.
    pub memory: u64,
}

/// What was found: the summary of a verification.
#[derive(Clone, Debug, Serialize)]
pub struct VerifyReport {
    pub snapshots: Vec<SnapshotId>,
    /// The ledger's newest entry; none if the ledger did not verify.
    pub ledger_head: Option<Head>,
    /// Distinct chunks that the snapshots name.
    pub chunks: u64,
    /// Their stored bytes.
    pub stored_bytes: u64,
    /// What was read of them; none without `read_data`.
    pub read: Option<ReadCounts>,
    /// Chunks that none of the snapshots names; none unless all snapshots were checked.
    pub unnamed: Option<Unnamed>,
    /// What could not be looked at with the keys at hand.
    pub not_checked: Vec<&'static str>,
    pub findings: Vec<Finding>,
    pub seconds: f64,
    /// Peak resident memory of this process, in bytes.
    pub peak_rss: u64,
}

impl VerifyReport {
    /// A ledger that cannot be trusted stops every restore, a damaged object some of them.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        if self.findings.iter().any(|finding| finding.kind == Kind::Ledger) {
            ExitCode::Ledger
        } else if self.findings.is_empty() {
            ExitCode::Done
        } else {
            ExitCode::Damaged
        }
    }
}

/// Checks what is stored.
///
/// # Errors
/// If the store does not answer, or a key is missing without which nothing can be checked. What is wrong with stored
/// objects is in the report.
pub async fn verify(
    repository: &Repository,
    options: &VerifyOptions,
    last_seen: &LastSeen,
    progress: &Progress,
) -> Result<VerifyReport, Error> {
    let clock = Instant::now();
    let mut findings = Vec::new();
    // Whoever has no identity learns the chunks from the index, which only the naming key can vouch for.
    repository.naming_key()?;
    progress.stage("ledger", 0);
    let ledger = ledger::check(repository, last_seen, &mut findings).await?;
    let snapshots = match &options.snapshot {
        Some(wanted) => vec![choose(repository, wanted).await?],
        None => snapshot_ids(repository).await?,
    };
    progress.stage("documents", snapshots.len() as u64);
    let mut expected =
        documents::read(repository, &snapshots, ledger.as_ref(), progress, &mut findings).await?;
    progress.stage("listing", 0);
    let unnamed = listing::compare(repository, &mut expected, &mut findings).await?;
    let read = match options.read_data {
        None => None,
        Some(part) => Some(data::read(repository, &expected, part, options, progress, &mut findings).await?),
    };
    if !findings.is_empty() {
        progress.stage("affected", 0);
        affected::fill(repository, &snapshots, &mut findings).await?;
    }
    Ok(VerifyReport {
        ledger_head: ledger.as_ref().map(ledger::Ledger::head),
        chunks: expected.chunks.len() as u64,
        stored_bytes: expected.chunks.values().map(|chunk| chunk.chunk.stored.len).sum(),
        read,
        unnamed: options.snapshot.is_none().then_some(unnamed),
        not_checked: not_checked(repository, options),
        findings,
        snapshots,
        seconds: clock.elapsed().as_secs_f64(),
        peak_rss: crate::restore::peak_rss(),
    })
}

fn not_checked(repository: &Repository, options: &VerifyOptions) -> Vec<&'static str> {
    let mut list = Vec::new();
    if !repository.has_identities() {
        list.push(
            "manifests and schemas were not opened, and the ledger's bodies neither: that needs an identity",
        );
    }
    match options.read_data {
        None => list.push("the bytes of the chunks were not read: --read-data does"),
        Some(_) if !repository.has_identities() => {
            list.push("chunks were compared with their checksums, and their rows were not looked at");
        }
        Some(part) if !part.is_whole() => list.push("only a part of the chunks was read"),
        Some(_) => {}
    }
    list
}
