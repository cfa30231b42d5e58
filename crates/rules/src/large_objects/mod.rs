//! Large objects: whose they are, and which of them come back.
//!
//! A large object belongs to the rows that hold its number. The server knows nothing of that ("Large Objects": any `oid` may
//! be one), so the columns are found by their type, if it is the domain `lo` of the extension of that name, and by what
//! the settings say. An object to which only rows refer that do not come back does not come back either.

mod columns;
mod owners;

use std::collections::BTreeSet;

use lethe_format::ids::Oid;
use serde::{Deserialize, Serialize};

pub use columns::{by_type, known};
pub use owners::{Owners, Referred};

use crate::objection::{Code, Objection};

/// How many objects come back, and why the others do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    pub stored: u64,
    pub restored: u64,
    /// Left out, since only rows refer to them that are left out.
    pub of_dropped_rows: u64,
    /// No row refers to them. Left out too, unless the settings say otherwise.
    pub unreferenced: u64,
}

/// Which objects come back, by what the rows refer to; `keep_unreferenced` is for those to which none does.
#[must_use]
pub fn decide(
    stored: impl IntoIterator<Item = Oid>,
    referred: &Referred,
    keep_unreferenced: bool,
) -> (BTreeSet<Oid>, Counts) {
    let (mut restored, mut counts) = (BTreeSet::new(), Counts::default());
    for object in stored {
        counts.stored += 1;
        let comes_back = if referred.kept.contains(object) {
            true
        } else if referred.dropped.contains(object) {
            counts.of_dropped_rows += 1;
            false
        } else {
            counts.unreferenced += 1;
            keep_unreferenced
        };
        if comes_back {
            counts.restored += 1;
            restored.insert(object);
        }
    }
    (restored, counts)
}

/// What is said where nothing says whose they are.
#[must_use]
pub fn nobodys(stored: usize) -> Objection {
    let problem = format!(
        "{stored} of them are stored, and no column is known that refers to them: they may be anybody's"
    );
    Objection::new(Code::LargeObjects, "large objects", problem).hint(
        "name the columns in lethe.toml: [[large_object]] with column = \"public.files(body_oid)\"; or answer for it with --acknowledge large_objects: then all of them come back",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_comes_back_with_any_row_that_does() {
        let referred =
            Referred { kept: [1, 2, 9].into_iter().collect(), dropped: [2, 3].into_iter().collect() };
        for (keep, expected) in [(false, [1, 2].as_slice()), (true, &[1, 2, 4])] {
            let (restored, counts) = decide([1, 2, 3, 4], &referred, keep);
            assert_eq!(restored.into_iter().collect::<Vec<_>>(), expected);
            let restored = expected.len() as u64;
            assert_eq!(counts, Counts { stored: 4, restored, of_dropped_rows: 1, unreferenced: 1 });
        }
    }
}
