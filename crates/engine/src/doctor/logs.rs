//! The ledger and the audit log: do they verify, and have they what this host has seen of them?

use std::time::Duration;

use jiff::Timestamp;
use lethe_format::audit::checkpoint::PublicKey;
use lethe_rules::doctor::{AuditSeen, LedgerSeen};

use crate::ledger::{LastSeen, headers_trusted, read_trusted};
use crate::{Error, Repository, audit};

/// With an identity everything, without one the chain of headers.
///
/// # Errors
/// [`Error::Ledger`] with what does not verify, or is not there any more.
pub async fn ledger(
    repository: &Repository,
    last_seen: &LastSeen,
    max_age: Option<Duration>,
) -> Result<LedgerSeen, Error> {
    let seen = |entries, newest: Option<Timestamp>, bodies, incidents| LedgerSeen {
        entries,
        newest: newest.unwrap_or(Timestamp::UNIX_EPOCH),
        bodies,
        max_age,
        incidents,
    };
    if repository.has_identities() {
        let ledger = read_trusted(repository, last_seen).await?;
        let incidents = ledger.incidents().len() as u64;
        return Ok(seen(ledger.entries().len() as u64, ledger.newest_at(), true, incidents));
    }
    let headers = headers_trusted(repository, last_seen).await?;
    Ok(seen(headers.len() as u64, headers.last().map(|header| header.at), false, 0))
}

/// Every entry, every link, and every signature if the key is known.
///
/// # Errors
/// [`Error::AuditLog`] with what does not verify, or is not there any more.
pub async fn audit(
    repository: &Repository,
    last_seen: &LastSeen,
    key: Option<&PublicKey>,
) -> Result<AuditSeen, Error> {
    audit::read(repository, last_seen, key).await?;
    let extent = audit::extent(repository).await?;
    Ok(AuditSeen {
        entries: extent.entries,
        newest: extent.newest,
        signed: extent.signed,
        signed_at: extent.signed_at,
        checked: key.is_some(),
    })
}
