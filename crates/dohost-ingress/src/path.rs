//! The path of a URL in its parts: pure, so that it can be fuzzed by itself.

use std::borrow::Cow;

/// Class, name and the rest.
pub(crate) fn split(path: &str) -> Option<(&str, &str, &str)> {
    let (class, rest) = path.strip_prefix('/')?.split_once('/')?;
    match rest.find('/') {
        Some(at) => Some((class, &rest[..at], &rest[at..])),
        None if rest.is_empty() => None,
        None => Some((class, rest, "/")),
    }
}

/// A name without its percent-encoding.
pub(crate) fn decode(name: &str) -> Result<Cow<'_, str>, &'static str> {
    let bytes = name.as_bytes();
    let is_escape = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if bytes.iter().enumerate().any(|(at, &byte)| byte == b'%' && !is_escape(at)) {
        return Err("the name of the object has a '%' without two hexadecimal digits");
    }
    percent_encoding::percent_decode_str(name)
        .decode_utf8()
        .map_err(|_| "the name of the object is not UTF-8 once it is percent-decoded")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_class_name_and_the_rest() {
        assert_eq!(split("/counter/A/increment"), Some(("counter", "A", "/increment")));
        assert_eq!(split("/counter/A/b/c/"), Some(("counter", "A", "/b/c/")));
        assert_eq!(split("/counter/A/"), Some(("counter", "A", "/")));
        assert_eq!(split("/counter/A"), Some(("counter", "A", "/")));
        assert_eq!(split("/counter//x"), Some(("counter", "", "/x")));
        for nothing in ["", "/", "/counter", "/counter/", "*", "counter/A/x"] {
            assert_eq!(split(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn names_are_percent_decoded() {
        assert_eq!(decode("a%20b%2Fc").unwrap(), "a b/c");
        assert_eq!(decode("%C3%A9").unwrap(), "é");
        assert_eq!(decode("a+b").unwrap(), "a+b");
    }

    #[test]
    fn broken_escapes_are_refused() {
        for broken in ["%", "a%2", "%zz", "%%20", "%2%20", "%+1"] {
            assert!(decode(broken).unwrap_err().contains("hexadecimal"), "{broken}");
        }
        assert!(decode("%ff").unwrap_err().contains("UTF-8"));
    }

    proptest! {
        #[test]
        fn no_path_makes_the_router_panic(path: String) {
            if let Some((_, name, rest)) = split(&path) {
                prop_assert!(rest.starts_with('/'));
                let _ = decode(name);
            }
        }
    }
}
