//! Where names lead: the system's answers, less the addresses that are not allowed.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::policy::Reach;

/// A resolver that gives only addresses within reach.
#[derive(Clone)]
pub(crate) struct Resolver {
    pub reach: Reach,
}

/// Said of a name that leads nowhere allowed; recognised by its type on the way back.
#[derive(Debug, thiserror::Error)]
#[error("it leads to a private address, which is not allowed")]
pub(crate) struct NotAllowed;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.reach;
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let found_some = !all.is_empty();
            let allowed: Vec<SocketAddr> = all.into_iter().filter(|address| reach.allows(address.ip())).collect();
            match allowed.is_empty() && found_some {
                true => Err(io::Error::new(io::ErrorKind::PermissionDenied, NotAllowed)),
                false => Ok(allowed.into_iter()),
            }
        })
    }
}
