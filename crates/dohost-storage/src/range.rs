//! List options as a guest gives them, compiled into one half-open range of bytes.
//!
//! The rules are those of Durable Objects (workerd, `compileListOptions`): `start` is included, `start_after` and
//! `end` are not, a prefix narrows both ends, and `reverse` turns the order of the answer without exchanging `start`
//! and `end`. Order is that of the UTF-8 bytes.

use std::cmp::max;

use thiserror::Error;

use crate::key::successor;

/// What a guest may ask of a list. The default asks for everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListOptions<'a> {
    /// First key, included.
    pub start: Option<&'a str>,
    /// First key, excluded. Not together with `start`.
    pub start_after: Option<&'a str>,
    /// Last key, excluded.
    pub end: Option<&'a str>,
    /// Only keys that begin with this.
    pub prefix: Option<&'a str>,
    /// Whether the answer begins with the last key.
    pub reverse: bool,
    /// At most so many entries, at least 1.
    pub limit: Option<u64>,
}

/// List options that make no sense. The guest should fix its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidList {
    /// Both `start` and `start_after` are given.
    #[error("list with both start and start-after, give one of them")]
    TwoStarts,
    /// `limit` is 0.
    #[error("list with a limit of 0, the least is 1")]
    NoLimit,
}

/// A half-open range of keys, an order and a limit. The ends are bytes, not text: the end of a prefix need not be
/// UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    pub(crate) start: Vec<u8>,
    pub(crate) end: Option<Vec<u8>>,
    pub(crate) reverse: bool,
    pub(crate) limit: Option<u64>,
}

impl KeyRange {
    /// Every key, ascending.
    pub fn all() -> KeyRange {
        KeyRange { start: Vec::new(), end: None, reverse: false, limit: None }
    }

    /// The range that `options` describe, or `None` if no key can be in it, which needs no look at the store.
    pub fn compile(options: ListOptions<'_>) -> Result<Option<KeyRange>, InvalidList> {
        if options.limit == Some(0) {
            return Err(InvalidList::NoLimit);
        }
        let mut start = match (options.start, options.start_after) {
            (Some(_), Some(_)) => return Err(InvalidList::TwoStarts),
            (Some(start), None) => start.as_bytes().to_vec(),
            (None, Some(start)) => after(start.as_bytes()),
            (None, None) => Vec::new(),
        };
        let mut end = options.end.map(|end| end.as_bytes().to_vec());
        if let Some(prefix) = options.prefix {
            start = max(start, prefix.as_bytes().to_vec());
            end = match (end, successor(prefix.as_bytes())) {
                (Some(end), Some(prefix_end)) => Some(end.min(prefix_end)),
                (end, prefix_end) => end.or(prefix_end),
            };
        }
        if end.as_ref().is_some_and(|end| *end <= start) {
            return Ok(None);
        }
        Ok(Some(KeyRange { start, end, reverse: options.reverse, limit: options.limit }))
    }
}

/// The smallest key above `key`.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(options: ListOptions<'_>) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        KeyRange::compile(options).unwrap().map(|range| (range.start, range.end))
    }

    #[test]
    fn the_ends_of_a_list_follow_its_options() {
        let options = ListOptions::default();
        assert_eq!(compiled(options), Some((b"".to_vec(), None)));
        let b = Some("b");
        assert_eq!(compiled(ListOptions { start: b, ..options }), Some((b"b".to_vec(), None)));
        assert_eq!(compiled(ListOptions { start_after: b, ..options }), Some((b"b\0".to_vec(), None)));
        assert_eq!(compiled(ListOptions { end: b, ..options }), Some((b"".to_vec(), Some(b"b".to_vec()))));
        assert_eq!(compiled(ListOptions { prefix: b, ..options }), Some((b"b".to_vec(), Some(b"c".to_vec()))));
        assert_eq!(compiled(ListOptions { prefix: Some(""), ..options }), Some((b"".to_vec(), None)));
    }

    #[test]
    fn a_prefix_narrows_both_ends() {
        let prefix = ListOptions { prefix: Some("b"), ..Default::default() };
        let narrowed = compiled(ListOptions { start: Some("a"), end: Some("z"), ..prefix });
        assert_eq!(narrowed, Some((b"b".to_vec(), Some(b"c".to_vec()))));
        let kept = compiled(ListOptions { start: Some("b1"), end: Some("b2"), ..prefix });
        assert_eq!(kept, Some((b"b1".to_vec(), Some(b"b2".to_vec()))));
        assert_eq!(compiled(ListOptions { start: Some("c"), ..prefix }), None);
        assert_eq!(compiled(ListOptions { end: Some("b"), ..prefix }), None);
        // The last byte of U+10FFFF is 0xbf: the end of the prefix is no UTF-8.
        let last = compiled(ListOptions { prefix: Some("\u{10ffff}"), ..Default::default() });
        assert_eq!(last, Some((b"\xf4\x8f\xbf\xbf".to_vec(), Some(b"\xf4\x8f\xbf\xc0".to_vec()))));
    }

    #[test]
    fn an_empty_range_is_known_to_be_empty() {
        let options = ListOptions { start: Some("b"), end: Some("b"), ..Default::default() };
        assert_eq!(compiled(options), None);
        assert_eq!(compiled(ListOptions { reverse: true, ..options }), None);
        assert_eq!(compiled(ListOptions { start: Some("c"), end: Some("b"), reverse: true, ..options }), None);
        assert_eq!(compiled(ListOptions { end: Some(""), ..Default::default() }), None);
    }

    #[test]
    fn options_that_contradict_are_refused() {
        let options = ListOptions { start: Some("a"), start_after: Some("a"), ..Default::default() };
        assert_eq!(KeyRange::compile(options), Err(InvalidList::TwoStarts));
        let options = ListOptions { limit: Some(0), ..Default::default() };
        assert_eq!(KeyRange::compile(options), Err(InvalidList::NoLimit));
    }
}
