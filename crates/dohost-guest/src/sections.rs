//! Critical sections and transactions, by closures.

use crate::bindings::dohost::object::{concurrency, transactions};
use crate::{Result, State, Storage};

/// Runs `work` with nothing else of the object in between. If it fails, the object is reset.
pub async fn critical<T>(work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
    let section = concurrency::block_concurrency().await?;
    match work().await {
        Ok(value) => {
            section.end();
            Ok(value)
        }
        // To drop the section would do, but would not say why.
        Err(error) => State::new().abort(Some(error.message())),
    }
}

/// Runs `work` as a transaction: kept if it succeeds, undone if it fails.
pub async fn transaction<T>(work: impl AsyncFnOnce(Storage) -> Result<T>) -> Result<T> {
    let transaction = transactions::begin().await?;
    match work(Storage::new()).await {
        Ok(value) => {
            transaction.commit()?;
            Ok(value)
        }
        Err(error) => {
            transaction.rollback()?;
            Err(error)
        }
    }
}
