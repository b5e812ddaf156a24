//! What a method of another object gave: its own error in the error of the call, or both in one.

use crate::bindings::dohost::object::namespace::CallError;
use crate::{Error, Result};

/// Of a method whose error is only a text: one error for both.
pub fn flatten<T>(result: Result<Result<T, String>, CallError>) -> Result<T> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(text)) => Err(Error::new(text)),
        Err(error) => Err(error.into()),
    }
}

/// Of all other methods.
pub fn nested<T>(result: Result<T, CallError>) -> Result<T> {
    result.map_err(Into::into)
}
