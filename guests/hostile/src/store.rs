//! A store that is full to the brim.

use crate::dohost::object::storage::{self, Error, ListOptions};
use crate::exports::dohost::object::handler::Exception;

/// Puts one key after the other, in one turn; how many.
pub async fn put_keys(from: u32, count: u32) -> Result<u32, Exception> {
    for number in from..from + count {
        storage::put(format!("key-{number:08}"), b"value".to_vec()).await.map_err(refused)?;
    }
    Ok(count)
}

/// How many entries a list has, or why there is none.
pub async fn list(limit: Option<u32>) -> Result<String, Exception> {
    let options = ListOptions { start: None, start_after: None, end: None, prefix: None, reverse: false, limit };
    Ok(match storage::list(options).await {
        Ok(entries) => entries.len().to_string(),
        Err(error) => refused(error),
    })
}

pub async fn delete_all() -> Result<&'static str, Exception> {
    storage::delete_all().await.map_err(refused)?;
    Ok("ok")
}

fn refused(error: Error) -> String {
    match error {
        Error::Invalid(text) | Error::TooLarge(text) | Error::NotAllowed(text) => text,
    }
}
