//! What is to be done with each key when one snapshot is restored: by the ledger's sequence, never by a clock.

use std::collections::BTreeMap;

use lethe_format::ledger::{Header, Keys, Kind, Seq, SubjectRef};

use super::columns::{ErasedColumn, erased_columns};
use super::key_union::KeyUnion;
use crate::closure::Tombstones;

/// One entry, its keys decrypted; none where it has none, or where they expired.
#[derive(Clone, Debug)]
pub struct Entry {
    pub header: Header,
    pub keys: Option<Keys>,
}

/// The effective tombstones for one snapshot. No key is in two of the lists, revoked ones are in none.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Rows with these keys are dropped.
    pub erased: Vec<Tombstones>,
    /// Rows with these keys stay, and their personal columns are overwritten.
    pub anonymised: Vec<Tombstones>,
    /// These were gone from the database before the snapshot was taken: a row with such a key is somebody else, to
    /// whom the id was given again.
    pub gone: Vec<Tombstones>,
    /// Of the erased keys, those that were written ahead of their deletion before the snapshot was begun: it may hold the
    /// people, or somebody else with their ids, and nobody can tell the two apart.
    pub written_ahead: u64,
    /// The values of these columns do not come back, whoever they are about.
    pub columns: Vec<ErasedColumn>,
}

/// Adds up the entries, in the order of the ledger, for a snapshot that was begun when entry `snapshot` was its head.
pub fn standing<'a>(
    entries: impl IntoIterator<Item = &'a Entry, IntoIter: Clone>,
    snapshot: Seq,
) -> Standing {
    let entries = entries.into_iter();
    let columns = erased_columns(entries.clone().map(|entry| &entry.header), snapshot);
    // Subjects are told apart by what they are bound to, whatever name they were given.
    let mut subjects: BTreeMap<SubjectRef, Subject> = BTreeMap::new();
    for Entry { header, keys } in entries {
        let (Some(subject), Some(keys)) = (&header.subject, keys) else { continue };
        let unnamed = SubjectRef { name: None, ..subject.clone() };
        let later = header.seq > snapshot;
        subjects.entry(unnamed).or_default().take(header.kind, header.settled, later, keys);
    }
    let mut result = Standing { columns, ..Standing::default() };
    for (subject, mut keys) in subjects {
        keys.gone.remove_all(&keys.later);
        keys.ahead.remove_all(&keys.later);
        result.written_ahead += keys.ahead.len();
        keys.ahead.add_all(keys.later);
        keys.anonymised.remove_all(&keys.ahead);
        result.erased.extend(keys.ahead.into_tombstones(&subject));
        result.anonymised.extend(keys.anonymised.into_tombstones(&subject));
        result.gone.extend(keys.gone.into_tombstones(&subject));
    }
    result
}

/// The keys of one entry that no later entry revokes; empty if there are none.
pub fn unrevoked(entries: &[Entry], seq: Seq) -> Vec<Tombstones> {
    let mut later = entries.iter().skip_while(|entry| entry.header.seq < seq);
    let Some(Entry { header, keys: Some(keys) }) = later.next() else { return Vec::new() };
    let Some(subject) = header.subject.as_ref().filter(|_| header.seq == seq) else { return Vec::new() };
    let mut left = KeyUnion::default();
    left.add(keys);
    for entry in later.filter(|entry| entry.header.kind == Kind::Revoked) {
        let same = entry
            .header
            .subject
            .as_ref()
            .is_some_and(|revoked| revoked.table == subject.table && revoked.columns == subject.columns);
        if let Some(keys) = entry.keys.as_ref().filter(|_| same) {
            left.remove(keys);
        }
    }
    left.into_tombstones(subject).collect()
}

#[derive(Default)]
struct Subject {
    /// Erased after the snapshot was begun.
    later: KeyUnion,
    /// Erased before, by entries that were written ahead of the deletion: the snapshot may still hold them.
    ahead: KeyUnion,
    /// Erased before, by entries that were written after the deletion.
    gone: KeyUnion,
    anonymised: KeyUnion,
}

impl Subject {
    fn take(&mut self, kind: Kind, settled: bool, later: bool, keys: &Keys) {
        match kind {
            Kind::Erased if later => self.later.add(keys),
            // Of two entries about one key the newer one knows better.
            Kind::Erased if settled => {
                self.ahead.remove(keys);
                self.gone.add(keys);
            }
            Kind::Erased => {
                self.gone.remove(keys);
                self.ahead.add(keys);
            }
            Kind::Anonymised => self.anonymised.add(keys),
            Kind::Revoked => {
                for set in [&mut self.later, &mut self.ahead, &mut self.gone, &mut self.anonymised] {
                    set.remove(keys);
                }
            }
            Kind::ColumnsErased | Kind::ColumnsRevoked => {}
            Kind::Genesis | Kind::Heartbeat | Kind::CutOver | Kind::Expired => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::fixture::header;

    fn entry(seq: Seq, kind: Kind, settled: bool, keys: Keys) -> Entry {
        Entry { header: header(seq, kind, settled, None), keys: Some(keys) }
    }

    fn ids(ids: &[u64]) -> Keys {
        Keys::Integers(ids.iter().copied().collect())
    }

    fn numbers(tombstones: &[Tombstones]) -> Vec<u64> {
        let keys = tombstones.iter().flat_map(|tombstones| match &tombstones.keys {
            Keys::Integers(set) => set.iter().collect::<Vec<_>>(),
            Keys::Tuples(tuples) => tuples.iter().map(|tuple| tuple[0].parse().expect("a number")).collect(),
        });
        keys.collect()
    }

    #[test]
    fn the_sequence_decides_who_may_be_in_the_snapshot() {
        let entries = [
            entry(1, Kind::Erased, true, ids(&[1, 2, 3, 4])),
            entry(2, Kind::Erased, false, ids(&[2, 10])),
            entry(3, Kind::Anonymised, false, ids(&[10, 20, 21])),
            entry(4, Kind::Revoked, false, ids(&[4, 21])),
            entry(5, Kind::Erased, true, ids(&[3, 30])),
        ];
        // A snapshot of entry 4: 3 was given out again and erased again, 2 was written ahead after it had been gone.
        let found = standing(&entries, 4);
        assert_eq!(numbers(&found.erased), [2, 3, 10, 30]);
        assert_eq!(found.written_ahead, 2, "2 and 10");
        assert_eq!(numbers(&found.gone), [1]);
        assert_eq!(numbers(&found.anonymised), [20]);
        let oldest = standing(&entries, 0);
        assert_eq!(numbers(&oldest.erased), [1, 2, 3, 10, 30]);
        assert!(oldest.gone.is_empty());
        let newest = standing(&entries, 5);
        assert_eq!(numbers(&newest.erased), [2, 10]);
        assert_eq!(numbers(&newest.gone), [1, 3, 30]);
    }

    #[test]
    fn a_key_is_revoked_in_whatever_form_it_was_written() {
        let tuples = Keys::Tuples(vec![vec!["7".to_owned()], vec!["x".to_owned()]]);
        let entries = [
            entry(1, Kind::Erased, false, ids(&[7])),
            entry(2, Kind::Revoked, false, tuples.clone()),
            entry(3, Kind::Erased, false, Keys::Tuples(vec![vec!["8".to_owned()]])),
            entry(4, Kind::Revoked, false, ids(&[8])),
        ];
        assert!(standing(&entries, 0).erased.is_empty());
    }
}
