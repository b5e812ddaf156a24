//! Everything that is persisted, as one enum.
//!
//! The store is one ordered table; the first byte of a key is its tag. Numbers are big-endian, so that the order of
//! the bytes is the order of the fields, variable parts come last, so that they need neither length nor terminator,
//! and all rows of one object are neighbours.
//!
//! Tags are given once and never reused. Reserved for what is to come: `0x11` SQL pages (object, file, page number), `0x12`
//! statistics of an object.

use std::ops::Range;

use thiserror::Error;

use crate::alarm::AlarmPlace;
use crate::numbers::{ClassNumber, ObjectNumber};

const TAG_FORMAT: u8 = 0x01;
const TAG_NAMESPACE_KEY: u8 = 0x02;
const TAG_CLASS: u8 = 0x03;
const TAG_OBJECT: u8 = 0x04;
const TAG_NEXT_OBJECT: u8 = 0x05;
const TAG_MIGRATION: u8 = 0x06;
const TAG_RETIRED: u8 = 0x07;
const TAG_RETIRED_CLASS: u8 = 0x08;
const TAG_DEPARTED: u8 = 0x09;
const TAG_LOG: u8 = 0x0a;
const TAG_KV: u8 = 0x10;
const TAG_ALARM_TIME: u8 = 0x20;
const TAG_ALARM: u8 = 0x21;

/// Follows the object in the key of its size. No UTF-8 has this byte, so it is no guest's key, and sorts behind them.
const SIZE_MARK: u8 = 0xff;

/// A key of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The version of this layout and when the data directory was made.
    ///
    /// Key: `01`. Value: `version u32 | created_ms u64`. Written once at creation, rewritten by a migration.
    Format,
    /// The secret that sets the ids of this data directory apart from all others.
    ///
    /// Key: `02`. Value: 32 random bytes. Written once at creation, never changed: all ids depend on it.
    NamespaceKey,
    /// A class by name.
    ///
    /// Key: `03 | name in UTF-8`. Value: `number u32 | unique key in UTF-8`, see [`crate::Class`]. Written when a
    /// class is first served or comes with a migration, until a migration deletes, renames or transfers it.
    Class {
        /// Its name.
        name: String,
    },
    /// An object that wrote something.
    ///
    /// Key: `04 | class u32 | id, 32 bytes`. Value: see [`crate::ObjectRecord`]. Written with the object's first
    /// commit and with one in a minute or so after that, removed when the object deleted everything.
    Object {
        /// Its class.
        class: ClassNumber,
        /// Its id.
        id: [u8; 32],
    },
    /// A number above that of every object record ever written.
    ///
    /// Key: `05`. Value: `u64`. Raised in the commit that writes a record; never falls, so numbers of forgotten
    /// objects do not come back.
    NextObject,
    /// A migration that was applied.
    ///
    /// Key: `06 | number u32`, counted from 1 in the order in which they were applied. Value: see
    /// [`crate::AppliedMigration`]. Kept for ever.
    Migration {
        /// The how many-th it is.
        number: u32,
    },
    /// The number of a large object that deleted everything. Its rows are of no use and are being removed.
    ///
    /// Key: `07 | object u64`. Value: empty. Written with the commit that removes the object's record, removed with the
    /// last of its rows.
    Retired {
        /// The number.
        object: ObjectNumber,
    },
    /// The number of a class that nobody can reach: it was deleted, or is being copied here and is not whole yet. Its
    /// objects are of no use and are being removed, at the latest when the store is opened.
    ///
    /// Key: `08 | class u32`. Value: empty. Written with the commit that removes the class, or before the first object of
    /// one that is copied; removed with the last of its objects, or with the commit that registers the copy.
    RetiredClass {
        /// The number.
        class: ClassNumber,
    },
    /// A class that is on its way to another data directory, or has gone there. It is not served here.
    ///
    /// Key: `09 | name in UTF-8`. Value: see [`crate::record::Departed`]. Written when a transfer begins, removed when a
    /// migration registers a new class of that name.
    Departed {
        /// The name that it had here.
        name: String,
    },
    /// The last generation of the log that the file has everything of; see [`crate::log`].
    ///
    /// Key: `0a`. Value: `u64`. Written by every checkpoint, with the rows of that generation; only ever in the file.
    Log,
    /// A key-value pair of an object.
    ///
    /// Key: `10 | object u64 | the guest's key in UTF-8`. Value: the guest's bytes as they are. Lives until the guest
    /// deletes it.
    Kv {
        /// Whose it is.
        object: ObjectNumber,
        /// The guest's key.
        key: String,
    },
    /// The size of an object that is not small.
    ///
    /// Key: `10 | object u64 | ff`, the last one of the object's rows. Value: `u64`, the bytes of all its keys and
    /// values. Written with every commit that leaves the object larger than [`crate::SIZE_ROW_BYTES_MIN`], removed by
    /// the one after which it is not.
    Size {
        /// Whose it is.
        object: ObjectNumber,
    },
    /// The index of alarms by time.
    ///
    /// Key: `20 | class u32 | due_ms u64 | object u64 | name in UTF-8`. Value: see [`crate::PendingAlarm`]. Written and
    /// removed with the row of the alarm.
    AlarmTime {
        /// The class of its object.
        class: ClassNumber,
        /// When it is to be tried next.
        due_ms: u64,
        /// Whose it is.
        object: ObjectNumber,
        /// Its name.
        name: String,
    },
    /// An alarm of an object.
    ///
    /// Key: `21 | object u64 | name in UTF-8`. Value: see [`crate::AlarmRow`]. Lives until its handler has returned, or until
    /// the guest deletes it; changes when a try of it fails.
    Alarm {
        /// Whose it is.
        object: ObjectNumber,
        /// Its name.
        name: String,
    },
}

