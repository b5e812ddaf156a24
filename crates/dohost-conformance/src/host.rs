//! What a host has to be able to do to be tried.

use std::time::Duration;

/// A request to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name of the object. Its class is the guest that the host was started with.
    pub object: String,
    /// `GET`, `POST`…
    pub method: String,
    /// What the object sees as its path and query.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What the object answered, or the host in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// This host cannot do that; the case does not apply to it.
    #[error("this host cannot {0}")]
    NotApplicable(&'static str),
    /// It can, and it went wrong.
    #[error("{0}")]
    Failed(String),
}

/// A host with data of its own, which serves one guest. Dropping it ends it.
pub trait Host: Sync {
    /// Sends a request to an object and waits for the reply. Called from several threads at once.
    fn request(&self, request: &Request) -> Result<Reply, HostError>;

    /// Lets an object leave memory; its next request starts it from what it stored.
    fn evict(&mut self, _object: &str) -> Result<(), HostError> {
        Err(HostError::NotApplicable("evict an object"))
    }

    /// Stops in good order and starts again on the same data.
    fn restart(&mut self) -> Result<(), HostError> {
        Err(HostError::NotApplicable("be restarted"))
    }

    /// Ends at once, as in a loss of power, and starts again on the same data.
    fn crash(&mut self) -> Result<(), HostError> {
        Err(HostError::NotApplicable("crash"))
    }

    /// Lets time pass for objects.
    fn advance_clock(&mut self, _by: Duration) -> Result<(), HostError> {
        Err(HostError::NotApplicable("advance its clock"))
    }

    /// Makes the next commit fail.
    fn fail_next_commit(&mut self) -> Result<(), HostError> {
        Err(HostError::NotApplicable("fail a commit"))
    }
}
