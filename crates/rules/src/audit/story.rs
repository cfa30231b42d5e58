//! Entries belong together: an action that began, and how it ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lethe_format::audit::{Header, Phase};
use lethe_format::ledger::Seq;
use serde::Serialize;

/// One action from its beginning to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Story<'a> {
    pub began: &'a Header,
    pub ending: Ending,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "ending")]
pub enum Ending {
    Done {
        at: Timestamp,
        entry: Seq,
    },
    Failed {
        at: Timestamp,
        entry: Seq,
    },
    /// Nothing says how it ended: it is under way, or was interrupted.
    Open,
}

impl Story<'_> {
    /// The entry that says most of it: that of its end, if there is one.
    #[must_use]
    pub fn last(&self) -> Seq {
        match self.ending {
            Ending::Done { entry, .. } | Ending::Failed { entry, .. } => entry,
            Ending::Open => self.began.seq,
        }
    }
}

/// All actions in the order in which they began. What is one entry only began and ended with it.
#[must_use]
pub fn stories<'a>(headers: impl Iterator<Item = &'a Header> + Clone) -> Vec<Story<'a>> {
    let ends = headers.clone().filter_map(|header| Some((header.began?, header)));
    let ends: BTreeMap<Seq, &Header> = ends.collect();
    let begins = headers.filter(|header| header.began.is_none());
    begins
        .map(|began| {
            let last = if began.phase == Phase::Began { ends.get(&began.seq).copied() } else { Some(began) };
            let ending = match last {
                None => Ending::Open,
                Some(last) if last.phase == Phase::Done => Ending::Done { at: last.at, entry: last.seq },
                Some(last) => Ending::Failed { at: last.at, entry: last.seq },
            };
            Story { began, ending }
        })
        .collect()
}