/// Bytes that are no key of this version of the store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("decode the store key {bytes:02x?}: it is not of a known shape")]
pub struct InvalidKey {
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Key {
    /// The bytes of this key.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Key::Format => vec![TAG_FORMAT],
            Key::NamespaceKey => vec![TAG_NAMESPACE_KEY],
            Key::Class { name } => [&[TAG_CLASS], name.as_bytes()].concat(),
            Key::Object { class, id } => [&[TAG_OBJECT], &class.0.to_be_bytes()[..], id].concat(),
            Key::NextObject => vec![TAG_NEXT_OBJECT],
            Key::Migration { number } => [&[TAG_MIGRATION], &number.to_be_bytes()[..]].concat(),
            Key::Retired { object } => [&[TAG_RETIRED], &object.0.to_be_bytes()[..]].concat(),
            Key::RetiredClass { class } => [&[TAG_RETIRED_CLASS], &class.0.to_be_bytes()[..]].concat(),
            Key::Departed { name } => [&[TAG_DEPARTED], name.as_bytes()].concat(),
            Key::Log => vec![TAG_LOG],
            Key::Kv { object, key } => {
                let mut bytes = Vec::with_capacity(KV_PREFIX_LEN + key.len());
                write_kv(&mut bytes, *object, key);
                bytes
            }
            Key::Size { object } => [&kv_prefix(*object)[..], &[SIZE_MARK]].concat(),
            Key::AlarmTime { class, due_ms, object, name } => {
                let (class, due_ms, object) = (class.0.to_be_bytes(), due_ms.to_be_bytes(), object.0.to_be_bytes());
                [&[TAG_ALARM_TIME], &class[..], &due_ms, &object, name.as_bytes()].concat()
            }
            Key::Alarm { object, name } => [&[TAG_ALARM], &object.0.to_be_bytes()[..], name.as_bytes()].concat(),
        }
    }

    /// The reverse of [`Key::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Key, InvalidKey> {
        decode(bytes).ok_or_else(|| InvalidKey { bytes: bytes.to_vec() })
    }
}

