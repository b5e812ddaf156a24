//! Values that are not the guest's: records of classes and objects, and how they look as bytes.
//!
//! Numbers are big-endian. Every decoder refuses what its encoder cannot have written, so that damage or a mix-up of
//! versions shows here and not as a strange object later.

use thiserror::Error;

use crate::numbers::{ClassNumber, ObjectNumber};

/// A registered class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its number inside keys.
    pub number: ClassNumber,
    /// What ids of this class are derived from: the data directory's namespace key in hex, a colon and the name that
    /// the class had when it was registered. Kept for ever, so that a later rename keeps all ids.
    pub unique_key: String,
}

/// What the store knows of an object that wrote something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRecord {
    /// Its number inside keys.
    pub number: ObjectNumber,
    /// The name it was reached by, if it has one of at most [`crate::NAME_BYTES_MAX`] bytes.
    pub name: Option<String>,
    /// When its first write was made, in milliseconds since 1970.
    pub created_ms: u64,
    /// When a write was made of which this record took note, in milliseconds since 1970. Whoever writes records says how
    /// far it may be behind.
    pub active_ms: u64,
}

/// A class that went, or is going, to another data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Departed {
    /// What it was here.
    pub(crate) class: Class,
    /// The namespace key of the data directory that it goes to.
    pub(crate) destination: [u8; 32],
    /// It is whole over there, and its objects are no longer here.
    pub(crate) has_left: bool,
}

/// A value in the store that no version of this crate wrote. The file was damaged or edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("decode a {what} record: the bytes are not of a known shape")]
pub struct InvalidRecord {
    /// Which kind of record it is.
    pub what: &'static str,
}

/// The value of [`crate::Key::Format`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) version: u32,
    pub(crate) created_ms: u64,
}

impl Class {
    /// `number u32 | unique key in UTF-8`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + self.unique_key.len());
        bytes.extend_from_slice(&self.number.0.to_be_bytes());
        bytes.extend_from_slice(self.unique_key.as_bytes());
        bytes
    }

    /// The reverse of [`Class::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Class, InvalidRecord> {
        let invalid = InvalidRecord { what: "class" };
        let (number, unique_key) = bytes.split_first_chunk::<4>().ok_or(invalid)?;
        let unique_key = std::str::from_utf8(unique_key).map_err(|_| invalid)?.to_owned();
        Ok(Class { number: ClassNumber(u32::from_be_bytes(*number)), unique_key })
    }
}

impl ObjectRecord {
    /// `number u64 | created_ms u64 | 2 | active_ms u64` without a name, with one
    /// `number u64 | created_ms u64 | 3 | active_ms u64 | name in UTF-8`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(25 + self.name.as_ref().map_or(0, String::len));
        bytes.extend_from_slice(&self.number.0.to_be_bytes());
        bytes.extend_from_slice(&self.created_ms.to_be_bytes());
        bytes.push(2 + u8::from(self.name.is_some()));
        bytes.extend_from_slice(&self.active_ms.to_be_bytes());
        bytes.extend_from_slice(self.name.as_deref().unwrap_or_default().as_bytes());
        bytes
    }

    /// The reverse of [`ObjectRecord::encode`]. Before format 3 there was no `active_ms`, and the byte was 0 or 1.
    pub fn decode(bytes: &[u8]) -> Result<ObjectRecord, InvalidRecord> {
        let invalid = InvalidRecord { what: "object" };
        let (number, rest) = bytes.split_first_chunk::<8>().ok_or(invalid)?;
        let (created_ms, rest) = rest.split_first_chunk::<8>().ok_or(invalid)?;
        let created_ms = u64::from_be_bytes(*created_ms);
        let (kind, rest) = rest.split_first().ok_or(invalid)?;
        let (active_ms, name) = match kind {
            0 | 1 => (created_ms, rest),
            2 | 3 => rest.split_first_chunk().map(|(ms, name)| (u64::from_be_bytes(*ms), name)).ok_or(invalid)?,
            _ => return Err(invalid),
        };
        let name = match (kind % 2, name) {
            (0, []) => None,
            (1, name) => Some(std::str::from_utf8(name).map_err(|_| invalid)?.to_owned()),
            _ => return Err(invalid),
        };
        Ok(ObjectRecord { number: ObjectNumber(u64::from_be_bytes(*number)), name, created_ms, active_ms })
    }
}

impl Departed {
    /// `0 | class number u32 | namespace key of the destination, 32 bytes | unique key in UTF-8`, with 1 in front once it
    /// has left.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let class = self.class.encode();
        let (number, unique_key) = class.split_at(4);
        [&[u8::from(self.has_left)], number, &self.destination[..], unique_key].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Departed, InvalidRecord> {
        let invalid = InvalidRecord { what: "departed class" };
        let (has_left, rest) = bytes.split_first().ok_or(invalid)?;
        let (number, rest) = rest.split_first_chunk::<4>().ok_or(invalid)?;
        let (destination, unique_key) = rest.split_first_chunk::<32>().ok_or(invalid)?;
        let class = Class::decode(&[&number[..], unique_key].concat()).map_err(|_| invalid)?;
        if *has_left > 1 {
            return Err(invalid);
        }
        Ok(Departed { class, destination: *destination, has_left: *has_left == 1 })
    }
}

