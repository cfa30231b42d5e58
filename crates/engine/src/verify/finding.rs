//! What is wrong with one stored object, and who suffers from it.

use lethe_format::ids::{Digest, SnapshotId, UploadId};
use lethe_format::layout;
use serde::Serialize;

use crate::{Error, error};

/// What is wrong with an object.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub kind: Kind,
    pub object: String,
    pub problem: String,
    /// Who needs it. Without an identity the tables are not known.
    pub affects: Vec<Affected>,
    #[serde(skip)]
    pub(super) chunk: Option<(Digest, UploadId)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The ledger, without which nothing is restored.
    Ledger,
    Missing,
    Damaged,
}

/// A snapshot that cannot be restored as it was, and the tables that lack rows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Affected {
    pub snapshot: SnapshotId,
    /// Empty if it is the snapshot as a whole.
    pub tables: Vec<String>,
}

impl Finding {
    pub(super) fn of_chunk(kind: Kind, chunk: (Digest, UploadId), problem: impl ToString) -> Self {
        let object = layout::chunk(&chunk.0, &chunk.1);
        Self { kind, object, problem: problem.to_string(), affects: Vec::new(), chunk: Some(chunk) }
    }

    pub(super) fn of_snapshot(
        kind: Kind,
        snapshot: &SnapshotId,
        object: impl ToString,
        problem: impl ToString,
    ) -> Self {
        let affects = vec![Affected { snapshot: snapshot.clone(), tables: Vec::new() }];
        Self { kind, object: object.to_string(), problem: problem.to_string(), affects, chunk: None }
    }

    pub(super) fn of_ledger(problem: impl ToString) -> Self {
        let object = layout::LEDGER.trim_end_matches('/').to_owned();
        Self { kind: Kind::Ledger, object, problem: problem.to_string(), affects: Vec::new(), chunk: None }
    }
}

/// What an error says about the stored object itself: the kind and the problem. An error that says nothing about it, such
/// as a store that does not answer, comes back.
pub(super) fn about_object(error: Error) -> Result<(Kind, String), Error> {
    use lethe_store::Error as Store;
    match error {
        Error::Store(Store::NotFound { .. }) => {
            Ok((Kind::Missing, "it is missing from the store".to_owned()))
        }
        Error::Damaged { problem, .. } => Ok((Kind::Damaged, problem)),
        error @ (Error::Format { .. }
        | Error::Decrypt { .. }
        | Error::Filter { .. }
        | Error::Store(Store::WrongLength { .. } | Store::TooLarge { .. } | Store::Corrupt { .. })) => {
            Ok((Kind::Damaged, error::with_causes(&error)))
        }
        other => Err(other),
    }
}
