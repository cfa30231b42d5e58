//! A customer's part of the log, signed.

use jiff::Timestamp;
use lethe_format::audit::checkpoint::SigningKey;
use lethe_format::audit::{export as document, tenant_tag};

use super::read;
use crate::ledger::LastSeen;
use crate::{Error, Repository};

/// An export, as lines of JSON, and what whoever verifies it will find.
#[derive(Debug)]
pub struct Made {
    pub bytes: Vec<u8>,
    pub verified: document::Verified,
}

/// Makes the export of one customer, or of all that any customer may read.
///
/// # Errors
/// As [`read`]; without an identity, which the entries are encrypted to.
pub async fn export(
    repository: &Repository,
    last_seen: &LastSeen,
    tenant: Option<&str>,
    key: &SigningKey,
    now: Timestamp,
) -> Result<Made, Error> {
    repository.identities()?;
    let naming_key = repository.naming_key()?.as_bytes();
    let tenant = tenant.map(|tenant| tenant_tag(tenant, naming_key));
    let log = read(repository, last_seen, Some(&key.public())).await?;
    let opened = |(entry, opened)| Option::zip(Some(entry), opened);
    let entries: Vec<_> = log.entries.into_iter().filter_map(opened).collect();
    let bytes = document::write(repository.id(), &entries, tenant.as_ref(), key, now)
        .map_err(Error::format("the export"))?;
    // What a customer will find is found here first.
    let verified = document::verify(&bytes, Some(&key.public())).map_err(Error::format("the export"))?;
    Ok(Made { bytes, verified })
}
