//! Addresses to listen on, as people write them.
//!
//! An IP address with a port, or a host name that means this machine and nothing else, such as `localhost:8787`. Other host names are
//! refused: which interface they mean is not what one sees.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

/// What is listened on unless one is told otherwise.
pub const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);

/// Reads such an address; an error says what to give instead.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Err(format!("the port is missing, such as {}", SocketAddr::new(ip, DEFAULT.port())));
    }
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        let (here, everywhere) = (SocketAddr::new(DEFAULT.ip(), port), SocketAddr::new([0; 4].into(), port));
        return Err(format!("the address is missing: {here} for this machine, {everywhere} for all"));
    }
    let Some((name, port)) = text.rsplit_once(':').filter(|(name, _)| is_host_name(name)) else {
        return Err(format!("give an IP address with a port, such as {DEFAULT} or [::1]:{}", DEFAULT.port()));
    };
    let Ok(port) = port.parse::<u16>() else {
        return Err(format!("{port:?} is no port, which is a number from 0 to 65535"));
    };
    let found: Vec<SocketAddr> = (name, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    if found.is_empty() {
        return Err(format!("this system does not know where {name} is: give the IP address to listen on"));
    }
    if !found.iter().all(|address| address.ip().is_loopback()) {
        let everywhere = SocketAddr::new([0; 4].into(), port);
        return Err(format!(
            "{name} is not this machine alone: give the IP address to listen on, or {everywhere} for all"
        ));
    }
    // What clients try first differs; most of them try this one as well.
    Ok(found.iter().find(|address| address.is_ipv4()).copied().unwrap_or(found[0]))
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || ['-', '.'].contains(&char))
}

/// Where a host that listens here is reached from this machine; none if it has picked its port.
pub fn reached_at(listens: SocketAddr) -> Option<SocketAddr> {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    (listens.port() != 0).then(|| SocketAddr::new(ip, listens.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_address_or_a_name_of_this_machine() {
        for good in ["127.0.0.1:8787", "0.0.0.0:80", "[::1]:0"] {
            assert_eq!(parse(good).unwrap().to_string(), good);
        }
        let localhost = parse("localhost:9000").unwrap();
        assert!(localhost.ip().is_loopback() && localhost.port() == 9000, "{localhost}");
    }

    #[test]
    fn what_is_none_is_told_what_to_give() {
        for (bad, said) in [
            ("8787", "127.0.0.1:8787 for this machine, 0.0.0.0:8787 for all"),
            (":9000", "127.0.0.1:9000 for this machine"),
            ("127.0.0.1", "the port is missing, such as 127.0.0.1:8787"),
            ("::1", "the port is missing, such as [::1]:8787"),
            ("localhost", "give an IP address with a port"),
            ("localhost:http", "\"http\" is no port"),
            ("no-such-host.invalid:80", "give the IP address to listen on"),
            ("http://localhost:80", "give an IP address with a port"),
            ("", "give an IP address with a port"),
        ] {
            let error = parse(bad).unwrap_err();
            assert!(error.contains(said), "{bad:?}: {error}");
        }
    }

    #[test]
    fn a_host_on_all_addresses_is_reached_on_this_machine() {
        let reached = |listens: &str| reached_at(listens.parse().unwrap()).map(|address| address.to_string());
        assert_eq!(reached("0.0.0.0:80").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(reached("[::]:80").as_deref(), Some("[::1]:80"));
        assert_eq!(reached("10.0.0.1:80").as_deref(), Some("10.0.0.1:80"));
        assert_eq!(reached("127.0.0.1:0"), None);
    }
}