impl Format {
    /// `version u32 | created_ms u64`. Later versions may append; the version stays in front for ever.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12);
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.created_ms.to_be_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Format, InvalidRecord> {
        let invalid = InvalidRecord { what: "format" };
        let (version, rest) = bytes.split_first_chunk::<4>().ok_or(invalid)?;
        let created_ms = rest.first_chunk::<8>().ok_or(invalid)?;
        Ok(Format { version: u32::from_be_bytes(*version), created_ms: u64::from_be_bytes(*created_ms) })
    }
}

/// The value of [`crate::Key::Size`]: `u64`.
pub(crate) fn decode_size(bytes: &[u8]) -> Result<u64, InvalidRecord> {
    let bytes: [u8; 8] = bytes.try_into().map_err(|_| InvalidRecord { what: "size" })?;
    Ok(u64::from_be_bytes(bytes))
}

/// The value of [`crate::Key::NextObject`]: `u64`.
pub(crate) fn decode_next_object(bytes: &[u8]) -> Result<u64, InvalidRecord> {
    let bytes: [u8; 8] = bytes.try_into().map_err(|_| InvalidRecord { what: "next object number" })?;
    Ok(u64::from_be_bytes(bytes))
}

/// The value of [`crate::Key::Log`]: `u64`.
pub(crate) fn decode_generation(bytes: &[u8]) -> Result<u64, InvalidRecord> {
    let bytes: [u8; 8] = bytes.try_into().map_err(|_| InvalidRecord { what: "generation of the log" })?;
    Ok(u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_have_these_bytes_for_ever() {
        let class = Class { number: ClassNumber(7), unique_key: "ab:Room".into() };
        assert_eq!(class.encode(), b"\0\0\0\x07ab:Room");
        let record = ObjectRecord { number: ObjectNumber(258), name: None, created_ms: 3, active_ms: 4 };
        assert_eq!(record.encode(), b"\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x03\x02\0\0\0\0\0\0\0\x04");
        let record = ObjectRecord { name: Some("é".into()), ..record };
        assert_eq!(record.encode(), b"\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\x04\xc3\xa9");
        let departed = Departed { class, destination: [9; 32], has_left: true };
        assert_eq!(departed.encode(), [&b"\x01\0\0\0\x07"[..], &[9; 32], b"ab:Room"].concat());
        assert_eq!(Format { version: 1, created_ms: 2 }.encode(), b"\0\0\0\x01\0\0\0\0\0\0\0\x02");
    }

    #[test]
    fn object_records_of_formats_1_and_2_are_read() {
        let record = ObjectRecord { number: ObjectNumber(258), name: None, created_ms: 3, active_ms: 3 };
        assert_eq!(ObjectRecord::decode(b"\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x03\0").as_ref(), Ok(&record));
        let record = ObjectRecord { name: Some("é".into()), ..record };
        let bytes = b"\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x03\x01\xc3\xa9";
        assert_eq!(ObjectRecord::decode(bytes), Ok(record));
    }

    #[test]
    fn bytes_that_no_encoder_wrote_are_refused() {
        assert!(Class::decode(b"\0\0\0").is_err());
        assert!(Class::decode(b"\0\0\0\x07\xff").is_err());
        assert!(ObjectRecord::decode(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03").is_err());
        assert!(ObjectRecord::decode(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\0x").is_err());
        assert!(ObjectRecord::decode(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\x02").is_err());
        assert!(ObjectRecord::decode(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\x02\0\0\0\0\0\0\0\x04x").is_err());
        assert!(ObjectRecord::decode(b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x03\x04\0\0\0\0\0\0\0\x04").is_err());
        assert!(Departed::decode(&[2; 60]).is_err() && Departed::decode(&[0; 36]).is_err());
        assert!(Format::decode(b"\0\0\0\x01").is_err());
        assert!(decode_next_object(b"\0\0\0\0\0\0\0").is_err());
        assert!(decode_size(b"\0\0\0\0\0\0\0\0\0").is_err());
    }

    proptest! {
        #[test]
        fn records_survive_a_round_trip(number: u64, name: Option<String>, created_ms: u64, active_ms: u64, class: u32, unique_key: String) {
            let record = ObjectRecord { number: ObjectNumber(number), name, created_ms, active_ms };
            prop_assert_eq!(ObjectRecord::decode(&record.encode()).unwrap(), record);
            let class = Class { number: ClassNumber(class), unique_key };
            prop_assert_eq!(Class::decode(&class.encode()).unwrap(), class.clone());
            let departed = Departed { class, destination: [number as u8; 32], has_left: active_ms.is_multiple_of(2) };
            prop_assert_eq!(Departed::decode(&departed.encode()).unwrap(), departed);
        }
    }
}
