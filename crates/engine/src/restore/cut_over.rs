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
use crate::ledger::{NewEntry, VerifiedLedger, append};
use crate::progress::Progress;

/// What came of it.
pub(super) enum CutOver {
    /// The entry's place.
    Done(Head),
    /// The ledger has come to say more about people than was planned by.
    Late(VerifiedLedger),
}

pub(super) async fn cut_over(
    prepared: &mut Prepared,
    target: &Target,
    progress: &Progress,
) -> Result<CutOver, Error> {
    progress.stage("cut over", 0);
    loop {
        if let Some(ledger) = prepared.follow_ledger().await? {
            return Ok(CutOver::Late(ledger));
        }
        let entry = NewEntry {
            snapshot: Some(prepared.manifest.snapshot.clone()),
            request: prepared.options.request.clone(),
            ..NewEntry::of(Kind::CutOver)
        };
        let head = prepared.ledger.head();
        let (repository, last_seen) = (&prepared.repository, &prepared.last_seen);
        if let Some(head) = append(repository, last_seen, entry, Some(head), Timestamp::now()).await? {
            target.open_to_others(head.seq).await?;
            return Ok(CutOver::Done(head));
        }
    }
}
