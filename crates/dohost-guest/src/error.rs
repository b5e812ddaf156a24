//! The error of this crate: a text, and for a call that failed what the host knows about it.

use std::fmt;

use crate::bindings::dohost::object::{concurrency, namespace, outgoing, storage, websockets};

/// A result whose error is a text.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed. Given by a handler or a method, it is what an exception is in JavaScript: the caller gets the
/// text, the object lives on and its writes stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    message: String,
    call: Option<Call>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    is_remote: bool,
    is_retryable: bool,
    is_overloaded: bool,
}

impl Error {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> Error {
        Error { message: message.into(), call: None }
    }

    /// The text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Of a call: whether the code of the object that was called failed it, and not the host.
    pub fn is_remote(&self) -> bool {
        self.call.is_some_and(|call| call.is_remote)
    }

    /// Of a call: whether the same call may succeed if it is made again (and the object can bear it twice).
    pub fn is_retryable(&self) -> bool {
        self.call.is_some_and(|call| call.is_retryable)
    }

    /// Of a call: whether the object has too much to do, so that calling again at once makes it worse.
    pub fn is_overloaded(&self) -> bool {
        self.call.is_some_and(|call| call.is_overloaded)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(message: String) -> Error {
        Error::new(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Error {
        Error::new(message)
    }
}

impl From<namespace::CallError> for Error {
    fn from(error: namespace::CallError) -> Error {
        let call = Call { is_remote: error.remote, is_retryable: error.retryable, is_overloaded: error.overloaded };
        Error { message: error.message, call: Some(call) }
    }
}

/// An error whose own text says it all.
macro_rules! by_its_text {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Error {
                Error::new(error.to_string())
            }
        })*
    };
}

by_its_text! {
    serde_json::Error,
    std::fmt::Error,
    std::num::ParseFloatError,
    std::num::ParseIntError,
    std::num::TryFromIntError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
}

/// An error of the host whose every case has a text.
macro_rules! by_the_text_in_it {
    ($($error:path { $($case:ident),* })*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Error {
                use $error as It;
                match error {
                    $(It::$case(text))|* => Error::new(text),
                }
            }
        })*
    };
}

by_the_text_in_it! {
    storage::Error { Invalid, TooLarge, NotAllowed }
    concurrency::Error { TooDeep }
    namespace::Error { UnknownClass, InvalidId, TooLarge }
    websockets::Error { Invalid, TooLarge, NotAllowed, Gone }
    outgoing::Error { Denied, Invalid, TooLarge, Failed }
}
