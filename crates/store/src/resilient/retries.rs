//! How often this process has had to ask again, for whoever watches it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Operation;

static RETRIES: [AtomicU64; Operation::ALL.len()] = [const { AtomicU64::new(0) }; Operation::ALL.len()];

pub(super) fn note(operation: Operation) {
    let place = Operation::ALL.iter().position(|known| *known == operation);
    if let Some(count) = place.and_then(|place| RETRIES.get(place)) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Attempts after the first, by all stores of this process since it began.
#[must_use]
pub fn retries() -> Vec<(Operation, u64)> {
    Operation::ALL.into_iter().zip(RETRIES.iter().map(|count| count.load(Ordering::Relaxed))).collect()
}
