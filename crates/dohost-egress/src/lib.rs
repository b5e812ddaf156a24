//! Requests of guests to the network.
//!
//! Guests are strangers on our network: unless the operator says otherwise they reach public addresses only, so that no
//! guest can speak to the services of the machine it runs on or of the network around it. The check is made on the
//! addresses that a name resolves to, at the moment of connecting, so a name that points inwards is refused too.
//!
//! Redirects are not followed: what they point to must pass the same door as a request of its own.
//!
//! Reading order: [`client`] (a request's way out) → [`policy`] (what is allowed) → `share` (how much at once) → `resolver`
//! (where names lead) → [`tls`] (who is believed).

#![forbid(unsafe_code)]

pub mod address;
pub mod client;
pub mod policy;
mod resolver;
mod share;
mod stream;
pub mod tls;
mod upgrade;

pub use client::{Egress, EgressOptions};
pub use policy::{Destination, InvalidDestination, Policy};
pub use tls::{InvalidCertificates, RootCertificates};
