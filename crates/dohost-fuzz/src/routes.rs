//! From a URL to who gets it: no pattern, host or path makes the router panic, a pattern is what it shows, and order among patterns is
//! an order.

use std::cmp::Ordering;

use arbitrary::{Arbitrary, Unstructured};

// By their paths, as the crate that they belong to brings the engine along.
#[allow(dead_code, unreachable_pub)]
#[path = "../../dohost-ingress/src/path.rs"]
mod path;
#[allow(dead_code, missing_docs)]
#[path = "../../dohost-ingress/src/pattern.rs"]
mod pattern;

use pattern::RoutePattern;

/// A pattern is made of these mostly, as few texts by chance are one.
const PARTS: [&str; 16] =
    ["*", "/", "a", "A", ".", "example.com", "[::1]", ":", "%2F", "%", "@", "?", "://", "-", "é", " "];

/// A text of up to eight pieces: one of the parts, or any text.
fn text(from: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let mut text = String::new();
    for _ in 0..from.int_in_range(0..=8)? {
        match from.int_in_range(0..=PARTS.len())? {
            part if part < PARTS.len() => text += PARTS[part],
            _ => text += <&str>::arbitrary(from)?,
        }
    }
    Ok(text)
}

/// See the module.
pub fn run(bytes: &[u8]) {
    let mut from = Unstructured::new(bytes);
    let texts: arbitrary::Result<Vec<String>> = (0..5).map(|_| text(&mut from)).collect();
    let Ok(texts) = texts else { return };
    let (host, path) = (&texts[0], &texts[1]);
    object(path);
    let patterns: Vec<RoutePattern> = texts[2..].iter().filter_map(|text| text.parse().ok()).collect();
    for pattern in &patterns {
        let again: RoutePattern = pattern.to_string().parse().expect("a pattern that is shown is a pattern");
        assert_eq!(again, *pattern);
        let matches = pattern.matches(host, path);
        assert_eq!(again.matches(host, path), matches);
        assert_eq!(pattern.matches(&host.to_ascii_uppercase(), path), matches, "hosts have no case");
        assert!(RoutePattern::everything().matches(host, path));
        assert_ne!(pattern.by_specificity(&RoutePattern::everything()), Ordering::Greater, "nothing is less specific");
    }
    for (one, other) in patterns.iter().flat_map(|one| patterns.iter().map(move |other| (one, other))) {
        assert_eq!(one.by_specificity(other), other.by_specificity(one).reverse());
        for third in &patterns {
            if one.by_specificity(other).is_le() && other.by_specificity(third).is_le() {
                assert!(one.by_specificity(third).is_le(), "{one} {other} {third}");
            }
        }
    }
}

/// The path of an object: class, name and the rest are all of it, and a name is decoded as its encoding says.
fn object(path: &str) {
    let Some((class, name, rest)) = path::split(path) else { return };
    assert!(!class.contains('/') && !name.contains('/') && rest.starts_with('/'), "{path:?}");
    let whole = format!("/{class}/{name}{rest}");
    assert!(whole == path || whole == format!("{path}/"), "{path:?}");
    if let Ok(decoded) = path::decode(name) {
        let encoded = percent_encoding::utf8_percent_encode(&decoded, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(path::decode(&encoded).expect("it was encoded just now"), decoded);
        assert!(name.contains('%') || decoded == name, "nothing but percent signs is decoded: {name:?}");
    }
}
