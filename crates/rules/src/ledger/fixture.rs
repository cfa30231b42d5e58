//! Headers of entries, for tests.

use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{BodyId, Header, Kind, Seq, SubjectRef};

/// An entry about `public.users`, by these columns or by the primary key.
pub(super) fn header(seq: Seq, kind: Kind, settled: bool, columns: Option<&[&str]>) -> Header {
    let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Header {
        version: 1,
        seq,
        prev: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        kind,
        repository: None,
        subject: Some(SubjectRef { name: None, table: QualifiedName::new("public", "users"), columns }),
        body: None,
        request: None,
        snapshot: None,
        settled,
        expiry: None,
        drained: None,
        nonce: BodyId::from_bytes([0; 16]),
    }
}