fn decode(bytes: &[u8]) -> Option<Key> {
    let (tag, rest) = bytes.split_first()?;
    let text = |bytes| std::str::from_utf8(bytes).map(str::to_owned).ok();
    match *tag {
        TAG_FORMAT if rest.is_empty() => Some(Key::Format),
        TAG_NAMESPACE_KEY if rest.is_empty() => Some(Key::NamespaceKey),
        TAG_CLASS => Some(Key::Class { name: text(rest)? }),
        TAG_OBJECT => {
            let (class, id) = rest.split_first_chunk::<4>()?;
            Some(Key::Object { class: ClassNumber(u32::from_be_bytes(*class)), id: id.try_into().ok()? })
        }
        TAG_NEXT_OBJECT if rest.is_empty() => Some(Key::NextObject),
        TAG_MIGRATION => Some(Key::Migration { number: u32::from_be_bytes(rest.try_into().ok()?) }),
        TAG_RETIRED_CLASS => Some(Key::RetiredClass { class: ClassNumber(u32::from_be_bytes(rest.try_into().ok()?)) }),
        TAG_DEPARTED => Some(Key::Departed { name: text(rest)? }),
        TAG_LOG if rest.is_empty() => Some(Key::Log),
        TAG_RETIRED => Some(Key::Retired { object: ObjectNumber(u64::from_be_bytes(rest.try_into().ok()?)) }),
        TAG_KV => {
            let (object, key) = rest.split_first_chunk::<8>()?;
            let object = ObjectNumber(u64::from_be_bytes(*object));
            match key {
                [SIZE_MARK] => Some(Key::Size { object }),
                key => Some(Key::Kv { object, key: text(key)? }),
            }
        }
        TAG_ALARM_TIME => {
            let (class, rest) = rest.split_first_chunk::<4>()?;
            let (due_ms, rest) = rest.split_first_chunk::<8>()?;
            let (object, name) = rest.split_first_chunk::<8>()?;
            Some(Key::AlarmTime {
                class: ClassNumber(u32::from_be_bytes(*class)),
                due_ms: u64::from_be_bytes(*due_ms),
                object: ObjectNumber(u64::from_be_bytes(*object)),
                name: text(name)?,
            })
        }
        TAG_ALARM => {
            let (object, name) = rest.split_first_chunk::<8>()?;
            Some(Key::Alarm { object: ObjectNumber(u64::from_be_bytes(*object)), name: text(name)? })
        }
        _ => None,
    }
}

/// Length of what stands in a row's key before the guest's key.
pub(crate) const KV_PREFIX_LEN: usize = 9;

/// Writes the bytes of [`Key::Kv`] into `buffer`, replacing what it held: the hot path makes no key of its own.
pub(crate) fn write_kv(buffer: &mut Vec<u8>, object: ObjectNumber, key: &str) {
    buffer.clear();
    buffer.extend_from_slice(&kv_prefix(object));
    buffer.extend_from_slice(key.as_bytes());
}

fn kv_prefix(object: ObjectNumber) -> [u8; KV_PREFIX_LEN] {
    let mut prefix = [TAG_KV; KV_PREFIX_LEN];
    prefix[1..].copy_from_slice(&object.0.to_be_bytes());
    prefix
}

/// A range of the rows of one object, as bytes of store keys; never reaches into a neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvRange {
    /// First key of the range.
    pub start: Vec<u8>,
    /// First key past the range.
    pub end: Vec<u8>,
}

impl KvRange {
    /// All keys of `object`.
    pub fn all(object: ObjectNumber) -> KvRange {
        KvRange::between(object, &[], None)
    }

    /// All rows of `object`: its keys and its size.
    pub fn with_size(object: ObjectNumber) -> KvRange {
        // The successor of a prefix never falls short of the tag, even behind the last possible number.
        let end = successor(&kv_prefix(object)).expect("a tag is below 0xff");
        KvRange { start: kv_prefix(object).to_vec(), end }
    }

    /// The keys of `object` that are at least `start` and below `end`.
    pub fn between(object: ObjectNumber, start: &[u8], end: Option<&[u8]>) -> KvRange {
        let prefix = kv_prefix(object);
        KvRange { start: [&prefix, start].concat(), end: [&prefix, end.unwrap_or(&[SIZE_MARK])].concat() }
    }

