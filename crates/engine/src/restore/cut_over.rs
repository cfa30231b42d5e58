//! The moment at which applications may connect.
//!
//! The entry is appended directly after the ledger's newest one, which was read just before: if an erasure comes in
//! between, the append fails and the ledger is read again. So no erasure can be older than the cut-over and not be
//! honoured by it. A crash after the entry and before the database is opened leaves it closed; the next run appends
//! another entry and opens it.

use jiff::Timestamp;
use lethe_format::ledger::{Head, Kind};

use super::Prepared;
use super::target::Target;
use crate::Error;
use crate::ledger::{NewEntry, append, read_verified};
use crate::progress::Progress;

pub(super) async fn cut_over(
    prepared: &Prepared,
    target: &Target,
    progress: &Progress,
) -> Result<Head, Error> {
    progress.stage("cut over", 0);
    if target.is_ready().await? {
        return Ok(prepared.ledger.head());
    }
    loop {
        let ledger = read_verified(&prepared.repository).await?;
        prepared.last_seen.check_and_advance(&ledger)?;
        if !ledger.contains(&prepared.ledger.head()) {
            return Err(Error::ledger(
                prepared.ledger.head().seq,
                "an entry that this restore was planned by is gone",
            ));
        }
        target.refuse_late_erasures(&ledger).await?;
        let entry = NewEntry {
            kind: Kind::CutOver,
            subject: None,
            keys: None,
            request: None,
            snapshot: Some(prepared.manifest.snapshot.clone()),
        };
        let appended = append(&prepared.repository, entry, Some(ledger.head()), Timestamp::now()).await?;
        if let Some(head) = appended {
            prepared.last_seen.advance(&head)?;
            target.open_to_others().await?;
            return Ok(head);
        }
    }
}
