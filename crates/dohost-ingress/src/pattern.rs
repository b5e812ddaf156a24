//! Which requests go to which Worker: route patterns, as Cloudflare has them.
//!
//! A pattern is a host and a path: `shop.example.com/cart/*`. The host may begin with `*` (`*.example.com` are its
//! subdomains, `*example.com` it and them) and may be left out, which means any; the path may end with `*`. Without a `*`
//! it means that path alone. Ports, schemes and queries are no part of it. Of several patterns that match, the most specific
//! one counts: first the host decides, then the path.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Bytes that a pattern may have.
const PATTERN_BYTES_MAX: usize = 2_048;

/// A pattern that requests match or do not. Equal ones match the same requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoutePattern {
    host: HostPattern,
    path: String,
    /// The path goes on at will.
    is_prefix: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum HostPattern {
    /// Every host that ends like this; all of them if it is empty.
    EndsWith(String),
    Is(String),
}

/// A text that is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

impl FromStr for RoutePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<RoutePattern, PatternError> {
        let wrong = |reason: &str| Err(PatternError(format!("{text:?} is no route: {reason}")));
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError(format!("a route has at most {PATTERN_BYTES_MAX} bytes, not {}", text.len())));
        }
        if text == "*" {
            return Ok(RoutePattern::everything());
        }
        if text.contains("://") {
            return wrong("it has a scheme; begin with the host or with a slash");
        }
        if text.contains(['?', '#']) {
            return wrong("a route has no query");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("it is not ASCII; write the path percent-encoded and the host in Punycode");
        }
        let Some(at) = text.find('/') else {
            return wrong("the path is missing; end with /* for everything on a host");
        };
        let (host, path) = text.split_at(at);
        let (path, is_prefix) = path.strip_suffix('*').map_or((path, false), |path| (path, true));
        let (ending, is_suffix) = host.strip_prefix('*').map_or((host, false), |ending| (ending, true));
        if path.contains('*') || ending.contains('*') {
            return wrong("a * can only be the first of the host and the last of the path");
        }
        if ending.contains('@') || without_port(ending) != ending {
            return wrong("a route names a host without its port");
        }
        let host = match ending.to_ascii_lowercase() {
            ending if is_suffix || ending.is_empty() => HostPattern::EndsWith(ending),
            host => HostPattern::Is(host),
        };
        Ok(RoutePattern { host, path: path.into(), is_prefix })
    }
}

impl fmt::Display for RoutePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostPattern::EndsWith(ending) if ending.is_empty() => {}
            HostPattern::EndsWith(ending) => write!(f, "*{ending}")?,
            HostPattern::Is(host) => f.write_str(host)?,
        }
        write!(f, "{}{}", self.path, if self.is_prefix { "*" } else { "" })
    }
}

impl RoutePattern {
    /// The one that every request matches.
    pub fn everything() -> RoutePattern {
        RoutePattern { host: HostPattern::EndsWith(String::new()), path: "/".into(), is_prefix: true }
    }

    /// Whether a request for this host, with or without a port, and this path is meant.
    pub fn matches(&self, host: &str, path: &str) -> bool {
        let host = without_port(host).as_bytes();
        let is_host = match &self.host {
            HostPattern::Is(wanted) => host.eq_ignore_ascii_case(wanted.as_bytes()),
            HostPattern::EndsWith(ending) => {
                let start = host.len().checked_sub(ending.len());
                start.is_some_and(|start| host[start..].eq_ignore_ascii_case(ending.as_bytes()))
            }
        };
        // `OPTIONS *` has a path without a slash.
        let is_any_path = self.is_prefix && self.path == "/";
        is_host && (is_any_path || if self.is_prefix { path.starts_with(&self.path) } else { path == self.path })
    }