    /// As a range of slices.
    pub(crate) fn as_slices(&self) -> Range<&[u8]> {
        &self.start[..]..&self.end[..]
    }
}

/// All class rows.
pub(crate) fn class_rows() -> Range<Vec<u8>> {
    vec![TAG_CLASS]..vec![TAG_CLASS + 1]
}

/// All rows of migrations.
pub(crate) fn migration_rows() -> Range<Vec<u8>> {
    vec![TAG_MIGRATION]..vec![TAG_MIGRATION + 1]
}

/// All rows of retired numbers of objects.
pub(crate) fn retired_rows() -> Range<Vec<u8>> {
    vec![TAG_RETIRED]..vec![TAG_RETIRED + 1]
}

/// All rows of retired numbers of classes.
pub(crate) fn retired_class_rows() -> Range<Vec<u8>> {
    vec![TAG_RETIRED_CLASS]..vec![TAG_RETIRED_CLASS + 1]
}

/// All rows of classes that left.
pub(crate) fn departed_rows() -> Range<Vec<u8>> {
    vec![TAG_DEPARTED]..vec![TAG_DEPARTED + 1]
}

/// The object rows of `class` behind `after`, or all of them.
pub(crate) fn object_rows(class: ClassNumber, after: Option<&[u8; 32]>) -> Range<Vec<u8>> {
    let prefix = [&[TAG_OBJECT], &class.0.to_be_bytes()[..]].concat();
    let end = successor(&prefix).expect("a tag is below 0xff");
    let start = match after {
        Some(id) => [&prefix[..], id, &[0]].concat(),
        None => prefix,
    };
    start..end
}

/// The rows of all alarms of `object`.
pub(crate) fn alarm_rows(object: ObjectNumber) -> Range<Vec<u8>> {
    let prefix = [&[TAG_ALARM], &object.0.to_be_bytes()[..]].concat();
    let end = successor(&prefix).expect("a tag is below 0xff");
    prefix..end
}

/// The rows of the index of alarms of `class` behind `after`, or all of them.
pub(crate) fn alarm_time_rows(class: ClassNumber, after: Option<&AlarmPlace>) -> Range<Vec<u8>> {
    let prefix = [&[TAG_ALARM_TIME], &class.0.to_be_bytes()[..]].concat();
    let end = successor(&prefix).expect("a tag is below 0xff");
    let start = match after {
        Some(place) => [&place.key().encode()[..], &[0]].concat(),
        None => prefix,
    };
    start..end
}

