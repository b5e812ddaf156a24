//! What the operator allows.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::address::is_public;

/// Which destinations guests may reach.
#[derive(Clone, Debug, Default)]
pub enum Policy {
    /// Every public address, on every port.
    #[default]
    Public,
    /// These and no others. One that is named without a wildcard may have a private address.
    Only(Vec<Destination>),
    /// None.
    Nothing,
}

/// An entry of the list of allowed destinations: `example.com`, `*.example.com`, `127.0.0.1:9000`, `[::1]:80`.
///
/// Without a port, every port is meant. A wildcard stands for one or more labels in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    host: String,
    is_suffix: bool,
    port: Option<u16>,
}

/// Text that names no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no destination; give HOST, *.HOST, HOST:PORT or an address")]
pub struct InvalidDestination(String);

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Destination, InvalidDestination> {
        let invalid = || InvalidDestination(text.into());
        let (host, is_suffix) = match text.strip_prefix("*.") {
            Some(host) => (host, true),
            None => (text, false),
        };
        let authority = http::uri::Authority::try_from(host).map_err(|_| invalid())?;
        let has_port_text = authority.as_str().len() > authority.host().len();
        if authority.as_str().contains('@') || has_port_text != authority.port_u16().is_some() {
            return Err(invalid());
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || host.contains('*') {
            return Err(invalid());
        }
        Ok(Destination { host, is_suffix, port: authority.port_u16() })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_suffix { "*." } else { "" }, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Destination {
    fn matches(&self, host: &str, port: u16) -> bool {
        let is_host = match self.is_suffix {
            true => host.strip_suffix(&self.host).is_some_and(|front| front.len() > 1 && front.ends_with('.')),
            false => host == self.host,
        };
        is_host && self.port.is_none_or(|allowed| allowed == port)
    }
}

/// What a destination may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Nowhere,
    PublicAddresses,
    AnyAddress,
}

impl Reach {
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Reach::Nowhere => false,
            Reach::PublicAddresses => is_public(address),
            Reach::AnyAddress => true,
        }
    }
}

impl Policy {
    /// What a request to this host and port may lead to. Addresses come as in a URL, IPv6 in brackets.
    pub(crate) fn reach(&self, host: &str, port: u16) -> Reach {
        let host = host.to_ascii_lowercase();
        match self {
            Policy::Public => Reach::PublicAddresses,
            Policy::Nothing => Reach::Nowhere,
            Policy::Only(list) => {
                let matching = list.iter().filter(|destination| destination.matches(&host, port));
                matching.fold(Reach::Nowhere, |reach, destination| match (destination.is_suffix, reach) {
                    (false, _) | (_, Reach::AnyAddress) => Reach::AnyAddress,
                    (true, _) => Reach::PublicAddresses,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(list: &[&str]) -> Policy {
        Policy::Only(list.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn by_default_public_addresses_may_be_reached() {
        let reach = Policy::default().reach("example.com", 443);
        assert!(reach.allows("1.1.1.1".parse().unwrap()));
        assert!(!reach.allows("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn a_list_allows_what_it_names() {
        let policy = only(&["api.example.com", "*.test.org", "127.0.0.1:9000", "[::1]:80"]);
        assert_eq!(policy.reach("API.example.com", 1), Reach::AnyAddress);
        assert_eq!(policy.reach("a.b.test.org", 443), Reach::PublicAddresses);
        assert_eq!(policy.reach("127.0.0.1", 9000), Reach::AnyAddress);
        assert_eq!(policy.reach("[::1]", 80), Reach::AnyAddress);
        for (host, port) in [
            ("example.com", 443),
            ("x.api.example.com", 443),
            ("test.org", 443),
            ("eviltest.org", 443),
            (".test.org", 1),
            ("127.0.0.1", 9001),
            ("[::1]", 81),
        ] {
            assert_eq!(policy.reach(host, port), Reach::Nowhere, "{host}:{port}");
        }
    }

    #[test]
    fn an_empty_policy_lets_nothing_out() {
        assert_eq!(Policy::Nothing.reach("example.com", 443), Reach::Nowhere);
        assert_eq!(only(&[]).reach("example.com", 443), Reach::Nowhere);
    }

    #[test]
    fn text_that_names_no_destination_is_refused() {
        for bad in ["", "*", "*.", "a b", "a:b", "a:99999", "a:", "http://a", "user@a", "a/*", "*.*.a", "a.*"] {
            assert!(bad.parse::<Destination>().is_err(), "{bad}");
        }
    }
}
