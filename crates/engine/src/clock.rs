//! What time it is: the store's clock is asked, since that dates what is stored, and this machine's must agree.

use std::sync::Arc;

use jiff::Timestamp;
use lethe_rules::retention::{Skew, agreed_now};
use lethe_store::ObjectStore;

use crate::Error;

/// The earlier of the two.
///
/// # Errors
/// [`Error::Clocks`] if they are more than five minutes apart.
pub(crate) async fn agreed(store: &Arc<dyn ObjectStore>, host: Timestamp) -> Result<Timestamp, Error> {
    let store = of_store(store).await?;
    agreed_now(host, store).map_err(|Skew { host, store }| Error::Clocks { host, store })
}

/// The store's.
pub(crate) async fn of_store(store: &Arc<dyn ObjectStore>) -> Result<Timestamp, Error> {
    Ok(time(store.date().await?))
}

/// A store's date; one that is beyond all dates is that of something that was never written.
pub(crate) fn time(at: std::time::SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::MAX)
}