/// The smallest bytes above everything that starts with `prefix`; `None` if nothing is above.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut bytes = prefix[..=last].to_vec();
    bytes[last] += 1;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![
            Just(Key::Format),
            Just(Key::NamespaceKey),
            Just(Key::NextObject),
            Just(Key::Log),
            any::<String>().prop_map(|name| Key::Class { name }),
            any::<(u32, [u8; 32])>().prop_map(|(class, id)| Key::Object { class: ClassNumber(class), id }),
            any::<(u64, String)>().prop_map(|(object, key)| Key::Kv { object: ObjectNumber(object), key }),
            any::<u32>().prop_map(|number| Key::Migration { number }),
            any::<u32>().prop_map(|class| Key::RetiredClass { class: ClassNumber(class) }),
            any::<String>().prop_map(|name| Key::Departed { name }),
            any::<u64>().prop_map(|object| Key::Retired { object: ObjectNumber(object) }),
            any::<u64>().prop_map(|object| Key::Size { object: ObjectNumber(object) }),
            any::<(u64, String)>().prop_map(|(object, name)| Key::Alarm { object: ObjectNumber(object), name }),
            any::<(u32, u64, u64, String)>().prop_map(|(class, due_ms, object, name)| {
                let (class, object) = (ClassNumber(class), ObjectNumber(object));
                Key::AlarmTime { class, due_ms, object, name }
            }),
        ]
    }

    #[test]
    fn keys_have_these_bytes_for_ever() {
        assert_eq!(Key::Format.encode(), b"\x01");
        assert_eq!(Key::NamespaceKey.encode(), b"\x02");
        assert_eq!(Key::Class { name: "Room".into() }.encode(), b"\x03Room");
        let object = Key::Object { class: ClassNumber(0x0102_0304), id: [0xee; 32] }.encode();
        assert_eq!(object[..5], *b"\x04\x01\x02\x03\x04");
        assert_eq!(object[5..], [0xee; 32]);
        let alarm = Key::Alarm { object: ObjectNumber(0x0102), name: "n".into() };
        assert_eq!(alarm.encode(), b"\x21\0\0\0\0\0\0\x01\x02n");
        let (class, object) = (ClassNumber(3), ObjectNumber(2));
        let time = Key::AlarmTime { class, due_ms: 1, object, name: "n".into() };
        assert_eq!(time.encode(), b"\x20\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02n");
        assert_eq!(Key::NextObject.encode(), b"\x05");
        let retired = Key::Retired { object: ObjectNumber(0x0102_0304_0506_0708) };
        assert_eq!(retired.encode(), b"\x07\x01\x02\x03\x04\x05\x06\x07\x08");
        assert_eq!(Key::Migration { number: 0x0102_0304 }.encode(), b"\x06\x01\x02\x03\x04");
        assert_eq!(Key::RetiredClass { class: ClassNumber(0x0102_0304) }.encode(), b"\x08\x01\x02\x03\x04");
        assert_eq!(Key::Departed { name: "Room".into() }.encode(), b"\x09Room");
        assert_eq!(Key::Log.encode(), b"\x0a");
        let kv = Key::Kv { object: ObjectNumber(0x0102_0304_0506_0708), key: "né".into() };
        assert_eq!(kv.encode(), b"\x10\x01\x02\x03\x04\x05\x06\x07\x08n\xc3\xa9");
        let size = Key::Size { object: ObjectNumber(0x0102_0304_0506_0708) };
        assert_eq!(size.encode(), b"\x10\x01\x02\x03\x04\x05\x06\x07\x08\xff");
    }

    #[test]
    fn bytes_with_an_unknown_tag_or_a_wrong_length_are_no_key() {
        for bytes in [
            &b""[..],
            b"\x00",
            b"\x01x",
            b"\x04\0\0\0\x01",
            b"\x06",
            b"\x07\0",
            b"\x08\0",
            b"\x09\xff",
            b"\x10\0\0",
            b"\x03\xff",
            b"\x10\0\0\0\0\0\0\0\0\xff\0",
        ] {
            assert!(Key::decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn the_range_of_an_object_touches_no_neighbour() {
        for number in [0, 1, 0xff, 0x1_00ff, u64::MAX - 1] {
            let range = KvRange::all(ObjectNumber(number));
            let next = Key::Kv { object: ObjectNumber(number + 1), key: String::new() }.encode();
            let last = Key::Kv { object: ObjectNumber(number), key: "\u{10ffff}".repeat(512) }.encode();
            let size = Key::Size { object: ObjectNumber(number) }.encode();
            assert!(range.start <= last && last < range.end && range.end <= size);
            let with_size = KvRange::with_size(ObjectNumber(number));
            assert!(with_size.start == range.start && size < with_size.end && with_size.end <= next);
        }
        assert_eq!(KvRange::with_size(ObjectNumber(u64::MAX)).end, [TAG_KV + 1]);
    }

    #[test]
    fn the_successor_of_a_prefix_carries_over_0xff() {
        assert_eq!(successor(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b"\xff\xff"), None);
        assert_eq!(successor(b""), None);
    }

    proptest! {
        #[test]
        fn keys_survive_a_round_trip(key in any_key()) {
            prop_assert_eq!(Key::decode(&key.encode()).unwrap(), key);
        }

        #[test]
        fn the_order_of_bytes_is_the_order_of_object_then_key(a: (u64, String), b: (u64, String)) {
            let bytes = |(object, key): &(u64, String)| Key::Kv { object: ObjectNumber(*object), key: key.clone() }.encode();
            prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
        }
    }
}
