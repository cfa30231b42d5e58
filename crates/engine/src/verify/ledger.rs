//! The ledger, as far as the keys at hand go.

use lethe_format::ledger::Head;
use lethe_format::manifest::Manifest;

use super::finding::Finding;
use crate::ledger::{self, LastSeen, VerifiedLedger};
use crate::{Error, Repository, error};

/// A ledger that verified.
#[derive(Debug)]
pub(super) enum Ledger {
    Whole(Box<VerifiedLedger>),
    /// Without an identity: the chain of headers alone.
    Headers(Head),
}

impl Ledger {
    pub(super) fn head(&self) -> Head {
        match self {
            Self::Whole(ledger) => ledger.head(),
            Self::Headers(head) => *head,
        }
    }

    /// Whether a snapshot can be restored with it.
    pub(super) fn check_for(&self, manifest: &Manifest) -> Result<(), Error> {
        match self {
            Self::Whole(ledger) => ledger.check_for(manifest),
            Self::Headers(_) => Ok(()),
        }
    }
}

pub(super) async fn check(
    repository: &Repository,
    last_seen: &LastSeen,
    findings: &mut Vec<Finding>,
) -> Result<Option<Ledger>, Error> {
    let ledger = if repository.has_identities() {
        ledger::read_trusted(repository, last_seen).await.map(|ledger| Ledger::Whole(Box::new(ledger)))
    } else {
        ledger::head(repository).await.map(Ledger::Headers)
    };
    match ledger {
        Ok(ledger) => {
            if let Ledger::Whole(ledger) = &ledger {
                findings.extend(ledger.incidents().iter().map(Finding::of_ledger));
            }
            Ok(Some(ledger))
        }
        Err(error @ Error::Ledger { .. }) => {
            findings.push(Finding::of_ledger(error::with_causes(&error)));
            Ok(None)
        }
        Err(other) => Err(other),
    }
}