    /// Less is more specific.
    pub fn by_specificity(&self, other: &RoutePattern) -> Ordering {
        let rank = |pattern: &RoutePattern| {
            let (is_suffix, host_len) = match &pattern.host {
                HostPattern::Is(host) => (false, host.len()),
                HostPattern::EndsWith(ending) => (true, ending.len()),
            };
            let longer_first = |len: usize| std::cmp::Reverse(len);
            (is_suffix, longer_first(host_len), pattern.is_prefix, longer_first(pattern.path.len()))
        };
        rank(self).cmp(&rank(other))
    }
}

/// A host as a URL has it, less its port. An IPv6 address is in brackets.
fn without_port(host: &str) -> &str {
    let end = host.rfind(']').map_or(0, |bracket| bracket + 1);
    host[end..].find(':').map_or(host, |colon| &host[..end + colon])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> RoutePattern {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn patterns_match_as_at_cloudflare() {
        for (text, host, path, matches) in [
            ("*", "any.host", "/any/path", true),
            ("/*", "any.host:80", "/", true),
            ("/api/*", "any.host", "/api/x/y", true),
            ("/api/*", "any.host", "/api/", true),
            ("/api/*", "any.host", "/api", false),
            ("/api*", "any.host", "/api", true),
            ("/api*", "any.host", "/apix", true),
            ("/api", "any.host", "/api", true),
            ("/api", "any.host", "/api/", false),
            ("/API", "any.host", "/api", false),
            ("example.com/*", "example.com", "/x", true),
            ("example.com/*", "EXAMPLE.com:8787", "/x", true),
            ("Example.com/*", "example.com", "/x", true),
            ("example.com/*", "www.example.com", "/x", false),
            ("*.example.com/*", "www.example.com", "/x", true),
            ("*.example.com/*", "example.com", "/x", false),
            ("*.example.com/*", "badexample.com", "/x", false),
            ("*example.com/*", "example.com", "/x", true),
            ("*example.com/*", "www.example.com", "/x", true),
            ("*example.com/*", "com", "/x", false),
            ("[::1]/*", "[::1]:8787", "/x", true),
            ("[::1]/*", "[::2]:8787", "/x", false),
            ("*/x", "", "/x", true),
            ("*", "any.host", "*", true),
        ] {
            assert_eq!(pattern(text).matches(host, path), matches, "{text} of {host}{path}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, says) in [
            ("", "the path is missing"),
            ("example.com", "end with /*"),
            ("https://example.com/*", "scheme"),
            ("example.com:80/*", "port"),
            ("a.*.com/*", "a * can only be"),
            ("*.*.com/*", "a * can only be"),
            ("/a/*/b", "a * can only be"),
            ("/**", "a * can only be"),
            ("/x?y=1", "query"),
            ("/ü/*", "ASCII"),
            ("/a b", "ASCII"),
            (&format!("/{}", "x".repeat(2_048)), "at most 2048 bytes"),
        ] {
            let error = text.parse::<RoutePattern>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn the_host_decides_before_the_path_and_the_longer_one_wins() {
        let sorted = [
            "www.example.com/a",
            "www.example.com/*",
            "a.com/*",
            "*.example.com/abc/*",
            "*.example.com/a*",
            "*example.com/x/y/z",
            "/exact",
            "/abc/*",
            "/a*",
            "/*",
        ];
        let mut patterns: Vec<RoutePattern> = sorted.iter().rev().map(|text| pattern(text)).collect();
        patterns.sort_by(RoutePattern::by_specificity);
        assert_eq!(patterns.iter().map(ToString::to_string).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn equal_patterns_are_told_however_they_are_written() {
        assert_eq!(pattern("*"), pattern("*/*"));
        assert_eq!(pattern("/*"), pattern("*/*"));
        assert_eq!(pattern("A.com/*"), pattern("a.com/*"));
        assert_ne!(pattern("a.com/A"), pattern("a.com/a"));
    }

    proptest! {
        #[test]
        fn no_text_and_no_request_make_a_pattern_panic(text: String, host: String, path: String) {
            if let Ok(pattern) = text.parse::<RoutePattern>() {
                pattern.matches(&host, &path);
                prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
            }
            RoutePattern::everything().matches(&host, &path);
        }
    }
}
