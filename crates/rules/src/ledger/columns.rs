//! Columns that are erased as a whole: what they held once is nobody's business any more.

use std::collections::BTreeMap;

use lethe_format::catalog::QualifiedName;
use lethe_format::ledger::{Header, Kind, Seq};
use serde::{Deserialize, Serialize};

/// One column, by the name that it had then.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ErasedColumn {
    pub table: QualifiedName,
    pub column: String,
}

/// The columns whose values must not come back from a snapshot that was begun at entry `snapshot`: those of entries after it, and of
/// entries that were written ahead of the deletion, until they are revoked.
pub(super) fn erased_columns<'a>(
    headers: impl IntoIterator<Item = &'a Header>,
    snapshot: Seq,
) -> Vec<ErasedColumn> {
    let mut said: BTreeMap<ErasedColumn, bool> = BTreeMap::new();
    for header in headers.into_iter().filter(|header| header.kind.has_columns()) {
        let Some(subject) = &header.subject else { continue };
        for column in subject.columns.iter().flatten() {
            let column = ErasedColumn { table: subject.table.clone(), column: column.clone() };
            let counts = header.seq > snapshot || !header.settled;
            if header.kind == Kind::ColumnsRevoked {
                said.remove(&column);
            } else {
                said.insert(column, counts);
            }
        }
    }
    said.into_iter().filter(|(_, counts)| *counts).map(|(column, _)| column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixture::header;

    fn entry(seq: Seq, kind: Kind, settled: bool, columns: &[&str]) -> Header {
        header(seq, kind, settled, Some(columns))
    }

    #[test]
    fn columns_are_erased_from_older_snapshots_and_ahead_from_all() {
        let entries = [
            entry(2, Kind::ColumnsErased, true, &["phone", "born"]),
            entry(4, Kind::ColumnsErased, false, &["notes"]),
            entry(6, Kind::ColumnsRevoked, false, &["born"]),
            entry(8, Kind::ColumnsErased, true, &["notes"]),
        ];
        let at = |snapshot: Seq, count: usize| -> Vec<String> {
            let erased = erased_columns(&entries[..count], snapshot);
            erased.into_iter().map(|erased| erased.column).collect()
        };
        assert_eq!(at(1, 1), ["born", "phone"]);
        assert_eq!(at(2, 1), Vec::<String>::new(), "the column was empty when the snapshot was begun");
        assert_eq!(at(5, 2), ["notes"], "it may not have been");
        assert_eq!(at(0, 3), ["notes", "phone"]);
        assert_eq!(at(7, 4), ["notes"]);
        assert_eq!(at(9, 4), Vec::<String>::new());
    }
}
